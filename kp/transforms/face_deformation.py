"""Changes of the face itself: the head turned in depth, the mouth opened. Picture and keypoints bend together."""

from dataclasses import replace

import cv2
import numpy as np

from kp.data.sample import Sample
from kp.geometry import Box
from kp.landmarks import CONTOURS
from kp.thin_plate_spline import ThinPlate, spread_out
from kp.transforms.geometric import Rng, Transform
from kp.transforms.head_shape import Head

KNOTS = 25  # a side, at which a bend is computed
STIFFNESS = 0.004  # points may lie a little off their places where the picture would fold
NARROWEST = 0.1  # of a picture, by area: what is drawn out to more is about to fold over
PARTS = (1, 0.6, 0.3)  # of a change: less where the picture would fold over
RING = 16  # places round the face that stay, one box side from its centre
MOST_YAW = 75.0  # degrees; beyond, too little is left of the far side
STRAIGHT = 10.0  # degrees: a head turned less is turned to either side, else further the way it looks; the half
# of a face that is not seen cannot be turned to the front
# How far each point goes down with the jaw: of lips and jaw line, in what the chin goes.
WITH_JAW = np.zeros(68)
WITH_JAW[3:14] = [0.15, 0.4, 0.7, 0.9, 1, 1, 1, 0.9, 0.7, 0.4, 0.15]
WITH_JAW[[48, 54, 60, 64]] = 0.35
WITH_JAW[[55, 59]] = 0.85
WITH_JAW[[56, 57, 58, 65, 66, 67]] = 1
INNER_LIP = list(dict.fromkeys(CONTOURS["inner lip"]))


class Deformation(Transform):
    """Moves the keypoints, with a probability, and bends the picture after them.

    Only a picture's pixels and keypoints: `to_original` does not undo it.
    """

    shown: tuple[str, ...] = ("probability",)

    def __init__(self, head: Head, probability: float = 0.5, *, rng: Rng = None) -> None:
        self.head, self.probability, self.rng = head, probability, np.random.default_rng(rng)

    def __call__(self, sample: Sample) -> Sample:
        image = self.pixels(sample)
        before = sample.points().astype(np.float64)
        if self.rng.random() >= self.probability or not np.isfinite(before).all():  # all points bend the picture
            return sample
        change = self.move(before) - before
        for part in PARTS:
            after = before + part * change
            bent = bend(image, before, after)
            if bent is not None:
                return replace(sample, image=self.paint(bent, before, after), keypoints=after.astype(np.float32))
        return sample

    def move(self, keypoints: np.ndarray) -> np.ndarray:
        """Where keypoints (68, 2), pixels, go."""
        raise NotImplementedError

    def paint(self, image: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """What a bent picture lacks."""
        return image


class RandomHeadTurn(Deformation):
    """Turns the head in depth, by the solid head that lies under its keypoints.

    turn, nod: the most degrees, to either side.
    """

    shown = ("probability", "turn", "nod")

    def __init__(
        self, head: Head, probability: float = 0.5, *, turn: float = 35.0, nod: float = 12.0, rng: Rng = None
    ) -> None:
        super().__init__(head, probability, rng=rng)
        self.turn, self.nod = turn, nod

    def move(self, keypoints: np.ndarray) -> np.ndarray:
        axes, scale = self.head.camera(keypoints)
        middle = keypoints.mean(axis=0)
        x, y = (keypoints - middle).T
        z = self.head.points @ axes[2] * scale
        now = np.degrees(np.arctan2(axes[0, 2], axes[2, 2]))
        side = np.sign(now) if abs(now) > STRAIGHT else self.rng.choice([-1, 1])
        further = self.rng.uniform(0, np.clip(MOST_YAW - abs(now), 0, self.turn))
        turn, nod = np.radians([side * further, self.rng.uniform(-self.nod, self.nod)])
        turned = x * np.cos(turn) + z * np.sin(turn)
        deep = z * np.cos(turn) - x * np.sin(turn)
        return middle + np.stack([turned, y * np.cos(nod) + deep * np.sin(nod)], axis=1)


class RandomMouth(Deformation):
    """Opens the mouth, by up to `most` eye distances; between lips that were closed it is dark."""

    shown = ("probability", "most")

    def __init__(self, head: Head, probability: float = 0.15, *, most: float = 0.45, rng: Rng = None) -> None:
        super().__init__(head, probability, rng=rng)
        self.most = most

    def move(self, keypoints: np.ndarray) -> np.ndarray:
        axes, scale = self.head.camera(keypoints)
        return keypoints + WITH_JAW[:, None] * axes[:2, 1] * (scale * self.rng.uniform(0.05, self.most))

    def paint(self, image: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        closed, opened = (cv2.contourArea(points[INNER_LIP].astype(np.float32)) for points in (before, after))
        if opened <= closed:
            return image
        mask = np.zeros(image.shape[:2], np.uint8)
        cv2.fillPoly(mask, [np.round(after[INNER_LIP] * 16).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
        mask = cv2.GaussianBlur(mask, (0, 0), max(0.5, 0.01 * Box.from_points(after).side)).astype(np.float32)
        mask *= (1 - closed / opened) / 255
        mask = mask.reshape(mask.shape + (1,) * (image.ndim - 2))
        x, y = np.clip(np.round(after[30]).astype(int), 0, (image.shape[1] - 1, image.shape[0] - 1))
        dark = image[y, x] * self.rng.uniform(0.0, 0.6)  # of the skin, at the tip of the nose
        return (image * (1 - mask) + dark * mask).astype(np.uint8)


def bend(image: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray | None:
    """The picture bent so that points (68, 2) go from `before` to `after`; what is far from the face stays.

    None where it would fold over, so that something is seen twice.
    """
    box = Box.from_points(before)
    angles = np.linspace(0, 2 * np.pi, RING, endpoint=False)
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    centre, side = np.array(box.centre), box.side
    there, here = (np.concatenate([(points - centre) / side, ring]) for points in (after, before))
    height, width = image.shape[:2]
    knots = np.stack(np.meshgrid(np.linspace(0, width - 1, KNOTS), np.linspace(0, height - 1, KNOTS)), axis=-1)
    source = ThinPlate(there, here, stiffness=STIFFNESS)((knots - centre) / side)
    across, down = source[:-1, 1:] - source[:-1, :-1], source[1:, :-1] - source[:-1, :-1]
    areas = across[..., 0] * down[..., 1] - across[..., 1] * down[..., 0]
    if areas.min() < NARROWEST * np.median(areas):
        return None
    x, y = spread_out(source * side + centre, (height, width))
    return cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
