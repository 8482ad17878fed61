"""Errors for the user. Each message says what happened, with the value, and what to do."""

from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")


class KpError(Exception):
    """An error that the user can correct; the message says how.

    >>> from kp import KpError, read_image
    >>> try:
    ...     read_image("no-such-file.jpg")
    ... except KpError as error:
    ...     print(error)
    no-such-file.jpg does not exist. Check the path.
    """


class DataError(KpError):
    """Missing or invalid files of a dataset."""


class DownloadError(KpError):
    """A failed download of the dataset."""


class DownloadCancelled(DownloadError):
    """A download that was cancelled."""


class ImageError(KpError):
    """An image that cannot be read, or is too large."""


class TransformError(KpError):
    """A transform with an invalid position in its chain, or an invalid size."""


class ConfigError(KpError):
    """A setting out of its range, or an unknown name."""


class CheckpointError(KpError):
    """A checkpoint that is damaged, unknown, or of another program."""


def choose(kind: str, name: str, choices: Mapping[str, T]) -> T:
    """`choices[name]`. Raises ConfigError with the list of names for an unknown one."""
    if name not in choices:
        raise ConfigError(f"There is no {kind} named {name!r}. Choose one of: {', '.join(choices)}.")
    return choices[name]
