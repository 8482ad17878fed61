"""Progress of a run by steps and by seconds, and when validation is due."""

from dataclasses import replace

import pytest
from short_runs import QUICK

from kp.training.clock import RunClock
from kp.training.distributed import SINGLE_PROCESS


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A list whose one number is the time."""
    time = [100.0]
    monkeypatch.setattr("time.perf_counter", lambda: time[0])
    return time


def test_epochs_and_validations_by_steps(now: list[float]) -> None:
    clock = RunClock(replace(QUICK, epochs=2, evals_per_epoch=2), 3, SINGLE_PROCESS)
    clock.start()
    seen = []
    for _ in range(clock.steps):
        begun = clock.seconds
        now[0] += 2
        clock.step_done(4, begun)
        seen.append((clock.epoch, clock.epochs, clock.validation_is_due))
    assert seen == [(1, 0.33, False), (1, 0.67, True), (1, 1, True), (2, 1.33, False), (2, 1.67, True), (2, 2, True)]
    assert (clock.progress, clock.seconds_left, clock.images_per_second) == (1, 0, 2)


def test_a_time_limit_includes_the_validation_to_come(now: list[float]) -> None:
    clock = RunClock(replace(QUICK, epochs=1000, max_seconds=10.0), 100, SINGLE_PROCESS)
    clock.start()
    now[0] += 4
    clock.step_done(4, 0.0)
    assert (clock.progress, clock.out_of_time, clock.validation_is_due) == (0.4, False, False)
    now[0] += 3
    clock.validation_done(4.0)
    clock.step_done(4, 7.0)
    assert (clock.progress, clock.out_of_time, clock.validation_is_due) == (1.0, True, True)  # 7 s and 3 s to come
    assert clock.images_per_second == 2  # validation is not counted
