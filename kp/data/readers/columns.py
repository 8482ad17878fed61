"""The columns of a label table: which hold the file name, the person, and x and y of each of the 68 points."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kp.errors import DataError
from kp.landmarks import NUM_KEYPOINTS

COORDINATES = 2 * NUM_KEYPOINTS
DELIMITERS = {"\t": "tabs", ";": "semicolons", ",": "commas", " ": "spaces"}  # a comma may be a decimal one
NAME_HEADS = {"", "name", "file", "filename", "file_name", "image", "image_name", "image_path", "path", "frame"}
PERSON_HEADS = {"person", "person_id", "subject", "identity"}
NOT_LABELLED = {"", "nan", "na", "n/a", "none", "null"}
AXIS_FIRST = re.compile(r"^(?:[a-z ]+[_ .-])?([xy])[_ .-]?(\d{1,2})$")  # x_0, x0, landmark_x_0
INDEX_FIRST = re.compile(r"^(?:[a-z]*[_ .-]?)(\d{1,2})[_ .-]?([xy])$")  # 0_x, p0x, landmark_0_x


@dataclass(frozen=True)
class Columns:
    """Column numbers: of the name, of the person (or None), of x and y of each point (68, 2). note: assumptions."""

    name: int
    person: int | None
    points: np.ndarray
    note: str = ""


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return True


def is_header(head: Sequence[str]) -> bool:
    """Whether a first row names columns: at most half of its cells are numbers, or they count up from 0 or 1."""
    numbers = [cell for cell in head if _is_number(cell) or cell in NOT_LABELLED]
    digits = [int(cell) for cell in numbers if cell.isdigit()]
    counted = len(digits) >= NUM_KEYPOINTS and digits in (list(range(start, start + len(digits))) for start in (0, 1))
    return counted or len(numbers) <= len(head) / 2


def columns_by_header(path: Path, head: Sequence[str], delimiter: str) -> Columns:
    """The columns that a header names; others are left out, with a note. Raises DataError for missing coordinates."""
    named = {cell: number for number, cell in reversed(list(enumerate(head)))}
    name = next((number for cell, number in named.items() if cell in NAME_HEADS and cell), named.get("", 0))
    person = next((number for cell, number in named.items() if cell in PERSON_HEADS), None)
    found = {place: number for number, cell in enumerate(head) if (place := _place(cell)) is not None}
    indices = {index for index, _ in found}
    first = min(indices, default=0)
    if len(found) == COORDINATES and first in (0, 1) and indices == set(range(first, first + NUM_KEYPOINTS)):
        points = np.array([[found[first + index, axis] for axis in "xy"] for index in range(NUM_KEYPOINTS)])
        return Columns(name, person, points, _left_out(head, {name, person, *points.ravel().tolist()}))
    numbers = [number for number, cell in enumerate(head) if cell.isdigit()]
    others = [number for number in range(len(head)) if number not in (name, person)]
    rest = numbers if len(numbers) == COORDINATES else others
    if found or len(rest) != COORDINATES:
        raise DataError(
            f"{path} has {len(found) or len(rest)} columns of coordinates; {COORDINATES} are needed: a file name, then "
            f"x and y of {NUM_KEYPOINTS} points. It is separated by {DELIMITERS[delimiter]}, and its header begins: "
            f"{', '.join(head[:5])}. Name the columns x_0 to x_67 and y_0 to y_67."
        )
    left_out = _left_out(head, {name, person, *rest})
    guess = "" if rest == numbers else "the header names no coordinates; its columns were read as x0, y0, x1, y1, ..."
    return Columns(name, person, np.array(rest).reshape(-1, 2), " ".join(filter(None, (guess, left_out))))


def _place(cell: str) -> tuple[int, str] | None:
    """The point and the axis of a column name: (0, "x") for "x_0", "x0" or "0_x"; None for any other name."""
    if match := AXIS_FIRST.match(cell):
        return int(match[2]), match[1]
    if match := INDEX_FIRST.match(cell):
        return int(match[1]), match[2]
    return None


def _left_out(head: Sequence[str], used: set[int | None]) -> str:
    others = [cell or f"number {number + 1}" for number, cell in enumerate(head) if number not in used]
    more = f" and {len(others) - 5} more" if len(others) > 5 else ""
    return f"columns that are no coordinates were left out: {', '.join(others[:5])}{more}." if others else ""


def columns_without_header(path: Path, row: Sequence[str], delimiter: str) -> Columns:
    """The columns of a table without a header, by its first row: a file name, then x0, y0, x1, y1, ..."""
    first = [cell.strip() for cell in row]
    name = next((number for number, cell in enumerate(first) if cell and not _is_number(cell)), 0)
    rest = list(range(name + 1, len(first)))
    if len(rest) != COORDINATES:
        raise DataError(
            f"{path} has {len(rest)} columns of coordinates; {COORDINATES} are needed: a file name, then x and y "
            f"of {NUM_KEYPOINTS} points. It is separated by {DELIMITERS[delimiter]} and has no header. Give it one, "
            "with the columns name, x_0 to x_67 and y_0 to y_67."
        )
    return Columns(
        name,
        None,
        np.array(rest).reshape(-1, 2),
        "it has no header; its columns were read as a file name, x0, y0, x1, y1, ...",
    )
