"""A prediction with its steps: what the detector found, what the network was given, what it answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from time import perf_counter

import numpy as np

from kp.data import Preprocessing
from kp.drawing.faces import draw_square
from kp.drawing.overlay import data_uri, draw_box, draw_face, enlarge, fit_display, scale_box, scale_points
from kp.export import check_finite, draw_faces
from kp.geometry import Box, CropMap
from kp.landmarks import POINT_NAMES
from kp.predict import TILTED, FacePrediction, Prediction, Predictor, angle_between
from kp.ui.predict_html import reason_of_doubt

LONGEST = 1600      # pixels of the longer side of what is shown
INSPECTED = 60      # faces whose steps are kept for a visitor
AROUND = 1.5        # side of the first step's picture, in sides of the crop
STEP_SIDE = 448     # pixels of a step's picture, twice what is shown
EXAMPLE_POINT = 30  # the tip of the nose
TURNED = {90: "90 degrees counter-clockwise", 180: "180 degrees", 270: "90 degrees clockwise"}
PATCHES = 12        # faces whose surroundings are kept for the tools
PATCH_REACH = 3.0   # side of these surroundings, in sides of the face box
PATCH_SIDE = 512    # pixels


@dataclass(frozen=True)
class Analysis:
    """One photo's prediction, small enough to be kept for a visitor.

    picture: the photo at the size that is shown, uint8 RGB; factor: that size by the photo's own.
    crops, maps: what the network was given of the first INSPECTED faces, uint8 (size, size, 3), and where it lies.
    patches: the surroundings of the first PATCHES faces, upright, uint8 (PATCH_SIDE, PATCH_SIDE, 3). given: the box
    was drawn by hand. turn: degrees counter-clockwise by which the photo was turned to find the faces.
    """

    model: str
    detector: str
    width: int
    height: int
    picture: np.ndarray
    factor: float
    faces: Sequence[FacePrediction]
    crops: Sequence[np.ndarray]
    maps: Sequence[CropMap]
    patches: Sequence[np.ndarray]
    preprocessing: Preprocessing
    views: int
    turn: int
    given: bool
    detector_ms: float
    network_ms: float


def analyse(image: np.ndarray, predictor: Predictor, model: str, *, box: Box | None = None) -> Analysis:
    """Predict as `predictor.search(image)` does, with the crops. Raises KpError as that does.

    box: drawn by hand, in place of the detector; as such boxes are rough, it is made anew about the points found.
    """
    found = predictor.search(image) if box is None else in_box(image, predictor, box)
    check_finite(found.faces)
    faces, picture = found.faces, fit_display(image, longest=LONGEST)
    maps = [predictor.preprocessing.crop_map(face.box, turn=face.turn) for face in faces[:INSPECTED]]
    return Analysis(
        model, predictor.detector.title, image.shape[1], image.shape[0], *picture, faces,
        [crop.cut(image) for crop in maps], maps, [patch_map(face).cut(image) for face in faces[:PATCHES]],
        predictor.preprocessing, predictor.views, found.turn, box is not None,
        found.detector_seconds * 1000, found.network_seconds * 1000,
    )


def in_box(image: np.ndarray, predictor: Predictor, box: Box) -> Prediction:
    """The face in a box that was drawn by hand, which is rough."""
    start = perf_counter()
    faces = predictor.predict(image, [box], rough=True)
    return Prediction(faces, 0, 0.0, perf_counter() - start)


def patch_map(face: FacePrediction) -> CropMap:
    """Where a face's surroundings lie in the photo."""
    square = Box.square(face.box.centre, face.box.side * PATCH_REACH)
    return CropMap.from_box(square, PATCH_SIDE, turn=face.turn)


def face_at(analysis: Analysis, x: float, y: float) -> int | None:
    """The face that was clicked at a pixel of `picture`: the smallest box around it, else the nearest one."""
    boxes = [scale_box(face.box, analysis.factor) for face in analysis.faces[:INSPECTED]]
    inside = [index for index, box in enumerate(boxes) if box.left <= x <= box.right and box.top <= y <= box.bottom]
    if inside:
        return min(inside, key=lambda index: boxes[index].side)
    return min(range(len(boxes)), default=None,
               key=lambda index: np.hypot(boxes[index].centre[0] - x, boxes[index].centre[1] - y))


