"""The command line: exit codes, what goes to which stream, and what is left on disk."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from builders import tiny_checkpoint
from running import QUICK_OPTIONS, ROOT, SUMMARY_KEYS
from safetensors import safe_open

from kp import Predictor, load_checkpoint, save_checkpoint
from kp.__main__ import main
from kp.commands import COMMANDS
from kp.detectors import DETECTORS

QUICK = [*QUICK_OPTIONS, "--augmentation", "none"]


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


@pytest.fixture
def kp(capsys: pytest.CaptureFixture) -> Callable[..., Said]:
    """`kp("info", "--json")` runs a command here and tells its exit code and what it printed."""

    def run(*arguments: object) -> Said:
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as leaving:  # argparse leaves so
            code = leaving.code
        return Said(code, *capsys.readouterr())

    return run


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    save_checkpoint(tiny_checkpoint(), tmp_path / "tiny.safetensors")
    return tmp_path / "tiny.safetensors"


def assert_one_sentence(said: Said, *words: str) -> None:
    """Failed with one line on the error stream that says what to do, and no traceback."""
    assert said.code == 1
    assert said.out == ""
    assert said.err.startswith("Error: ")
    assert said.err.count("\n") == 1
    for word in words:
        assert word in said.err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(kp, command: str) -> None:
    said = kp(command, "--help")
    assert said.code == 0
    assert f"kp {command}" in said.out
    assert said.err == ""


def test_help_lists_the_commands_and_version(kp) -> None:
    assert all(name in kp("--help").out for name in COMMANDS)
    assert kp("--version").out.startswith("kp ")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["dance"],
        ["train"],
        ["info", "--loud"],
        ["evaluate"],
        ["train", "--out", "a.safetensors", "--epochs", "many"],
        ["evaluate", "a", "--split", "mine"],
        ["evaluate", "a", "--detector", "eyes"],
    ],
)
def test_wrong_options_are_exit_code_2(kp, arguments: list[str]) -> None:
    said = kp(*arguments)
    assert said.code == 2
    assert said.out == ""
    assert "usage:" in said.err


def test_info_lists_cards(kp, tiny: Path, monkeypatch) -> None:
    figures = {"nme_mean": 7.25, "nme_p95": 9.0, "images": 12, "missed": 1}
    checkpoint = tiny_checkpoint()
    checkpoint.metrics.update({"people, true-box": figures, "people, detected-box, haar": figures | {"nme_mean": None}})
    save_checkpoint(checkpoint, tiny)
    monkeypatch.setattr("kp.model_card.list_checkpoints", lambda: {"tiny": tiny})
    (card,) = json.loads(kp("info", "--json").out)
    assert card["name"] == "tiny"
    assert card["metrics"]["people, true-box"] == figures
    said = kp("info")
    assert said.code == 0
    for words in (
        "tiny: tiny",
        "naimishnet",
        f"{card['parameters']:,} parameters",
        "people, true-box: NME 7.25 %",
        "1 of 12 faces missed",
        "none of 12 faces found",
    ):
        assert words in said.out


def test_info_of_the_shipped_ones(kp, shipped: list[str]) -> None:
    assert [card["name"] for card in json.loads(kp("info", "--json").out)] == shipped


def test_train_prints_events_and_saves(kp, data_root: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "mine.safetensors"
    said = kp("train", "--data", data_root, "--out", out, "--title", "Mine", "--json", *QUICK)
    assert (said.code, said.err) == (0, "")
    events = [json.loads(line) for line in said.out.splitlines()]
    assert events[-1]["event"] == "RunEnded"
    assert events[-1]["reason"] == "finished"
    assert [event["event"] for event in events].count("EpochDone") == 2
    checkpoint = load_checkpoint(out)
    assert checkpoint.title == "Mine"
    assert checkpoint.config["epochs"] == 2
    assert list(out.parent.iterdir()) == [out]


def test_train_for_people_writes_to_the_error_stream(kp, data_root: Path, tmp_path: Path) -> None:
    said = kp("train", "--data", data_root, "--out", tmp_path / "mine.safetensors", *QUICK)
    assert (said.code, said.out) == (0, "")
    assert "6 images to train on, 12 to validate on" in said.err
    assert "epoch 2/2" in said.err
    assert said.err.splitlines()[-1].startswith("Finished after 4 steps")


def test_train_in_half(kp, data_root: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine.safetensors"
    assert kp("train", "--data", data_root, "--out", out, "--half", "--json", *QUICK).code == 0
    with safe_open(out, framework="pt") as file:
        assert file.get_tensor("fc1.weight").dtype == torch.float16
    load_checkpoint(out).create_model()


def test_a_preset_is_a_start(kp, data_root: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine.safetensors"
    said = kp(
        "train",
        "--data",
        data_root,
        "--out",
        out,
        "--preset",
        "minute",
        "--epochs",
        "1",
        "--max-train-images",
        "4",
        "--size",
        "32",
        "--width",
        "8",
        "--json",
    )
    assert said.code == 0
    config = load_checkpoint(out).config
    assert (config["architecture"], config["loss"], config["epochs"]) == ("heatmap_net", "heatmap", 1)


def test_a_run_that_diverges_is_exit_code_1_and_saved(kp, data_root: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine.safetensors"
    options = [*QUICK, "--optimizer", "sgd", "--learning-rate", "10", "--epochs", "50", "--json"]
    said = kp("train", "--data", data_root, "--out", out, *options)
    assert said.code == 1
    assert json.loads(said.out.splitlines()[-1])["reason"] == "diverged"
    assert all(tensor.isfinite().all() for tensor in load_checkpoint(out).weights.values())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--epochs", "0"], ["epochs is 0", "from 1"]),
        (["--learning-rate", "nan"], ["learning_rate is nan"]),
        (["--architecture", "six_conv"], ["'six_conv'", "five_conv"]),
        (["--preset", "best"], ["'best'", "reference"]),
        (["--threads", "-1"], ["--threads is -1"]),
        (["--loss", "heatmap"], ["heatmap"]),
        (["--out", "mine.pt"], ["mine.pt", ".safetensors"]),
        (["--size", "50", "--architecture", "five_conv"], ["224"]),
    ],
)
def test_a_bad_setting_is_one_sentence(kp, data_root, tmp_path, monkeypatch, options: list, words: list) -> None:
    monkeypatch.chdir(tmp_path)
    assert_one_sentence(kp("train", "--data", data_root, "--out", "mine.safetensors", *QUICK, *options), *words)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "command",
    [
        ["train", "--out", "a.safetensors", *QUICK, "--size", "32"],
        ["evaluate", "tiny.safetensors"],
        ["calibrate"],
        ["bench", "--only", "data"],
    ],
    ids=lambda command: command[0],
)
def test_without_data_a_command_works_on_synthetic_faces_and_says_so(
    kp, tiny: Path, few_faces, monkeypatch, command: list[str]
) -> None:
    monkeypatch.delenv("KP_DATA", raising=False)
    monkeypatch.setattr("kp.synthetic.dataset.synthetic_faces", lambda: few_faces)
    monkeypatch.chdir(tiny.parent)
    assert_one_sentence(kp(*command, "--data", "nowhere"), "nowhere", "training_frames_keypoints.csv")
    said = kp(*command)
    assert said.code == 0
    assert said.err.count("There is no dataset here: this works on synthetic faces, which are nobody real.") == 1
    Path("a.safetensors").unlink(missing_ok=True)
    named = kp(*command, "--data", "synthetic")
    assert named.code == 0 and "There is no dataset" not in named.err


def test_figures_on_synthetic_faces_are_marked(kp, tiny: Path, few_faces, monkeypatch) -> None:
    monkeypatch.setattr("kp.synthetic.dataset.synthetic_faces", lambda: few_faces)
    for name in ("synthetic", "sample"):
        assert json.loads(kp("evaluate", tiny, "--data", name, "--json").out)["data"] == "synthetic"
    assert "synthetic faces" in kp("evaluate", tiny, "--data", "synthetic").out


def test_evaluate_prints_the_summary(kp, data_root: Path, tiny: Path) -> None:
    said = kp("evaluate", tiny, "--data", data_root, "--json")
    assert (said.code, said.err) == (0, "")
    summary = json.loads(said.out)
    assert list(summary) == SUMMARY_KEYS
    assert (summary["model"], summary["split"], summary["setting"]) == ("tiny", "people", "true-box")
    assert (summary["images"], summary["missed"]) == (12, 0)
    told = kp("evaluate", tiny, "--data", data_root).out
    assert f"mean {summary['nme_mean']:.2f} %" in told
    assert "12 images" in told


def test_evaluate_says_when_no_face_was_found(kp, data_root: Path, tiny: Path, monkeypatch) -> None:
    monkeypatch.setattr(DETECTORS["haar"], "detect", lambda self, image: [])
    options = ["evaluate", tiny, "--data", data_root, "--setting", "detected-box", "--detector", "haar"]
    assert "found none" in kp(*options).out
    summary = json.loads(kp(*options, "--json").out)
    assert (summary["missed"], summary["nme_mean"], summary["fr8"]) == (12, None, 100)


@pytest.mark.parametrize("half", [False, True])
def test_recorded_figures_are_in_the_card_and_the_weights_stay(kp, data_root, tiny: Path, half: bool) -> None:
    save_checkpoint(tiny_checkpoint(), tiny, dtype=torch.float16 if half else None)
    size, before = tiny.stat().st_size, load_checkpoint(tiny)
    for options in ([], ["--part", "validation"], ["--setting", "detected-box", "--detector", "whole-image"]):
        said = kp("evaluate", tiny, "--data", data_root, "--record", "--json", *options)
        assert said.code == 0 and f"replaced {tiny}, " in said.err
    after = load_checkpoint(tiny)
    assert list(after.metrics) == [
        "people, true-box",
        "people, true-box, validation",
        "people, detected-box, whole-image",
    ]
    assert after.metrics["people, true-box"]["images"] == 12
    assert after.metrics["people, true-box, validation"]["images"] == 6
    assert all(torch.equal(before.weights[name], after.weights[name]) for name in before.weights)
    assert tiny.stat().st_size == pytest.approx(size, rel=0.01)


def test_evaluate_says_how_many_images_were_learnt_from(kp, data_root: Path, tiny: Path) -> None:
    learnt = {"config": {"split": "people"}, "data": {"split": "people", "images": 24}}
    save_checkpoint(replace(tiny_checkpoint(), **learnt), tiny)
    options = ["evaluate", tiny, "--data", data_root]
    words = "It was trained on 8 of these 12 images."
    assert words not in kp(*options).out
    assert words in kp(*options, "--split", "official").out
    said = kp(*options, "--split", "official", "--json")
    assert words in said.err
    assert "learnt" not in json.loads(said.out)


def test_a_model_that_is_not_there(kp, data_root: Path, tmp_path: Path) -> None:
    assert_one_sentence(kp("evaluate", "nobody", "--data", data_root), "'nobody'", "path")
    (tmp_path / "a.safetensors").write_bytes(b"PK\x03\x04")
    assert_one_sentence(kp("evaluate", tmp_path / "a.safetensors", "--data", data_root), "refused")


def test_calibrate_fits_boxes(kp, data_root: Path) -> None:
    said = kp("calibrate", "--data", data_root, "--json")
    assert said.code == 0
    fitted = json.loads(said.out)
    assert set(fitted) == set(DETECTORS)
    whole = fitted["whole-image"]
    assert (whole["found"], whole["of"]) == (24, 24)
    assert whole["scale"] == pytest.approx(0.475, abs=0.04)  # drawn faces take 0.4 to 0.55 of the short side
    assert all(figures["of"] == 24 for figures in fitted.values())


def test_calibrate_survives_a_detector_that_finds_nothing(kp, data_root: Path, monkeypatch) -> None:
    monkeypatch.setattr(DETECTORS["yunet"], "detect", lambda self, image: [])
    said = kp("calibrate", "--data", data_root, "--json")
    assert json.loads(said.out)["yunet"] == {"found": 0, "of": 24}


@pytest.fixture(scope="module")
def interrupted(data_root: Path, tmp_path_factory) -> tuple[Path, int, list[str], str]:
    """A training run in a process of its own, sent Ctrl-C after a few steps: its file, exit code, output, errors."""
    out = tmp_path_factory.mktemp("interrupted") / "mine.safetensors"
    command = [
        sys.executable,
        "-m",
        "kp",
        "train",
        "--data",
        str(data_root),
        "--out",
        str(out),
        "--json",
        *QUICK,
        "--epochs",
        "10000",
    ]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    ) as process:
        lines, steps = [], 0
        while steps < 3:
            lines.append(process.stdout.readline())
            assert lines[-1], process.stderr.read()
            steps += json.loads(lines[-1])["event"] == "StepDone"
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=60)
    return out, process.returncode, lines + rest.splitlines(), errors


def test_ctrl_c_ends_with_130_and_a_whole_network(interrupted) -> None:
    out, code, lines, errors = interrupted
    assert (code, errors) == (130, "")
    last = json.loads(lines[-1])
    assert (last["event"], last["reason"]) == ("RunEnded", "stopped")
    Predictor(str(out), "whole-image")
    assert list(out.parent.iterdir()) == [out]


def test_ctrl_c_elsewhere_is_130_without_a_traceback(kp, monkeypatch) -> None:
    def interrupt(options: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(COMMANDS["info"], "run", interrupt)
    said = kp("info")
    assert (said.code, said.out, said.err) == (130, "", "Interrupted.\n")


def test_a_full_disk_is_one_sentence(kp, data_root: Path, tmp_path: Path, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    said = kp("train", "--data", data_root, "--out", tmp_path / "mine.safetensors", *QUICK)
    assert said.code == 1
    assert said.err.splitlines()[-1].startswith("Error: ")
    assert "No space left" in said.err
    assert "Traceback" not in said.err
    assert not list(tmp_path.iterdir())
