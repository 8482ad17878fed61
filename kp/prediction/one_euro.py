"""The One Euro filter: smoothing of a signal with less lag the faster it changes.

Casiez, Roussel and Vogel, "1 Euro Filter: A Simple Speed-based Low-pass Filter for Noisy Input in Interactive
Systems", CHI 2012.
"""

import math
from dataclasses import dataclass

import numpy as np

from kp.errors import ConfigError


@dataclass(frozen=True)
class OneEuro:
    """The filter's settings, with the paper's names.

    min_cutoff: cutoff frequency at rest, Hz; lower means less jitter and more lag. beta: increase of the cutoff, Hz for
    each unit of speed (sizes a second); higher means less lag in fast moves. d_cutoff: cutoff of the speed, Hz.

    The defaults suit keypoints, with the face's side as size: at 25 frames a second a third of the jitter is left, and
    at a speed of 0.6 face sides a second the lag is 0.8 % of the side (simulated).
    """

    min_cutoff: float = 1.0
    beta: float = 40.0
    d_cutoff: float = 2.0

    def __post_init__(self) -> None:
        if not (self.min_cutoff > 0 and self.beta >= 0 and self.d_cutoff > 0):
            raise ConfigError(f"The filter needs min_cutoff > 0, beta >= 0 and d_cutoff > 0, not {self}.")


def smoothing_factor(seconds: float, cutoff: np.ndarray | float) -> np.ndarray | float:
    """The weight, 0..1, of a new value `seconds` after the last one: 1 / (1 + tau / T). cutoff: Hz."""
    return 1 / (1 + 1 / (2 * math.pi * cutoff * seconds))


class OneEuroFilter:
    """Smooths a value, or an array elementwise. It can be copied and pickled."""

    def __init__(self, settings: OneEuro | None = None) -> None:
        self.settings = settings or OneEuro()
        self.seconds = -math.inf
        self.value: np.ndarray | None = None
        self.speed: np.ndarray | float = 0.0

    def __call__(self, value: np.ndarray | float, seconds: float, *, size: float = 1.0) -> np.ndarray:
        """The smoothed value at time `seconds`; if that is not after the last one, the filter restarts with `value`.

        size: the unit of speeds, such as the side of a face in pixels.
        """
        value = np.asarray(value, np.float64)
        if self.value is None or seconds <= self.seconds:
            self.seconds, self.value, self.speed = seconds, value, np.zeros_like(value)
            return value
        settings, elapsed = self.settings, seconds - self.seconds
        speed = (value - self.value) / elapsed / size
        self.speed = self.speed + smoothing_factor(elapsed, settings.d_cutoff) * (speed - self.speed)
        cutoff = settings.min_cutoff + settings.beta * np.abs(self.speed)
        self.value = self.value + smoothing_factor(elapsed, cutoff) * (value - self.value)
        self.seconds = seconds
        return self.value