def picture_of(analysis: Analysis, chosen: int | None, marks: Sequence[str]) -> np.ndarray:
    """The photo with what `marks` names: any of points, contours, numbers, boxes, ellipses, colours."""
    return draw_faces(analysis.picture, analysis.faces, analysis.factor, chosen=chosen, points="points" in marks,
                      contours="contours" in marks, numbers="numbers" in marks, boxes="boxes" in marks,
                      ellipses="ellipses" in marks, regions="colours" in marks)


def describe(analysis: Analysis, marks: Sequence[str]) -> str:
    """What is to be seen in the picture, read aloud."""
    count = len(analysis.faces)
    faces = f"{count or 'no'} face{'' if count == 1 else 's'} found"
    return f"The photo, {faces}, with {', '.join(marks) or 'nothing'} drawn on it" if count else f"The photo, {faces}"


def status_text(analysis: Analysis) -> str:
    """How many faces, what took how long, and what is out of the ordinary; Markdown."""
    count, size = len(analysis.faces), f"{analysis.width} × {analysis.height} pixels"
    detector = f"{analysis.detector.partition(' (')[0]} took {analysis.detector_ms:.0f} ms"
    if not count:
        return f"**No face** in {size}. {detector}, and looked at the photo turned by 90, 180 and 270 degrees too."
    shown = f", shown at {analysis.factor:.0%} of its size" if analysis.factor < 1 else ""
    kept = f" The steps are kept of the first {INSPECTED}." if count > INSPECTED else ""
    took = "The box is yours" if analysis.given else f"{detector} to find {'them' if count > 1 else 'it'}"
    return (f"**{count} face{'s' * (count > 1)}** in {size}{shown}. {took}, {escape(analysis.model)} "
            f"{analysis.network_ms:.0f} ms for {count * len(POINT_NAMES)} points.{kept}{_remarks(analysis)}")


def _remarks(analysis: Analysis) -> str:
    text = ""
    if analysis.turn:
        text += f" **The picture was turned by {TURNED[analysis.turn]} to find faces.**"
    unsure = sum(face.doubtful for face in analysis.faces)
    if unsure == len(analysis.faces) == 1:
        text += f" **The network is not sure of it: {reason_of_doubt(analysis.faces[0], analysis.turn)}.**"
    elif unsure == len(analysis.faces) > 1:
        text += " **The network is sure of none of them: they may be no faces, or their points may be off.**"
    elif unsure == 1:
        text += " **Of one of them the network is not sure: it may be no face, or its points may be off.**"
    elif unsure:
        text += f" **Of {unsure} of them the network is not sure: they may be no faces, or their points may be off.**"
    return text


def steps_html(analysis: Analysis, chosen: int) -> str:
    """The way of one face from box to points, as a row of cards."""
    face, crop, crop_map = analysis.faces[chosen], analysis.crops[chosen], analysis.maps[chosen]
    steps = (_box_step(analysis, face, crop_map), _crop_step(analysis, crop, crop_map), _tensor_step(analysis, crop),
             _answer_step(analysis, face, crop, crop_map))
    return f"<ol>{''.join(steps)}</ol>"


