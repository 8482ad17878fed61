"""Drawn clothes with collars, ties and lapels; the model's mean clothes are blurred."""

from dataclasses import dataclass, field

import cv2
import numpy as np

SUIT, SHIRT, PULLOVER = range(3)
SHARES = (0.45, 0.25, 0.3)
TIE_SHARE = 0.75  # of suits
FINER = 3  # supersampling factor, for soft edges
# Outlines in the plane of the mean shape, in face heights about the face's middle; the chin is at 0.56.
NECK, TOP, BOTTOM = 0.27, 0.5, 1.6


@dataclass(frozen=True)
class Clothes:
    """Colours (YCrCb, 0..255) of cloth, shirt and tie, and depth and width of the visible shirt, face heights."""

    kind: int
    cloth: np.ndarray = field(repr=False)
    shirt: np.ndarray = field(repr=False)
    tie: np.ndarray | None = field(repr=False)
    depth: float
    width: float
    shade: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Clothes":
        kind = int(rng.choice(3, p=SHARES))
        dark = kind == SUIT or rng.random() < 0.4
        cloth = _colour(rng, value=rng.uniform(10, 75) if dark else rng.uniform(50, 220), vivid=7 if dark else 20)
        shirt = _colour(rng, value=rng.uniform(150, 235) if rng.random() < 0.8 else rng.uniform(20, 120), vivid=8)
        tie = _colour(rng, value=rng.uniform(20, 140), vivid=18) if kind == SUIT and rng.random() < TIE_SHARE else None
        return cls(
            kind,
            cloth,
            shirt,
            tie,
            depth=float(rng.uniform(1.0, 1.4)),
            width=float(rng.uniform(0.26, 0.36)),
            shade=float(rng.uniform(0.1, 0.3)),
        )

    def picture(self, places: np.ndarray) -> np.ndarray:
        """float32 (n, n, 3), YCrCb; places: plane coordinates of the rows."""
        fine = np.interp(np.arange(FINER * len(places)) / FINER - 0.5 + 0.5 / FINER, range(len(places)), places)
        return cv2.resize(self._drawn(fine), (len(places), len(places)), interpolation=cv2.INTER_AREA)

    def _drawn(self, places: np.ndarray) -> np.ndarray:
        side = len(places)
        x, y = np.meshgrid(places, places)
        image = np.tile(self.cloth, (side, side, 1)).astype(np.float32)
        image[..., 0] *= 1 + self.shade * (0.6 - np.abs(x)) - 0.5 * self.shade * (y - 0.8)  # shoulders turn away

        def fill(outline: list[tuple[float, float]], colour: np.ndarray) -> None:
            for points in (np.array(outline), np.array(outline) * (-1, 1)):
                pixels = (np.interp(points, places, range(side)) * 8).round().astype(np.int32)
                cv2.fillPoly(image, [pixels], colour.tolist(), cv2.LINE_8, 3)

        darker = np.array([1 - self.shade, 1, 1], np.float32)
        if self.kind == SUIT:
            fill([(0, TOP), (self.width, TOP), (self.width, 0.72), (0, self.depth)], self.shirt)
            fill(
                [(self.width, 0.7), (self.width + 0.1, 0.74), (0.17, 1.12), (0, self.depth + 0.05), (0, self.depth)],
                self.cloth * darker,
            )
            if self.tie is not None:
                fill([(0, 0.72), (0.06, 0.72), (0.045, 0.8), (0.1, BOTTOM), (0, BOTTOM)], self.tie)
            fill([(0.05, 0.73), (NECK + 0.02, 0.56), (0.2, 0.86)], self.shirt * (0.93, 1, 1))
        elif self.kind == SHIRT:
            fill([(0.02, 0.74), (NECK + 0.03, 0.55), (self.width, 0.7), (0.16, 0.92)], self.cloth * darker)
            fill([(0, 0.74), (0.012, 0.74), (0.012, BOTTOM), (0, BOTTOM)], self.cloth * darker)
        else:
            fill(
                [(0, 0.66), (0.16, 0.63), (NECK, TOP), (NECK + 0.06, TOP), (0.2, 0.69), (0, 0.72)], self.cloth * darker
            )
        return image


def _colour(rng: np.random.Generator, *, value: float, vivid: float) -> np.ndarray:
    """A colour of this lightness, float32 (3,); vivid: standard deviation of its chroma."""
    return np.array([value, *np.clip(rng.normal(128, vivid, 2), 60, 196)], np.float32)
