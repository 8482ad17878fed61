"""Find the keypoints of the faces in photos.

A photo without a face is no failure; one that cannot be read is, and the others are still done.
"""

import argparse
import csv
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kp.commands.common import add_json, print_json, progress_bar
from kp.data import read_image
from kp.detectors import DETECTORS
from kp.errors import ConfigError, DataError, ImageError
from kp.export import faces_json, unique_stems, write_outputs
from kp.geometry import Box
from kp.predict import FacePrediction, Predictor

SIDES = ("left", "top", "right", "bottom")
THRESHOLDS = "; ".join(f"{name} {kind.default_threshold:g} in {kind.threshold_range[0]:g}..{kind.threshold_range[1]:g}"
                       for name, kind in DETECTORS.items() if name != "whole-image")


@dataclass(frozen=True)
class PhotoResult:
    """What became of one photo. error: one sentence where it failed. files: what was written, and what was replaced."""

    file: str
    width: int | None = None
    height: int | None = None
    error: str | None = None
    faces: Sequence[FacePrediction] = ()
    files: Sequence[Path] = ()
    replaced: bool = False

    def to_json(self) -> dict[str, Any]:
        return {"file": self.file, "width": self.width, "height": self.height, "error": self.error,
                "faces": faces_json(self.faces)}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("photos", nargs="+", metavar="PHOTO", help="a picture file (JPEG, PNG, WebP, AVIF, GIF, ...)")
    parser.add_argument("--model", default="heatmap_net",
                        help="a shipped checkpoint's name, or a .safetensors file (default: heatmap_net)")
    parser.add_argument("--detector", default="yunet", choices=DETECTORS, help="what finds the faces (default: yunet)")
    parser.add_argument("--threshold", type=float, help=f"the detector's, in its own unit (default: {THRESHOLDS})")
    parser.add_argument("--margin", type=float, help="side of the crop, in sides of the face box "
                                                     "(default: what the network was trained with)")
    parser.add_argument("--boxes", metavar="CSV", help="face boxes in place of a detector: a table with the columns "
                        "file,left,top,right,bottom, in pixels, tight around the 68 points, a row for each face. A row "
                        "belongs to the photo of the same path as given here, else of the same file name. A photo "
                        "without a row has no face, and you are told")
    parser.add_argument("--out", metavar="DIR", help="write NAME.png, NAME.csv and NAME.json for each photo; of two "
                        "photos with one name the second becomes NAME-2")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    # With boxes given no face is looked for, so the detector that needs nothing is enough.
    predictor = Predictor(options.model, "whole-image" if options.boxes else options.detector,
                          threshold=None if options.boxes else options.threshold, margin=options.margin)
    boxes = boxes_of_photos(read_boxes(options.boxes), options.photos) if options.boxes else {}
    if missing := [photo for photo in options.photos if options.boxes and photo not in boxes]:
        print(f"{options.boxes} has no row for {len(missing)} of {len(options.photos)} photos: {some(missing)}. "
              "They count as photos without a face.", file=sys.stderr)
    results = []
    with progress_bar("predicting", hidden=options.json) as progress:
        for photo, stem in zip(options.photos, unique_stems(options.photos), strict=True):
            given = boxes.get(photo, []) if options.boxes else None
            results.append(predict_photo(predictor, photo, boxes=given, out=options.out, stem=stem))
            progress(len(results), len(options.photos))
    if options.json:
        print_json([result.to_json() for result in results])
    else:
        print_summary(results, out=options.out)
    return 1 if any(result.error for result in results) else 0


def predict_photo(predictor: Predictor, photo: str, *, boxes: Sequence[Box] | None, out: str | None,
                  stem: str) -> PhotoResult:
    """One photo's faces, written to the folder `out` if there is one. A photo that fails says why in `error`."""
    try:
        image = read_image(photo)
    except ImageError as error:
        return PhotoResult(photo, error=str(error))
    height, width = image.shape[:2]
    outside = [box for box in boxes or () if Box.of_image(image).overlap(box) == 0]
    if outside:
        return PhotoResult(photo, width, height, f"The box {text_of(outside[0])} lies outside the photo "
                                                 f"({width} x {height} pixels). Correct its row.")
    faces = predictor.predict(image, boxes)
    replaced = out is not None and (Path(out) / f"{stem}.json").exists()
    files = write_outputs(out, stem, image, faces) if out else ()
    return PhotoResult(photo, width, height, None, faces, files, replaced)


