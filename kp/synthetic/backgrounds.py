"""Backgrounds of synthetic portraits, out of focus as in television images.

Overlapping shapes of all sizes ("dead leaves": Lee, Mumford and Huang, "Occlusion Models for Natural Images", 2001)
have the statistics of natural images; blurred, they resemble a room or a street, and panels a studio.
"""

import cv2
import numpy as np

SIDE = 120  # pixels of the longer side at which a background is drawn, before it is enlarged
STUDIO, PANELS, LEAVES = range(3)
SHARES = (0.25, 0.4, 0.35)
BLURS = {PANELS: 0.5, LEAVES: 1.5}  # the least, in pixels of the drawn size
WARM_BLUE_ANY = (0.45, 0.37, 0.18)  # of hues: wood and skin, sky and stage, all others


def background(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """float32 (height, width, 3), 0..255, RGB."""
    height, width = size
    factor = SIDE / max(size)
    small = max(8, round(height * factor)), max(8, round(width * factor))
    palette = _palette(rng)
    kind = rng.choice(3, p=SHARES)
    if kind == STUDIO:
        picture = _glow(small, palette, rng)
    else:
        picture = _panels(small, palette, rng) if kind == PANELS else _leaves(small, palette, rng)
        blur = float(np.exp(rng.uniform(np.log(BLURS[kind]), np.log(6.0))))
        picture = cv2.GaussianBlur(picture, (0, 0), blur, borderType=cv2.BORDER_REFLECT)
    picture *= _slope(small, rng)[..., None]
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_CUBIC)


def _palette(rng: np.random.Generator) -> np.ndarray:
    """Six colours that go together, float32 (6, 3): one or two hues, mostly dull, light and dark."""
    common = rng.choice([rng.normal(14, 6), rng.normal(108, 8), rng.uniform(0, 180)], 2, p=WARM_BLUE_ANY)
    hues = common[rng.choice(2, 6, p=(0.75, 0.25))] + rng.normal(0, 6, 6)
    vivid = rng.beta(1.3, 4.0) if rng.random() < 0.85 else rng.uniform(0.5, 0.8)
    saturation = np.clip(vivid * rng.uniform(0.5, 1.3, 6), 0, 0.9) * 255
    value = np.clip(rng.beta(1.6, 1.8) + rng.normal(0, 0.22, 6), 0.05, 0.95) * 255
    colours = np.stack([hues % 180, saturation, value], axis=1).astype(np.uint8)[None]
    return cv2.cvtColor(colours, cv2.COLOR_HSV2RGB)[0].astype(np.float32)


def _glow(size: tuple[int, int], palette: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A lit backdrop: from one colour to another, about a spot."""
    height, width = size
    y, x = np.mgrid[:height, :width].astype(np.float32) / max(size)
    distance = np.hypot(x - rng.uniform(0, 1), (y - rng.uniform(-0.2, 1)) * rng.uniform(0.6, 1.6))
    share = np.clip(distance / rng.uniform(0.7, 1.5), 0, 1)[..., None] ** rng.uniform(0.8, 1.6)
    return palette[0] * (1 - share) + (0.6 * palette[0] + 0.4 * palette[1]) * share * rng.uniform(0.5, 1.0)


def _panels(size: tuple[int, int], palette: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Walls, window frames, shelves: upright and level stripes, some of them boxes."""
    height, width = size
    picture = np.full((height, width, 3), palette[0], np.float32)
    for _ in range(int(rng.integers(3, 9))):
        colour = palette[rng.integers(6)].tolist()
        w, h = (np.exp(rng.uniform(np.log(0.04), np.log(0.7), 2)) * max(size)).astype(int) + 1
        x, y = int(rng.integers(-w // 2, width)), int(rng.integers(-h // 2, height))
        shape = rng.random()
        if shape < 0.5:
            cv2.rectangle(picture, (x, -1), (x + int(w), height), colour, -1)
        elif shape < 0.7:
            cv2.rectangle(picture, (-1, y), (width, y + int(h) // 2), colour, -1)
        else:
            cv2.rectangle(picture, (x, y), (x + int(w), y + int(h)), colour, -1)
    return picture


def _leaves(size: tuple[int, int], palette: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Overlapping ovals of all sizes, the large ones behind."""
    height, width = size
    picture = np.full((height, width, 3), palette[0], np.float32)
    radii = np.sort(0.05 * rng.random(50) ** -0.7)[::-1]
    for radius in np.minimum(radii, 0.6) * max(size):
        centre = int(rng.integers(width)), int(rng.integers(height))
        axes = max(1, int(radius * rng.uniform(0.15, 1.2))), max(1, int(radius))
        colour = palette[rng.integers(6)] * rng.uniform(0.8, 1.15)
        cv2.ellipse(picture, centre, axes, float(rng.uniform(0, 180)), 0, 360, colour.tolist(), -1, cv2.LINE_AA)
    return np.clip(picture, 0, 255)


def _slope(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Uneven light: a factor for each pixel, float32 (height, width)."""
    y, x = np.mgrid[-1 : 1 : size[0] * 1j, -1 : 1 : size[1] * 1j].astype(np.float32)
    across, down, round_ = rng.normal(0, 0.1), rng.normal(0, 0.1), abs(rng.normal(0, 0.1))
    return np.clip(1 + across * x + down * y - round_ * (x * x + y * y), 0.3, 1.5).astype(np.float32)
