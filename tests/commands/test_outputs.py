"""Commands with one output: a file that is there is refused before the work begins, or replaced and named."""

import ast
from pathlib import Path

import pytest
from builders import tiny_checkpoint
from running import ROOT

from kp import load_checkpoint, save_checkpoint
from kp.__main__ import main

MINE = b"made by hand"
COMMANDS = {  # command, and the names of its outputs
    "train": (["train", "--preset", "minute"], ["out.safetensors"]),
    "average": (["average", "tiny.safetensors", "tiny.safetensors"], ["out.safetensors"]),
    "export": (["export", "tiny.safetensors"], ["out.onnx", "out.json"]),
    "appearance": (["appearance"], ["out.safetensors"]),
    "bench": (["bench", "--only", "data"], ["out.json"]),
}
WORK = (
    "train.train",
    "average.average_checkpoints",
    "export.export_onnx",
    "appearance.open_dataset",
    "bench.open_dataset",
)  # what must not be reached


@pytest.fixture
def folder(tmp_path: Path, monkeypatch, data_root: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KP_DATA", str(data_root))
    save_checkpoint(tiny_checkpoint(), tmp_path / "tiny.safetensors")
    return tmp_path


@pytest.mark.parametrize(
    ("command", "there"), [(command, name) for command, (_, names) in COMMANDS.items() for name in names]
)
def test_a_file_that_is_there_is_refused_before_the_work(
    folder: Path, capsys, monkeypatch, command: str, there: str
) -> None:
    for name in WORK:
        monkeypatch.setattr(f"kp.commands.{name}", lambda *_, **__: pytest.fail("the work began"))
    (folder / there).write_bytes(MINE)
    words, names = COMMANDS[command]
    assert main([*words, "--out", names[0]]) == 1
    out, err = capsys.readouterr()
    assert (out, err) == (
        "",
        f"Error: {there} is there already and would be replaced. Name another place with --out, "
        "or allow it with --overwrite.\n",
    )
    assert (folder / there).read_bytes() == MINE


def test_what_is_replaced_is_named(folder: Path, capsys) -> None:
    for command in ("average", "export", "bench"):
        words, names = COMMANDS[command]
        for name in names:
            (folder / name).write_bytes(MINE)
        assert main([*words, "--out", names[0], "--overwrite"]) == 0
        assert capsys.readouterr().err == f"--overwrite: {', '.join(names)} will be replaced.\n"
        assert all((folder / name).read_bytes() != MINE for name in names)
        if command == "average":
            load_checkpoint(folder / "out.safetensors")


def test_a_network_does_not_replace_the_one_that_it_started_from(folder: Path, capsys) -> None:
    before = (folder / "tiny.safetensors").read_bytes()
    assert main(["train", "--start", "tiny.safetensors", "--out", "tiny.safetensors"]) == 1
    assert main(["average", "tiny.safetensors", "tiny.safetensors", "--out", "tiny.safetensors"]) == 1
    assert "tiny.safetensors is there already" in capsys.readouterr().err
    assert (folder / "tiny.safetensors").read_bytes() == before


def test_outputs_are_written_in_one_way() -> None:
    """By kp/files.py: nothing else opens files for writing, moves or removes them."""
    places = [
        *(ROOT / "kp" / "commands").rglob("*.py"),
        *(ROOT / "kp" / "formats").rglob("*.py"),
        *(ROOT / "kp" / f"{name}.py" for name in ("onnx_export", "video/files", "model_card")),
    ]
    forbidden = {"write_text", "write_bytes", "unlink", "rename", "rmtree", "imwrite", "savez", "save_file"}
    found = []
    for place in places:
        for node in ast.walk(ast.parse(place.read_text())):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                modes = [
                    value.value
                    for value in (
                        *node.args[1:2],
                        *node.args[:1],
                        *(key.value for key in node.keywords if key.arg == "mode"),
                    )
                    if isinstance(value, ast.Constant)
                ]
                if name in forbidden or (name == "open" and any(set("wax+") & set(str(mode)) for mode in modes)):
                    found.append(f"{place.name}:{node.lineno} {name}")
    assert not found
