"""The layout of the published dataset, and of any dataset in the same layout; one of the two tables is enough.

training_frames_keypoints.csv   training/NAME.jpg
test_frames_keypoints.csv       test/NAME.jpg      (may hold more images than the table labels)
"""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from kp.data.readers.image_files import PERSON_VF, ImageFolder, image_size
from kp.data.readers.plausibility import find_suspects, summary
from kp.data.readers.table import LabelTable, read_table
from kp.errors import DataError

# The published labels count pixels from 1: eight independent landmark models, checked under mirroring, agree on an
# offset of one pixel, and subtracting (1, 1) reduces a network's error by 13 %.
# It is subtracted here and nowhere else: all keypoints in this program count from 0.
LABEL_ORIGIN = np.float32(1.0)
FOLDERS = ("training", "test")
PLACES = "--data DIR, the environment variable KP_DATA, or the folder data/"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FrameInfo:
    """Person, video and frame of an image; PERSON_VF.jpg is frame F of video V of PERSON."""

    name: str
    folder: str
    person: str
    video: str
    frame: str

    @classmethod
    def parse(cls, name: str, folder: str, person: str = "") -> "FrameInfo":
        """person: from the table; "" takes it from the name. A name that is not PERSON_VF is a person of its own."""
        match = PERSON_VF.fullmatch(Path(name).stem)
        if match:
            return cls(name, folder, person or match[1], match[2], match[3])
        return cls(name, folder, person or Path(name).with_suffix("").as_posix(), "", "")

    @property
    def video_name(self) -> str:
        return f"{self.person}_{self.video}"


@dataclass(frozen=True)
class Labels:
    """The labels of n frames. keypoints: float32 (n, 68, 2), pixels from 0, NaN where not labelled.

    unlabelled: images of the test folder that no table names. problems: sentences on labels that look wrong.
    """

    frames: list[FrameInfo]
    keypoints: np.ndarray = field(repr=False)
    paths: list[Path] = field(repr=False)
    unlabelled: int = 0
    problems: tuple[str, ...] = ()


def table_file(root: Path, folder: str) -> Path:
    return root / f"{folder}_frames_keypoints.csv"


def find_data(folder: Path | str | None = None) -> Path | None:
    """The dataset's folder: `folder` if given, else KP_DATA, else data/; None where there is none.

    Raises DataError for a folder that is named but is no dataset.
    """
    named = folder or os.environ.get("KP_DATA")
    for place in [Path(named)] if named else [Path("data")]:
        for root in (place, place / "data"):
            try:
                if any(table_file(root, part).is_file() for part in FOLDERS):
                    return root
            except OSError as error:
                raise DataError(f"{root} cannot be read ({error.strerror or error}). Check its permissions.") from None
    if named:
        raise DataError(
            f"{Path(named)} holds no training_frames_keypoints.csv. "
            f"Name the folder that has the two CSV files ({PLACES})."
        )
    return None


def read_labels(root: Path, *, strict: bool = False) -> Labels:
    """All labels below `root`; assumptions are logged as warnings. Raises DataError for what cannot be read.

    strict: a label that cannot be a face in its image is an error, not a warning. Frames with unusable labels are left
    out.
    """
    tables = {folder: read_table(table_file(root, folder)) for folder in FOLDERS if table_file(root, folder).is_file()}
    frames, paths, places, unlabelled = [], [], [], 0
    for folder, table in tables.items():
        files = ImageFolder(root, folder)
        found = [
            files.find(name, table_file(root, folder), line)
            for name, line in zip(table.names, table.lines, strict=True)
        ]
        paths += found
        frames += _frames(table, folder)
        places += [
            f"{table_file(root, folder).name}, line {line} ({name})"
            for name, line in zip(table.names, table.lines, strict=True)
        ]
        if folder == "test":
            unlabelled = len(files.image_names - {path.name for path in found})
        for note in table.notes:
            log.warning("%s", note)
    if not frames:
        raise DataError(f"{root} has no labelled image: its tables hold no rows. Name another folder ({PLACES}).")
    _note_people(frames, any(table.people for table in tables.values()))
    keypoints = np.concatenate([table.keypoints for table in tables.values()])
    suspects = find_suspects(keypoints, [image_size(path) for path in paths])
    problems: tuple[str, ...] = ()
    if suspects:
        problems = (summary(suspects, [places[suspect.row] for suspect in suspects], len(frames)),)
        if strict:
            raise DataError(problems[0].replace("Check them.", "Correct them, or leave --strict out."))
        log.warning("%s", problems[0])
    kept = np.setdiff1d(np.arange(len(frames)), [suspect.row for suspect in suspects if suspect.useless])
    if not len(kept):
        raise DataError(f"No label of {root} can be used. {' '.join(problems)}")
    return Labels(
        [frames[row] for row in kept],
        keypoints[kept] - LABEL_ORIGIN,
        [paths[row] for row in kept],
        unlabelled,
        problems,
    )


def _frames(table: LabelTable, folder: str) -> list[FrameInfo]:
    people = table.people or [""] * len(table.names)
    names = [name.replace("\\", "/") for name in table.names]
    return [FrameInfo.parse(name, folder, person) for name, person in zip(names, people, strict=True)]


def _note_people(frames: Sequence[FrameInfo], named: bool) -> None:
    others = [frame for frame in frames if not frame.video]
    if others and not named:
        log.warning(
            "%d of %d file names are not PERSON_VF.jpg, such as %s: each of these files counts as a person of "
            "its own. A column `person` in the table names the person of each image.",
            len(others),
            len(frames),
            others[0].name,
        )
