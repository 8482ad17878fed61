"""Processes that read images for a store: numpy's many small steps serialise threads of one process.

A worker receives a store, then groups of indices, and sends their images. Not `multiprocessing`, which would import the
calling program again in each process.
"""

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, BinaryIO

import numpy as np

from kp.hardware import one_thread_each

Group = list[int]
Images = list[np.ndarray]

PROGRAM = "from kp.synthetic.worker_processes import main; main()"
HOME = Path(__file__).resolve().parents[2]  # the folder that holds the package `kp`


class Worker:
    """A process that reads images for `store`, which has `read_group` and can be pickled."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            cwd=HOME,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise OSError("A worker process has no pipes.")
        self._stdin, self._stdout = stdin, stdout

    def read(self, groups: SimpleQueue[Group], done: SimpleQueue[tuple[Group, Images] | None]) -> None:
        """Read groups until none is left, put each with its images into `done`, and None at the end.

        A process that ends early returns its group to `groups`.
        """
        group: Group = []
        try:
            self._send(self._store)
            while True:
                group = groups.get_nowait()
                self._send(group)
                done.put((group, pickle.load(self._stdout)))
                group = []
        except (Empty, OSError, EOFError, ValueError, pickle.UnpicklingError):
            return  # no group is left, or the process has ended
        finally:
            if group:
                groups.put(group)
            done.put(None)

    def _send(self, thing: Any) -> None:
        pickle.dump(thing, self._stdin, pickle.HIGHEST_PROTOCOL)
        self._stdin.flush()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def read_with_workers(
    store: Any, groups: Sequence[Group], count: int, read_here: Callable[[Group], Images]
) -> Iterator[tuple[Group, Images]]:
    """Each group and its images, in any order, from `count` workers and from this thread, which calls `read_here`.

    This thread also reads the groups of workers that cannot start or that end early.
    """
    waiting: SimpleQueue[Group] = SimpleQueue()
    done: SimpleQueue[tuple[Group, Images] | None] = SimpleQueue()
    for group in groups:
        waiting.put(group)
    left = len(groups)
    with ExitStack() as stack:
        for _ in range(count):
            try:
                worker = Worker(store)
            except OSError:  # no more processes are allowed
                break
            stack.callback(worker.close)
            threading.Thread(target=worker.read, args=(waiting, done), daemon=True).start()
        while left:
            try:
                group = waiting.get_nowait()
            except Empty:
                result = done.get()
            else:
                result = group, read_here(group)
            if result is not None:
                left -= 1
                yield result
            while left and not done.empty():
                result = done.get()
                if result is not None:
                    left -= 1
                    yield result


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """A worker's loop: groups of indices in, images out, until the input ends."""
    store = pickle.load(requests)
    while True:
        try:
            group = pickle.load(requests)
        except EOFError:
            return
        pickle.dump(store.read_group(group), replies, pickle.HIGHEST_PROTOCOL)
        replies.flush()


def main() -> None:
    """The entry point of a worker process."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # prints must not mix with the replies
    with one_thread_each():
        serve(sys.stdin.buffer, replies)
