"""One photo's prediction as the Predict tab keeps it: faces, crops, surroundings, times."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from kp.data import Preprocessing
from kp.drawing.overlay import fit_display, scale_box
from kp.formats.writer import check_finite, draw_faces
from kp.geometry import Box, CropTransform
from kp.prediction.face import FacePrediction
from kp.prediction.predictor import Predictor, SearchResult

LONGEST = 1600  # pixels of the longer side of what is shown
INSPECTED = 60  # faces whose steps are kept for a visitor
PATCHES = 12  # faces whose surroundings are kept for the tools
PATCH_REACH = 3.0  # side of these surroundings, in sides of the face box
PATCH_SIDE = 512  # pixels


@dataclass(frozen=True)
class Analysis:
    """One photo's prediction, small enough to be kept for a visitor.

    picture: the photo at the size that is shown, uint8 RGB; factor: that size by the photo's own.
    crops, maps: the network's input for the first INSPECTED faces, uint8 (size, size, 3), and where it lies.
    patches: the surroundings of the first PATCHES faces, upright, uint8 (PATCH_SIDE, PATCH_SIDE, 3). given: the box
    was drawn by hand. rotation: degrees counter-clockwise by which the photo was turned to find the faces.
    """

    model: str
    detector: str
    width: int
    height: int
    picture: np.ndarray
    factor: float
    faces: Sequence[FacePrediction]
    crops: Sequence[np.ndarray]
    maps: Sequence[CropTransform]
    patches: Sequence[np.ndarray]
    preprocessing: Preprocessing
    tta: int
    rotation: int
    given: bool
    detector_ms: float
    network_ms: float


def analyse(image: np.ndarray, predictor: Predictor, model: str, *, box: Box | None = None) -> Analysis:
    """Predict as `predictor.search(image)` does, with the crops. Raises KpError as that does.

    box: drawn by hand, in place of the detector; loose, so that it is made anew about the points found.
    """
    found = predictor.search(image) if box is None else in_box(image, predictor, box)
    check_finite(found.faces)
    faces, picture = found.faces, fit_display(image, longest=LONGEST)
    maps = [predictor.preprocessing.crop_transform(face.box, roll=face.roll) for face in faces[:INSPECTED]]
    return Analysis(
        model,
        predictor.detector.title,
        image.shape[1],
        image.shape[0],
        *picture,
        faces,
        [crop.warp(image) for crop in maps],
        maps,
        [patch_transform(face).warp(image) for face in faces[:PATCHES]],
        predictor.preprocessing,
        predictor.tta,
        found.rotation,
        box is not None,
        found.detector_seconds * 1000,
        found.network_seconds * 1000,
    )


def in_box(image: np.ndarray, predictor: Predictor, box: Box) -> SearchResult:
    """The face in a box that was drawn by hand, which is loose."""
    start = perf_counter()
    faces = predictor.predict(image, [box], box_style="loose")
    return SearchResult(faces, 0, 0.0, perf_counter() - start)


def patch_transform(face: FacePrediction) -> CropTransform:
    """Where a face's surroundings lie in the photo."""
    square = Box.square(face.box.centre, face.box.side * PATCH_REACH)
    return CropTransform.from_box(square, PATCH_SIDE, roll=face.roll)


def face_at(analysis: Analysis, x: float, y: float) -> int | None:
    """The face that was clicked at a pixel of `picture`: the smallest box around it, else the nearest one."""
    boxes = [scale_box(face.box, analysis.factor) for face in analysis.faces[:INSPECTED]]
    inside = [index for index, box in enumerate(boxes) if box.left <= x <= box.right and box.top <= y <= box.bottom]
    if inside:
        return min(inside, key=lambda index: boxes[index].side)
    return min(
        range(len(boxes)),
        default=None,
        key=lambda index: np.hypot(boxes[index].centre[0] - x, boxes[index].centre[1] - y),
    )


def picture_of(analysis: Analysis, chosen: int | None, marks: Sequence[str]) -> np.ndarray:
    """The photo with what `marks` names: any of points, contours, numbers, boxes, ellipses, colours."""
    return draw_faces(
        analysis.picture,
        analysis.faces,
        analysis.factor,
        chosen=chosen,
        points="points" in marks,
        contours="contours" in marks,
        numbers="numbers" in marks,
        boxes="boxes" in marks,
        ellipses="ellipses" in marks,
        regions="colours" in marks,
    )
