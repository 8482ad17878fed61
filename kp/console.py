"""The terminal of a program: encodings, Ctrl-C while modules are imported, and chatter of C libraries.

Light on purpose: a program calls `prepare_console` before it imports anything that takes time.
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
INTERRUPT_CODE = 130  # 128 + SIGINT, as shells have it
# OpenCV and the FFmpeg in it report every damaged file on stderr, beside the error that the program itself reports.
QUIET = {"OPENCV_LOG_LEVEL": "SILENT", "OPENCV_FFMPEG_LOGLEVEL": "-8"}  # -8 is FFmpeg's AV_LOG_QUIET

_mute_lock = threading.Lock()
_mute_depth = 0
_saved_stderr = -1


def replace_unprintable() -> None:
    """Characters that stdout or stderr cannot encode are printed as `?` or an escape: no error is raised."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    if isinstance(sys.stderr, TextIOWrapper):
        sys.stderr.reconfigure(errors="backslashreplace")


def prepare_console() -> None:
    """For the main module of a program, before its imports: encodings, quiet decoders, and a stderr of Python's own.

    Python's stderr gets a descriptor of its own, so that `mute_c_stderr` hides nothing that Python code writes.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    replace_unprintable()
    if isinstance(sys.stderr, TextIOWrapper):
        descriptor, encoding = os.dup(sys.stderr.fileno()), sys.stderr.encoding
        sys.stderr = open(descriptor, "w", 1, encoding, "backslashreplace")  # noqa: SIM115


@contextmanager
def exit_on_interrupt() -> Iterator[None]:
    """Within it, Ctrl-C ends the process at once: one sentence, exit code 130.

    For imports: a KeyboardInterrupt there can surface as any other error, because packages catch what their optional
    imports raise. Nothing has been started yet that would need cleaning up.
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
    """Within it, file descriptor 2 leads nowhere: libpng, libjpeg and libtiff write there and offer no other way.

    Threads may be in it at the same time; the last one out restores the descriptor.
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
    """Returns a copy of descriptor 2 before it was led to the null device; -1 where the process has no stderr."""
    try:
        saved = os.dup(2)
    except OSError:  # started without one, as services and windowed programs are
        return -1
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)
    return saved
