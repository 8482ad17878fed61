"""Tables of keypoints: a file name a row and x and y of 68 points, in any column order that the header tells.

    name, 0, 1, 2, ...           pairs x0, y0, x1, y1, ... (the published tables)
    name, x_0, ..., x_67, y_0, ..., y_67
    name, person, x1, y1, ...    counted from 1; `person` says who is on the image
    a.jpg, 103.0, 87.5, ...      no header: pairs

Commas, semicolons, tabs and spaces separate; a decimal comma, UTF-8, UTF-16 and Latin-1 are read. Empty cells, NaN
and the pairs (-1, -1) and (0, 0) are points that are not labelled.
"""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

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
class LabelTable:
    """names: as written. keypoints: float32 (n, 68, 2), as written, NaN where a point is not labelled.

    lines: each row's line in the file, from 1. people: of a column `person`, or None. notes: what was assumed.
    """

    names: list[str]
    keypoints: np.ndarray = field(repr=False)
    lines: list[int] = field(repr=False)
    people: list[str] | None
    notes: list[str]


@dataclass(frozen=True)
class _Columns:
    """Indices of columns: of the name, of the person (or None), of x and y of each point (68, 2)."""

    name: int
    person: int | None
    points: np.ndarray
    note: str = ""


def read_table(path: Path) -> LabelTable:
    """The labels in a table. Raises DataError with the line where they cannot be read."""
    text, notes = _decode(path)
    delimiter = _delimiter(text)
    cells = _cells(path, text, delimiter)
    if not len(cells):
        raise DataError(f"{path} is empty. It needs a row for each image: a file name, then x and y of 68 points.")
    head = [cell.strip().lower() for cell in cells.iloc[0]]
    if _is_header(head):
        columns, cells = _by_header(path, head, delimiter), cells.iloc[1:]
    else:
        columns = _without_header(path, cells, delimiter)
    notes += [f"{path.name}: {columns.note}"] * bool(columns.note)
    points = _numbers(path, cells, columns.points.ravel(), decimal_comma=delimiter != "," or '"' in text)
    points = points.reshape(-1, NUM_KEYPOINTS, 2)
    points[(points == -1).all(axis=2) | (points == 0).all(axis=2) | np.isnan(points).any(axis=2)] = np.nan
    people = None if columns.person is None else [cell.strip() for cell in cells.iloc[:, columns.person]]
    return LabelTable(
        [cell.strip() for cell in cells.iloc[:, columns.name]],
        points,
        [int(line) for line in cells.index],
        people,
        notes,
    )


def _decode(path: Path) -> tuple[str, list[str]]:
    """The file's text, and a note where its encoding had to be guessed."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path} is missing. Name the folder that has it.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be opened ({error.strerror or error}). Check its permissions.") from None
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise DataError(f"{path} is a spreadsheet or an archive, not a text table. Save it as CSV.")
    notes = []
    try:
        text = data.decode("utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig")
    except UnicodeDecodeError:
        text, notes = data.decode("latin-1"), [f"{path.name}: it is not UTF-8, and was read as Latin-1."]
    if "\0" in text:
        raise DataError(f"{path} is not a text table. Save it as CSV, in UTF-8.")
    return text, notes


def _delimiter(text: str) -> str:
    """What separates the cells of the first line: not commas where there are as many tabs or semicolons as cells."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    many = [delimiter for delimiter in DELIMITERS if first.count(delimiter) >= COORDINATES]
    return many[0] if many else max("\t;,", key=first.count)


def _cells(path: Path, text: str, delimiter: str) -> pd.DataFrame:
    """All cells as text; the index is each row's line in the file, from 1. Lines without any text are left out."""
    reader, rows, lines = csv.reader(io.StringIO(text), delimiter=delimiter), [], []
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append(row)
                lines.append(reader.line_num)
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}, is no line of a table ({error}). Correct it.") from None
    for line, row in zip(lines, rows, strict=True):
        if len(row) != len(rows[0]):
            raise DataError(
                f"{path}, separated by {DELIMITERS[delimiter]}: the first row has {len(rows[0])} cells, "
                f"another one (line {line}) {len(row)}. Correct it or remove the line."
            )
    return pd.DataFrame(rows, index=lines, dtype=str)


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return True


