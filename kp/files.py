"""Writing files: atomically, and never over a file that this program did not write.

`OutputLog` records the files that this program writes into a folder: names and SHA-256 digests, logged before the files
are written. A file whose name or content is not in the log is foreign: it is left unchanged unless `overwrite` is set,
and never deleted.
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
    """Write a file through a temporary one beside it, so that a reader sees the old or the new content.

    durable: wait for the disk (fsync), which takes milliseconds. Raises OSError; the folder must exist.
    """
    with replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(content)
        if durable:
            file.flush()
            os.fsync(file.fileno())


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """An empty temporary file beside `path` that replaces it at the end of the block; an exception removes it."""
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
    """`atomic_write` that creates missing folders. Raises KpError where writing fails."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, content)
    except OSError as error:
        raise unwritable(path, error) from None


def unwritable(path: Path, error: OSError) -> KpError:
    return KpError(f"{path} cannot be written ({error.strerror or error}). Free some space or name another folder.")


def check_outputs(paths: Sequence[Path], *, overwrite: bool) -> list[Path]:
    """The outputs that exist and will be replaced; called before the work begins.

    Raises ConfigError where one exists and `overwrite` is not set, or where it is no file.
    """
    existing = [path for path in paths if path.exists() or path.is_symlink()]
    if folders := [path for path in existing if path.is_dir()]:
        raise ConfigError(f"{folders[0]} is a folder. Name a file.")
    if existing and not overwrite:
        raise ConfigError(
            f"{listed(existing)} {_are(existing)} there already and would be replaced. Name another place "
            f"with --out, or allow it with {OVERWRITE}."
        )
    return existing


def left_message(paths: Sequence[Path]) -> str:
    """A sentence on files that were not replaced, and one on what to do."""
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
    """SHA-256 of a file's content; "" for what is no readable file, None where nothing exists."""
    try:
        return digest_of(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return "" if path.is_symlink() else None
    except OSError:
        return ""


class OutputLog:
    """The files that this program wrote into a folder: a line of JSON, [stem, entry], for each item, such as a photo.

    An entry is a dict of plain values; its key FILES has the digest of each file by its path in the folder. The last
    entry of a stem counts. Several processes may append to one log.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder, self.path = Path(folder), Path(folder) / LOG_NAME
        self.entries: dict[str, dict[str, Any]] = {}
        self._digests: dict[str, set[str]] = {}  # name -> digests of all versions
        self._names: dict[str, dict[str, None]] = {}  # stem -> names of all its files, in order
        self._read_to = 0  # bytes
        self._read_on()

    def owns(self, name: str, digest: str) -> bool:
        """Whether this program wrote a file of this path in the folder and this digest."""
        if digest not in self._digests.get(name, ()):
            self._read_on()
        return digest in self._digests.get(name, ())

    def names_of(self, stem: str) -> list[str]:
        """Paths in the folder of all files ever written for a stem."""
        return list(self._names.get(stem, ()))

    def add(self, stem: str, entry: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
        """Log files before they are written. Raises KpError where writing fails."""
        whole = {**entry, FILES: {name: digest_of(content) for name, content in files.items()}}
        if self.entries.get(stem) == whole:
            return
        line = f"\n{json.dumps([stem, whole])}\n".encode()  # a line break first: the line before may be truncated
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with open(self.path, "ab", buffering=0) as file:  # one write: other processes append too
                file.write(line)
        except OSError as error:
            raise unwritable(self.path, error) from None
        self._take(stem, whole)

    def _read_on(self) -> None:
        """Read the lines appended since the last call; invalid ones are skipped."""
        try:
            with open(self.path, "rb") as file:
                file.seek(self._read_to)
                text = file.read()
        except OSError:
            return
        text = text[: text.rfind(b"\n") + 1]
        self._read_to += len(text)
        for line in text.splitlines():
            with contextlib.suppress(ValueError, TypeError, AttributeError):  # truncated, or not of this format
                stem, entry = json.loads(line)
                self._take(stem, {**entry, FILES: dict(entry.get(FILES, {}))})

    def _take(self, stem: str, entry: dict[str, Any]) -> None:
        self.entries[stem] = entry
        for name, digest in entry[FILES].items():
            self._digests.setdefault(name, set()).add(digest)
            self._names.setdefault(stem, {})[name] = None


@dataclass(frozen=True)
class Written:
    """Paths of an item's files: new, replaced, left unchanged, and removed."""

    new: Sequence[Path] = ()
    replaced: Sequence[Path] = ()
    left: Sequence[Path] = ()
    removed: Sequence[Path] = ()

    @property
    def files(self) -> list[Path]:
        """New and replaced files."""
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
    """Write an item's files by the rule of this module; they are logged first.

    contents: by path in the folder, in writing order. entry: for the log, what the files depend on. stale: whether to
    remove an earlier file of the item that is not in `contents`; only files that are unchanged since they were logged
    are removed. Without a log every existing file is foreign. Raises KpError where writing fails.
    """
    new, replaced, left = [], [], []
    for name, content in contents.items():
        path, existing = folder / name, digest_of_file(folder / name)
        if existing is None:
            new.append(path)
        elif (overwrite and not path.is_dir()) or existing == digest_of(content) or (log and log.owns(name, existing)):
            replaced.append(path)
        else:
            left.append(path)
    ours = {name: content for name, content in contents.items() if folder / name not in left}
    removed: list[Path] = []
    if log:
        earlier = [name for name in log.names_of(stem) if name not in contents and stale(name)]
        removed = [folder / name for name in earlier if log.owns(name, digest_of_file(folder / name) or "")]
        log.add(stem, entry or {}, ours)
    for name, content in ours.items():
        write_file(folder / name, content)
    for path in removed:
        path.unlink(missing_ok=True)
    return Written(new, replaced, left, removed)
