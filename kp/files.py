"""How every file is written: whole or not at all, and never over a file that this program did not write.

`OutputLog` is how a folder's own files are known: their names and SHA-256 digests, written down before the files are.
A file whose name or content the log does not have is somebody else's. It is left as it is unless `overwrite` is set,
and it is never deleted.
"""

import contextlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from kp.errors import ConfigError, KpError

LOG_NAME = ".predicted.jsonl"
OVERWRITE = "--overwrite"  # the command line's option of the same meaning as the parameters `overwrite`
FILES = "files"  # the key of a log entry that holds names and digests
SHOWN = 5  # file names in one sentence


def atomic_write(path: Path, content: bytes, *, durable: bool = False) -> None:
    """Write a file by way of a temporary one beside it, so that a reader sees the old or the new one.

    durable: wait until the disk has it, which takes milliseconds. Raises OSError; the folder must exist.
    """
    with replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(content)
        if durable:
            file.flush()
            os.fsync(file.fileno())


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """An empty temporary file beside `path`, which takes its place at the end, or is removed after an exception."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem[:40]}.", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)  # there only if something above failed


def write_file(path: Path, content: bytes) -> None:
    """`atomic_write` in a folder that is made if need be. Raises KpError where the disk does not take it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, content)
    except OSError as error:
        raise unwritable(path, error) from None


def unwritable(path: Path, error: OSError) -> KpError:
    return KpError(f"{path} cannot be written ({error.strerror or error}). Free some space or name another folder.")


def check_outputs(paths: Sequence[Path], *, overwrite: bool) -> list[Path]:
    """Those of the outputs that exist and will be replaced; to be called before the work begins.

    Raises ConfigError where one exists and `overwrite` is not set, or where it is no file.
    """
    there = [path for path in paths if path.exists() or path.is_symlink()]
    if folders := [path for path in there if path.is_dir()]:
        raise ConfigError(f"{folders[0]} is a folder. Name a file.")
    if there and not overwrite:
        raise ConfigError(
            f"{listed(there)} {_are(there)} there already and would be replaced. Name another place "
            f"with --out, or allow it with {OVERWRITE}."
        )
    return there


def left_message(paths: Sequence[Path]) -> str:
    """One sentence about files that were left as they are, and one about what to do."""
    these = "they were" if len(paths) > 1 else "it was"
    return (
        f"{listed(paths)} {_are(paths)} left: {these} not written by this program, or changed since. "
        f"Name another folder with --out, or replace {'them' if len(paths) > 1 else 'it'} with {OVERWRITE}."
    )


def listed(paths: Sequence[Path | str]) -> str:
    """The first few names, and how many more there are."""
    names = ", ".join(map(str, paths[:SHOWN]))
    return names if len(paths) <= SHOWN else f"{names} and {len(paths) - SHOWN} more"


def _are(paths: Sequence[Path]) -> str:
    return "are" if len(paths) > 1 else "is"


def digest_of(content: bytes) -> str:
    """SHA-256, hexadecimal."""
    return sha256(content).hexdigest()


def digest_of_file(path: Path) -> str | None:
    """SHA-256 of a file's content, "" of what is no readable file, None where there is nothing."""
    try:
        return digest_of(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return "" if path.is_symlink() else None
    except OSError:
        return ""


class OutputLog:
    """What this program wrote into a folder: a line of JSON, [stem, entry], for each item, such as a photo.

    An entry is a dict of plain values; under FILES it has the digest of each file, by its path in the folder. The
    last entry of a stem counts. Several processes may write to one log.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder, self.path = Path(folder), Path(folder) / LOG_NAME
        self.entries: dict[str, dict[str, Any]] = {}
        self._digests: dict[str, set[str]] = {}  # of all that was ever written under a name
        self._names: dict[str, dict[str, None]] = {}  # of all that was ever written for a stem, in order
        self._read_to = 0  # bytes
        self._read_on()

    def owns(self, name: str, digest: str) -> bool:
        """Whether a file of this path in the folder and this content was written by this program."""
        if digest not in self._digests.get(name, ()):
            self._read_on()
        return digest in self._digests.get(name, ())

    def names_of(self, stem: str) -> list[str]:
        """Paths in the folder of all files that were ever written for a stem."""
        return list(self._names.get(stem, ()))

    def add(self, stem: str, entry: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
        """Write down what is about to be written. Raises KpError where the disk does not take it."""
        whole = {**entry, FILES: {name: digest_of(content) for name, content in files.items()}}
        if self.entries.get(stem) == whole:
            return
        line = f"\n{json.dumps([stem, whole])}\n".encode()  # a line break first: the line before may be cut short
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with open(self.path, "ab", buffering=0) as file:  # in one piece, as other processes write too
                file.write(line)
        except OSError as error:
            raise unwritable(self.path, error) from None
        self._take(stem, whole)

    def _read_on(self) -> None:
        """Take in the lines that were written since; those that make no sense are skipped."""
        try:
            with open(self.path, "rb") as file:
                file.seek(self._read_to)
                text = file.read()
        except OSError:
            return
        text = text[: text.rfind(b"\n") + 1]
        self._read_to += len(text)
        for line in text.splitlines():
            with contextlib.suppress(ValueError, TypeError, AttributeError):  # cut short, or no line of ours
                stem, entry = json.loads(line)
                self._take(stem, {**entry, FILES: dict(entry.get(FILES, {}))})

    def _take(self, stem: str, entry: dict[str, Any]) -> None:
        self.entries[stem] = entry
        for name, digest in entry[FILES].items():
            self._digests.setdefault(name, set()).add(digest)
            self._names.setdefault(stem, {})[name] = None


@dataclass(frozen=True)
class Written:
    """What became of an item's files: new ones, replaced ones, those left as they are, and those removed."""

    new: Sequence[Path] = ()
    replaced: Sequence[Path] = ()
    left: Sequence[Path] = ()
    removed: Sequence[Path] = ()

    @property
    def files(self) -> list[Path]:
        """All that were written."""
        return [*self.new, *self.replaced]


def write_outputs_of(
    stem: str,
    contents: Mapping[str, bytes],
    folder: Path,
    *,
    log: OutputLog | None = None,
    entry: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    stale: Callable[[str], bool] = lambda name: False,
) -> Written:
    """Write an item's files by the rule of this module, and note them in the log first.

    contents: by path in the folder, in the order in which they are written. entry: what they depend on. stale: which
    of the item's earlier files to remove if they are not among `contents`; only unchanged files of the log are. Without
    a log no file that exists is known to be ours. Raises KpError where the disk does not take a file.
    """
    new, replaced, left = [], [], []
    for name, content in contents.items():
        path, there = folder / name, digest_of_file(folder / name)
        if there is None:
            new.append(path)
        elif (overwrite and not path.is_dir()) or there == digest_of(content) or (log and log.owns(name, there)):
            replaced.append(path)
        else:
            left.append(path)
    ours = {name: content for name, content in contents.items() if folder / name not in left}
    earlier = [name for name in log.names_of(stem) if name not in contents and stale(name)] if log else []
    removed = [folder / name for name in earlier if log.owns(name, digest_of_file(folder / name) or "")]
    if log:
        log.add(stem, entry or {}, ours)
    for name, content in ours.items():
        write_file(folder / name, content)
    for path in removed:
        path.unlink(missing_ok=True)
    return Written(new, replaced, left, removed)
