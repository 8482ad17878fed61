"""Objects in front of faces, as in television images: glasses and microphones."""

from dataclasses import dataclass

import cv2
import numpy as np

DARK = 0.1  # share of sunglasses
SHIFT = 3  # OpenCV draws in eighths of a pixel


@dataclass(frozen=True)
class Glasses:
    """A lens's half width and half height in widths of the eye, and of its rim in face heights.

    grey: of the rim, 0..255. tint: how dark the lens is, 0..1.
    """

    width: float
    height: float
    rim: float
    grey: float
    tint: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Glasses":
        dark = rng.random() < DARK
        return cls(
            width=float(rng.uniform(0.8, 1.0)),
            height=float(rng.uniform(0.5, 0.75)),
            rim=float(rng.uniform(0.008, 0.028)),
            grey=float(rng.choice([15, 35, 90, 150])),
            tint=float(rng.uniform(0.6, 0.9) if dark else rng.uniform(0.0, 0.12)),
        )

    def draw_on(self, image: np.ndarray, points: np.ndarray, unit: float) -> np.ndarray:
        """An image float32 (h, w, 3) with the glasses. points: (68, 2), pixels. unit: pixels per face height."""
        rims, lenses = np.zeros(image.shape[:2], np.uint8), np.zeros(image.shape[:2], np.uint8)
        thick = max(1, round(self.rim * unit))
        along = points[45] - points[36]
        along = along / max(float(np.hypot(*along)), 1e-6)
        turn = float(np.degrees(np.arctan2(along[1], along[0])))
        eyes = [points[36:42], points[42:48]]
        widths = [float(np.hypot(*(eye[3] - eye[0]))) for eye in eyes]
        ends = []
        for eye, width, outward, ear in zip(eyes, widths, (-1, 1), points[[0, 16]], strict=True):
            centre = eye.mean(axis=0) + (0, 0.02 * unit)
            half = self.width * width
            axes = _eighths((half, self.height * max(widths)))
            cv2.ellipse(lenses, _eighths(centre), axes, turn, 0, 360, 255, -1, cv2.LINE_AA, SHIFT)
            cv2.ellipse(rims, _eighths(centre), axes, turn, 0, 360, 255, thick, cv2.LINE_AA, SHIFT)
            hinge = centre + along * outward * half
            if (ear - hinge) @ along * outward > 0:
                cv2.line(rims, _eighths(hinge), _eighths(ear - (0, 0.05 * unit)), 255, thick, cv2.LINE_AA, SHIFT)
            ends.append(centre - along * outward * half)
        cv2.line(rims, _eighths(ends[0]), _eighths(ends[1]), 255, thick, cv2.LINE_AA, SHIFT)
        image = image * (1 - lenses[..., None] / np.float32(255) * self.tint)
        return image + rims[..., None] / np.float32(255) * 0.85 * (self.grey - image)


@dataclass(frozen=True)
class Microphone:
    """place, radius: of its head, relative to the chin, face heights. lean: slope of its stick. grey: 0..255."""

    place: tuple[float, float]
    radius: float
    lean: float
    grey: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Microphone":
        return cls(
            place=(float(rng.normal(0, 0.2)), float(rng.uniform(-0.05, 0.4))),
            radius=float(rng.uniform(0.08, 0.14)),
            lean=float(rng.normal(0, 0.5)),
            grey=float(rng.uniform(8, 60)),
        )

    def draw_on(self, image: np.ndarray, chin: np.ndarray, unit: float) -> np.ndarray:
        """An image float32 (h, w, 3) with the microphone. chin: xy, pixels. unit: pixels per face height."""
        cover = np.zeros(image.shape[:2], np.uint8)
        head = chin + np.array(self.place) * unit
        foot = head + np.array([self.lean, 1.0]) * 2 * unit
        radius = self.radius * unit
        cv2.line(cover, _eighths(head), _eighths(foot), 255, max(1, round(radius)), cv2.LINE_AA, SHIFT)
        cv2.ellipse(
            cover,
            _eighths(head),
            _eighths((radius, 1.2 * radius)),
            -30 * self.lean,
            0,
            360,
            255,
            -1,
            cv2.LINE_AA,
            SHIFT,
        )
        y, x = np.ogrid[: image.shape[0], : image.shape[1]]
        shine = np.exp(-((x - head[0] + 0.4 * radius) ** 2 + (y - head[1] + 0.5 * radius) ** 2) / (0.5 * radius**2))
        colour = (self.grey + 50 * shine).astype(np.float32)[..., None]
        soft = cv2.GaussianBlur(cover, (0, 0), max(0.5, 0.008 * unit)).astype(np.float32)[..., None] / 255
        return image + soft * (colour - image)


def _eighths(pair: np.ndarray | tuple[float, float]) -> tuple[int, int]:
    return round(float(pair[0]) * 2**SHIFT), round(float(pair[1]) * 2**SHIFT)
