"""A labelled dataset for PyTorch: frames with 68 keypoints each, splits, and an optional transform."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from torch.utils.data import Dataset

from kp.data.readers.ytf import PLACES, FrameInfo, find_data, read_labels
from kp.data.sample import Sample
from kp.data.splits import part_indices
from kp.data.store import ImageStore
from kp.errors import DataError

__all__ = ["PLACES", "FacialKeypointsDataset", "FrameInfo", "find_data"]


class FacialKeypointsDataset(Dataset):
    """Frames with 68 keypoints each: `dataset[i]` is a Sample, transformed by `transform` if given.

    `part("people", "train")` is a smaller dataset that shares the decoded images.
    `frames` holds each row's name, person, video and frame; `keypoints` is float32 (n, 68, 2), in pixels, NaN where a
    point is not labelled. problems: sentences on labels that look wrong; `strict` makes them a DataError.
    synthetic: whether the faces are synthetic.

        >>> import numpy as np
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from PIL import Image
        >>> from kp import FacialKeypointsDataset
        >>> from kp.synthetic.dataset import SyntheticFaces
        >>> sample = SyntheticFaces(1)[0]
        >>> with TemporaryDirectory() as folder:
        ...     Path(folder, "training").mkdir()
        ...     Image.fromarray(sample.image).save(Path(folder, "training", "Ada_Stone_00.png"))
        ...     row = ",".join(map(str, (sample.keypoints + 1).ravel()))  # labels count pixels from 1
        ...     _ = Path(folder, "training_frames_keypoints.csv").write_text(f"Ada_Stone_00.png,{row}")
        ...     dataset = FacialKeypointsDataset(folder)
        ...     dataset[0].person, np.allclose(dataset[0].keypoints, sample.keypoints, atol=1e-3)
        ('Ada_Stone', True)
    """

    synthetic = False

    def __init__(
        self, root: Path | str, *, transform: Callable[[Sample], Sample] | None = None, strict: bool = False
    ) -> None:
        found = find_data(root or ".")
        if found is None:  # no folder is given, and data/ is missing
            raise DataError(f"There is no dataset. Name its folder with {PLACES}.")
        labels = read_labels(found, strict=strict)
        self.root: Path = found
        self.transform = transform
        self.frames, self.unlabelled, self.problems = labels.frames, labels.unlabelled, labels.problems
        self.keypoints = labels.keypoints
        self.keypoints.setflags(write=False)
        self.store = ImageStore(labels.paths)
        self.rows = np.arange(len(labels.paths))  # this part's rows in the store

    def part(self, split: str, part: str) -> "FacialKeypointsDataset":
        """`train`, `test`, `fit` or `validation` of the split `people` or `official`."""
        people = [frame.person for frame in self.frames]
        in_test_csv = [frame.folder == "test" for frame in self.frames]
        return self.subset(part_indices(people, in_test_csv, split, part))

    def learning(
        self, split: str, *, validate_on: str = "test", max_train_images: int = 0, seed: int = 0
    ) -> "FacialKeypointsDataset":
        """The training set: the part `train`, or `fit` where settings are chosen on `validation`.

        max_train_images: at most so many of its images, drawn with `seed`; 0 for all.
        """
        part = self.part(split, "train" if validate_on == "test" else "fit")
        if not max_train_images:
            return part
        return part.subset(np.sort(np.random.default_rng(seed).permutation(len(part))[:max_train_images]))

    def subset(self, indices: Sequence[int] | np.ndarray) -> "FacialKeypointsDataset":
        """These rows only, in this order."""
        smaller = object.__new__(type(self))
        smaller.root, smaller.transform, smaller.store = self.root, self.transform, self.store
        smaller.unlabelled, smaller.problems = self.unlabelled, self.problems
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
        """The frame without any transform."""
        info = self.frames[index]
        return Sample(
            self.image(index, grey=grey), self.keypoints[index], info.name, info.person, info.video, info.frame
        )

    def __getitem__(self, index: int) -> Sample:
        sample = self.sample(index)
        return self.transform(sample) if self.transform else sample

    def preload(self, progress: Callable[[int, int], None] | None = None, *, grey: bool = False) -> None:
        """Decode all images of this dataset now; `progress(done, total)` is called along the way."""
        self.store.preload(self.rows, progress, grey=grey)
