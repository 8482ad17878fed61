"""Face boxes from a CSV table, for `predict --boxes`."""

import csv
from collections.abc import Sequence
from pathlib import Path

from kp.errors import ConfigError, DataError
from kp.geometry import Box

SIDES = ("left", "top", "right", "bottom")


def read_boxes(path: str) -> dict[str, list[Box]]:
    """The boxes of a CSV file by its column `file`. Raises DataError and ConfigError that name the line."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            columns = [name.strip() for name in reader.fieldnames or ()]
            missing = [name for name in ("file", *SIDES) if name not in columns]
            if missing:
                raise DataError(
                    f"{path} lacks the columns {', '.join(missing)}. Its first line must be: file,{','.join(SIDES)}"
                )
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
    """The box of a row. place: file and line, for the error message."""
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

    Raises DataError where a file name matches several rows with different paths.
    """
    given = set(photos)
    by_name: dict[str, list[str]] = {}
    for file in boxes:
        if file not in given:  # a row with the exact path of one photo counts for that one only
            by_name.setdefault(Path(file).name, []).append(file)
    found = {}
    for photo in photos:
        candidates = [photo] if photo in boxes else by_name.get(Path(photo).name, [])
        if len(candidates) > 1:
            raise DataError(
                f"The boxes of {photo} may be those of {some(candidates)}. "
                "Write the photos' paths in the table as they are given here."
            )
        if candidates:
            found[photo] = boxes[candidates[0]]
    return found


def text_of(box: Box) -> str:
    """ "(left, top) to (right, bottom)"."""
    return f"({box.left:g}, {box.top:g}) to ({box.right:g}, {box.bottom:g})"


def some(names: Sequence[str], limit: int = 5) -> str:
    """The first names, and the number of the others."""
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")
