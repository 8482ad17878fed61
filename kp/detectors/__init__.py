"""Face detectors by name. A new one is one file and one line."""

from kp.detectors.base import BoxMap, Detection, Detector
from kp.detectors.haar import HaarDetector
from kp.detectors.whole_image import WholeImage
from kp.detectors.yunet import YuNetDetector
from kp.errors import choose

DETECTORS: dict[str, type[Detector]] = {
    "yunet": YuNetDetector,
    "haar": HaarDetector,
    "whole-image": WholeImage,
}


def create_detector(name: str, *, threshold: float | None = None) -> Detector:
    """A detector; `threshold` in its own unit, its default if None. Raises ConfigError for an unknown name."""
    return choose("detector", name, DETECTORS)(threshold=threshold)


__all__ = ["DETECTORS", "BoxMap", "Detection", "Detector", "create_detector"]
