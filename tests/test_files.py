"""How files are written: whole or not at all, and never over what somebody else wrote."""

import json
import os
from pathlib import Path

import pytest

from kp.errors import ConfigError, KpError
from kp.files import (
    LOG_NAME,
    OutputLog,
    atomic_write,
    check_outputs,
    left_message,
    listed,
    write_file,
    write_outputs_of,
)


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch) -> None:
    write_file(tmp_path / "in" / "a.txt", b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(KpError, match=r"a\.txt cannot be written \(No space left on device\)"):
        write_file(tmp_path / "in" / "a.txt", b"new")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        atomic_write(tmp_path / "in" / "a.txt", b"new")
    assert [path.read_bytes() for path in (tmp_path / "in").iterdir()] == [b"old"]


def test_everybody_may_read_what_is_written(tmp_path: Path) -> None:
    write_file(tmp_path / "a.txt", b"text")
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o644


def test_outputs_that_exist_are_refused_before_the_work(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.onnx", "a.json")]
    assert check_outputs(paths, overwrite=False) == []
    paths[1].write_text("mine")
    with pytest.raises(ConfigError, match=r"a\.json is there already .*--overwrite"):
        check_outputs(paths, overwrite=False)
    assert check_outputs(paths, overwrite=True) == paths[1:]
    paths[0].mkdir()
    with pytest.raises(ConfigError, match=r"a\.onnx is a folder"):
        check_outputs(paths, overwrite=True)


def test_a_link_that_leads_nowhere_is_an_output_that_exists(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "missing")
    with pytest.raises(ConfigError, match="is there already"):
        check_outputs([tmp_path / "a"], overwrite=False)


def test_only_what_the_log_knows_is_replaced(tmp_path: Path) -> None:
    log = OutputLog(tmp_path)
    assert write_outputs_of("s", {"a": b"1", "b": b"2"}, tmp_path, log=log).new == [tmp_path / "a", tmp_path / "b"]
    (tmp_path / "b").write_bytes(b"edited")
    (tmp_path / "c").write_bytes(b"foreign")
    contents = {"a": b"3", "b": b"4", "c": b"5", "d": b"6"}
    for known in (log, OutputLog(tmp_path)):  # from memory and from the disk
        written = write_outputs_of("s", contents, tmp_path, log=known)
        assert tmp_path / "a" in written.replaced and written.left == [tmp_path / "b", tmp_path / "c"]
    assert [(tmp_path / name).read_bytes() for name in "abcd"] == [b"3", b"edited", b"foreign", b"6"]
    written = write_outputs_of("s", contents, tmp_path, log=log, overwrite=True)
    assert not written.left and [(tmp_path / name).read_bytes() for name in "abcd"] == [b"3", b"4", b"5", b"6"]


def test_without_a_log_nothing_is_known(tmp_path: Path) -> None:
    write_outputs_of("s", {"a": b"1"}, tmp_path)
    assert write_outputs_of("s", {"a": b"2"}, tmp_path).left == [tmp_path / "a"]
    assert (tmp_path / "a").read_bytes() == b"1" and not (tmp_path / LOG_NAME).exists()


def test_only_unchanged_files_of_the_log_are_removed(tmp_path: Path) -> None:
    log = OutputLog(tmp_path)
    write_outputs_of("s", {"a": b"1", "b": b"2", "c": b"3"}, tmp_path, log=log)
    (tmp_path / "b").write_bytes(b"edited")
    (tmp_path / "d").write_bytes(b"foreign")
    written = write_outputs_of("s", {}, tmp_path, log=log, stale=lambda name: name != "c", overwrite=True)
    assert written.removed == [tmp_path / "a"]
    assert {path.name for path in tmp_path.glob("[!.]*")} == {"b", "c", "d"}


def test_a_folder_in_the_way_is_left(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for overwrite in (False, True):
        written = write_outputs_of("s", {"a": b"1", "b": b"2"}, tmp_path, log=OutputLog(tmp_path), overwrite=overwrite)
        assert written.left == [tmp_path / "a"] and (tmp_path / "b").read_bytes() == b"2"


def test_the_log_is_written_first(tmp_path: Path, monkeypatch) -> None:
    """A run that is killed while it writes finds its own files again."""

    def killed(path: Path, content: bytes) -> None:
        path.write_bytes(content)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("kp.files.write_file", killed)
        write_outputs_of("s", {"a": b"1"}, tmp_path, log=OutputLog(tmp_path))
    assert write_outputs_of("s", {"a": b"2"}, tmp_path, log=OutputLog(tmp_path)).replaced == [tmp_path / "a"]


def test_the_log_sees_what_other_processes_write(tmp_path: Path) -> None:
    one, other = OutputLog(tmp_path), OutputLog(tmp_path)
    write_outputs_of("s", {"a": b"1"}, tmp_path, log=one)
    assert write_outputs_of("s", {"a": b"2"}, tmp_path, log=other).replaced == [tmp_path / "a"]


def test_lines_that_make_no_sense_are_skipped(tmp_path: Path) -> None:
    OutputLog(tmp_path).add("s", {"n": 1}, {"a": b"1"})
    whole = (tmp_path / LOG_NAME).read_text()
    (tmp_path / LOG_NAME).write_text(whole + '[]\n[1, 2]\n{"a": 1}\n["t", {"files": 3}]\n["u", {"n": 2}]\n["v", {"n"')
    log = OutputLog(tmp_path)
    assert log.entries["s"]["n"] == 1 and log.entries["u"] == {"n": 2, "files": {}} and "v" not in log.entries
    log.add("v", {}, {})
    assert json.loads((tmp_path / LOG_NAME).read_text().splitlines()[-1]) == ["v", {"files": {}}]
    assert "v" in OutputLog(tmp_path).entries


def test_messages_name_files_and_say_what_to_do() -> None:
    assert listed(list("abcdefg")) == "a, b, c, d, e and 2 more"
    one, two = left_message([Path("a")]), left_message([Path("a"), Path("b")])
    assert one.startswith("a is left: it was not written") and two.startswith("a, b are left: they were not written")
    assert "--overwrite" in one and "another folder" in two
