"""Processes that render synthetic faces: the same images, even if they end early."""

from queue import SimpleQueue

import pytest
from threadpoolctl import threadpool_info

from kp.synthetic import face_store, worker_processes
from kp.synthetic.dataset import SyntheticFaces
from kp.synthetic.layers import flatten


@pytest.fixture
def processes(monkeypatch) -> list:
    """The worker processes of the test: two for any number of faces."""
    started = []

    class Watched(worker_processes.Worker):
        def __init__(self, store) -> None:
            super().__init__(store)
            started.append(self._process)

    monkeypatch.setattr(worker_processes, "Worker", Watched)
    monkeypatch.setattr(face_store, "LEAST_FOR_WORKERS", 1)
    monkeypatch.setattr(face_store, "MOST_WORKERS", 2)
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    return started


def test_the_pictures_are_the_same(few_faces: SyntheticFaces, processes: list) -> None:
    part = SyntheticFaces(3, model=few_faces.store.model)
    waiting, done = SimpleQueue(), SimpleQueue()
    for group in part.store.together(range(36)):
        waiting.put(group)
    worker = worker_processes.Worker(part.store)
    worker.read(waiting, done)  # all of them, since nobody else reads
    worker.close()
    painted = 0
    for group, images in iter(done.get, None):
        for there, here in zip(images, part.store.read_group(group), strict=True):
            assert (there == here).all()
            painted += 1
    assert painted == 36


def test_this_process_paints_too_and_the_others_end(few_faces: SyntheticFaces, processes: list) -> None:
    part = SyntheticFaces(4, model=few_faces.store.model)
    part.preload(grey=True, progress=None)
    assert len(part.store._images) == 48
    assert len(processes) == 2
    assert all(process.poll() is not None for process in processes)


@pytest.mark.parametrize(
    "program", ["raise SystemExit(3)", "print('no answer')", "import sys; sys.stdin.buffer.read(1); sys.stdin.close()"]
)
def test_what_a_helper_leaves_is_painted_here(
    few_faces: SyntheticFaces, processes: list, program: str, monkeypatch
) -> None:
    monkeypatch.setattr(worker_processes, "PROGRAM", program)
    part = SyntheticFaces(2, model=few_faces.store.model)
    part.preload()
    assert len(part.store._images) == 24
    assert all(process.poll() is not None for process in processes)


def test_where_no_process_can_be_started_all_is_painted_here(
    few_faces: SyntheticFaces, processes: list, monkeypatch
) -> None:
    monkeypatch.setattr("sys.executable", "/no/such/python")
    part = SyntheticFaces(2, model=few_faces.store.model)
    part.preload()
    assert len(part.store._images) == 24
    assert not processes


def test_helpers_end_with_a_preload_that_is_stopped(few_faces: SyntheticFaces, processes: list) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    part = SyntheticFaces(9, model=few_faces.store.model)  # more than one telling
    with pytest.raises(KeyboardInterrupt):
        part.preload(stop)
    assert len(part.store._images) < 108
    assert all(process.poll() is not None for process in processes)


def test_faces_are_painted_with_one_thread_of_blas(few_faces: SyntheticFaces, monkeypatch) -> None:
    """Two threads round a sum otherwise than one, so that the same face would differ by a grey level."""
    before, seen = blas_threads(), []
    monkeypatch.setattr("kp.synthetic.render.flatten", lambda *given: seen.append(blas_threads()) or flatten(*given))
    few_faces.store.read(0)
    assert seen == [{1}]
    assert blas_threads() == before


def test_a_face_is_the_same_alone_and_in_company(few_faces: SyntheticFaces) -> None:
    together = few_faces.store.read_group(range(6))
    assert all((few_faces.store.read(index) == image).all() for index, image in enumerate(together))


def blas_threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}
