"""The benchmark's rows and its command; durations are not checked."""

import json
import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import tiny_checkpoint
from running import ROOT

from kp.__main__ import main
from kp.bench import MEASUREMENTS, Row
from kp.bench.data import measure_data
from kp.bench.learning import reaching
from kp.bench.peers import MESH_POINTS, PEERS, face_rows, measure_peers, open_shipped
from kp.bench.photos import GREY, batch_row, photo_of, webcam_row
from kp.bench.prediction import measure_prediction, network_rows
from kp.bench.row import in_own_process, median_seconds
from kp.bench.training import CONTESTS, Contest, excerpt, measure_training, package_rate, plain_network, plain_rate
from kp.checkpoint import list_checkpoints
from kp.commands.bench import figure
from kp.data import FacialKeypointsDataset
from kp.models import count_parameters, create_model
from kp.prediction.predictor import Predictor

pytestmark = pytest.mark.slow


def test_the_data_rows(data_root: Path) -> None:
    rows = list(measure_data(data_root))
    assert [(row.what, row.unit) for row in rows] == [
        ("open the dataset", "s"),
        ("a page of 24 frames, first time", "s"),
        ("a page of 24 frames, again", "s"),
        ("decode all 36 images, first time", "s"),
        ("decode all 36 images, again", "s"),
    ]
    assert all(row.value > 0 for row in rows)


def test_the_command_prints_json_for_programs(data_root: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["bench", "--only", "data", "--json", "--data", str(data_root)]) == 0
    output, errors = capsys.readouterr()
    result = json.loads(output)
    assert set(result["machine"]) >= {"processor", "threads", "torch", "python"}
    assert len(result["figures"]) == 5 and not errors
    assert all(set(row) == {"part", "what", "value", "unit", "note"} for row in result["figures"])
    assert {row["part"] for row in result["figures"]} == {"data"}


