"""Cores and memory of this machine, without PyTorch: idle cores, container limits, threads of numpy and OpenCV."""

import ctypes
import functools
import math
import os
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
from threadpoolctl import ThreadpoolController

STAT = Path("/proc/stat")  # Linux: ticks of each core since boot
QUOTA = Path("/sys/fs/cgroup/cpu.max")  # Linux: a container's limit, microseconds in a period
SAMPLING_SECONDS = 0.3  # between two readings of STAT
MALLOPT = {"M_TRIM_THRESHOLD": (-1, -1), "M_TOP_PAD": (-2, 64 << 20), "M_MMAP_MAX": (-4, 0)}  # glibc's malloc.h
M_ARENA_MAX, ARENAS = -8, 2  # malloc.h, too

_lock = threading.Lock()
_inside = 0
_before: tuple[Any, int]  # threadpoolctl's limiter (it exports no type for it), and OpenCV's thread count


@functools.cache
def _controller() -> ThreadpoolController:
    """Cached: the search for numpy's BLAS libraries takes milliseconds."""
    return ThreadpoolController()


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Limit BLAS and OpenCV to one thread, in the whole process. Also a decorator; it takes 0.02 ms.

    Sums are rounded differently by two threads than by one, so whatever must be the same on every machine is computed
    inside. With several callers at a time, the limit holds until the last one leaves.
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


def own_cores() -> int:
    """How many cores this process may use."""
    return _within_quota(len(_allowed()))


def idle_cores() -> int:
    """How many of this process's cores are idle now, at least 1.

    A thread that waits for a busy core holds up all others: two threads may be ten times slower than one.
    """
    allowed = _allowed()
    if STAT.is_file():
        before = STAT.read_text()
        time.sleep(SAMPLING_SECONDS)
        idle = idle_between(before, STAT.read_text(), allowed)
    else:
        idle = len(allowed) - (os.getloadavg()[0] if hasattr(os, "getloadavg") else 0)
    return max(1, _within_quota(round(idle)))


def idle_between(before: str, after: str, allowed: set[int]) -> float:
    """The idle time of the allowed cores between two readings of /proc/stat, in cores."""
    idle = 0.0
    first, second = _core_times(before), _core_times(after)
    for core in allowed & first.keys() & second.keys():
        spent = [late - early for early, late in zip(first[core], second[core], strict=True)]
        idle += (spent[3] + spent[4]) / max(1, sum(spent))
    return idle


def core_quota(file: Path) -> float:
    """The cores that a container may use by its limit; infinite where there is none."""
    if not file.is_file():
        return math.inf
    limit, period = file.read_text().split()
    return math.inf if limit == "max" else math.ceil(int(limit) / int(period))


def keep_memory() -> None:
    """Make glibc keep large buffers; freeing them after every training step takes a sixth of the time (measured)."""
    if platform.libc_ver()[0] == "glibc":
        mallopt = ctypes.CDLL(None).mallopt
        for option, value in MALLOPT.values():
            mallopt(option, value)


def share_memory() -> None:
    """Make all threads allocate from the same two arenas; glibc gives each thread its own and returns little of it.

    After 240 photos in 20 threads a process held 0.44 GB, and 1.03 GB without (measured).
    """
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, ARENAS)


def _allowed() -> set[int]:
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))


def _within_quota(cores: int) -> int:
    return int(min(cores, core_quota(QUOTA)))


def _core_times(stat: str) -> dict[int, list[int]]:
    """Of each core, ticks spent on: user, nice, system, idle, waiting for disks, irq, softirq, steal."""
    rows = (line.split() for line in stat.splitlines())
    return {
        int(row[0][3:]): [int(ticks) for ticks in row[1:9]]
        for row in rows
        if row and row[0].startswith("cpu") and row[0] != "cpu"
    }
