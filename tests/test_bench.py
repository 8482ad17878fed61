"""The benchmark's rows and its command; how long things take is no matter here."""

import json
from pathlib import Path

import pytest
from conftest import ROOT

from kp.__main__ import main
from kp.bench import MEASUREMENTS, Row
from kp.bench.data import measure_data
from kp.bench.prediction import best_of


def test_the_data_rows(data_root: Path) -> None:
    rows = list(measure_data(data_root))
    assert [(row.what, row.unit) for row in rows] == [
        ("open the dataset", "s"),
        ("a page of 24 frames, first time", "s"), ("a page of 24 frames, again", "s"),
        ("decode all 36 images, first time", "s"), ("decode all 36 images, again", "s"),
    ]
    assert all(row.value > 0 for row in rows)


def test_the_command_prints_json_for_programs(data_root: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["bench", "--only", "data", "--json", "--data", str(data_root)]) == 0
    output, errors = capsys.readouterr()
    told = json.loads(output)
    assert set(told["machine"]) >= {"processor", "threads", "torch", "python"}
    assert len(told["figures"]) == 5 and not errors
    assert all(set(row) == {"part", "what", "value", "unit"} and row["part"] == "data" for row in told["figures"])


def test_the_command_prints_a_line_a_figure(data_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / "figures.json"
    assert main(["bench", "--only", "data", "--data", str(data_root), "--out", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    figures = json.loads(out.read_text())["figures"]
    assert len(lines) == len(figures) == 5
    for line, row in zip(lines, figures, strict=True):
        assert line.startswith("data ") and row["what"] in line and line.endswith(f" {row['unit']}")


def test_parts_are_measured_in_the_order_asked_for(data_root: Path, monkeypatch: pytest.MonkeyPatch,
                                                   capsys: pytest.CaptureFixture) -> None:
    for name in MEASUREMENTS:
        monkeypatch.setitem(MEASUREMENTS, name, lambda root, name=name: [Row(f"{name} of {root.name}", 1.0, "s")])
    main(["bench", "--json", "--data", str(data_root)])
    everything = [row["part"] for row in json.loads(capsys.readouterr().out)["figures"]]
    assert everything == list(MEASUREMENTS)
    main(["bench", "--json", "--data", str(data_root), "--only", "app", "data"])
    figures = json.loads(capsys.readouterr().out)["figures"]
    assert [row["what"] for row in figures] == [f"app of {data_root.name}", f"data of {data_root.name}"]


def test_the_best_time_is_after_a_warm_up() -> None:
    calls = []
    assert best_of(lambda: calls.append(1), rounds=3) >= 0
    assert len(calls) == 4


def test_the_app_that_is_measured_is_there() -> None:
    assert (ROOT / "demo.py").is_file()


@pytest.mark.parametrize("words", [["--only", "nothing"], ["--only"]])
def test_unknown_parts_are_wrong_options(words: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["bench", *words])
    assert stopped.value.code == 2
