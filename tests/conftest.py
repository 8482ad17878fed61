"""Fixtures: a drawn dataset, the real one where it is, the app on a free port, and a browser."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from builders import make_dataset, tiny_checkpoint
from PIL import Image
from running import ROOT, launch_app
from slow_tests import SLOW_TESTS

from kp.checkpoint import list_checkpoints, save_checkpoint
from kp.data import FacialKeypointsDataset, find_data
from kp.errors import CheckpointError
from kp.synthetic.dataset import SyntheticFaces

# Started in the background by a shell, tests and all that they start would be deaf to Ctrl-C, which some of them press.
signal.signal(signal.SIGINT, signal.default_int_handler)

REAL_DATA = os.environ.get("KP_DATA")
CHROMIUM = Path("/usr/bin/chromium")
CHROMIUM_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_configure(config: pytest.Config) -> None:
    """Uploads and pictures of apps in this process go to a folder of the run's own."""
    folder = tempfile.TemporaryDirectory(prefix="kp-tests-")
    config.add_cleanup(folder.cleanup)
    os.environ["GRADIO_TEMP_DIR"] = folder.name


@pytest.fixture(autouse=True)
def same_uploads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that starts `demo.py` in this process does not move the uploads of apps that run for all tests."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", os.environ["GRADIO_TEMP_DIR"])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what drives a browser and what is known to take time."""
    for item in items:
        name = item.originalname if isinstance(item, pytest.Function) else item.name
        if item.get_closest_marker("browser") or name in SLOW_TESTS:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small drawn dataset."""
    return make_dataset(tmp_path_factory.mktemp("drawn"))


@pytest.fixture(scope="session")
def dataset(data_root: Path) -> FacialKeypointsDataset:
    return FacialKeypointsDataset(data_root)


@pytest.fixture(scope="session")
def few_faces() -> SyntheticFaces:
    """Sample faces of twelve people; three of them are test people."""
    return SyntheticFaces(12)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The path of a small network with random weights."""
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_checkpoint(tiny_checkpoint(), path)
    return str(path)


@pytest.fixture
def on_sample(few_faces: SyntheticFaces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No dataset is found; where the app looks, there are these few sample faces in place of all."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KP_DATA", raising=False)
    monkeypatch.setattr("kp.ui.context.synthetic_faces", lambda: few_faces)


@pytest.fixture
def on_nothing(on_sample: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """No dataset is found, and no sample faces can be made."""

    def fail() -> SyntheticFaces:
        raise CheckpointError("appearance.safetensors is no appearance model. Copy the file again.")

    monkeypatch.setattr("kp.ui.context.synthetic_faces", fail)


@pytest.fixture(scope="session")
def real_root() -> Path:
    """The real dataset's folder."""
    if not REAL_DATA:
        pytest.skip("KP_DATA is not set: it names the folder of the real dataset")
    return Path(REAL_DATA)


@pytest.fixture(scope="session")
def real_dataset(real_root: Path) -> FacialKeypointsDataset:
    return FacialKeypointsDataset(real_root)


FRESH = """
import json, sys, kp, kp.synthetic.face_store
shapes = {name: kp.read_image(f"{sys.argv[1]}/{name}").shape for name in ("me.jpg", "me.png")}
pictures_only = list(sys.modules)
from kp import *
print(json.dumps({"shapes": shapes, "pictures only": pictures_only, "modules": list(sys.modules)}))
"""


@pytest.fixture(scope="session")
def fresh_process(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What a new process says after reading two pictures and `from kp import *`; one for all tests, being slow."""
    folder = tmp_path_factory.mktemp("fresh")
    for name in ("me.jpg", "me.png"):
        Image.new("RGB", (9, 8), "red").save(folder / name)
    done = subprocess.run([sys.executable, "-c", FRESH, str(folder)], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="session")
def shipped() -> list[str]:
    """Names of the shipped checkpoints."""
    return list(list_checkpoints())


@pytest.fixture(scope="session")
def app_url(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app's address, with the drawn dataset."""
    from kp.ui.settings import Settings

    yield from launch_app(Settings(data=str(data_root), home=tmp_path_factory.mktemp("home")))


@pytest.fixture(scope="session")
def empty_app_url(few_faces: SyntheticFaces, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an app that finds no dataset, whatever KP_DATA names and data/ holds, but a few sample faces."""
    from kp.ui.settings import Settings

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kp.ui.context.find_data", lambda named: find_data(named) if named else None)
        patch.setattr("kp.ui.context.synthetic_faces", lambda: few_faces)
        yield from launch_app(Settings(home=tmp_path_factory.mktemp("home")))


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[subprocess.Popen]]:
    """`play(script)`: training runs are processes of this script instead, which gets the checkpoint's path."""
    from kp.ui.services.training_runs import Run, RunManager

    def play(script: str) -> list[subprocess.Popen]:
        processes = []

        def spawn(_: RunManager, run: Run) -> subprocess.Popen:
            processes.append(
                subprocess.Popen(
                    [sys.executable, "-S", "-c", script, str(run.checkpoint)],
                    text=True,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                )
            )
            return processes[-1]

        monkeypatch.setattr(RunManager, "_spawn", spawn)
        return processes

    return play


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory):
    """A headless Chromium; `chromium.new_page(...)` opens a page."""
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is missing: install the system's package chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=CHROMIUM_FLAGS)
        yield browser
        browser.close()
