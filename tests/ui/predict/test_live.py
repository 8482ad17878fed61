"""The webcam's frames: faces found, followed and held still, for each visitor by himself."""

from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from scenes import scene

from kp.errors import CheckpointError, ImageError
from kp.metrics import point_errors
from kp.ui.predict.live import HEIGHT, IDLE, WIDTH, LiveHandlers, LiveState, live_panel, small
from kp.ui.services.model_store import ModelStore

MARKS = ["points", "boxes", "colours"]
FRAME, TRUTH = scene([190], height=480, width=640)


@pytest.fixture
def live(tmp_path: Path) -> LiveHandlers:
    with gr.Blocks():
        panel = live_panel(100)
    return LiveHandlers(ModelStore(tmp_path), panel)


def step(live: LiveHandlers, *args) -> tuple[str, LiveState | None]:
    """What `frame` shows, and the next state."""
    result = live.frame(*args)
    return result[live.panel.view], result[live.panel.state]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which goes on by 0.04 s whenever it is asked for."""
    now = [100.0]

    def tick() -> float:
        now[0] += 0.04
        return now[0]

    monkeypatch.setattr("kp.ui.predict.live.perf_counter", tick)
    return now


def test_a_frame_comes_back_with_its_faces(live: LiveHandlers) -> None:
    html, state = step(live, FRAME, None, "heatmap_net", MARKS, True)
    assert "1 face." in html and "data:image/jpeg" in html
    (face,) = live.predictor._faces(FRAME, "heatmap_net")
    assert point_errors(face.keypoints, TRUTH[0]).mean() < 0.05
    assert "no faces" in step(live, np.zeros_like(FRAME), state, "heatmap_net", MARKS, True)[0]


def test_a_trembling_face_is_held_still(live: LiveHandlers, clock: list[float]) -> None:
    """The same face in frames with noise: its points move less with the filter than without."""
    rng, travel = np.random.default_rng(0), {}
    frames = [np.clip(FRAME + rng.normal(0, 25, FRAME.shape), 0, 255).astype(np.uint8) for _ in range(8)]
    for still in (True, False):
        state, path = None, []
        for frame in frames:
            _, state = step(live, frame, state, "heatmap_net", MARKS, still)
            answer = (
                state.tracker.tracks[0].filter.value
                if still
                else live.predictor._faces(frame, "heatmap_net")[0].keypoints
            )
            path.append(answer[:68])
        travel[still] = np.abs(np.diff(path, axis=0)).mean()
    assert travel[True] < 0.6 * travel[False]


def test_a_switch_or_a_pause_starts_anew(live: LiveHandlers, clock: list[float]) -> None:
    _, first = step(live, FRAME, None, "heatmap_net", MARKS, True)
    _, second = step(live, FRAME, first, "heatmap_net", MARKS, True)
    assert second.tracker is first.tracker and len(second.times) == 2
    _, switched = step(live, FRAME, second, "heatmap_net", MARKS, False)
    assert switched.tracker.smoothing is None
    clock[0] += 60
    _, later = step(live, FRAME, second, "heatmap_net", MARKS, True)
    assert later.tracker is not second.tracker and len(later.times) == 1


def test_the_speed_is_told_after_some_frames(live: LiveHandlers, clock: list[float]) -> None:
    state = None
    for _ in range(30):
        html, state = step(live, FRAME, state, "heatmap_net", MARKS, True)
    assert "12 frames a second" in html  # two looks at the clock a frame
    assert len(state.times) == 20


def test_large_frames_are_made_small() -> None:
    assert small(np.zeros((1440, 1920, 3), np.uint8)).shape == (HEIGHT, WIDTH, 3)
    assert small(np.zeros((1280, 720, 3), np.uint8)).shape == (480, 270, 3)
    assert small(FRAME) is FRAME


def test_the_last_frame_can_be_the_photo(live: LiveHandlers) -> None:
    _, state = step(live, FRAME, None, "heatmap_net", MARKS, True)
    assert np.array_equal(live.snapshot(state), FRAME)
    with pytest.raises(ImageError, match="Start the camera"):
        live.snapshot(None)


def test_nothing_and_no_network(live: LiveHandlers) -> None:
    assert step(live, None, None, "heatmap_net", MARKS, True) == (IDLE, None)
    with pytest.raises(CheckpointError, match="no network"):
        step(live, FRAME, None, None, MARKS, True)
    assert isinstance(step(live, FRAME, None, "heatmap_net", [], True)[1], LiveState)
