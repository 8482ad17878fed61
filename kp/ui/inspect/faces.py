"""The face that feature maps are computed from: a frame of the test people, or a visitor's photo."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from kp.data import FacialKeypointsDataset
from kp.detectors.whole_image import WholeImage
from kp.drawing.overlay import data_uri
from kp.geometry import Box, CropTransform
from kp.prediction.predictor import Predictor
from kp.ui.widgets.image_grid import GridItem, grid_item

FACES = 12  # in the grid to choose from
THUMBNAIL = 112  # pixels, twice what a cell shows
THUMBNAIL_MARGIN = 1.35
PHOTO_SIDE = 640  # pixels; what is kept of a photo, for as long as the visit lasts
PHOTO_MARGIN = 3.0  # its side in sides of the face box: enough for every network's crop


@dataclass(frozen=True)
class InputFace:
    """A picture uint8 (H, W, 3), the tight box of the face in it, and a sentence on its source."""

    image: np.ndarray
    box: Box
    note: str

    def crop(self, predictor: Predictor) -> np.ndarray:
        """The crop about the face, uint8 (size, size, 3), in colour."""
        return predictor.preprocessing.crop_transform(self.box).warp(self.image)


def to_input(predictor: Predictor, crop: np.ndarray) -> torch.Tensor:
    """The network's input for a crop: float32 (1, channels, size, size), 0..1."""
    return predictor.preprocessing.to_tensor([crop])


def dataset_face(part: FacialKeypointsDataset, index: int) -> InputFace:
    """Frame `index` of a part of the dataset, with its true box."""
    info = part.frames[index]
    name, who = info.person.replace("_", " "), "a synthetic test person" if part.synthetic else "a test person"
    return InputFace(part.image(index), Box.from_points(part.keypoints[index]), f"Frame {index}: {name}, {who}.")


def photo_face(image: np.ndarray, predictor: Predictor) -> InputFace:
    """The face with the highest detector score in a photo uint8 (H, W, 3), else the whole of it."""
    detector, note = predictor.detector, "Your photo: the face that YuNet found."
    found = detector.detect(image)
    if len(found) > 1:
        note = f"Your photo: of {len(found)} faces that YuNet found, the one with the highest score."
    if not found:
        detector, note = WholeImage(), "Your photo: YuNet found no face in it, so the whole picture is the input."
        found = detector.detect(image)
    box = detector.box_map.to_tight(found[0].box)
    kept = Box.square(box.centre, box.side * PHOTO_MARGIN)
    crop = CropTransform.from_box(kept, int(np.clip(kept.side, 64, PHOTO_SIDE)))
    corners = crop.to_crop(np.array([[box.left, box.top], [box.right, box.bottom]]))
    return InputFace(crop.warp(image), Box.from_points(corners), note)


def first_frames(part: FacialKeypointsDataset) -> list[int]:
    """The first frame of each person, in the dataset's order."""
    first: dict[str, int] = {}
    for index, info in enumerate(part.frames):
        first.setdefault(info.person, index)
    return list(first.values())


def faces_shown(frames: Sequence[int], page: int) -> list[int]:
    """The frames on a page of the grid; the first page follows the last one."""
    pages = -(-len(frames) // FACES)
    start = page % max(1, pages) * FACES
    return list(frames[start : start + FACES])


def face_items(part: FacialKeypointsDataset, frames: Sequence[int], chosen: int | None) -> list[GridItem]:
    """Buttons with the faces of these frames."""
    items = []
    for index in frames:
        box = Box.from_points(part.keypoints[index])
        crop = CropTransform.from_box(Box.square(box.centre, box.side * THUMBNAIL_MARGIN), THUMBNAIL)
        name = part.frames[index].person.replace("_", " ")
        items.append(
            grid_item(
                data_uri(crop.warp(part.image(index)), quality=85), f"Frame {index}, {name}", chosen=index == chosen
            )
        )
    return items
