"""The dataset in its original layout: two CSV files and two folders of images.

    training_frames_keypoints.csv   training/NAME.jpg
    test_frames_keypoints.csv       test/NAME.jpg      (may hold more images than the CSV labels)
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from torch.utils.data import Dataset

from kp.data.sample import Sample
from kp.data.splits import part_indices
from kp.data.store import ImageStore
from kp.errors import DataError
from kp.landmarks import NUM_KEYPOINTS

# The labels as published count pixels from 1: eight independent landmark models agree, under mirroring,
# that they sit one pixel to the right, and taking (1, 1) off cuts a network's error by 13 %.
# It is taken off here and nowhere else: all keypoints in this program count from 0.
LABEL_ORIGIN = np.float32(1.0)

FOLDERS = ("training", "test")
PLACES = "--data DIR, the environment variable KP_DATA, or the folder data/"


@dataclass(frozen=True)
class FrameInfo:
    """Where a frame comes from; PERSON_VF.jpg is frame F of video V of PERSON."""

    name: str
    folder: str
    person: str
    video: str
    frame: str

    @classmethod
    def parse(cls, name: str, folder: str) -> "FrameInfo":
        person, _, digits = Path(name).stem.rpartition("_")
        if not person or not digits:
            person, digits = Path(name).stem, ""
        return cls(name, folder, person, digits[:1], digits[1:])

    @property
    def video_name(self) -> str:
        return f"{self.person}_{self.video}"


def find_data(folder: Path | str | None = None) -> Path | None:
    """The dataset's folder: `folder` if given, else KP_DATA, else data/; None where there is none.

    A folder that was named but is not a dataset is an error, not a None.
    """
    named = folder or os.environ.get("KP_DATA")
    for place in [Path(named)] if named else [Path("data")]:
        for root in (place, place / "data"):
            try:
                if any((root / f"{part}_frames_keypoints.csv").is_file() for part in FOLDERS):
                    return root
            except OSError as error:
                raise DataError(f"{root} cannot be read ({error.strerror or error}). Check its permissions.") from None
    if named:
        raise DataError(
            f"{Path(named)} holds no training_frames_keypoints.csv. "
            f"Name the folder that has the two CSV files ({PLACES})."
        )
    return None


def read_labels(csv: Path) -> tuple[list[str], np.ndarray]:
    """File names and keypoints float32 (n, 68, 2), 0-based, of one CSV file. Raises DataError with the row."""
    try:
        table = pd.read_csv(csv, dtype=str, keep_default_na=False)
    except FileNotFoundError:
        raise DataError(f"{csv} is missing. Download the dataset again, or check {PLACES}.") from None
    except OSError as error:
        raise DataError(f"{csv} cannot be opened ({error.strerror or error}). Check its permissions.") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise DataError(f"{csv} is not a CSV table ({error}). Download it again.") from None
    expected = 1 + 2 * NUM_KEYPOINTS
    if table.shape[1] != expected:
        raise DataError(
            f"{csv} has {table.shape[1]} columns; {expected} are needed: a file name, then x and y of 68 points."
        )
    numbers = table.iloc[:, 1:].apply(pd.to_numeric, errors="coerce").to_numpy(np.float32)
    wrong = np.argwhere(~np.isfinite(numbers))
    if len(wrong):
        row, column = wrong[0]
        raise DataError(
            f"{csv}, line {row + 2}, column {column + 2}: {table.iat[row, column + 1]!r} is not a number. "
            "Correct it or remove the line."
        )
    return table.iloc[:, 0].tolist(), numbers.reshape(-1, NUM_KEYPOINTS, 2) - LABEL_ORIGIN


def _files_in(folder: Path) -> set[str]:
    """Names of the files; none where there is no such folder. Raises DataError where it may not be read."""
    try:
        return set(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return set()
    except OSError as error:
        raise DataError(f"{folder} cannot be read ({error.strerror or error}). Check its permissions.") from None


class FacialKeypointsDataset(Dataset):
    """Frames with 68 keypoints each: `dataset[i]` is a Sample, passed through `transform` if there is one.

    `part("people", "train")` is a smaller dataset that shares the decoded images.
    `frames` tells each row's name, person, video and frame; `keypoints` is float32 (n, 68, 2), in pixels.
    invented: whether these people do not exist.
    """

    invented = False

    def __init__(self, root: Path | str, *, transform: Callable[[Sample], Sample] | None = None) -> None:
        found = find_data(root or ".")
        self.root = found
        self.transform = transform
        self.frames: list[FrameInfo] = []
        keypoints, paths = [], []
        for folder in FOLDERS:
            csv = found / f"{folder}_frames_keypoints.csv"
            names, points = read_labels(csv)
            present = _files_in(found / folder)
            for row, name in enumerate(names):
                if name not in present:
                    raise DataError(
                        f"{csv}, line {row + 2}: {found / folder / name} is missing. "
                        "Download the dataset again, or remove the line."
                    )
            self.frames += [FrameInfo.parse(name, folder) for name in names]
            paths += [found / folder / name for name in names]
            keypoints.append(points)
        # Of the test folder, the last one read; .DS_Store and the like are no images.
        self.unlabelled = len({name for name in present if not name.startswith(".")} - set(names))
        self.keypoints = np.concatenate(keypoints)
        self.keypoints.setflags(write=False)
        self.store = ImageStore(paths)
        self.rows = np.arange(len(paths))  # this part's rows in the store

    def part(self, split: str, part: str) -> "FacialKeypointsDataset":
        """`train`, `test`, `fit` or `validation` of the split `people` or `official`."""
        people = [frame.person for frame in self.frames]
        in_test_csv = [frame.folder == "test" for frame in self.frames]
        return self.subset(part_indices(people, in_test_csv, split, part))

    def learning(self, split: str, *, validate_on: str = "test", subset: int = 0,
                 seed: int = 0) -> "FacialKeypointsDataset":
        """What a network learns from: the training part, or `fit` where settings are chosen on `validation`.

        subset: at most so many of its images, drawn with `seed`; 0 for all.
        """
        part = self.part(split, "train" if validate_on == "test" else "fit")
        if not subset:
            return part
        return part.subset(np.sort(np.random.default_rng(seed).permutation(len(part))[:subset]))

    def subset(self, indices: Sequence[int]) -> "FacialKeypointsDataset":
        """These rows only, in this order."""
        smaller = object.__new__(type(self))
        smaller.root, smaller.transform, smaller.store = self.root, self.transform, self.store
        smaller.unlabelled = self.unlabelled
        smaller.frames = [self.frames[index] for index in indices]
        smaller.keypoints = self.keypoints[indices]
        smaller.keypoints.setflags(write=False)
        smaller.rows = self.rows[indices]
        return smaller

    def __len__(self) -> int:
        return len(self.frames)

    def image(self, index: int, *, grey: bool = False) -> np.ndarray:
        """uint8 (H, W, 3) RGB, or (H, W); read-only."""
        return self.store.image(int(self.rows[index]), grey=grey)

    def sample(self, index: int, *, grey: bool = False) -> Sample:
        """The frame as it is, before any transform."""
        info = self.frames[index]
        return Sample(
            self.image(index, grey=grey), self.keypoints[index], info.name, info.person, info.video, info.frame
        )

    def __getitem__(self, index: int) -> Sample:
        sample = self.sample(index)
        return self.transform(sample) if self.transform else sample

    def preload(self, progress: Callable[[int, int], None] | None = None, *, grey: bool = False) -> None:
        """Decode all images of this part now."""
        self.store.preload(self.rows, progress, grey=grey)
