"""The rooms of the code, and which way imports go between them; read from the source, nothing is run."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import kp
from kp import errors

ROOT = Path(__file__).parent.parent
# From the ground up: a module imports from its own row and from the rows before it.
ROWS = [
    ["landmarks", "geometry", "errors", "files", "console", "hardware", "lazy", "thin_plate_spline"],
    ["data", "models", "detectors", "metrics", "pose", "download", "transforms", "synthetic"],
    ["checkpoint_format", "checkpoint", "model_card", "weight_averaging", "drawing"],
    ["prediction", "evaluation_report", "evaluation", "explain", "formats", "video", "onnx_export"],
    ["training"],
    ["commands", "__main__", "ui", "bench"],
    ["demo"],
]
LEVEL = {room: number for number, rooms in enumerate(ROWS) for room in rooms}
SOURCES = [*sorted((ROOT / "kp").rglob("*.py")), ROOT / "demo.py"]


@pytest.fixture(scope="module")
def trees() -> dict[str, ast.Module]:
    """Each source file's name and syntax tree."""
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text(), str(path)) for path in SOURCES}


def room_of(file: str) -> str:
    """The file or folder right below kp/; "" for the package's own __init__, which imports from all rooms."""
    parts = Path(file).with_suffix("").parts
    return parts[0] if len(parts) == 1 else parts[1].replace("__init__", "")


def imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and dotted name of each import, also inside functions; `from a import b` counts as a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{start}.{alias.name}") for alias in node.names)


def room_used(name: str) -> str | None:
    """The room that a dotted name lies in; a public name such as kp.Predictor lies where it is defined."""
    package, _, rest = name.partition(".")
    if package != "kp" or rest in ("", "__version__"):
        return None
    return getattr(kp, rest).__module__.split(".")[1] if rest in kp.__all__ else rest.split(".")[0]


def test_every_file_stands_in_a_known_room(trees: dict[str, ast.Module]) -> None:
    assert {room_of(file) for file in trees} - {""} <= set(LEVEL)


def test_imports_are_absolute(trees: dict[str, ast.Module]) -> None:
    assert not [(file, line) for file, tree in trees.items() for line, name in imported(tree) if name[0] == "."]


def test_imports_go_one_way(trees: dict[str, ast.Module]) -> None:
    wrong = [
        f"{file}:{line} imports {name}"
        for file, tree in trees.items()
        if room_of(file)
        for line, name in imported(tree)
        if (room := room_used(name)) and LEVEL[room] > LEVEL[room_of(file)]
    ]
    assert not wrong


def test_rooms_do_not_import_each_other_in_circles(trees: dict[str, ast.Module]) -> None:
    uses: dict[str, set[str]] = {}
    for file, tree in trees.items():
        if room := room_of(file):
            used = {room_used(name) for _, name in imported(tree)}
            uses[room] = uses.get(room, set()) | used - {None, room}
    done: set[str] = set()
    while ready := {room for room in uses.keys() - done if uses[room] <= done}:
        done |= ready
    assert not uses.keys() - done


def test_the_rules_see_what_they_should() -> None:
    tree = ast.parse("import kp.ui.app\nfrom kp import Predictor, __version__\ndef f():\n    from kp.data import x")
    assert [room_used(name) for _, name in imported(tree)] == ["ui", "prediction", None, "data"]


def test_gradio_is_for_the_ui_alone(trees: dict[str, ast.Module]) -> None:
    users = {
        room_of(file) for file, tree in trees.items() for _, name in imported(tree) if name.split(".")[0] == "gradio"
    }  # a client of the app is no part of it
    assert "ui" in users
    assert users <= {"ui", "demo"}


def test_importing_kp_imports_no_gradio(fresh_process: dict) -> None:
    packages = {name.split(".")[0] for name in fresh_process["modules"]}
    assert "torch" in packages
    assert not packages & {"gradio", "gradio_client", "fastapi", "matplotlib", "plotly"}
    assert not {"torch", "pandas"} & set(fresh_process["pictures only"])  # a process that paints faces starts soon


def test_all_public_names_are_there_and_no_others() -> None:
    assert all(getattr(package, name).__name__ == name for package in (kp, kp.data) for name in package.__all__)
    with pytest.raises(AttributeError, match="module 'kp' has no attribute 'nothing'"):
        kp.nothing  # noqa: B018


def test_only_the_command_line_prints(trees: dict[str, ast.Module]) -> None:
    printing = {
        file
        for file, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print"
    }
    assert "kp/__main__.py" in printing
    assert {room_of(file) for file in printing} <= {"commands", "__main__"}


def test_no_except_catches_everything(trees: dict[str, ast.Module]) -> None:
    wrong = []
    for file, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler):
                caught = {getattr(name, "id", "") for name in ast.walk(node.type)} if node.type else {"Exception"}
                wrong += [f"{file}:{node.lineno}"] * bool(caught & {"Exception", "BaseException"})
    assert not wrong


def test_every_module_says_what_it_is(trees: dict[str, ast.Module]) -> None:
    assert not [file for file, tree in trees.items() if tree.body and not ast.get_docstring(tree)]


def test_the_public_names_come_from_the_library() -> None:
    assert all(getattr(kp, name).__module__.startswith("kp.") for name in kp.__all__)


def test_every_error_is_a_kp_error() -> None:
    kinds = [
        kind
        for kind in vars(errors).values()
        if getattr(kind, "__module__", "") == errors.__name__ and isinstance(kind, type)
    ]
    assert len(kinds) > 4
    assert all(issubclass(kind, errors.KpError) for kind in kinds)
