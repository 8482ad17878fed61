"""The first modes of the appearance model as sliders: the mean face or a synthetic person, moved along them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np

from kp.errors import ConfigError
from kp.hardware import one_thread_each
from kp.synthetic.appearance import AppearanceModel, load_appearance
from kp.synthetic.dataset import MOST_TURNED, Face, draw_person
from kp.synthetic.render import render
from kp.synthetic.settings import Appearance, FacePlacement

FARTHEST = 3.0  # standard deviations: the range of a slider
MODES = 5
PLACEMENT = FacePlacement(height=400, width=350, centre=(174.5, 222.0), size=164.0)


@dataclass(frozen=True)
class Mode:
    """A slider: its observed effect, that of its lower and of its upper end, and its range.

    Directions are those of the image.
    """

    name: str
    low: str
    high: str
    least: float = -FARTHEST
    most: float = FARTHEST


SHAPE_MODES = (
    Mode("Turning", "to the left", "to the right", -MOST_TURNED, MOST_TURNED),  # beyond, the image folds over
    Mode("Tilting", "to the left", "to the right"),
    Mode("Nodding", "down", "up"),
    Mode("Width", "a long face", "a broad face"),
    Mode("Mouth", "closed", "open", -2.0),  # lips cannot be closer than closed
)
PICTURE_MODES = (
    Mode("Brightness of the skin", "dark", "light"),
    Mode("Light from the side", "from the left", "from the right"),
    Mode("Hair and beard", "stubble", "hair round the face"),
    Mode("Forehead", "under hair", "bare, lit from above"),
    Mode("Colour of the light", "blue", "orange"),
)


@dataclass(frozen=True)
class FaceSpace:
    """The first modes of an appearance model, as sliders."""

    model: AppearanceModel

    @cached_property
    def modes(self) -> np.ndarray:
        """Numbers of the coefficients that the sliders move: MODES of the shape, then MODES of the skin's picture."""
        skin = self.model.skin
        rows = np.concatenate([np.linalg.norm(part.astype(np.float32), axis=1) for part in (skin.even, skin.odd)])
        largest = np.argsort(-rows * skin.scale, kind="stable")[:MODES]
        return np.concatenate([np.arange(MODES), self.model.parts["skin"].start + largest])

    @cached_property
    def _regression(self) -> np.ndarray:
        """(2 MODES - 1, n): regression of all coefficients on each slider; the yaw has its own trend."""
        roots = self.model.statistics.roots[:, 0].astype(np.float64)
        covariance = sum(root.T @ root for root in roots)
        moved = self.modes[1:]
        return np.linalg.solve(covariance[np.ix_(moved, moved)], covariance[moved])

    @one_thread_each()
    def coefficients(
        self, shape: Sequence[float] = (), picture: Sequence[float] = (), *, start: Face | None = None
    ) -> np.ndarray:
        """Coefficients of the face so many standard deviations from `start` or the mean; missing numbers are 0."""
        sliders = np.zeros(2 * MODES)
        for first, numbers, modes in ((0, shape, SHAPE_MODES), (MODES, picture, PICTURE_MODES)):
            known = zip(numbers, modes, strict=False)
            if len(numbers) > MODES or not all(mode.least <= number <= mode.most for number, mode in known):
                ends = ", ".join(f"{mode.least:g} to {mode.most:g}" for mode in modes)
                raise ConfigError(
                    f"A face is at most {MODES} numbers from the mean one (from {ends}), "
                    f"not {', '.join(map(str, numbers))}."
                )
            sliders[first : first + len(numbers)] = numbers
        moved, statistics = sliders[1:] @ self._regression, self.model.statistics
        if start is None:
            return statistics.mean(float(sliders[0])) + moved
        turn = float(np.clip(start.turn + sliders[0], -MOST_TURNED, MOST_TURNED))
        return statistics.coefficients(turn, start.kind, start.draws) + moved

    @one_thread_each()
    def render(
        self, shape: Sequence[float] = (), picture: Sequence[float] = (), *, person: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The rendered face: uint8 (400, 350, 3) RGB and its keypoints float32 (68, 2).

        person: the number of the synthetic person that the sliders move; None for the mean face.
        """
        face = None if person is None else self.person_face(person)
        coefficients = self.coefficients(shape, picture, start=face)
        appearance = replace(face.appearance, blur=0.0) if face else Appearance.plain()  # shown enlarged
        portrait = self.model.portraits(coefficients[None])[0]
        image = render(portrait, self.model, PLACEMENT, appearance=appearance, rng=np.random.default_rng(0))
        return image, PLACEMENT.place(portrait.shape)

    def person_face(self, number: int) -> Face:
        """A synthetic person, the same for a number."""
        return draw_person(self.model, number, seed=1, videos=1, frames=1)[0]


@lru_cache(maxsize=1)
def face_space() -> FaceSpace:
    """The space of the shipped model, read once."""
    return FaceSpace(load_appearance())
