"""One measured figure, and how it is taken."""

import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TypeVar

import numpy as np

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Row:
    """note: why there is no figure, where `value` is None."""

    what: str
    value: float | None
    unit: str
    note: str = ""


def median_seconds(work: Callable[[], object], rounds: int) -> float:
    """The median time of so many rounds (p50), after one to warm up."""
    work()
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return float(np.median(times))


def in_own_process(work: Callable[..., Answer], *arguments: object) -> Answer:
    """A function's answer from a new process, where no other loop has left its memory."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def plural(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"
