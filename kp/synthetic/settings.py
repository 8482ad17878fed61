"""Where a synthetic face stands in its frame, and how light, camera, clothes and background make it appear."""

from dataclasses import dataclass

import numpy as np

from kp.synthetic.clothes import Clothes
from kp.synthetic.props import Glasses, Microphone

DRESSED = 0.8  # share of videos with drawn clothes; the others have those of the model
GLASSES, MICROPHONES = 0.15, 0.1  # shares of videos


@dataclass(frozen=True)
class FacePlacement:
    """Where the face is in the frame, pixels. size: height of the mean shape; centre: xy of its middle."""

    height: int
    width: int
    centre: tuple[float, float]
    size: float

    def place(self, shape: np.ndarray) -> np.ndarray:
        """Points of a shape, in face heights about its middle, as pixels float32."""
        return (shape * self.size + self.centre).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Appearance:
    """What the frames of a video have in common. seed: of background and fine detail.

    light: gradients of log brightness to the right and to the top, per face height. gain: of each colour. detail:
    factor of the noise that replaces detail beyond the components. blur: sigma in pixels of a frame 200 px high.
    grain: grey levels. wall: grey level of a plain background, None for a drawn one.
    """

    seed: int
    light: tuple[float, float]
    gamma: float
    gain: np.ndarray
    detail: float
    blur: float
    grain: float
    wall: float | None
    clothes: Clothes | None
    glasses: Glasses | None
    microphone: Microphone | None

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Appearance":
        """A random appearance."""
        return cls(
            seed=int(rng.integers(2**31)),
            light=(float(rng.normal(0, 0.28)), float(rng.normal(0, 0.2))),
            gamma=float(np.exp(rng.normal(0, 0.15))),
            gain=np.exp(rng.normal(0, 0.1) + rng.normal(0, 0.03, 3)).astype(np.float32),
            detail=float(rng.uniform(0.5, 1.1)),
            blur=float(min(rng.gamma(1.1, 0.4), 1.8)),
            grain=float(min(rng.gamma(2.0, 0.6), 4.0)),
            wall=None,
            clothes=Clothes.draw(rng) if rng.random() < DRESSED else None,
            glasses=Glasses.draw(rng) if rng.random() < GLASSES else None,
            microphone=Microphone.draw(rng) if rng.random() < MICROPHONES else None,
        )

    @classmethod
    def plain(cls) -> "Appearance":
        """No grain, blur, clothes, glasses or microphone; even light; a plain grey background."""
        return cls(
            seed=0,
            light=(0.0, 0.0),
            gamma=1.0,
            gain=np.ones(3, np.float32),
            detail=0.0,
            blur=0.0,
            grain=0.0,
            wall=150.0,
            clothes=None,
            glasses=None,
            microphone=None,
        )
