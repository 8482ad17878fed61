"""Tables of keypoints: a file name a row and x and y of 68 points, in the order of the header.

    name, 0, 1, 2, ...           pairs x0, y0, x1, y1, ... (the published tables)
    name, x_0, ..., x_67, y_0, ..., y_67
    name, person, x1, y1, ...    counted from 1; `person` names the person of the image
    a.jpg, 103.0, 87.5, ...      no header: pairs

Commas, semicolons, tabs and spaces separate; a decimal comma, UTF-8, UTF-16 and Latin-1 are read. Empty cells, NaN
and the pairs (-1, -1) and (0, 0) are points that are not labelled.
"""

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from kp.data.readers.columns import (
    COORDINATES,
    DELIMITERS,
    NOT_LABELLED,
    columns_by_header,
    columns_without_header,
    is_header,
)
from kp.errors import DataError
from kp.landmarks import NUM_KEYPOINTS


@dataclass(frozen=True)
class LabelTable:
    """The labels of n images. names and keypoints (float32 (n, 68, 2)) as written, NaN where a point is not labelled.

    lines: each row's line in the file, from 1. people: the column `person`, or None. notes: assumptions, as sentences.
    """

    names: list[str]
    keypoints: np.ndarray = field(repr=False)
    lines: list[int] = field(repr=False)
    people: list[str] | None
    notes: list[str]


def read_table(path: Path) -> LabelTable:
    """The labels in a table. Raises DataError with the line where they cannot be read."""
    text, notes = _decode(path)
    delimiter = _delimiter(text)
    cells = _cells(path, text, delimiter)
    if not len(cells):
        raise DataError(f"{path} is empty. It needs a row for each image: a file name, then x and y of 68 points.")
    head = [cell.strip().lower() for cell in cells.iloc[0]]
    if is_header(head):
        columns, cells = columns_by_header(path, head, delimiter), cells.iloc[1:]
    else:
        columns = columns_without_header(path, cells.iloc[0].tolist(), delimiter)
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
    """The file's text, and a note where its encoding is guessed."""
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
    """The separator of the first line's cells; tabs and semicolons come before commas, which may be decimal ones."""
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
