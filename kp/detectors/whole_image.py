"""No detection: the whole image is one face."""

import numpy as np

from kp.data.images import check_image
from kp.detectors.base import BoxMap, BoxStyle, Detection, Detector
from kp.geometry import Box


class WholeImage(Detector):
    """For images that are already cropped to a face. The box is the largest centred square."""

    title = "Whole image (one face fills it)"
    box_map = BoxMap(dx=-0.002, dy=0.053, scale=0.444)
    box_style: BoxStyle = "loose"
    default_threshold = 0.0
    threshold_range = (0.0, 1.0)
    threshold_help = "not used: the whole image is one face"

    def detect(self, image: np.ndarray) -> list[Detection]:
        check_image(image)
        side = float(min(image.shape[:2]))
        return [Detection(Box.square(Box.of_image(image).centre, side), None)]
