"""A published test frame beside the training frames of its video: the leak of the published split."""

import numpy as np

from kp.data import FacialKeypointsDataset
from kp.drawing.overlay import data_uri
from kp.errors import ImageError
from kp.ui.dataset import frames
from kp.ui.dataset.frames import PART_NAMES
from kp.ui.evaluate.html import Sibling


def siblings_of(dataset: FacialKeypointsDataset, row: int) -> list[Sibling]:
    """The published test frame of a row, then the training frames of its video, without unreadable files."""
    rows = [
        row,
        *(
            other
            for other in frames.other_frames(dataset, row)
            if frames.part_of(dataset, "official", other) == "train"
        ),
    ]
    return [
        Sibling(src, PART_NAMES["test" if other == row else "train"], frames.frame_title(dataset.frames[other]))
        for other in rows
        if (src := _thumbnail(dataset, other))
    ]


def _thumbnail(dataset: FacialKeypointsDataset, row: int) -> str:
    """A face with its labels as a data: address; empty where the file cannot be read."""
    try:
        picture: np.ndarray = frames.face_thumbnail(dataset.image(row), dataset.keypoints[row])
    except ImageError:
        return ""
    return data_uri(picture, quality=88)
