"""The threads of numpy and OpenCV, which fight for the cores with threads that each compute with both."""

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2
from threadpoolctl import ThreadpoolController

_lock = threading.Lock()
_inside = 0
_before: tuple[Any, int]  # what takes the limits back (threadpoolctl exports no type for it), and OpenCV's threads


@functools.cache
def _controller() -> ThreadpoolController:
    """Looks once for the libraries that numpy computes with, which takes milliseconds."""
    return ThreadpoolController()


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Meanwhile a matrix product of numpy, or a filter of OpenCV, takes one thread, in the whole process.

    Sums are rounded otherwise by two threads than by one, so that what must be the same on every machine is computed
    in here. For several callers at a time: until the last is done. It takes 0.02 ms. Also a decorator.
    """
    global _inside, _before
    with _lock:
        _inside += 1
        if _inside == 1:
            _before = _controller().limit(limits=1, user_api="blas"), cv2.getNumThreads()
            cv2.setNumThreads(1)
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                _before[0].restore_original_limits()
                cv2.setNumThreads(_before[1])
