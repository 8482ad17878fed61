"""Errors of the disk as DownloadErrors."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kp.errors import DownloadError

SPARE = 20_000_000  # bytes that stay free for other programs
FULL = (errno.ENOSPC, errno.EDQUOT)
ELSEWHERE = "name another folder with --data DIR or the environment variable KP_DATA"


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turns an OSError of the body into a DownloadError that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise DownloadError(
                f"The disk that holds {folder} is full. Make room and download again: it goes on where "
                f"it stopped. Or {ELSEWHERE}."
            ) from None
        raise DownloadError(
            f"{folder} cannot be written ({error.strerror or error}). Change its permissions, or {ELSEWHERE}."
        ) from None


def require_room(folder: Path, needed: int) -> None:
    """Raises DownloadError where the disk has less than `needed` bytes free."""
    with writing(folder):
        free = shutil.disk_usage(folder).free
    if free < needed + SPARE:
        raise DownloadError(
            f"The disk that holds {folder} has {free / 1e6:.0f} MB free, and "
            f"{(needed + SPARE) / 1e6:.0f} MB are needed. Make room, or {ELSEWHERE}."
        )
