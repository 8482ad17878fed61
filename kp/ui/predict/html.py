"""HTML about predicted faces: confidence, head pose, the box test, two networks compared."""

import math
from collections.abc import Sequence

import numpy as np

from kp.formats.record import number_or_none
from kp.geometry import CropTransform
from kp.landmarks import POINT_NAMES, REGIONS
from kp.metrics import eye_distance
from kp.pose import HeadPose, head_pose
from kp.prediction.face import FAR_OFF, FacePrediction
from kp.ui.static import render

STILL = 3.0  # degrees: smaller angles count as none
FAR_TURNED = 50.0  # degrees; there are few training frames beyond
SMALL = 32  # pixels; no face of the training frames is smaller


def face_html(face: FacePrediction, number: int | None = None, *, rotation: float = 0.0) -> str:
    """Confidence, head pose and uncertain points of one face; number: counted from 1, where there are several.

    rotation: degrees counter-clockwise that set the picture upright; the head's roll is that in the upright picture.
    """
    parts = [_confidence(face), _pose(face, rotation)]
    if number and face.low_confidence:  # the status reports it for a single face
        parts.insert(1, f"The network is not sure of it: {low_confidence_reason(face, rotation)}")
    uncertain = int(face.uncertain_points.sum())
    if uncertain:
        parts.append(f"{uncertain} of 68 points are hollow: each may well be off by more than {percent(FAR_OFF)} of it")
    name = f"<b>Face {number}.</b> " if number else ""
    return f'<div class="face">{name}{". ".join(part for part in parts if part)}.</div>'


def _confidence(face: FacePrediction) -> str:
    confidence, share = face.confidence, face.expected_share
    if confidence is None or share is None:
        return "One prediction of this network has no confidence; test-time augmentation gives one"
    within = f"{percent(share)} of the points expected within {percent(FAR_OFF)} of the eye distance"
    return f"Confidence <b>{percent(confidence)}</b> ({within})"


def low_confidence_reason(face: FacePrediction, rotation: float) -> str:
    """The likely reason of a low confidence; rotation: as in `face_html`."""
    yaw = abs(_upright_pose(face, rotation).yaw)
    if yaw > FAR_TURNED:
        return (
            f"it may be no face; if it is one, its head is turned far to the side (by about {yaw:.0f}°), where "
            "half of the points are hidden and the others are often off"
        )
    if face.box.side < SMALL:
        return f"at {face.box.side:.0f} pixels it may be too small, or no face, or its points may be off"
    return "it may be no face, or its points may be off"


def _upright_pose(face: FacePrediction, rotation: float) -> HeadPose:
    return head_pose(CropTransform.from_box(face.box, 256, roll=rotation).to_crop(face.keypoints))


def _pose(face: FacePrediction, rotation: float) -> str:
    pose = _upright_pose(face, rotation)
    if number_or_none(pose.yaw) is None:
        return ""
    directions = [_direction(pose.yaw, "to the right", "to the left"), _direction(pose.pitch, "down", "up")]
    gaze = " and ".join(part for part in directions if part) or "ahead"
    tilt = _direction(pose.roll, "clockwise", "counter-clockwise")
    return f"Looks <b>{gaze}</b>{f', head tilted <b>{tilt}</b>' if tilt else ''}"


def _direction(degrees: float, positive: str, negative: str) -> str:
    if math.fabs(degrees) < STILL:
        return ""
    return f"{math.fabs(degrees):.0f}° {positive if degrees > 0 else negative}"


def box_test_html(picture: str, points: float, box: float) -> str:
    """The box test's picture (a data: address) and how far points and box moved, in eye distances."""
    return render("predict_box_test.html", src=picture, points=percent(points, 1), box=percent(box) if box else "")


def map_html(movement: np.ndarray, shifts: Sequence[float]) -> str:
    """A map of shifts of the box: how far the points moved, in eye distances, (down, right); empty without cells."""
    if not movement.size:
        return ""
    names = [shifted(shift) for shift in shifts]
    rows = [
        {"name": name, "cells": [_cell(value) for value in line]} for name, line in zip(names, movement, strict=True)
    ]
    return render("predict_map.html", columns=names, rows=rows)


def percent(share: float, digits: int = 0) -> str:
    return f"{share * 100:.{digits}f} %"


def shifted(share: float) -> str:
    """Percent, with its sign."""
    return f"{share * 100:+.0f}" if share else "0"


def _cell(value: float) -> dict[str, str]:
    """A cell; its shade is deepest from a movement of a sixth of the eye distance on."""
    return {"shade": f"{min(value * 6, 1.0) * 55:.0f}", "text": f"{value * 100:.1f}"}


def compare_html(pictures: Sequence[str], names: tuple[str, str], first: FacePrediction, second: FacePrediction) -> str:
    """Two networks on one face: pictures (data: addresses), and how far apart their points are."""
    apart = np.linalg.norm(first.keypoints - second.keypoints, axis=1)
    eyes = max(float(eye_distance(first.keypoints)), 1e-6)
    captions = names if len(pictures) == 2 else (f"hollow: {names[0]}, filled: {names[1]}",)
    return render(
        "predict_compare.html",
        figures=list(zip(pictures, captions, strict=True)),
        mean=percent(apart.mean() / eyes, 1),
        largest=percent(apart.max() / eyes, 1),
        point=POINT_NAMES[int(apart.argmax())],
        regions=[f"{name} {percent(apart[list(points)].mean() / eyes, 1)}" for name, points in REGIONS.items()],
        confidences=[
            f"{name} {percent(face.confidence)}"
            for name, face in zip(names, (first, second), strict=True)
            if face.confidence is not None
        ],
    )
