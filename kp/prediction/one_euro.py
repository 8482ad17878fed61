"""Values that come one after another, without their trembling: the One Euro filter.

Casiez, Roussel and Vogel, "1 Euro Filter: A Simple Speed-based Low-pass Filter for Noisy Input in Interactive
Systems", CHI 2012. What stands still is held still; what moves fast is followed closely.
"""

import math
from dataclasses import dataclass

import numpy as np

from kp.errors import ConfigError


@dataclass(frozen=True)
class OneEuro:
    """The filter's settings, with the paper's names.

    min_cutoff: Hz, of what stands still; lower trembles less and lags more. beta: Hz for each unit of speed (values a
    second, in sizes); higher lags less in fast moves. d_cutoff: Hz, of the speed itself.

    The defaults suit points of a face, with the face's side as their size: at 25 frames a second a third of the
    trembling is left, and a head that moves by 0.6 of its side a second is lagged behind by 0.8 % of it (simulated).
    """

    min_cutoff: float = 1.0
    beta: float = 40.0
    d_cutoff: float = 2.0

    def __post_init__(self) -> None:
        if not (self.min_cutoff > 0 and self.beta >= 0 and self.d_cutoff > 0):
            raise ConfigError(f"The filter needs min_cutoff > 0, beta >= 0 and d_cutoff > 0, not {self}.")


def smoothing_factor(seconds: float, cutoff: np.ndarray | float) -> np.ndarray | float:
    """How much a new value counts, 0..1, that comes so long after the last one: 1 / (1 + tau / T)."""
    return 1 / (1 + 1 / (2 * math.pi * cutoff * seconds))


class OneEuroFilter:
    """Smooths one value, or an array of them each for itself. Plain attributes: it can be copied and pickled."""

    def __init__(self, settings: OneEuro | None = None) -> None:
        self.settings = settings or OneEuro()
        self.seconds = -math.inf
        self.value: np.ndarray | None = None
        self.speed: np.ndarray | float = 0.0

    def __call__(self, value: np.ndarray | float, seconds: float, *, size: float = 1.0) -> np.ndarray:
        """The smoothed value at the time `seconds`; one that is not after the last is passed on as it is.

        size: what speeds are measured in, such as the side of a face in pixels.
        """
        value = np.asarray(value, np.float64)
        if self.value is None or seconds <= self.seconds:
            self.seconds, self.value, self.speed = seconds, value, np.zeros_like(value)
            return value
        settings, passed = self.settings, seconds - self.seconds
        speed = (value - self.value) / passed / size
        self.speed = self.speed + smoothing_factor(passed, settings.d_cutoff) * (speed - self.speed)
        cutoff = settings.min_cutoff + settings.beta * np.abs(self.speed)
        self.value = self.value + smoothing_factor(passed, cutoff) * (value - self.value)
        self.seconds = seconds
        return self.value
