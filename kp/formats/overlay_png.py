"""A picture with every face's points drawn on it, as an array and as a PNG file."""

from collections.abc import Sequence

import cv2
import numpy as np

from kp.drawing.overlay import ONE_COLOUR, draw_box, draw_face, fit_display, scale_box, scale_points
from kp.formats.record import check_finite
from kp.prediction.face import FacePrediction


def overlay(
    image: np.ndarray,
    faces: Sequence[FacePrediction],
    *,
    boxes: bool | None = None,
    chosen: int | None = None,
    **marks: bool,
) -> np.ndarray:
    """A copy of uint8 (H, W, 3) RGB with every face drawn on it; small images are enlarged. Options of `draw_faces`."""
    canvas, factor = fit_display(image)
    return draw_faces(canvas, faces, factor, boxes=boxes, chosen=chosen, **marks)


def draw_faces(
    canvas: np.ndarray,
    faces: Sequence[FacePrediction],
    factor: float,
    *,
    points: bool = True,
    contours: bool = False,
    numbers: bool = False,
    ellipses: bool = False,
    regions: bool = True,
    boxes: bool | None = None,
    chosen: int | None = None,
) -> np.ndarray:
    """A copy of an image that is already resized by `factor`, with every face drawn on it.

    Uncertain points are hollow. ellipses: of each point's covariance, as far as it is known.
    regions: a colour for each region of the face, else one for all. boxes: with face numbers where there are several
    faces, dashed at low confidence; None draws them only where there are several. chosen: index of the one face whose
    box is thicker, and whose points alone are numbered.
    """
    check_finite(faces)
    several = len(faces) > 1
    canvas = np.ascontiguousarray(canvas).copy()
    for index, face in enumerate(faces):
        if several if boxes is None else boxes:
            draw_box(
                canvas,
                scale_box(face.box, factor),
                label=str(index + 1) if several else "",
                chosen=several and index == chosen,
                dashed=face.low_confidence,
                copy=False,
            )
    for index, face in enumerate(faces):
        draw_face(
            canvas,
            scale_points(face.keypoints, factor),
            points=points,
            contours=contours,
            numbers=numbers and chosen in (None, index),
            hollow=face.uncertain_points,
            covariance=face.covariance * factor**2 if ellipses else None,
            colour=None if regions else ONE_COLOUR,
            copy=False,
        )
    return canvas


def png_bytes(image: np.ndarray) -> bytes:
    """uint8 (H, W, 3) RGB as a PNG file."""
    _, encoded = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return encoded.tobytes()
