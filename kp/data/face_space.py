"""The space of faces: the mean face, what its first modes do, and how somebody looks who is a few steps from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from kp.data.appearance import AppearanceModel, load_appearance
from kp.data.portraits import Look, View, paint
from kp.data.synthetic import Face, invent_person
from kp.errors import ConfigError

FARTHEST = 3.0   # standard deviations that a slider may go
MODES = 5
VIEW = View(height=256, width=224, centre=(111.5, 140.0), size=104.0)
# What the first modes do when their number grows; said from looking at them.
SHAPE_MODES = ("turns", "nods", "opens", "tilts", "widens")
PICTURE_MODES = ("light", "side light", "skin", "hair", "glasses")


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
    def _follow(self) -> np.ndarray:
        """(2 MODES - 1, n): what all coefficients do on average when a slider moves; the turn has its own trend."""
        roots = self.model.spreads.roots[:, 0].astype(np.float64)
        covariance = sum(root.T @ root for root in roots)
        moved = self.modes[1:]
        return np.linalg.solve(covariance[np.ix_(moved, moved)], covariance[moved])

    def coefficients(self, shape: Sequence[float] = (), picture: Sequence[float] = ()) -> np.ndarray:
        """Those of the face at these sliders, in standard deviations; what is not named is 0, the mean."""
        for numbers in (shape, picture):
            if len(numbers) > MODES or not np.all(np.abs(np.asarray(numbers, np.float64)) <= FARTHEST):
                raise ConfigError(f"A face is at most {MODES} numbers from -{FARTHEST:g} to {FARTHEST:g} from the mean "
                                  f"one, not {list(numbers)}.")
        sliders = np.zeros(2 * MODES)
        sliders[: len(shape)] = shape
        sliders[MODES : MODES + len(picture)] = picture
        return self.model.spreads.mean(float(sliders[0])) + sliders[1:] @ self._follow

    def render(self, shape: Sequence[float] = (), picture: Sequence[float] = ()) -> tuple[np.ndarray, np.ndarray]:
        """The face there: uint8 (256, 224, 3) RGB and its keypoints float32 (68, 2)."""
        coefficients = self.coefficients(shape, picture)
        image = paint(self.model, coefficients, VIEW, look=Look.plain(), rng=np.random.default_rng(0))
        return image, VIEW.place(self.model.shape(coefficients))

    def somebody_new(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """A portrait of an invented person, uint8 (H, W, 3) RGB, and its keypoints float32 (68, 2)."""
        face: Face = invent_person(self.model, 0, seed=seed, videos=1, frames=1)[0]
        return face.image(self.model), face.keypoints(self.model)


@lru_cache(maxsize=1)
def face_space() -> FaceSpace:
    """The space of the shipped model, read once."""
    return FaceSpace(load_appearance())
