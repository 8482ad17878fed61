"""Faces as files: a picture, a table, JSON. The command line and the app write the same.

A new format is one function and one line in EXPORTS.
"""

import csv
import io
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from kp.drawing.overlay import draw_box, draw_face, fit_display, scale_box, scale_points
from kp.errors import KpError
from kp.landmarks import POINT_NAMES, REGION_OF_POINT
from kp.predict import FacePrediction

COLUMNS = ("face", "point", "name", "region", "x", "y")
DECIMALS = 3  # of a pixel, in tables


def check_finite(faces: Sequence[FacePrediction]) -> None:
    """Raises KpError where a network's answer is no number."""
    if not all(np.isfinite(face.keypoints).all() for face in faces):
        raise KpError("The network's answer holds values that are no numbers, so its training went astray. "
                      "Choose another model, or train again with a lower learning rate.")


def faces_json(faces: Sequence[FacePrediction]) -> list[dict[str, Any]]:
    """Plain values for JSON, in image pixels: box [left, top, right, bottom], score or None, keypoints 68 x [x, y]."""
    check_finite(faces)
    return [
        {
            "box": [float(side) for side in (face.box.left, face.box.top, face.box.right, face.box.bottom)],
            "score": None if face.score is None else float(face.score),
            "keypoints": [[float(x), float(y)] for x, y in face.keypoints],
        }
        for face in faces
    ]


def face_rows(faces: Sequence[FacePrediction]) -> list[list[str | int | float]]:
    """A row for each point in the order of COLUMNS; faces count from 1, points from 0."""
    check_finite(faces)
    return [
        [number, point, POINT_NAMES[point], REGION_OF_POINT[point], *(round(float(value), DECIMALS) for value in xy)]
        for number, face in enumerate(faces, start=1) for point, xy in enumerate(face.keypoints)
    ]


def faces_csv(faces: Sequence[FacePrediction]) -> str:
    """A tidy table with a heading: face, point, name, region, x, y."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(face_rows(faces))
    return text.getvalue()


def overlay(image: np.ndarray, faces: Sequence[FacePrediction], *, points: bool = True, contours: bool = False,
            numbers: bool = False, boxes: bool | None = None, chosen: int | None = None) -> np.ndarray:
    """A copy of the picture with every face drawn on it; small pictures come out enlarged.

    boxes: with face numbers where there are several faces; None draws them only then. chosen: the one face (from 0)
    whose box is thicker, and whose points alone are numbered.
    """
    canvas, factor = fit_display(image)
    return draw_faces(canvas, faces, factor, points=points, contours=contours, numbers=numbers, boxes=boxes,
                      chosen=chosen)


def draw_faces(canvas: np.ndarray, faces: Sequence[FacePrediction], factor: float, *, points: bool = True,
               contours: bool = False, numbers: bool = False, boxes: bool | None = None,
               chosen: int | None = None) -> np.ndarray:
    """As `overlay`, on a picture that is resized by `factor` already."""
    check_finite(faces)
    several = len(faces) > 1
    canvas = canvas.copy()
    for index, face in enumerate(faces):
        if several if boxes is None else boxes:
            canvas = draw_box(canvas, scale_box(face.box, factor), label=str(index + 1) if several else "",
                              chosen=several and index == chosen)
    for index, face in enumerate(faces):
        canvas = draw_face(canvas, scale_points(face.keypoints, factor), points=points, contours=contours,
                           numbers=numbers and chosen in (None, index))
    return canvas


def png_bytes(image: np.ndarray) -> bytes:
    """uint8 (H, W, 3) RGB as a PNG file."""
    _, encoded = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return encoded.tobytes()


def json_bytes(faces: Sequence[FacePrediction]) -> bytes:
    return (json.dumps(faces_json(faces), allow_nan=False) + "\n").encode()


# Each takes the picture and its faces, and gives the file's content; the key is the file's ending.
EXPORTS: dict[str, Callable[[np.ndarray, Sequence[FacePrediction]], bytes]] = {
    "png": lambda image, faces: png_bytes(overlay(image, faces)),
    "csv": lambda _, faces: faces_csv(faces).encode(),
    "json": lambda _, faces: json_bytes(faces),
}


def write_outputs(folder: Path | str, stem: str, image: np.ndarray, faces: Sequence[FacePrediction]) -> list[Path]:
    """Write STEM.png, STEM.csv and STEM.json into `folder`, each whole or not at all, and give their paths.

    Files of these names are replaced; `unique_stems` keeps photos of one name apart. Raises KpError where the
    disk does not take them.
    """
    contents = {Path(folder) / f"{stem}.{ending}": export(image, faces) for ending, export in EXPORTS.items()}
    for path, content in contents.items():
        write_file(path, content)
    return list(contents)


def write_file(path: Path, content: bytes) -> None:
    """All of it or nothing, in a folder that is made if need be. Raises KpError where the disk does not take it."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem[:40]}.")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise KpError(f"{path} cannot be written ({error.strerror or error}). "
                      "Free some space or name another folder.") from None


def unique_stems(photos: Sequence[Path | str]) -> list[str]:
    """A stem for each photo's outputs. A name that is taken by another photo gets -2, -3, ... behind it."""
    owners: dict[str, Path] = {}  # stem, in small letters as some disks do not tell them apart
    stems = []
    for photo in map(Path, photos):
        owner, stem, number = photo.resolve(), photo.stem, 1
        while owners.setdefault(stem.casefold(), owner) != owner:
            number += 1
            stem = f"{photo.stem}-{number}"
        stems.append(stem)
    return stems