def read_boxes(path: str) -> dict[str, list[Box]]:
    """The boxes of a CSV file by what its column `file` says. Raises DataError with the line, ConfigError for a box."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            columns = [name.strip() for name in reader.fieldnames or ()]
            missing = [name for name in ("file", *SIDES) if name not in columns]
            if missing:
                raise DataError(f"{path} lacks the columns {', '.join(missing)}. "
                                f"Its first line must be: file,{','.join(SIDES)}")
            reader.fieldnames = columns
            boxes: dict[str, list[Box]] = {}
            for row in reader:
                boxes.setdefault((row["file"] or "").strip(), []).append(box_of(row, f"{path}, line {reader.line_num}"))
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}). Name a CSV file with face boxes.") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is no CSV table in UTF-8 ({error}). Save it anew.") from None
    return boxes


def box_of(row: dict[str, str | None], place: str) -> Box:
    """A row's box. place: where the row stands, for the error."""
    numbers = []
    for side in SIDES:
        try:
            numbers.append(float(row[side] or ""))
        except ValueError:
            raise DataError(f"{place}: {side} is {row[side] or 'empty'!r}, not a number. Correct it.") from None
    try:
        box = Box(*numbers)
    except ValueError:
        raise DataError(f"{place}: the box needs finite numbers, not {numbers}. Correct it.") from None
    if box.width <= 0 or box.height <= 0:
        raise ConfigError(f"{place}: a box needs left < right and top < bottom, not {text_of(box)}. Correct it.")
    if not (row["file"] or "").strip():
        raise DataError(f"{place}: the column file is empty. Name the photo.")
    return box


def boxes_of_photos(boxes: dict[str, list[Box]], photos: Sequence[str]) -> dict[str, list[Box]]:
    """Each photo's boxes: those of its path as given, else of its file name. Photos without a row are left out.

    Raises DataError where a file name stands for several photos of the table.
    """
    given, by_name = set(photos), {}
    for file in boxes:
        if file not in given:  # a row that names one photo exactly is not meant for another
            by_name.setdefault(Path(file).name, []).append(file)
    found = {}
    for photo in photos:
        candidates = [photo] if photo in boxes else by_name.get(Path(photo).name, [])
        if len(candidates) > 1:
            raise DataError(f"The boxes of {photo} may be those of {some(candidates)}. "
                            "Write the photos' paths in the table as they are given here.")
        if candidates:
            found[photo] = boxes[candidates[0]]
    return found


def print_summary(results: Sequence[PhotoResult], *, out: str | None) -> None:
    for result in results:
        if result.error:
            print(f"{result.file}: {result.error}")
            continue
        print(f"{result.file}: {result.width} x {result.height} pixels, {count(len(result.faces), 'face')}")
        for number, face in enumerate(result.faces, start=1):
            score = "" if face.score is None else f", score {face.score:.2f}"
            box = face.box
            print(f"  {number}: box ({box.left:.1f}, {box.top:.1f}) to ({box.right:.1f}, {box.bottom:.1f}){score}")
        if result.files:
            print(f"  {'replaced' if result.replaced else 'wrote'} {', '.join(map(str, result.files))}")
    faces, failed = sum(len(result.faces) for result in results), sum(bool(result.error) for result in results)
    print(f"{count(len(results), 'photo')}, {count(faces, 'face')}" + (f", {failed} failed" if failed else "")
          + ("" if out else ". --out DIR writes pictures and tables, --json prints the points"))


def count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


def text_of(box: Box) -> str:
    return f"({box.left:g}, {box.top:g}) to ({box.right:g}, {box.bottom:g})"


def some(names: Sequence[str], limit: int = 5) -> str:
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")