def _box_step(analysis: Analysis, face: FacePrediction, crop_map: CropMap) -> str:
    margin, box = analysis.preprocessing.margin, scale_box(face.box, analysis.factor)
    view = CropMap.from_box(Box.square(box.centre, box.side * margin * AROUND), STEP_SIDE)
    first, last = -0.5, crop_map.size - 0.5
    crop = crop_map.to_image(np.array([[first, first], [last, first], [last, last], [first, last]]))
    picture = draw_square(view.cut(analysis.picture), view.to_crop(scale_points(crop, analysis.factor)))
    corners = view.to_crop(np.array([[box.left, box.top], [box.right, box.bottom]]))
    picture = draw_box(picture, Box.around(corners), chosen=True)
    facts = {"box": f"{face.box.width:.0f} × {face.box.height:.0f} pixels",
             "found by": "you" if analysis.given else analysis.detector,
             "score": "none given" if face.score is None else f"{face.score:.2f}"}
    note = f"Thick: where the 68 points should lie. Thin: the crop, {margin:g} times as large."
    return _card("1. Box", picture, "The face box in the photo, and around it the square that is cut out", facts,
                 note + _levelled(analysis, face))


def _levelled(analysis: Analysis, face: FacePrediction) -> str:
    """What was done about a head that is tilted; that the whole picture was turned is told elsewhere."""
    tilt = angle_between(face.turn, analysis.turn)
    if abs(tilt) < TILTED:
        return ""
    way = "counter-clockwise" if tilt > 0 else "clockwise"
    return (f" A first look found the eyes {abs(tilt):.0f}° from the level, so that the face was looked at again, "
            f"turned {way}.")


def _crop_step(analysis: Analysis, crop: np.ndarray, crop_map: CropMap) -> str:
    zoom = float(np.hypot(*crop_map.matrix[:, 0]))
    size = analysis.preprocessing.size
    facts = {"size": f"{size} × {size} pixels", "type": "uint8, RGB", "values": f"{crop.min()} to {crop.max()}"}
    return _card("2. Crop", enlarge(crop, STEP_SIDE)[0], "The crop that the network is given", facts,
                 f"A pixel of the photo becomes {zoom:.2f} here. Beyond the photo its edge is repeated.")


def _tensor_step(analysis: Analysis, crop: np.ndarray) -> str:
    tensor = analysis.preprocessing.to_tensor([crop]).numpy()          # (1, channels, size, size)
    pixels = (tensor[0].transpose(1, 2, 0).squeeze() * 255).round().astype(np.uint8)
    facts = {"shape": " × ".join(map(str, tensor.shape)), "type": "float32",
             "values": f"{tensor.min():.2f} to {tensor.max():.2f}"}
    kind = "Grey" if tensor.shape[1] == 1 else "In colour"
    return _card("3. Tensor", enlarge(pixels, STEP_SIDE)[0], "The tensor shown as a picture", facts,
                 f"{kind}, divided by 255. This is all that the network sees.")


def _answer_step(analysis: Analysis, face: FacePrediction, crop: np.ndarray, crop_map: CropMap) -> str:
    points, unit = crop_map.to_crop(face.keypoints), analysis.preprocessing
    output = unit.encode(points)                                       # (68, 2), the network's own numbers
    picture, factor = enlarge(crop, STEP_SIDE)
    facts = {"numbers": f"{output.size}, float32", "values": f"{output.min():.2f} to {output.max():.2f}",
             "mean": f"{output.mean():.2f}"}
    if face.confidence is not None:
        facts["confidence"] = (f"{face.confidence * 100:.0f} %; {face.expected_share * 100:.0f} % of the points "
                               "expected within 8 % of the eye distance")
    (u, v), (x, y), (left, top) = output[EXAMPLE_POINT], points[EXAMPLE_POINT], face.keypoints[EXAMPLE_POINT]
    return _card("4. Points", draw_face(picture, scale_points(points, factor)), "The 68 points on the crop", facts,
                 f"Times {unit.scale:g} plus {unit.mean:g} gives pixels of the crop. Point {EXAMPLE_POINT}, the tip of "
                 f"the nose: ({u:.2f}, {v:.2f}) → ({x:.1f}, {y:.1f}) → ({left:.1f}, {top:.1f}) in the photo.")


def _card(title: str, picture: np.ndarray, alt: str, facts: dict[str, str], note: str) -> str:
    rows = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in facts.items())
    return (f'<li><h4>{title}</h4><img alt="{alt}" src="{data_uri(picture, quality=90)}">'
            f"<dl>{rows}</dl><p>{note}</p></li>")
