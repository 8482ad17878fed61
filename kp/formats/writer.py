"""Faces as files beside each other: pictures, tables, JSON. The command line and the app write the same.

A new format is one function and one line in FORMATS.
"""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from kp.drawing.overlay import ONE_COLOUR, draw_box, draw_face, fit_display, scale_box, scale_points
from kp.files import OutputLog, Written, digest_of, write_file, write_outputs_of
from kp.formats.aligned import aligned_json, aligned_transform
from kp.formats.coco import COCO_FILE
from kp.formats.pts import face_pts
from kp.formats.record import check_finite, faces_json, json_bytes
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


def overlay(
    image: np.ndarray,
    faces: Sequence[FacePrediction],
    *,
    boxes: bool | None = None,
    chosen: int | None = None,
    **marks: bool,
) -> np.ndarray:
    """A copy of the picture with every face drawn on it; small pictures come out enlarged. As `draw_faces`."""
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
    """A copy of a picture that is resized by `factor` already, with every face drawn on it.

    Points that are expected to be far off are hollow. ellipses: where each point may lie, as far as that is known.
    regions: a colour for each region of the face, else one for all. boxes: with face numbers where there are several
    faces, dashed about what may be no face; None draws them only where there are several. chosen: the one face (from 0)
    whose box is thicker, and whose points alone are numbered.
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


@dataclass(frozen=True)
class Format:
    """A kind of file. content: makes it from the picture and its faces.

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
    "json": Format("json", "everything: boxes, scores, points, spread, pose", lambda _, faces: json_bytes(faces)),
}
USUAL = ("png", "csv", "json")


def file_names(stem: str, faces: int, *, formats: Sequence[str] = USUAL, align: int | None = None) -> list[str]:
    """What `write_outputs` writes for so many faces: STEM.pts, STEM.face-2.pts, ...; the JSON comes last."""
    names = []
    if align:
        names += [*each_face(stem, faces, "aligned.png"), f"{stem}.aligned.json"]
    for name, kind in FORMATS.items():
        if name in formats:
            names += each_face(stem, faces, kind.ending) if kind.each else [f"{stem}.{kind.ending}"]
    return names


def each_face(stem: str, faces: int, ending: str) -> list[str]:
    """A file's name for each face; that of the first, who is the best one, is the photo's own."""
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
    """Write STEM.png, STEM.csv and STEM.json into `folder`, each whole or not at all, and say what became of each.

    formats: names of FORMATS. align: also crops with the eyes level, of so many pixels, and their matrices. log: what
    this program wrote into the folder before; files that it does not know stay as they are, unless `overwrite` is set,
    and files that it knows of faces that are no longer found are removed. entry: for the log, what the files depend on.
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
    """Whether `each_face` gives this name, for one of these endings and any number of faces."""
    one_of = "|".join(map(re.escape, endings))
    return bool(endings) and re.fullmatch(rf"{re.escape(stem)}(\.face-\d+)?\.({one_of})", name) is not None


def aligned_files(stem: str, image: np.ndarray, faces: Sequence[FacePrediction], size: int) -> list[bytes]:
    """The crops of all faces, PNG, and the JSON that goes with them."""
    check_finite(faces)
    names = [Path(name).name for name in each_face(stem, len(faces), "aligned.png")]
    crops = [png_bytes(aligned_transform(face.keypoints, size).warp(image)) for face in faces]
    return [*crops, (json.dumps(aligned_json(faces, size, names), allow_nan=False) + "\n").encode()]


# Ends of stems whose files could have the names of another stem's: x.face-2 + .pts is the second face of x.
AMBIGUOUS = re.compile(rf"(\.face-\d+|\.aligned|\.openface|(^|/){re.escape(COCO_FILE.rpartition('.')[0])})$", re.I)


def unique_stems(
    photos: Sequence[Path | str],
    folders: Sequence[Path | str | None] | None = None,
    *,
    owners: Mapping[str, str] | None = None,
) -> list[str]:
    """A stem for each photo's outputs: its name, or a longer one where that is another photo's.

    A photo has the first of its `stem_candidates` that no other photo has. folders: for each photo the folder that it
    was found in, whose inner folders the stem keeps, or None. owners: the photos (real paths) of stems that were given
    before, which they keep. No file of one stem has the name of a file of another.
    """
    taken = {stem.casefold(): owner for stem, owner in (owners or {}).items()}  # some disks do not tell capitals apart
    stems = []
    for photo, folder in zip(map(Path, photos), folders or [None] * len(photos), strict=True):
        owner = os.path.realpath(photo)
        stems.append(
            next(
                stem
                for stem in stem_candidates(photo, folder)
                if not AMBIGUOUS.search(stem) and taken.setdefault(stem.casefold(), owner) == owner
            )
        )
    return stems


def stem_candidates(photo: Path, folder: Path | str | None = None) -> Iterator[str]:
    """What a photo's outputs may be called: x, x.jpg, x.jpg~1a2b3c4d (its path's digest), and so on."""
    inner = Path(Path(os.path.abspath(photo)).name or "photo") if folder is None else photo.relative_to(folder)
    yield inner.with_name(inner.stem).as_posix()
    yield inner.as_posix()
    digest = digest_of(os.path.realpath(photo).encode(errors="surrogateescape"))
    yield from (f"{inner.as_posix()}~{digest[:length]}" for length in range(8, len(digest) + 1))
