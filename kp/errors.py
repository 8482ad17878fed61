"""The errors that a user can meet. Each message says what happened, with the value, and what to do."""

from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")


class KpError(Exception):
    """Something that the user can put right; the message says how.

    >>> from kp import KpError, read_image
    >>> try:
    ...     read_image("no-such-file.jpg")
    ... except KpError as error:
    ...     print(error)
    no-such-file.jpg does not exist. Check the path.
    """


class DataError(KpError):
    """The dataset's files are missing or wrong."""


class DownloadError(KpError):
    """The dataset could not be fetched."""


class DownloadCancelled(DownloadError):
    """Somebody asked a download to stop."""


class ImageError(KpError):
    """A picture that cannot be read, or is too large."""


class TransformError(KpError):
    """A transform in an impossible place or with an impossible size."""


class ConfigError(KpError):
    """A setting out of its range, or a name that does not exist."""


class CheckpointError(KpError):
    """A checkpoint that is damaged, foreign or unknown."""


def choose(kind: str, name: str, choices: Mapping[str, T]) -> T:
    """`choices[name]`, or a ConfigError that lists what there is."""
    if name not in choices:
        raise ConfigError(f"There is no {kind} named {name!r}. Choose one of: {', '.join(choices)}.")
    return choices[name]
