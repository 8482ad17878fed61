"""What this machine has to give to a run: cores that nobody else uses, memory that stays, and a GPU."""

import ctypes
import math
import os
import platform
import time
from pathlib import Path

import torch

from kp.errors import ConfigError, choose

DEVICES = {
    "auto": "a GPU where there is one, else the processor",
    "cpu": "the processor",
    "cuda": "a GPU of NVIDIA's",
}
STAT = Path("/proc/stat")  # Linux: what each core did since the start
QUOTA = Path("/sys/fs/cgroup/cpu.max")  # Linux: what a container may use, microseconds in a period
WATCH = 0.3  # seconds
MALLOPT = {"M_TRIM_THRESHOLD": (-1, -1), "M_TOP_PAD": (-2, 64 << 20), "M_MMAP_MAX": (-4, 0)}  # glibc's malloc.h
M_ARENA_MAX, ARENAS = -8, 2  # there, too


def find_device(name: str, number: int = 0) -> torch.device:
    """The device of DEVICES; `number` tells one GPU from another. Raises ConfigError where there is none."""
    choose("device", name, DEVICES)
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise ConfigError(
            "--device is cuda, and PyTorch finds no GPU here. Take --device cpu, or install a PyTorch "
            "that fits the GPU."
        )
    return torch.device("cuda", number) if there and name != "cpu" else torch.device("cpu")


def keep_memory() -> None:
    """Let glibc keep large buffers; it gives them back after every step otherwise, a sixth of the time (measured)."""
    if platform.libc_ver()[0] == "glibc":
        mallopt = ctypes.CDLL(None).mallopt
        for option, value in MALLOPT.values():
            mallopt(option, value)


def share_memory() -> None:
    """Let all threads take memory from the same two pools, where glibc gives each thread its own and gets little back.

    After 240 photos in 20 threads a process held 0.44 GB, and 1.03 GB without (measured).
    """
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, ARENAS)


def idle_cores() -> int:
    """How many of this process's cores are idle now, at least 1.

    A thread that waits for a busy core holds up all others: two threads may be ten times slower than one.
    """
    allowed = _allowed()
    if STAT.is_file():
        before = STAT.read_text()
        time.sleep(WATCH)
        idle = idle_between(before, STAT.read_text(), allowed)
    else:
        idle = len(allowed) - (os.getloadavg()[0] if hasattr(os, "getloadavg") else 0)
    return max(1, min(round(idle), core_quota(QUOTA)))


def own_cores() -> int:
    """How many cores this process may use."""
    return min(len(_allowed()), core_quota(QUOTA))


def _allowed() -> set[int]:
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))


def idle_between(before: str, after: str, allowed: set[int]) -> float:
    """The idle time of the allowed cores between two readings of /proc/stat, in cores."""
    idle = 0.0
    first, second = _core_times(before), _core_times(after)
    for core in allowed & first.keys() & second.keys():
        spent = [late - early for early, late in zip(first[core], second[core], strict=True)]
        idle += (spent[3] + spent[4]) / max(1, sum(spent))
    return idle


def _core_times(stat: str) -> dict[int, list[int]]:
    """Of each core, ticks spent on: user, nice, system, idle, waiting for disks, irq, softirq, steal."""
    rows = (line.split() for line in stat.splitlines())
    return {
        int(row[0][3:]): [int(ticks) for ticks in row[1:9]]
        for row in rows
        if row and row[0].startswith("cpu") and row[0] != "cpu"
    }


def core_quota(file: Path) -> float:
    """The cores that a container may use by its limit; infinite where there is none."""
    if not file.is_file():
        return math.inf
    limit, period = file.read_text().split()
    return math.inf if limit == "max" else math.ceil(int(limit) / int(period))
