"""Idle cores, container limits and the settings of glibc's allocator."""

import math
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kp.hardware import core_quota, idle_between, idle_cores, keep_memory, share_memory

BEFORE = """cpu  200 0 100 1700 0 0 0 0 0 0
cpu0 100 0 50 850 0 0 0 0 0 0
cpu1 100 0 50 850 0 0 0 0 0 0
intr 1 2 3
"""


def after(first: str, second: str) -> str:
    return f"cpu 0\ncpu0 {first} 0 0\ncpu1 {second} 0 0\n"


@pytest.mark.parametrize(
    ("first", "second", "idle"),
    [
        ("100 0 50 950 0 0 0 0", "100 0 50 950 0 0 0 0", 2.0),  # both idle
        ("200 0 50 850 0 0 0 0", "100 0 50 950 0 0 0 0", 1.0),  # a program in one
        ("100 100 50 850 0 0 0 0", "100 0 50 900 50 0 0 0", 1.0),  # a nice program in one; waiting for a disk is idle
        ("100 0 50 850 0 0 0 100", "150 0 100 850 0 0 0 0", 0.0),  # taken by another machine; program and system
        ("100 0 50 850 0 0 0 0", "100 0 50 850 0 0 0 0", 0.0),  # no time has gone by
    ],
)
def test_idle_cores_are_read_from_the_system_s_own_count(first: str, second: str, idle: float) -> None:
    assert idle_between(BEFORE, after(first, second), {0, 1, 7}) == pytest.approx(idle)


def test_only_cores_of_this_process_count() -> None:
    assert idle_between(BEFORE, after("100 0 50 950 0 0 0 0", "200 0 50 850 0 0 0 0"), {1}) == 0
    assert idle_between(BEFORE, after("100 0 50 950 0 0 0 0", "200 0 50 850 0 0 0 0"), {0}) == 1


def test_there_is_at_least_one_core_and_no_more_than_all(monkeypatch, tmp_path: Path) -> None:
    assert 1 <= idle_cores() <= os.cpu_count()
    monkeypatch.setattr("kp.hardware.idle_between", lambda *_: 0.0)
    assert idle_cores() == 1
    monkeypatch.setattr("kp.hardware.idle_between", lambda *_: 7.6)
    monkeypatch.setattr("kp.hardware.QUOTA", tmp_path / "none")
    assert idle_cores() == 8
    monkeypatch.setattr("kp.hardware.QUOTA", tmp_path / "cpu.max")
    (tmp_path / "cpu.max").write_text("200000 100000\n")
    assert idle_cores() == 2


def test_without_proc_stat_the_load_average_is_used(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr("kp.hardware.STAT", tmp_path / "none")
    monkeypatch.setattr("kp.hardware.QUOTA", tmp_path / "none")
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr("os.getloadavg", lambda: (3.2, 9.0, 9.0))
    assert idle_cores() == 5


@pytest.mark.parametrize(("text", "cores"), [("max 100000", math.inf), ("200000 100000", 2), ("50000 100000", 1)])
def test_a_container_s_limit(text: str, cores: float, tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text(text + "\n")
    assert core_quota(tmp_path / "cpu.max") == cores


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has mallopt")
def test_large_buffers_stay() -> None:
    """Without it each array of 40 MB brings 10,000 new pages."""
    keep_memory()
    np.ones(5_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        np.ones(5_000_000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < 5000


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the pools are glibc's")
@pytest.mark.parametrize("shared", [False, True])
def test_threads_share_their_memory(shared: bool) -> None:
    """In a process of its own, since pools stay; glibc itself reports how many there are."""
    setup = "share_memory()" if shared else ""
    report = subprocess.run(
        [
            sys.executable,
            "-c",
            f"""
import ctypes, threading
from kp.hardware import share_memory
{setup}
together = threading.Barrier(12)
threads = [threading.Thread(target=lambda: (bytearray(2000), together.wait())) for _ in range(12)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
libc = ctypes.CDLL(None)
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
""",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert (report.count("<heap nr=") <= 2) is shared


@pytest.mark.parametrize("change", [keep_memory, share_memory])
def test_without_glibc_the_allocator_stays_as_it_is(change: Callable[[], None], monkeypatch) -> None:
    monkeypatch.setattr("platform.libc_ver", lambda: ("", ""))
    monkeypatch.setattr("ctypes.CDLL", lambda *_: pytest.fail("called"))
    change()
