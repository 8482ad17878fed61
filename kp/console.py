"""The terminal of a program: encodings, Ctrl-C during imports, and stderr output of C libraries.

Imports nothing heavy: a program calls `prepare_console` before any import that takes time.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from types import FrameType

INTERRUPTED = "Interrupted."
INTERRUPT_CODE = 130  # 128 + SIGINT, the convention of shells
# OpenCV and its FFmpeg print faults of files on stderr, which the program itself reports as errors.
QUIET = {"OPENCV_LOG_LEVEL": "SILENT", "OPENCV_FFMPEG_LOGLEVEL": "-8"}  # -8 is FFmpeg's AV_LOG_QUIET

_mute_lock = threading.Lock()
_mute_depth = 0
_saved_stderr = -1


def replace_unprintable() -> None:
    """Makes stdout and stderr print characters they cannot encode as `?` or an escape instead of raising."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    if isinstance(sys.stderr, TextIOWrapper):
        sys.stderr.reconfigure(errors="backslashreplace")


def prepare_console() -> None:
    """Called in a main module before its other imports: encodings, quiet decoders, a separate stderr for Python.

    Python's stderr gets its own descriptor, so that `mute_c_stderr` hides nothing that Python code writes.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    replace_unprintable()
    if isinstance(sys.stderr, TextIOWrapper):
        descriptor, encoding = os.dup(sys.stderr.fileno()), sys.stderr.encoding
        sys.stderr = open(descriptor, "w", 1, encoding, "backslashreplace")  # noqa: SIM115


@contextmanager
def exit_on_interrupt() -> Iterator[None]:
    """In the block Ctrl-C ends the process at once, with one sentence and exit code 130.

    For imports: there a KeyboardInterrupt can surface as another error, because packages catch what their optional
    imports raise. Nothing that needs cleaning up has been started yet.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:  # a background process ignores Ctrl-C
        yield
        return

    def leave(_signal: int, _frame: FrameType | None) -> None:
        os.write(2, f"{INTERRUPTED}\n".encode())
        os._exit(INTERRUPT_CODE)

    signal.signal(signal.SIGINT, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def mute_c_stderr() -> Iterator[None]:
    """In the block file descriptor 2 is the null device: libpng, libjpeg and libtiff print there unconditionally.

    Threads may enter it at the same time; the last one to leave restores the descriptor.
    """
    global _mute_depth, _saved_stderr
    with _mute_lock:
        _mute_depth += 1
        if _mute_depth == 1:
            _saved_stderr = _redirect_stderr()
    try:
        yield
    finally:
        with _mute_lock:
            _mute_depth -= 1
            if _mute_depth == 0 and _saved_stderr >= 0:
                os.dup2(_saved_stderr, 2)
                os.close(_saved_stderr)


def _redirect_stderr() -> int:
    """Redirects descriptor 2 to the null device and returns a copy of the old one; -1 for a process without stderr."""
    try:
        saved = os.dup(2)
    except OSError:  # services and windowed programs may have none
        return -1
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)
    return saved
