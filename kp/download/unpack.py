"""Unpacking the dataset from an untrusted zip archive: only expected files, within limits of size and number."""

import hashlib
import io
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kp.download.disk import require_room, writing
from kp.download.http import SourceFailed
from kp.download.progress import ProgressReporter
from kp.download.sources import CSVS

CHUNK = 256 * 1024
# The dataset has 5772 files with about 340 MB, the largest 2.7 MB; macOS metadata doubles the number.
MOST_ENTRIES = 50_000
MOST_FILE_BYTES = 20_000_000
MOST_BYTES = 1_000_000_000
MOST_DIRECTORY_BYTES = 10_000_000  # of the archive's directory, which is read into memory at once
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # other methods may need gigabytes of memory
IMAGE = re.compile(r'[^\x00-\x1f<>:"|?*]{1,100}\.(jpe?g|png)', re.IGNORECASE)
BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError)  # raised by zipfile


def unpack(archive: Path, folder: Path, *, reporter: ProgressReporter) -> dict[str, bytes]:
    """Write the two CSV files and the images into `folder`; returns each file's SHA-256 (32 bytes) by name.

    Raises SourceFailed for an archive that is broken, unsafe, too large or without the dataset.
    """
    with _readable(), _BoundedFile(archive) as file, zipfile.ZipFile(file) as zipped:
        wanted = _select(zipped.infolist())
        total = sum(info.file_size for info in wanted.values())
        if total > MOST_BYTES:
            raise SourceFailed(f"its archive unpacks to {total / 1e6:.0f} MB, far more than the dataset")
        require_room(folder.parent, total)
        reporter.begin("unpacking", reporter.state.source, total=total)
        with writing(folder):
            for place in (folder, *(folder / part for part in CSVS)):
                place.mkdir()
            return {name: _extract(zipped, info, folder / name, reporter=reporter) for name, info in wanted.items()}


class _BoundedFile(io.FileIO):
    """A file that refuses single reads over MOST_DIRECTORY_BYTES."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > MOST_DIRECTORY_BYTES:
            raise SourceFailed("its archive's list of files is far too long")
        return super().read(size)


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except BROKEN as error:
        raise SourceFailed(f"its archive is broken ({error})") from None


def _select(entries: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """The dataset's entries by their names below the folder with the training CSV."""
    if len(entries) > MOST_ENTRIES:
        raise SourceFailed(f"its archive has {len(entries)} entries, far more than the dataset")
    files = {
        parts: info for info in entries if (parts := _parts(info)) and not info.is_dir() and not _is_metadata(parts)
    }
    roots = sorted((parts[:-1] for parts in files if parts[-1] == CSVS["training"]), key=len)
    if not roots or (*roots[0], CSVS["test"]) not in files:
        raise SourceFailed("its archive does not hold the two CSV files")
    depth = len(roots[0])
    wanted = {
        "/".join(parts[depth:]): info
        for parts, info in files.items()
        if parts[:depth] == roots[0] and _belongs(parts[depth:])
    }
    for name, info in wanted.items():
        _check(name, info)
    return wanted


def _parts(info: zipfile.ZipInfo) -> tuple[str, ...]:
    """The entry's path. Raises SourceFailed where it leads out of the folder that it is unpacked in."""
    name = info.filename.replace("\\", "/")
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if name.startswith("/") or ".." in parts or re.match(r"[A-Za-z]:", name):
        raise SourceFailed(f"its archive is not safe: it has an entry {info.filename[:80]!r}")
    return parts


def _is_metadata(parts: Iterable[str]) -> bool:
    """Whether a path is __MACOSX, .DS_Store, ._NAME or another hidden file."""
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)


def _belongs(parts: tuple[str, ...]) -> bool:
    if len(parts) == 1:
        return parts[0] in CSVS.values()
    return len(parts) == 2 and parts[0] in CSVS and bool(IMAGE.fullmatch(parts[1]))


def _check(name: str, info: zipfile.ZipInfo) -> None:
    """Raises SourceFailed for links, and for entries beyond the limits."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise SourceFailed(f"its archive is not safe: {name[:80]!r} is a link or a device, not a file")
    if info.file_size > MOST_FILE_BYTES:
        raise SourceFailed(f"its archive is not safe: {name[:80]!r} unpacks to {info.file_size / 1e6:.0f} MB")
    if info.compress_type not in METHODS:
        raise SourceFailed(f"its archive packs {name[:80]!r} by method {info.compress_type}, which is not read here")


def _extract(zipped: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path, *, reporter: ProgressReporter) -> bytes:
    """Unpack a file; returns its SHA-256. zipfile checks the CRC and reads no more bytes than announced."""
    digest = hashlib.sha256()
    with zipped.open(info) as packed, path.open("xb") as file:
        while chunk := packed.read(CHUNK):
            file.write(chunk)
            digest.update(chunk)
            reporter.advance(len(chunk))
    return digest.digest()
