"""The threads of numpy and OpenCV, which fight for the cores with threads that each compute with both."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
from threadpoolctl import threadpool_limits

_lock = threading.Lock()
_inside = 0
_before: tuple[threadpool_limits, int]


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Meanwhile a matrix product of numpy, or a filter of OpenCV, takes one thread, in the whole process.

    For several who ask at a time: until the last is done. Two threads that paint faces took longer than one without it.
    """
    global _inside, _before
    with _lock:
        _inside += 1
        if _inside == 1:
            _before = threadpool_limits(1, user_api="blas"), cv2.getNumThreads()
            cv2.setNumThreads(1)
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                _before[0].restore_original_limits()
                cv2.setNumThreads(_before[1])
