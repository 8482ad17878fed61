"""Deformations of the face: the head turned in depth, the mouth opened. Image and keypoints are warped together."""

from dataclasses import replace

import cv2
import numpy as np

from kp.data.sample import Sample
from kp.geometry import Box
from kp.landmarks import CONTOURS
from kp.thin_plate_spline import ThinPlate, interpolate_knots
from kp.transforms.base import RandomTransform, Rng
from kp.transforms.head_shape import Head

KNOTS = 25  # a side, at which a warp is computed
STIFFNESS = 0.004  # of the spline: points may deviate a little, so that the image folds less
LEAST_AREA = 0.1  # of a grid cell, relative to the median: smaller cells are about to fold
PARTS = (1, 0.6, 0.3)  # shares of a deformation, tried until the image does not fold
RING = 16  # fixed points around the face, one box side from its centre
MOST_YAW = 75.0  # degrees; beyond, too little is left of the far side
# Degrees: a head with less yaw is turned to either side, else further to its own, as its far half is not visible.
STRAIGHT = 10.0
# Movement of each point with the jaw, relative to the chin.
WITH_JAW = np.zeros(68)
WITH_JAW[3:14] = [0.15, 0.4, 0.7, 0.9, 1, 1, 1, 0.9, 0.7, 0.4, 0.15]
WITH_JAW[[48, 54, 60, 64]] = 0.35
WITH_JAW[[55, 59]] = 0.85
WITH_JAW[[56, 57, 58, 65, 66, 67]] = 1
INNER_LIP = list(dict.fromkeys(CONTOURS["inner lip"]))


class Deformation(RandomTransform):
    """Moves the keypoints, with a probability, and warps the image to them.

    `to_original` does not invert it.
    """

    def __init__(self, head: Head, probability: float = 0.5, *, rng: Rng = None) -> None:
        super().__init__(probability, rng=rng)
        self.head = head

    def transform(self, sample: Sample, image: np.ndarray) -> Sample:
        before = sample.points().astype(np.float64)
        if not np.isfinite(before).all():  # the warp needs all points
            return sample
        change = self.move(before) - before
        for part in PARTS:
            after = before + part * change
            warped = warp_face(image, before, after)
            if warped is not None:
                return replace(sample, image=self.fill(warped, before, after), keypoints=after.astype(np.float32))
        return sample

    def move(self, keypoints: np.ndarray) -> np.ndarray:
        """The new positions of keypoints (68, 2), pixels."""
        raise NotImplementedError

    def fill(self, image: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """The warped image with newly visible regions filled."""
        return image


class RandomHeadTurn(Deformation):
    """Turns the head in depth, by a rigid 3D head fitted to the keypoints.

    turn, nod: the largest yaw and pitch, degrees to either side.
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
    """Opens the mouth by up to `most` eye distances; the opening is filled with a dark colour."""

    shown = ("probability", "most")

    def __init__(self, head: Head, probability: float = 0.15, *, most: float = 0.45, rng: Rng = None) -> None:
        super().__init__(head, probability, rng=rng)
        self.most = most

    def move(self, keypoints: np.ndarray) -> np.ndarray:
        axes, scale = self.head.camera(keypoints)
        return keypoints + WITH_JAW[:, None] * axes[:2, 1] * (scale * self.rng.uniform(0.05, self.most))

    def fill(self, image: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        closed, opened = (cv2.contourArea(points[INNER_LIP].astype(np.float32)) for points in (before, after))
        if opened <= closed:
            return image
        mask = np.zeros(image.shape[:2], np.uint8)
        cv2.fillPoly(mask, [np.round(after[INNER_LIP] * 16).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
        mask = cv2.GaussianBlur(mask, (0, 0), max(0.5, 0.01 * Box.from_points(after).side)).astype(np.float32)
        mask *= (1 - closed / opened) / 255
        mask = mask.reshape(mask.shape + (1,) * (image.ndim - 2))
        x, y = np.clip(np.round(after[30]).astype(int), 0, (image.shape[1] - 1, image.shape[0] - 1))
        dark = image[y, x] * self.rng.uniform(0.0, 0.6)  # share of the skin colour at the tip of the nose
        return (image * (1 - mask) + dark * mask).astype(np.uint8)


def warp_face(image: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray | None:
    """The image warped so that points (68, 2) move from `before` to `after`; pixels far from the face stay.

    None where the warp would fold.
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
    if areas.min() < LEAST_AREA * np.median(areas):
        return None
    x, y = interpolate_knots(source * side + centre, (height, width))
    return cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