def test_synthetic_faces_are_measured_as_files(few_faces, monkeypatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setattr("kp.synthetic.dataset.synthetic_faces", lambda: few_faces)
    assert main(["bench", "--only", "data", "--data", "synthetic", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)["figures"]
    assert len(figures) == 5 and all(row["value"] > 0 for row in figures)


def test_the_command_prints_a_line_a_figure(data_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / "figures.json"
    assert main(["bench", "--only", "data", "--data", str(data_root), "--out", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    figures = json.loads(out.read_text())["figures"]
    assert len(lines) == len(figures) == 5
    for line, row in zip(lines, figures, strict=True):
        assert line.startswith("data ") and row["what"] in line and line.endswith(f" {row['unit']}")


def test_parts_are_measured_in_the_given_order(
    data_root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    for name in MEASUREMENTS:
        monkeypatch.setitem(MEASUREMENTS, name, lambda root, name=name: [Row(f"{name} of {root.name}", 1.0, "s")])
    main(["bench", "--json", "--data", str(data_root)])
    everything = [row["part"] for row in json.loads(capsys.readouterr().out)["figures"]]
    assert everything == list(MEASUREMENTS)
    main(["bench", "--json", "--data", str(data_root), "--only", "app", "data"])
    figures = json.loads(capsys.readouterr().out)["figures"]
    assert [row["what"] for row in figures] == [f"app of {data_root.name}", f"data of {data_root.name}"]


def test_a_time_is_the_median_after_a_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0, 1, 10, 13, 20, 90])  # three rounds, of 1, 3 and 70 s
    calls = []
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    assert median_seconds(lambda: calls.append(1), rounds=3) == 3
    assert len(calls) == 4


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (Row("", 0.01234, "s"), "0.0123"),
        (Row("", 12.34, "s"), "12.3"),
        (Row("", 1234.5, "s"), "1,234"),
        (Row("", None, "s", "not reached"), "not reached"),
    ],
)
def test_figures_have_three_digits_or_a_reason(row: Row, text: str) -> None:
    assert figure(row) == text


def test_a_level_is_reached_when_the_error_first_falls_to_it() -> None:
    rows = list(reaching([(1.0, 30.0), (2.0, 9.74), (3.0, 12.0), (4.0, 6.5)]))
    assert [(row.value, row.note) for row in rows] == [
        (2.0, ""),
        (2.0, ""),
        (4.0, ""),
        (None, "not reached"),
        (None, "not reached"),
    ]
    assert "9.74 %" in rows[1].what


SMALL = {
    name: Contest(
        replace(contest.config, batch_size=2, **({"crop_size": 32, "width": 8} if name == "heatmap_net" else {})),
        steps=1,
    )
    for name, contest in CONTESTS.items()
}


def test_the_loops_are_compared_network_by_network(data_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = []
    monkeypatch.setattr("kp.bench.training.CONTESTS", SMALL)
    monkeypatch.setattr("kp.bench.training.ROUNDS", 1)
    monkeypatch.setattr("kp.bench.training.in_own_process", lambda work, *given: here.append(work) or work(*given))
    rows = list(measure_training(data_root))
    assert here == [plain_rate, package_rate] * len(SMALL)
    assert [row.unit for row in rows] == ["images/s", "images/s", "x"] * len(SMALL)
    for plain, ours, ratio in zip(rows[::3], rows[1::3], rows[2::3], strict=True):
        assert ratio.value == pytest.approx(ours.value / plain.value)


@pytest.mark.parametrize("name", CONTESTS)
def test_both_loops_train_the_same_network(name: str) -> None:
    config = CONTESTS[name].config
    model, forward = plain_network(config)
    ours = create_model(config.architecture, **config.model_arguments)
    assert count_parameters(model) == count_parameters(ours)
    model.eval()
    with torch.inference_mode():
        assert forward(torch.zeros(1, 1, config.input_size, config.input_size))["keypoints"].shape == (1, 68, 2)


def test_an_excerpt_keeps_the_parts_apart(data_root: Path, dataset: FacialKeypointsDataset) -> None:
    small = excerpt(data_root, Contest(CONTESTS["heatmap_net"].config, steps=1000))
    people = [{frame.person for frame in small.part("people", part).frames} for part in ("train", "test")]
    assert people == [{frame.person for frame in dataset.part("people", part).frames} for part in ("train", "test")]


def test_work_can_be_done_in_a_process_of_its_own() -> None:
    assert in_own_process(os.getpid) != os.getpid()


def test_prediction_has_each_network_alone_by_threads_and_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    monkeypatch.setattr("kp.bench.prediction.BATCH_ROUNDS", 1)
    before = torch.get_num_threads()
    rows = list(network_rows("tiny", Predictor(tiny_checkpoint(), "whole-image")))
    assert [(row.what.split(", ")[0], row.what.split(", ")[2], row.unit) for row in rows] == [
        ("tiny: one face", "1 thread", "ms"),
        ("tiny: batches of 32", "1 thread", "images/s"),
        ("tiny: one face", "2 threads", "ms"),
        ("tiny: batches of 32", "2 threads", "images/s"),
    ]
    assert all(row.value > 0 for row in rows)
    assert torch.get_num_threads() == before


def test_prediction_of_a_whole_photo(data_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kp.bench.prediction.PHOTO_ROUNDS", 1)
    monkeypatch.setattr("kp.bench.prediction.network_rows", lambda *_: iter([]))
    rows = list(measure_prediction(data_root))
    assert len(rows) == len(list_checkpoints())
    assert all("12 megapixels" in row.what and row.unit == "s" for row in rows)


def test_a_peer_s_rows(dataset: FacialKeypointsDataset) -> None:
    """Each point one tenth of the eye distance off, but for the jaw, which is three tenths off; one face is missed."""
    faces = dataset.part("people", "test")
    truths = iter(faces.keypoints)

    def find(image: np.ndarray, box: object) -> np.ndarray | None:
        truth = next(truths)
        if np.array_equal(truth, faces.keypoints[3]):
            return None
        far = np.linalg.norm(truth[36] - truth[45]) * np.where(np.arange(68) < 17, 0.3, 0.1)
        return truth + np.stack([far, np.zeros(68)], 1)

    error, inner, missed, latency = face_rows("peer", find, faces)
    assert error.value == pytest.approx((17 * 30 + 51 * 10) / 68, rel=1e-4)
    assert inner.value == pytest.approx(10, rel=1e-4)
    assert (missed.what, missed.value) == ("peer: missed, of 12", 1)
    assert (latency.unit, latency.value > 0) == ("ms", True)


def test_a_peer_that_finds_nothing_has_no_error(dataset: FacialKeypointsDataset) -> None:
    rows = list(face_rows("peer", lambda image, box: None, dataset.part("people", "test")))
    assert [(row.value, row.note) for row in rows[:2]] == [(None, "no face found")] * 2
    assert not any(math.isnan(row.value) for row in rows[2:])


def test_absent_peers_are_listed_and_shipped_networks_measured(data_root: Path, monkeypatch) -> None:
    for name in PEERS:
        monkeypatch.setitem(PEERS, name, lambda: None)
    rows = list(measure_peers(data_root))
    assert [row.what.split(":")[0] for row in rows if row.note == "not installed"] == list(PEERS)
    assert [row.what for row in rows if row.value and row.unit == "ms"] == [
        f"{name}: one face, from frame to points, p50" for name in list_checkpoints()
    ]


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_opens_or_is_reported_as_missing(name: str, dataset: FacialKeypointsDataset) -> None:
    find = PEERS[name]()
    assert find is None or callable(find)


def test_mediapipe_s_points() -> None:
    assert len(MESH_POINTS) == len(set(MESH_POINTS)) == 68
    assert max(MESH_POINTS) < 468


@pytest.mark.real_data
def test_a_shipped_network_as_a_peer(real_dataset: FacialKeypointsDataset) -> None:
    """The same figures as `python -m kp evaluate`, in percent."""
    few = real_dataset.part("people", "test").subset(range(0, 809, 40))
    error, *_ = face_rows("five_conv", open_shipped("five_conv"), few)
    assert 4 < error.value < 9


def test_the_app_that_is_measured_is_there() -> None:
    assert (ROOT / "demo.py").is_file()


@pytest.mark.parametrize("words", [["--only", "nothing"], ["--only"]])
def test_unknown_parts_are_wrong_options(words: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["bench", *words])
    assert stopped.value.code == 2


def test_photos_are_made_of_many_people(dataset: FacialKeypointsDataset) -> None:
    photo = photo_of(dataset, (300, 400), count=6)
    assert photo.shape == (300, 400, 3) and photo.dtype == np.uint8
    cells = [photo[top : top + 150, left : left + 133] for top in (0, 150) for left in (0, 133, 266)]
    assert all((cell != GREY).mean() > 0.3 for cell in cells)
    assert len({cell.mean() for cell in cells}) == 6
    assert (photo_of(dataset, (300, 400), start=3) != photo_of(dataset, (300, 400))).any()


def test_a_webcam_s_row(dataset: FacialKeypointsDataset) -> None:
    row = webcam_row(dataset)
    assert (row.unit, row.value > 0) == ("a second", True)


def test_a_folder_s_row(dataset: FacialKeypointsDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kp.bench.photos.BATCH", 4)
    monkeypatch.setattr("kp.bench.photos.DIFFERENT", 2)
    row = batch_row(dataset, tmp_path)
    assert row.what.startswith("4 photos") and row.value > 0
    assert len(list((tmp_path / "out").glob("*.json"))) == 4
