"""Faces as CSV: a tidy table with a row for each point, and a wide one with OpenFace's columns, a row for each face."""

import csv
import io
from collections.abc import Iterable, Sequence

from kp.formats.record import check_finite, number_or_none
from kp.landmarks import NUM_KEYPOINTS, POINT_NAMES, REGION_OF_POINT
from kp.pose import head_pose
from kp.prediction.face import FacePrediction

Cell = str | int | float
COLUMNS = ("face", "point", "name", "region", "x", "y")
# Columns of OpenFace (Baltrusaitis et al., 2018), and the head pose in degrees as kp/pose.py defines it.
WIDE_COLUMNS = (
    "confidence",
    *(f"x_{point}" for point in range(NUM_KEYPOINTS)),
    *(f"y_{point}" for point in range(NUM_KEYPOINTS)),
    "yaw",
    "pitch",
    "roll",
)
OPENFACE_COLUMNS = ("face", *WIDE_COLUMNS)
DECIMALS = 3  # of a pixel or a degree


def face_rows(faces: Sequence[FacePrediction]) -> list[list[Cell]]:
    """A row for each point in the order of COLUMNS; faces count from 1, points from 0."""
    check_finite(faces)
    return [
        [number, point, POINT_NAMES[point], REGION_OF_POINT[point], *(rounded(value) for value in xy)]
        for number, face in enumerate(faces, start=1)
        for point, xy in enumerate(face.keypoints)
    ]


def faces_csv(faces: Sequence[FacePrediction]) -> str:
    """A tidy table with a heading: face, point, name, region, x, y."""
    return table(COLUMNS, face_rows(faces))


def openface_csv(faces: Sequence[FacePrediction]) -> str:
    """A row for each face: face, confidence, x_0..x_67, y_0..y_67, yaw, pitch, roll. Pixels count from 0."""
    return table(OPENFACE_COLUMNS, ([number, *wide_row(face)] for number, face in enumerate(faces, start=1)))


def wide_row(face: FacePrediction) -> list[Cell]:
    """The cells of WIDE_COLUMNS; the confidence is the detector's score where the network has none, else empty."""
    check_finite([face])
    confidence = face.confidence if face.confidence is not None else face.score
    values = (confidence, *face.keypoints[:, 0], *face.keypoints[:, 1], *vars(head_pose(face.keypoints)).values())
    return [rounded(value) for value in values]


def rounded(value: float | None) -> float | str:
    """The value at DECIMALS places; "" for None or what is not finite."""
    number = number_or_none(value)
    return "" if number is None else round(number, DECIMALS)


def table(heading: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(heading)
    writer.writerows(rows)
    return text.getvalue()
