"""Labels of skin, hair and clothes in a portrait warped to the mean shape, by colour and position."""

import cv2
import numpy as np

from kp.synthetic.segmentation import signed_distance

SKIN, HAIR, CLOTHES = range(3)
SIDE = 80  # pixels of the labelled pictures
LIGHT = 0.35  # weight of luma, which varies more than colour
NOISE = np.array([6, 3, 3], np.float32)  # least standard deviation of a colour, in weighted grey levels
FARTHEST = 14.0  # largest colour distance, in variances
SMOOTH = 1.2  # pixels
MANY = 20  # least number of pixels that determine a colour


class Layers:
    """Labels portraits warped to a mean shape (68, 2). places: plane coordinates of the rows, (SIDE,)."""

    def __init__(self, mean: np.ndarray, places: np.ndarray) -> None:
        self.x, self.y = np.meshgrid(places, places)
        chin, jaw = mean[8], mean[:17]
        brows = mean[17:27] - chin

        def filled(outline: np.ndarray) -> np.ndarray:
            pixels = np.interp(outline, places, range(SIDE)).round().astype(np.int32)
            return cv2.fillConvexPoly(np.zeros((SIDE, SIDE), np.uint8), cv2.convexHull(pixels), 1) > 0

        self.face = filled(np.concatenate([jaw * (0.97, 0.98), chin + brows * 1.05]))
        self.whole_face = filled(np.concatenate([jaw, chin + brows]))
        cheeks = filled(np.concatenate([jaw[[2, 3, 4, 12, 13, 14]] * 0.85, mean[17:27]]))
        for feature in (mean[48:60] * 1.05, mean[36:42], mean[42:48]):
            cheeks &= ~filled(feature)
        self.cheeks = cheeks
        within = signed_distance(self.face) * (places[-1] - places[0]) / SIDE
        x, y = self.x, self.y
        self.prior = np.stack(
            [
                np.clip((-within - 0.1) * 30, 0, 11) * (y < 0.2)
                + np.clip((y - 0.75) * 16, 0, 8)
                + 12 * ((y > 0.75) & (np.abs(x) > 0.45))
                - 25 * self.face,
                np.clip((y - 0.35) * 8, 0, 12) + np.clip(within * 60, 0, 30),
                np.clip((0.62 - y) * 40, 0, 60),
            ]
        )

    def label(self, picture: np.ndarray, outline: np.ndarray) -> np.ndarray:
        """SKIN, HAIR or CLOTHES for each pixel of a picture (SIDE, SIDE, 3), YCrCb; outline: (SIDE, SIDE)."""
        colours = picture.astype(np.float32) * (LIGHT, 1, 1)
        person = outline > 0
        skin = _cost(colours, [_typical(colours[self.cheeks])])
        rim = person & (((self.y < -0.55) & (outline < 0.16)) | ((self.y < 0.3) & (outline < 0.1) & ~self.whole_face))
        if rim.sum() < MANY:
            rim = person & (self.y < -0.5)
        unlike = rim & (skin >= np.quantile(skin[rim], 0.3)) if rim.any() else ~person
        hair = _cost(colours, [_typical(colours[unlike])])
        clothed = colours[person & (self.y > 0.85)]
        clothes = _cost(colours, [(centre, 2 * NOISE) for centre in _two_colours(clothed)])
        costs = np.minimum(np.stack([skin, hair, clothes]), FARTHEST) + self.prior
        labels = np.stack([cv2.GaussianBlur(cost, (0, 0), SMOOTH) for cost in costs]).argmin(axis=0)
        # Background pixels get the nearest layer, so that layers reach the person's outline.
        near = [signed_distance(person & (labels == layer)) for layer in (SKIN, HAIR, CLOTHES)]
        return np.where(person, labels, np.argmax(near, axis=0))


def _typical(colours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Median and standard deviation (robust) of colours (n, 3)."""
    middle = np.median(colours, axis=0)
    return middle, 1.6 * np.maximum(1.5 * np.median(np.abs(colours - middle), axis=0), NOISE)


def _two_colours(colours: np.ndarray) -> np.ndarray:
    """Medians of the darker and the lighter half, such as jacket and shirt: (2, 3)."""
    light = colours[:, 0]
    dark = light <= np.median(light)
    return np.stack([np.median(colours[part], axis=0) for part in (dark, ~dark) if part.any()])


def _cost(colours: np.ndarray, kinds: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Distance of each pixel's colour to the nearest of `kinds` (mean, deviation), in variances."""
    return np.min([(((colours - middle) / deviation) ** 2).sum(axis=2) for middle, deviation in kinds], axis=0)
