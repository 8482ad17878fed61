"""OpenCV's Haar cascade for frontal faces (Viola and Jones, 2001), the detector of the reference project."""

import threading

import cv2
import cv2.data
import numpy as np

from kp.data.images import check_image, to_grey
from kp.detectors.base import BoxMap, BoxStyle, Detection, Detector, resized
from kp.geometry import Box

CASCADE = "haarcascade_frontalface_default.xml"
SCALE_STEP = 1.2  # between the face sizes of successive passes, as in the reference project
LONGEST_SIDE = 1280  # pixels; larger images are shrunk to this; faces below 24 px there are not found


class HaarDetector(Detector):
    """Threshold: how many overlapping hits make a face (`minNeighbors`). Detections have no score."""

    title = "Haar cascade (2001, the classic)"
    box_map = BoxMap(dx=-0.006, dy=0.151, scale=0.877)
    box_style: BoxStyle = "loose"
    default_threshold = 3
    threshold_range = (1, 12)
    threshold_help = "overlapping hits that make a face: fewer finds more, and more that is no face"

    def __init__(self, *, threshold: float | None = None) -> None:
        super().__init__(threshold=threshold)
        self._cascade = cv2.CascadeClassifier(cv2.data.haarcascades + CASCADE)
        self._lock = threading.Lock()

    def detect(self, image: np.ndarray) -> list[Detection]:
        check_image(image)
        small, factor = resized(image, min(LONGEST_SIDE, max(image.shape[:2])))
        if min(small.shape[:2]) < 24:
            return []
        with self._lock:
            found = self._cascade.detectMultiScale(to_grey(small), SCALE_STEP, max(1, round(self.threshold)))
        boxes = [Box(x - 0.5, y - 0.5, x + w - 0.5, y + h - 0.5) for x, y, w, h in np.asarray(found) / factor]
        return [Detection(box, None) for box in sorted(boxes, key=lambda box: -box.side)]
