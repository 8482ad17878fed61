"""Images of a dataset, decoded once; without PyTorch, so that worker processes start quickly."""

import os
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np

from kp.data.images import read_frame, to_grey

REPORT_EVERY = 100  # images between two progress reports


class ImageStore:
    """Decodes each image once and keeps it, uint8, in colour or grey. Shared by all parts; safe between threads."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = list(paths)
        self._images: dict[tuple[int, bool], np.ndarray] = {}

    def read(self, index: int) -> np.ndarray:
        """uint8 (H, W, 3) RGB, not kept."""
        return read_frame(self.paths[index])

    def read_group(self, indices: Sequence[int] | np.ndarray) -> list[np.ndarray]:
        """These images, each as `read` returns it."""
        return [self.read(index) for index in indices]

    def image(self, index: int, *, grey: bool = False) -> np.ndarray:
        """uint8 (H, W, 3) RGB, or (H, W); read-only."""
        image = self._images.get((index, grey))
        return self._keep(index, self.read(index), grey) if image is None else image

    def _keep(self, index: int, image: np.ndarray, grey: bool) -> np.ndarray:
        image = to_grey(image) if grey else image
        image.setflags(write=False)
        self._images[index, grey] = image
        return image

    def preload(
        self,
        indices: Sequence[int] | np.ndarray,
        progress: Callable[[int, int], None] | None = None,
        *,
        grey: bool = False,
    ) -> None:
        """Decode these images on all cores; `progress(done, total)` is called every REPORT_EVERY images."""
        missing = [index for index in map(int, indices) if (index, grey) not in self._images]
        done = reported = 0
        with closing(self.read_groups(self.together(missing))) as reading:
            for group, images in reading:
                for index, image in zip(group, images, strict=True):
                    self._keep(index, image, grey)
                done += len(group)
                if progress and (done - reported >= REPORT_EVERY or done == len(missing)):
                    progress(done, len(missing))
                    reported = done

    def read_groups(self, groups: Sequence[list[int]]) -> Generator[tuple[list[int], list[np.ndarray]]]:
        """Each group and its images, read on all cores."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            yield from zip(groups, pool.map(self.read_group, groups), strict=True)

    def together(self, indices: Sequence[int] | np.ndarray) -> list[list[int]]:
        """The indices in groups that are best read together; here one image each."""
        return [[int(index)] for index in indices]