def _is_header(head: Sequence[str]) -> bool:
    """Whether a first row names columns: few cells are numbers, or they are the numbers from 0 or 1 in their order."""
    numbers = [cell for cell in head if _is_number(cell) or cell in NOT_LABELLED]
    digits = [int(cell) for cell in numbers if cell.isdigit()]
    counted = len(digits) >= NUM_KEYPOINTS and digits in (list(range(start, start + len(digits))) for start in (0, 1))
    return counted or len(numbers) <= len(head) / 2


def _by_header(path: Path, head: Sequence[str], delimiter: str) -> _Columns:
    """The columns that a header names; other columns are left out, with a note."""
    named = {cell: number for number, cell in reversed(list(enumerate(head)))}
    name = next((number for cell, number in named.items() if cell in NAME_HEADS and cell), named.get("", 0))
    person = next((number for cell, number in named.items() if cell in PERSON_HEADS), None)
    found = {place: number for number, cell in enumerate(head) if (place := _place(cell)) is not None}
    indices = {index for index, _ in found}
    first = min(indices, default=0)
    if len(found) == COORDINATES and first in (0, 1) and indices == set(range(first, first + NUM_KEYPOINTS)):
        points = np.array([[found[first + index, axis] for axis in "xy"] for index in range(NUM_KEYPOINTS)])
        return _Columns(name, person, points, _left_out(head, {name, person, *points.ravel().tolist()}))
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
    return _Columns(name, person, np.array(rest).reshape(-1, 2), " ".join(filter(None, (guess, left_out))))


def _place(cell: str) -> tuple[int, str] | None:
    """The point and the axis that a header names: (0, "x") of "x_0", "x0" or "0_x"."""
    if match := AXIS_FIRST.match(cell):
        return int(match[2]), match[1]
    if match := INDEX_FIRST.match(cell):
        return int(match[1]), match[2]
    return None


def _left_out(head: Sequence[str], used: set[int | None]) -> str:
    others = [cell or f"number {number + 1}" for number, cell in enumerate(head) if number not in used]
    more = f" and {len(others) - 5} more" if len(others) > 5 else ""
    return f"columns that are no coordinates were left out: {', '.join(others[:5])}{more}." if others else ""


def _without_header(path: Path, cells: pd.DataFrame, delimiter: str) -> _Columns:
    """A column of names, and pairs x0, y0, x1, y1, ..."""
    first = [cell.strip() for cell in cells.iloc[0]]
    name = next((number for number, cell in enumerate(first) if cell and not _is_number(cell)), 0)
    rest = list(range(name + 1, len(first)))
    if len(rest) != COORDINATES:
        raise DataError(
            f"{path} has {len(rest)} columns of coordinates; {COORDINATES} are needed: a file name, then x and y "
            f"of {NUM_KEYPOINTS} points. It is separated by {DELIMITERS[delimiter]} and has no header. Give it one, "
            "with the columns name, x_0 to x_67 and y_0 to y_67."
        )
    return _Columns(
        name,
        None,
        np.array(rest).reshape(-1, 2),
        "it has no header; its columns were read as a file name, x0, y0, x1, y1, ...",
    )


def _numbers(path: Path, cells: pd.DataFrame, columns: np.ndarray, *, decimal_comma: bool) -> np.ndarray:
    """float32 (n, 136); NaN where a cell is empty. Raises DataError for a cell that is neither."""
    texts = cells.iloc[:, columns]
    if decimal_comma:
        texts = texts.apply(lambda column: column.str.replace(",", "."))
    numbers = texts.apply(pd.to_numeric, errors="coerce").to_numpy(np.float32, copy=True)
    for row, column in np.argwhere(~np.isfinite(numbers)):
        if texts.iat[row, column].strip().lower() not in NOT_LABELLED:
            raise DataError(
                f"{path}, line {cells.index[row]}, column {columns[column] + 1}: "
                f"{cells.iat[row, columns[column]]!r} is not a number. Correct it or remove the line."
            )
    return numbers
