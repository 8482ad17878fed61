"""How far a run is, in steps and in seconds, and when validation is due."""

import time

from kp.training.config import TrainConfig
from kp.training.distributed import ProcessGroup


class RunClock:
    """Steps and seconds of a run, against the config's epochs and time limit.

    All processes of a group decide by the same clock, the mean of theirs: the learning rate and the end depend on it.
    """

    def __init__(self, config: TrainConfig, steps_per_epoch: int, group: ProcessGroup) -> None:
        self.config, self.steps_per_epoch, self.group = config, steps_per_epoch, group
        self.steps = steps_per_epoch * config.epochs
        self.step, self.images = 0, 0.0
        self.training_seconds = 0.0
        self.validation_seconds = 0.0  # of the last validation
        self._started_at = self._group_seconds = 0.0

    def start(self) -> None:
        self._started_at = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Since the start, in this process."""
        return time.perf_counter() - self._started_at

    def step_done(self, images: float, begun: float) -> None:
        """Count a step on so many images that began at `begun` seconds."""
        self.step += 1
        self.images += images
        self.training_seconds += self.seconds - begun
        self._group_seconds = self.group.sum(self.seconds)[0] / self.group.size

    def validation_done(self, begun: float) -> None:
        """Note how long a validation took that began at `begun` seconds."""
        self.validation_seconds = self.group.sum(self.seconds - begun)[0] / self.group.size

    @property
    def epoch(self) -> int:
        """The epoch of the last step, from 1."""
        return -(-self.step // self.steps_per_epoch)

    @property
    def epochs(self) -> float:
        """Epochs done; a whole number at the end of each."""
        whole, more = divmod(self.step, self.steps_per_epoch)
        return round(whole + more / self.steps_per_epoch, 2) if more else whole

    @property
    def progress(self) -> float:
        """How far the run is, 0..1, by steps or by seconds, whichever is further."""
        by_clock = self._spent / self.config.max_seconds if self.config.max_seconds else 0.0
        return max(self.step / self.steps, by_clock)

    @property
    def out_of_time(self) -> bool:
        return bool(self.config.max_seconds) and self._spent >= self.config.max_seconds

    @property
    def validation_is_due(self) -> bool:
        """At the end of an epoch, in between as often as the config sets, and at the time limit."""
        passed, before = (
            step * self.config.evals_per_epoch // self.steps_per_epoch for step in (self.step, self.step - 1)
        )
        return passed > before or self.out_of_time

    @property
    def images_per_second(self) -> float:
        """Since the start, validation not counted."""
        return self.images / max(self.training_seconds, 1e-9)

    @property
    def seconds_left(self) -> float:
        return self.seconds * (1 - self.progress) / self.progress

    @property
    def _spent(self) -> float:
        """Seconds of the limit that are used, including those that the last validation will take."""
        return self._group_seconds + self.validation_seconds
