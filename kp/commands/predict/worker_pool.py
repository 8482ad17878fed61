"""Predicting many photos, in this process or in several; one that fails does not stop the others."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace

import cv2
import torch

from kp.commands.predict.settings import PredictSettings
from kp.commands.predict.task import ImageTask, PhotoResult

QUEUED = 2  # tasks submitted for each process, so that none waits for the next one
NumberedResult = tuple[int, PhotoResult]  # a task's index, and its result


def predict_tasks(tasks: Sequence[ImageTask], settings: PredictSettings, workers: int) -> Iterator[NumberedResult]:
    """Each task's index and result, as they are done: in this process for one worker, else in worker processes."""
    if workers > 1:
        yield from predict_in_processes(tasks, settings, workers)
    else:
        yield from ((number, settings.predict(task)) for number, task in enumerate(tasks))


def predict_in_processes(
    tasks: Sequence[ImageTask], settings: PredictSettings, workers: int
) -> Iterator[NumberedResult]:
    """As `predict_tasks`. Where a process dies, the photos in work are retried one at a time: only the cause fails."""
    remaining = deque(range(len(tasks)))
    retries: deque[int] = deque()
    while remaining or retries:
        running: dict[Future[PhotoResult], int] = {}
        retrying = bool(retries)
        try:
            if retrying:
                yield from _run_pool(tasks, settings, retries, running, workers=1, limit=1)
            else:
                yield from _run_pool(
                    tasks, settings, remaining, running, workers=min(workers, len(remaining)), limit=workers * QUEUED
                )
        except BrokenProcessPool:
            if retrying:
                yield from ((number, _process_died(tasks[number].photo.file)) for number in running.values())
            else:
                retries.extend(running.values())


def _run_pool(
    tasks: Sequence[ImageTask],
    settings: PredictSettings,
    queue: deque[int],
    running: dict[Future[PhotoResult], int],
    *,
    workers: int,
    limit: int,
) -> Iterator[NumberedResult]:
    """Results of the tasks of `queue`, which it empties. limit: how many are submitted at once; they are in `running`.

    Raises BrokenProcessPool where a process dies; `running` then has the tasks without a result.
    """
    with start_processes(settings, workers) as pool:
        while queue or running:
            while queue and len(running) < limit:
                with block_sigint():
                    running[pool.submit(_predict, tasks[queue[0]])] = queue[0]
                queue.popleft()
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                result = future.result()
                yield running.pop(future), result


def _process_died(file: str) -> PhotoResult:
    return PhotoResult(
        file,
        error=f"{file} ended the process that worked on it, perhaps for want of memory. "
        "Make it smaller, or save it anew.",
    )


def start_processes(settings: PredictSettings, workers: int) -> ProcessPoolExecutor:
    fresh = replace(settings)  # without its cached network: each process loads its own
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_initialise, initargs=(fresh,))


@contextmanager
def block_sigint() -> Iterator[None]:
    """Delays Ctrl-C until the end of the block; a process that is started in it begins with SIGINT blocked."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_settings: PredictSettings  # of this worker process


def _initialise(settings: PredictSettings) -> None:
    """In a worker process: one thread, SIGINT is left to the parent, and the process ends with its parent."""
    global _settings
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _settings = settings


def _end_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


def _predict(task: ImageTask) -> PhotoResult:
    return _settings.predict(task)
