"""`python -m kp download`: where it puts the dataset, what it says on which stream, and its exit codes."""

import functools
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from archives import FaultyServer, Page, checksums_of, faulty_server, zip_of

from kp.__main__ import main
from kp.download.dataset import download


@pytest.fixture
def server(data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    """The command's only source, and an empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KP_DATA", raising=False)
    with faulty_server() as server:
        source = server.source("here", Page(zip_of(data_root)), checksums_of(data_root))
        monkeypatch.setattr("kp.commands.download.download", functools.partial(download, sources=[source]))
        yield server


def test_it_goes_to_data_and_a_second_call_finds_it(server, capsys, tmp_path) -> None:
    assert main(["download"]) == 0
    said = capsys.readouterr()
    assert said.out == "The dataset is in data.\n"
    assert [line for line in said.err.splitlines() if line.endswith("(here)")] == [
        "connecting (here)",
        "downloading (here)",
        "unpacking (here)",
        "checking (here)",
    ]
    assert (tmp_path / "data" / "training_frames_keypoints.csv").is_file()
    assert main(["download"]) == 0
    assert capsys.readouterr().out == "The dataset is in data already.\n"
    assert len(server.requests) == 1


@pytest.mark.usefixtures("server")
def test_the_option_comes_before_the_environment(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("KP_DATA", str(tmp_path / "named"))
    assert main(["download", "--data", "mine"]) == 0
    assert main(["download"]) == 0
    assert capsys.readouterr().out == f"The dataset is in mine.\nThe dataset is in {tmp_path / 'named'}.\n"


@pytest.mark.usefixtures("server")
def test_json_is_one_event_a_line(capsys) -> None:
    assert main(["download", "--json"]) == 0
    said = capsys.readouterr()
    events = [json.loads(line) for line in said.out.splitlines()]
    assert said.err == ""
    assert events[0] == {
        "event": "Progress",
        "step": "connecting",
        "source": "here",
        "done": 0,
        "total": None,
        "seconds_left": None,
    }
    assert events[-1] == {"event": "Downloaded", "folder": "data", "anew": True}


def test_a_failure_is_one_sentence(server, capsys) -> None:
    server.pages["/here"] = Page(status=404)
    assert main(["download", "--json"]) == 1
    said = capsys.readouterr()
    assert said.err.startswith("Error: The dataset could not be downloaded. here: the server answers 404 Not Found.")
    assert said.err.count("\n") == 1
    assert len(said.out.splitlines()) == 1  # that it connects


def test_ctrl_c_keeps_what_has_arrived(server, capsys, monkeypatch) -> None:
    server.pages["/here"].pause = 0.01
    from kp.commands.download import TerminalReport

    note = TerminalReport.__call__

    def interrupt(report: TerminalReport, progress) -> None:
        note(report, progress)
        if progress.done:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(TerminalReport, "__call__", interrupt)
        assert main(["download"]) == 130
    assert "Interrupted. What has arrived is kept: the same command goes on from there.\n" in capsys.readouterr().err
    assert main(["download"]) == 0
    assert server.requests[1][1].startswith("bytes=")
    assert server.requests[1][3] > 0
