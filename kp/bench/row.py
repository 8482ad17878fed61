"""One measured value, and how it is measured."""

import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TypeVar

import numpy as np

Result = TypeVar("Result")


@dataclass(frozen=True)
class Row:
    """note: why `value` is None."""

    what: str
    value: float | None
    unit: str
    note: str = ""


def median_seconds(work: Callable[[], object], rounds: int) -> float:
    """The median time (p50) of `rounds` calls, after one to warm up."""
    work()
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return float(np.median(times))


def in_own_process(work: Callable[..., Result], *arguments: object) -> Result:
    """The result of a function in a new process, whose memory no earlier measurement has used."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def plural(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"
