"""What README.md and the model card promise is so: commands, files, names, versions and figures."""

import ast
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml
from running import ROOT

import kp
from kp.__main__ import build_parser
from kp.bench import MEASUREMENTS
from kp.checkpoint import list_checkpoints
from kp.commands.train import config_of
from kp.model_card import ModelCard, read_card
from kp.ui.app import TABS

README = (ROOT / "README.md").read_text()
CARD = ROOT / "checkpoints" / "README.md"
CARDS = {name: read_card(path) for name, path in list_checkpoints().items()}


def header() -> dict:
    """The block that Hugging Face reads, between the lines of three dashes."""
    return yaml.safe_load(README.split("---\n")[1])


def commands(text: str) -> list[list[str]]:
    """The words after `python -m kp` of each command in a text, in code blocks and between backquotes."""
    whole = text.replace("\\\n", " ")
    return [shlex.split(found, comments=True) for found in re.findall(r"python -m kp ([^`\n]+)", whole)]


def code_blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_space_starts_this_app_with_this_gradio() -> None:
    pins = dict(re.findall(r"^(\w+)==([\d.]+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE))
    space = header()
    assert (space["sdk"], space["sdk_version"]) == ("gradio", pins["gradio"])
    assert space["python_version"] == "3.12"  # text: as a number 3.10 would be 3.1
    assert space["app_file"] == "demo.py" and (ROOT / "demo.py").is_file()
    assert 0 < len(space["short_description"]) <= 60
    assert {"title", "emoji", "colorFrom", "colorTo", "license"} <= set(space)


def test_two_commands_install_and_run_each_on_one_line() -> None:
    lines = [line for line in README.splitlines() if line.startswith("python3 ")]
    assert len(lines) == 2
    app, tests = lines
    assert app.endswith(".venv/bin/python demo.py") and tests.endswith(".venv/bin/python -m pytest")
    for line in lines:
        files = re.findall(r"-r (\S+)", line)
        assert files and all((ROOT / file).is_file() for file in files)


def test_the_checks_run_the_very_command_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    search = re.search(r"command=\$\((.*)\)", script).group(1)
    found = subprocess.run(["bash", "-c", search], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert found.strip() in README.splitlines() and found.strip().endswith("-m pytest")
    assert 'bash -c "$command"' in script and "set -euo pipefail" in script


def test_the_files_on_the_map_are_there_and_no_folder_is_missing() -> None:
    named = set(re.findall(r"^    ((?:kp/|tests/|demo)\S*)  ", README, re.MULTILINE))
    assert len(named) > 10 and all((ROOT / file).exists() for file in named)
    folders = {f"kp/{path.parent.name}/" for path in (ROOT / "kp").glob("*/__init__.py")}
    assert folders <= named


def test_links_lead_somewhere() -> None:
    for file in (ROOT / "README.md", CARD):
        for link in re.findall(r"\]\(([^)#]+)\)", file.read_text()):
            assert "://" in link or (file.parent / link).exists(), link


def test_the_tabs_are_the_app_s() -> None:
    assert re.findall(r"^\| \*\*(.+?)\*\* \|", README, re.MULTILINE) == list(TABS)


def test_examples_use_names_that_there_are() -> None:
    used = 0
    for block in code_blocks():
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module != "gradio_client":  # whose example is run elsewhere
                assert node.module == "kp"
                used += len(node.names)
                assert all(hasattr(kp, alias.name) and alias.name in kp.__all__ for alias in node.names)
    assert used >= 5


def test_the_first_example_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    import cv2
    from builders import drawn_face

    cv2.imwrite(str(tmp_path / "photo.jpg"), drawn_face(1)[0])
    monkeypatch.chdir(tmp_path)
    code = code_blocks()[0].replace('detector="yunet"', 'detector="whole-image"')  # which finds a face in a drawing too
    exec(compile(code, "README.md", "exec"), {})
    assert "(68, 2)" in capsys.readouterr().out


@pytest.mark.parametrize("file", [ROOT / "README.md", CARD], ids=["README.md", "checkpoints/README.md"])
def test_every_command_is_one_that_exists(file: Path) -> None:
    if not file.is_file():
        pytest.skip(f"{file} is not written yet")
    written = commands(file.read_text())
    assert len(written) >= 4
    for words in written:
        options = build_parser().parse_args(words)  # exits where it does not know them
        if options.command == "train":
            config_of(options)
        if options.command == "bench" and options.only:
            assert set(options.only) <= set(MEASUREMENTS)


def table(text: str, head: str) -> list[list[str]]:
    """The rows of the table whose first cell in the head is this one."""
    lines = text[text.index(f"| {head} |") :].split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def rounded(card: ModelCard, setting: str, *names: str) -> list[str]:
    return [f"{card.metrics[setting][name]:.2f}" for name in names]


@pytest.mark.skipif(not CARDS, reason="no network is shipped")
def test_the_readme_s_figures_are_the_shipped_networks_own() -> None:
    rows = {row[0]: row for row in table(README, "network")}
    for name, card in CARDS.items():
        _, true_box, end_to_end, parameters = rows[name]
        assert re.findall(r"[\d.]+", true_box) == rounded(card, "people, true-box", "nme_mean", "nme_p95")
        found = card.metrics["people, detected-box, yunet"]
        assert re.findall(r"[\d.]+", end_to_end) == [f"{found['nme_mean']:.2f}", str(found["missed"])]
        assert parameters == f"{card.parameters / 1e6:.1f} M"


@pytest.mark.skipif(not CARDS, reason="no network is shipped")
def test_the_model_card_has_each_network_with_its_figures() -> None:
    settings = {
        "true box": "people, true-box",
        "detected box, YuNet": "people, detected-box, yunet",
        "detected box, Haar": "people, detected-box, haar",
    }
    rows = [row for row in table(CARD.read_text(), "network") if row[0] in CARDS]
    assert {row[0] for row in rows} == set(CARDS)
    for name, setting, mean, median, p95, *_ in rows:
        own = rounded(CARDS[name], settings[setting], "nme_mean", "nme_median", "nme_p95")
        assert [cell.removesuffix(" %") for cell in (mean, median, p95)] == own
