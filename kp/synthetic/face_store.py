"""Images of synthetic faces, rendered at first use. Without PyTorch: see `kp.data.store`."""

import os
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import numpy as np

from kp.data.store import ImageStore
from kp.hardware import one_thread_each
from kp.synthetic.appearance import AppearanceModel
from kp.synthetic.render import render
from kp.synthetic.settings import Appearance, FacePlacement
from kp.synthetic.worker_processes import read_with_workers

SYNTHETIC = "synthetic"  # in place of a dataset folder
MOST_WORKERS = 3  # processes that render beside this one
LEAST_FOR_WORKERS = 200  # faces: rendering them takes as long as starting a worker


def is_synthetic(name: object) -> bool:
    """Whether a dataset's name is "synthetic" or "sample", the name in earlier versions."""
    return str(name) in (SYNTHETIC, "sample")


@dataclass(frozen=True)
class Face:
    """One synthetic frame. turn: yaw, standard deviations. kind: of person. draws: random numbers (levels, n).

    seed: of the film grain.
    """

    turn: float
    kind: int
    draws: np.ndarray = field(repr=False)
    placement: FacePlacement
    appearance: Appearance
    seed: tuple[int, ...]

    def coefficients(self, model: AppearanceModel, *, first: int | None = None) -> np.ndarray:
        return model.statistics.coefficients(self.turn, self.kind, self.draws, first=first)

    def keypoints(self, model: AppearanceModel) -> np.ndarray:
        """float32 (68, 2), pixels."""
        return self.placement.place(model.shape(self.coefficients(model, first=len(model.modes))))


class FaceStore(ImageStore):
    """Renders each face once and keeps it."""

    def __init__(self, model: AppearanceModel, faces: Sequence[Face], names: Sequence[str]) -> None:
        super().__init__([Path(SYNTHETIC, name) for name in names])
        self.model, self.faces = model, list(faces)

    def read(self, index: int) -> np.ndarray:
        return self.read_group([index])[0]

    @one_thread_each()
    def read_group(self, indices: Sequence[int] | np.ndarray) -> list[np.ndarray]:
        faces = [self.faces[index] for index in indices]
        rows = np.stack([face.coefficients(self.model) for face in faces])
        return [
            render(
                portrait, self.model, face.placement, appearance=face.appearance, rng=np.random.default_rng(face.seed)
            )
            for face, portrait in zip(faces, self.model.portraits(rows), strict=True)
        ]

    def together(self, indices: Sequence[int] | np.ndarray) -> list[list[int]]:
        """Groups of the frames of a video, which share background and texture."""
        ordered = sorted(map(int, indices), key=lambda index: self.faces[index].seed)
        return [list(group) for _, group in groupby(ordered, key=lambda index: self.faces[index].seed[:-1])]

    def read_groups(self, groups: Sequence[list[int]]) -> Generator[tuple[list[int], list[np.ndarray]]]:
        with one_thread_each():
            workers = min((os.cpu_count() or 1) - 1, MOST_WORKERS)
            if not workers or sum(map(len, groups)) < LEAST_FOR_WORKERS:
                yield from super().read_groups(groups)
            else:
                store = FaceStore(self.model, self.faces, [path.name for path in self.paths])
                yield from read_with_workers(store, groups, workers, self.read_group)
