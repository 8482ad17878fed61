"""The whole app: its start, its API, its privacy, and the model's card."""

import importlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import cv2
import gradio as gr
import pytest
from builders import drawn_face
from running import ROOT

from kp.bench.app import free_port
from kp.console import INTERRUPT_CODE
from kp.model_card import ModelCard
from kp.ui.app import build_app, card_html, launch_options, stay_offline
from kp.ui.settings import Settings

PATIENCE = 120  # seconds; the machine may be busy
NO_PROXY_SET = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}


def answer(url: str) -> int:
    """The status of a GET; 0 where there is no server."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=10) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return 0


@pytest.fixture
def proxy() -> Iterator[tuple[str, list]]:
    """The address of a proxy that forwards nothing, and the requests that it got."""
    callers = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            while True:
                try:
                    caller, _ = server.accept()
                except OSError:
                    return
                with caller:
                    callers.append(caller.recv(200))

        threading.Thread(target=listen, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", callers


def test_demo_starts_behind_a_proxy_and_sends_no_request(
    proxy: tuple[str, list], data_root: Path, tmp_path: Path
) -> None:
    address, callers = proxy
    port, proxies = free_port(), {name: address for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")}
    app = subprocess.Popen(
        [sys.executable, "demo.py", "--data", str(data_root), "--port", str(port)],
        cwd=ROOT,
        env=NO_PROXY_SET | proxies | {"KP_HOME": str(tmp_path), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        end = time.monotonic() + PATIENCE
        while not answer(f"http://127.0.0.1:{port}/"):
            assert app.poll() is None, app.stderr.read().decode()
            assert time.monotonic() < end
            time.sleep(0.1)
        while b"public link" not in app.stdout.readline():  # the last line; before it the app requests its own page
            assert app.poll() is None, app.stderr.read().decode()
        app.send_signal(signal.SIGINT)
        assert app.wait(PATIENCE) in (0, INTERRUPT_CODE)  # Ctrl-C ends it, without a crash
        assert not callers
    finally:
        app.kill()
        app.stdout.close()
        app.stderr.close()


def test_uploads_go_to_a_folder_of_the_user_s_own(data_root: Path, tmp_path: Path) -> None:
    code = "import demo; from gradio.utils import get_upload_folder; print(get_upload_folder())"
    environment = {name: value for name, value in os.environ.items() if name != "GRADIO_TEMP_DIR"}
    output = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env=environment | {"KP_HOME": str(tmp_path), "KP_DATA": str(data_root)},
    ).stdout
    assert output.splitlines()[-1] == str(tmp_path / "uploads")


def test_demo_can_be_imported(data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KP_DATA", str(data_root))
    monkeypatch.setenv("KP_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["uvicorn", "--unknown", "options"])
    monkeypatch.syspath_prepend(str(ROOT))
    module = importlib.import_module("demo")
    assert isinstance(module.demo, gr.Blocks) and not module.demo.is_running
    assert module.settings == Settings.from_environment()


def test_staying_offline_keeps_what_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "True")
    monkeypatch.setenv("NO_PROXY", "intranet,localhost")
    monkeypatch.delenv("no_proxy", raising=False)
    stay_offline()
    stay_offline()
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
    assert os.environ["NO_PROXY"] == "intranet,localhost,127.0.0.1,0.0.0.0"
    assert os.environ["no_proxy"] == "localhost,127.0.0.1,0.0.0.0"


@pytest.fixture(scope="module")
def built(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> gr.Blocks:
    return build_app(Settings(data=str(data_root), home=tmp_path_factory.mktemp("home")))


def test_the_public_api_has_one_endpoint(built: gr.Blocks) -> None:
    offered = {function.api_name for function in built.fns.values() if function.api_visibility != "private"}
    assert offered == {"predict"}
    assert set(built.get_api_info()["named_endpoints"]) == {"/predict"}
    assert not built.get_api_info()["unnamed_endpoints"]


def test_nothing_about_visitors_is_stored_or_shown(built: gr.Blocks) -> None:
    options = launch_options(Settings())
    assert (options["run_history"], options["enable_monitoring"], options["show_error"]) == (False, False, False)
    assert built.analytics_enabled is False and built.delete_cache == (3600, 3600) and built.api_open is False


def test_a_program_s_call_leaves_nothing_behind(built: gr.Blocks, tmp_path: Path) -> None:
    from gradio_client import Client, handle_file

    cv2.imwrite(str(tmp_path / "face.png"), drawn_face(7)[0])
    stay_offline()
    _, url, _ = built.launch(prevent_thread_lock=True, quiet=True, **launch_options(Settings()))
    try:
        for _ in range(2):
            _, faces = Client(url, verbose=False).predict(
                handle_file(tmp_path / "face.png"), detector="whole-image", api_name="/predict"
            )
            assert len(faces) == 1
        assert not built.state_holder.session_data
    finally:
        built.close()


def test_every_id_is_there_once(built: gr.Blocks) -> None:
    ids = [block.elem_id for block in built.blocks.values() if getattr(block, "elem_id", None)]
    assert len(ids) > 40 and len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file=demo.py",
        "/gradio_api/file=../demo.py",
        "/monitoring/summary",
        "/gradio_api/runs",
        "/gradio_api/file=http://127.0.0.1:1/",
        "/config/../demo.py",
    ],
)
def test_the_server_serves_no_file_outside_its_folders(app_url: str, path: str) -> None:
    assert answer(app_url.rstrip("/") + path) in (400, 403, 404, 405)


def card(**changes: object) -> ModelCard:
    values = {
        "name": "n",
        "file": "f",
        "title": "A small one",
        "architecture": "naimishnet",
        "parameters": 1_234_567,
        "megabytes": 2.54,
        "data": {"images": 24, "people": 4},
        "config": {},
        "history": [],
        "metrics": {"people, true-box": {"nme_mean": 6.77}},
    }
    return ModelCard(**(values | changes))


def test_the_card_describes_the_network_and_its_error() -> None:
    text = re.sub("<[^>]*>", "", card_html(card()))
    assert text == (
        "A small one · 6.8 % mean error (NME) on people never seen · naimishnet, 1.23 M parameters · "
        "2.5 MB · trained on 24 images of 4 people"
    )
    assert "not measured on people never seen" in card_html(card(metrics={}))
    assert "<script>" not in card_html(card(title="<script>", architecture="<script>"))
    assert "? images of ? people" in card_html(card(data={}))
    assert "trained on 24 synthetic faces of 4 people" in card_html(
        card(data={"name": "sample", "images": 24, "people": 4})
    )
