"""Limits: what the environment sets, and that they reach the parts that hold them."""

from pathlib import Path

import pytest

from kp.data.images import MAX_PIXELS
from kp.ui.app import build_app, launch_options
from kp.ui.settings import Settings, default_home
from kp.ui.widgets.safe_image import SafeImage

LIMITS = ("max_megapixels", "max_upload_mb", "max_training_seconds", "runs_kept", "max_queue")


def test_a_hosted_space_is_stricter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPACE_ID", raising=False)
    here = Settings.from_environment("frames")
    monkeypatch.setenv("SPACE_ID", "somebody/keypoints")
    space = Settings.from_environment("frames")
    assert here.data == space.data == "frames"
    assert all(getattr(space, name) <= getattr(here, name) for name in LIMITS)
    assert space.max_training_seconds < here.max_training_seconds and space.max_megapixels < here.max_megapixels


def test_runs_are_kept_where_kp_home_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KP_HOME", "/somewhere")
    assert Settings().home == Path("/somewhere")
    monkeypatch.delenv("KP_HOME")
    assert Settings().home.name.startswith("keypoint-lab-")  # one for each user of the machine


def test_the_library_s_own_limit_is_the_widest() -> None:
    assert Settings().max_megapixels * 1_000_000 <= MAX_PIXELS


def test_the_limits_reach_the_app(data_root: Path, tmp_path: Path) -> None:
    settings = Settings(data=str(data_root), home=tmp_path, max_megapixels=7, max_upload_mb=3, max_queue=5, visitors=9)
    page = build_app(settings)
    uploads = [block for block in page.blocks.values() if isinstance(block, SafeImage)]
    assert len(uploads) >= 3 and {block.max_pixels for block in uploads} == {7_000_000}
    assert page._queue.max_size == 5
    options = launch_options(settings)
    assert (options["max_file_size"], options["state_session_capacity"]) == ("3mb", 9)


def test_the_home_is_the_user_s_own_also_on_windows(monkeypatch) -> None:
    monkeypatch.delenv("KP_HOME", raising=False)
    monkeypatch.setenv("LOGNAME", "ada")
    monkeypatch.delattr("os.getuid")
    assert default_home().name == "keypoint-lab-ada"
