"""Labelled faces: datasets, samples, images, splits and preprocessing."""

from typing import TYPE_CHECKING

from kp.lazy import getter

if TYPE_CHECKING:
    from kp.data.dataset import FacialKeypointsDataset, find_data
    from kp.data.images import read_image
    from kp.data.preprocessing import Preprocessing
    from kp.data.sample import Sample

__all__ = ["FacialKeypointsDataset", "Preprocessing", "Sample", "find_data", "read_image"]
__getattr__ = getter(
    __name__,
    {
        "FacialKeypointsDataset": "dataset",
        "Preprocessing": "preprocessing",
        "Sample": "sample",
        "find_data": "dataset",
        "read_image": "images",
    },
)
