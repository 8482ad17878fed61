"""Output files of a photo: picture, tables, JSON. The command line and the app write the same.

A new format is one function and one line in FORMATS.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kp.files import OutputLog, Written, write_file, write_outputs_of
from kp.formats.aligned import aligned_json, aligned_transform
from kp.formats.overlay_png import draw_faces, overlay, png_bytes
from kp.formats.pts import face_pts
from kp.formats.record import check_finite, faces_json, json_bytes
from kp.formats.stems import unique_stems
from kp.formats.tables import COLUMNS, face_rows, faces_csv, openface_csv
from kp.prediction.face import FacePrediction

__all__ = [
    "COLUMNS",
    "FORMATS",
    "Format",
    "check_finite",
    "draw_faces",
    "face_rows",
    "faces_csv",
    "faces_json",
    "file_names",
    "json_bytes",
    "overlay",
    "png_bytes",
    "unique_stems",
    "write_file",
    "write_outputs",
]


@dataclass(frozen=True)
class Format:
    """A file format. content: the file's bytes from the image, uint8 (H, W, 3) RGB, and its faces.

    ending: of the file's name. each: one file for each face, made from that face alone.
    """

    ending: str
    title: str
    content: Callable[[np.ndarray, Sequence[FacePrediction]], bytes]
    each: bool = False


FORMATS: dict[str, Format] = {
    "png": Format("png", "the photo with the points on it", lambda image, faces: png_bytes(overlay(image, faces))),
    "csv": Format("csv", "a table with a row for each point, and its name", lambda _, faces: faces_csv(faces).encode()),
    "openface": Format(
        "openface.csv",
        "a table with a row for each face, columns as OpenFace's",
        lambda _, faces: openface_csv(faces).encode(),
    ),
    "pts": Format(
        "pts",
        "iBUG .pts, a file for each face; pixels count from 1",
        lambda _, faces: face_pts(faces[0]).encode(),
        each=True,
    ),
    "json": Format("json", "everything: boxes, scores, points, errors, pose", lambda _, faces: json_bytes(faces)),
}
USUAL = ("png", "csv", "json")


def file_names(stem: str, faces: int, *, formats: Sequence[str] = USUAL, align: int | None = None) -> list[str]:
    """Names of the files that `write_outputs` writes for `faces` faces: STEM.pts, STEM.face-2.pts, ...; JSON last."""
    names = []
    if align:
        names += [*each_face(stem, faces, "aligned.png"), f"{stem}.aligned.json"]
    for name, kind in FORMATS.items():
        if name in formats:
            names += each_face(stem, faces, kind.ending) if kind.each else [f"{stem}.{kind.ending}"]
    return names


def each_face(stem: str, faces: int, ending: str) -> list[str]:
    """A file name for each face: STEM.ENDING for the first, the best one, then STEM.face-2.ENDING, ..."""
    return [f"{stem}.{ending}" if number == 1 else f"{stem}.face-{number}.{ending}" for number in range(1, faces + 1)]


def write_outputs(
    folder: Path | str,
    stem: str,
    image: np.ndarray,
    faces: Sequence[FacePrediction],
    *,
    formats: Sequence[str] = USUAL,
    align: int | None = None,
    log: OutputLog | None = None,
    entry: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> Written:
    """Write STEM.png, STEM.csv and STEM.json into `folder`, each whole or not at all; return what became of each.

    formats: names of FORMATS. align: side in pixels of aligned crops, which are written with their matrices; None for
    none. log: what this program wrote into the folder before; files that it does not have stay as they are, unless
    `overwrite` is set, and those of faces that are no longer found are removed. entry: for the log, what the files
    depend on.
    Raises KpError where the disk does not take a file.
    """
    contents = aligned_files(stem, image, faces, align) if align else []
    for name, kind in FORMATS.items():
        if name in formats:
            contents += [kind.content(image, [face]) for face in faces] if kind.each else [kind.content(image, faces)]
    names = file_names(stem, len(faces), formats=formats, align=align)
    endings = [*(FORMATS[name].ending for name in formats if FORMATS[name].each), *(["aligned.png"] if align else [])]
    return write_outputs_of(
        stem,
        dict(zip(names, contents, strict=True)),
        Path(folder),
        log=log,
        entry=entry,
        overwrite=overwrite,
        stale=lambda name: is_of_a_face(name, stem, endings),
    )


def is_of_a_face(name: str, stem: str, endings: Sequence[str]) -> bool:
    """Whether `each_face` returns this name for one of these endings and any number of faces."""
    one_of = "|".join(map(re.escape, endings))
    return bool(endings) and re.fullmatch(rf"{re.escape(stem)}(\.face-\d+)?\.({one_of})", name) is not None


def aligned_files(stem: str, image: np.ndarray, faces: Sequence[FacePrediction], size: int) -> list[bytes]:
    """The PNG files of all faces' aligned crops, then the JSON file of `aligned_json`."""
    check_finite(faces)
    names = [Path(name).name for name in each_face(stem, len(faces), "aligned.png")]
    crops = [png_bytes(aligned_transform(face.keypoints, size).warp(image)) for face in faces]
    return [*crops, (json.dumps(aligned_json(faces, size, names), allow_nan=False) + "\n").encode()]
