"""The steps of one face, as a row of cards: box, crop, tensor, points."""

from dataclasses import dataclass, field

import numpy as np

from kp.drawing.faces import draw_square
from kp.drawing.overlay import data_uri, draw_box, draw_face, enlarge, scale_box, scale_points
from kp.geometry import Box, CropTransform
from kp.prediction.face import FacePrediction
from kp.prediction.orientation import angle_between
from kp.prediction.predictor import TILTED
from kp.ui.predict.pipeline import Analysis
from kp.ui.static import render

AROUND = 1.5  # side of the first step's picture, in sides of the crop
STEP_SIDE = 448  # pixels of a step's picture, twice what is shown
EXAMPLE_POINT = 30  # the tip of the nose


@dataclass(frozen=True)
class Step:
    """A card. picture: uint8 RGB; alt: the picture in words; facts: name to value."""

    title: str
    picture: np.ndarray = field(repr=False)
    alt: str
    facts: dict[str, str]
    note: str

    @property
    def src(self) -> str:
        return data_uri(self.picture, quality=90)


def steps_html(analysis: Analysis, chosen: int) -> str:
    """Box, crop, tensor and points of one face, as a row of cards."""
    face, crop, crop_transform = analysis.faces[chosen], analysis.crops[chosen], analysis.maps[chosen]
    return render(
        "predict_steps.html",
        cards=[
            _box_step(analysis, face, crop_transform),
            _crop_step(analysis, crop, crop_transform),
            _tensor_step(analysis, crop),
            _output_step(analysis, face, crop, crop_transform),
        ],
    )


def _box_step(analysis: Analysis, face: FacePrediction, crop_transform: CropTransform) -> Step:
    margin, box = analysis.preprocessing.margin, scale_box(face.box, analysis.factor)
    view = CropTransform.from_box(Box.square(box.centre, box.side * margin * AROUND), STEP_SIDE)
    first, last = -0.5, crop_transform.size - 0.5
    crop = crop_transform.to_image(np.array([[first, first], [last, first], [last, last], [first, last]]))
    picture = draw_square(view.warp(analysis.picture), view.to_crop(scale_points(crop, analysis.factor)))
    corners = view.to_crop(np.array([[box.left, box.top], [box.right, box.bottom]]))
    picture = draw_box(picture, Box.from_points(corners), chosen=True)
    facts = {
        "box": f"{face.box.width:.0f} × {face.box.height:.0f} pixels",
        "found by": "you" if analysis.given else analysis.detector,
        "score": "none given" if face.score is None else f"{face.score:.2f}",
    }
    note = f"Thick: where the 68 points should lie. Thin: the crop, {margin:g} times as large."
    return Step(
        "1. Box",
        picture,
        "The face box in the photo, and around it the square that is cut out",
        facts,
        note + _second_pass(analysis, face),
    )


def _second_pass(analysis: Analysis, face: FacePrediction) -> str:
    """The second pass on a tilted head, relative to the turned picture; empty where there was none."""
    tilt = angle_between(face.roll, analysis.rotation)
    if abs(tilt) < TILTED:
        return ""
    direction = "counter-clockwise" if tilt > 0 else "clockwise"
    return (
        f" A first pass found the eyes {abs(tilt):.0f}° from the level; a second pass used the crop turned {direction}."
    )


def _crop_step(analysis: Analysis, crop: np.ndarray, crop_transform: CropTransform) -> Step:
    zoom = float(np.hypot(*crop_transform.matrix[:, 0]))
    size = analysis.preprocessing.size
    facts = {"size": f"{size} × {size} pixels", "type": "uint8, RGB", "values": f"{crop.min()} to {crop.max()}"}
    return Step(
        "2. Crop",
        enlarge(crop, STEP_SIDE)[0],
        "The crop that goes to the network",
        facts,
        f"A pixel of the photo becomes {zoom:.2f} here. Beyond the photo its edge is repeated.",
    )


def _tensor_step(analysis: Analysis, crop: np.ndarray) -> Step:
    tensor = analysis.preprocessing.to_tensor([crop]).numpy()  # (1, channels, size, size)
    pixels = (tensor[0].transpose(1, 2, 0).squeeze() * 255).round().astype(np.uint8)
    facts = {
        "shape": " × ".join(map(str, tensor.shape)),
        "type": "float32",
        "values": f"{tensor.min():.2f} to {tensor.max():.2f}",
    }
    kind = "Grey" if tensor.shape[1] == 1 else "In colour"
    return Step(
        "3. Tensor",
        enlarge(pixels, STEP_SIDE)[0],
        "The tensor shown as a picture",
        facts,
        f"{kind}, divided by 255. This is the network's whole input.",
    )


def _output_step(analysis: Analysis, face: FacePrediction, crop: np.ndarray, crop_transform: CropTransform) -> Step:
    points, unit = crop_transform.to_crop(face.keypoints), analysis.preprocessing
    output = unit.encode(points)  # (68, 2), the network's own numbers
    picture, factor = enlarge(crop, STEP_SIDE)
    facts = {
        "numbers": f"{output.size}, float32",
        "values": f"{output.min():.2f} to {output.max():.2f}",
        "mean": f"{output.mean():.2f}",
    }
    confidence, share = face.confidence, face.expected_share
    if confidence is not None and share is not None:
        facts["confidence"] = (
            f"{confidence * 100:.0f} %; {share * 100:.0f} % of the points expected within 8 % of the eye distance"
        )
    (u, v), (x, y), (left, top) = output[EXAMPLE_POINT], points[EXAMPLE_POINT], face.keypoints[EXAMPLE_POINT]
    return Step(
        "4. Points",
        draw_face(picture, scale_points(points, factor)),
        "The 68 points on the crop",
        facts,
        f"Times {unit.scale:g} plus {unit.mean:g} gives pixels of the crop. Point {EXAMPLE_POINT}, the tip of "
        f"the nose: ({u:.2f}, {v:.2f}) → ({x:.1f}, {y:.1f}) → ({left:.1f}, {top:.1f}) in the photo.",
    )
