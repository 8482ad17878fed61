"""Other processes that read images for a store: numpy's many small steps hold threads of one process up.

A helper is told a store, then groups of indices, and answers with their images. Not `multiprocessing`, which would run
the program that asks once more in each of its processes.
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
HOME = Path(__file__).resolve().parents[2]  # where `kp` is found


class Helper:
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
        assert self._process.stdin and self._process.stdout  # as asked for with PIPE
        self._stdin, self._stdout = self._process.stdin, self._process.stdout

    def read(self, groups: SimpleQueue[Group], done: SimpleQueue[tuple[Group, Images] | None]) -> None:
        """Take groups until there are none, put each with its images into `done`, and None at the end.

        Should the process end before, the group that it has goes back.
        """
        group: Group = []
        try:
            self._tell(self._store)
            while True:
                group = groups.get_nowait()
                self._tell(group)
                done.put((group, pickle.load(self._stdout)))
                group = []
        except (Empty, OSError, EOFError, ValueError, pickle.UnpicklingError):
            return  # all is read, or the process has ended
        finally:
            if group:
                groups.put(group)
            done.put(None)

    def _tell(self, thing: Any) -> None:
        pickle.dump(thing, self._stdin, pickle.HIGHEST_PROTOCOL)
        self._stdin.flush()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def read_with_helpers(
    store: Any, groups: Sequence[Group], count: int, read_here: Callable[[Group], Images]
) -> Iterator[tuple[Group, Images]]:
    """Each group and its images, in any order, from so many helpers and from this thread, which calls `read_here`.

    What helpers leave that cannot be started, or that end early, is read here.
    """
    waiting: SimpleQueue[Group] = SimpleQueue()
    done: SimpleQueue[tuple[Group, Images] | None] = SimpleQueue()
    for group in groups:
        waiting.put(group)
    left = len(groups)
    with ExitStack() as stack:
        for _ in range(count):
            try:
                helper = Helper(store)
            except OSError:  # a machine that allows no more processes
                break
            stack.callback(helper.close)
            threading.Thread(target=helper.read, args=(waiting, done), daemon=True).start()
        while left:
            try:
                group = waiting.get_nowait()
            except Empty:
                answer = done.get()
            else:
                answer = group, read_here(group)
            if answer is not None:
                left -= 1
                yield answer
            while left and not done.empty():
                answer = done.get()
                if answer is not None:
                    left -= 1
                    yield answer


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """What a helper does, until nobody asks any more."""
    store = pickle.load(requests)
    while True:
        try:
            group = pickle.load(requests)
        except EOFError:
            return
        pickle.dump(store.read_group(group), answers, pickle.HIGHEST_PROTOCOL)
        answers.flush()


def main() -> None:
    """What a helper's process does."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints does not print among the answers
    with one_thread_each():
        serve(sys.stdin.buffer, answers)
