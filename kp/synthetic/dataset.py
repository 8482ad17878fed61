"""Synthetic faces with exact keypoints: a dataset where the real one is missing.

People, videos and frames are rows of random numbers, from which the appearance model renders a face at its first use.
The same seed gives the same faces on every machine.
"""

import os
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from kp.data.dataset import FacialKeypointsDataset, FrameInfo, find_data
from kp.hardware import one_thread_each
from kp.synthetic.appearance import AppearanceModel, load_appearance
from kp.synthetic.face_store import SYNTHETIC, Face, FaceStore, is_synthetic
from kp.synthetic.settings import Appearance, FacePlacement

PEOPLE, VIDEOS, FRAMES = 300, 2, 6
TEST_FRAME = FRAMES - 1  # of each video this frame is in the folder test/, as published: that split leaks
MOST_TURNED = 1.9  # standard deviations; beyond, one half of the face hides the other
# Sizes of frames and faces in the real dataset: median, standard deviation of the logarithm, least, most.
HEIGHT = (201, 0.32, 90, 480)  # pixels
WIDTH = (0.91, 0.11, 0.7, 1.15)  # in heights
FACE = (0.40, 0.15, 0.28, 0.54)  # height of the mean shape, in the frame's shorter side
JITTER = (0.25, 0.12)  # standard deviations of the face's position per video and per frame, as shares of the free room


def draw_person(
    model: AppearanceModel, number: int, *, seed: int = 0, videos: int = VIDEOS, frames: int = FRAMES
) -> list[Face]:
    """The frames of one synthetic person, video after video."""
    rng = np.random.default_rng((seed, number))
    count, statistics = len(model.statistics), model.statistics
    person, kind = rng.standard_normal(count), int(rng.integers(2 * len(statistics.kinds)))
    faces = []
    for video in range(videos):
        appearance, placement = Appearance.draw(rng), draw_placement(rng)
        ahead, scene = rng.normal(0, float(np.hypot(*statistics.turns[:2]))), rng.standard_normal(count)
        for frame in range(frames):
            draws = np.stack([person, scene, rng.standard_normal(count)]).astype(np.float32)
            turn = float(np.clip(ahead + rng.normal(0, float(statistics.turns[2])), -MOST_TURNED, MOST_TURNED))
            faces.append(
                Face(turn, kind, draws, jitter(placement, rng, JITTER[1]), appearance, (seed, number, video, frame))
            )
    return faces


def draw_placement(rng: np.random.Generator) -> FacePlacement:
    """A random frame size and face position, distributed as in the real dataset."""

    def draw(middle: float, deviation: float, least: float, most: float) -> float:
        return float(np.clip(middle * np.exp(rng.normal(0, deviation)), least, most))

    height = round(draw(*HEIGHT))
    width = round(height * draw(*WIDTH))
    size = min(height, width) * draw(*FACE)
    return jitter(FacePlacement(height, width, (width / 2, 0.53 * height), size), rng, JITTER[0])


def jitter(placement: FacePlacement, rng: np.random.Generator, share: float) -> FacePlacement:
    """The placement moved at random; the face stays in the frame."""
    room = np.array([placement.width, placement.height]) / 2 - 0.62 * placement.size
    x, y = np.array(placement.centre) + np.clip(rng.normal(0, share, 2), -0.8, 0.8) * np.maximum(room, 0)
    low, high = 0.62 * placement.size, np.array([placement.width, placement.height]) - 0.62 * placement.size
    return replace(
        placement, centre=(float(np.clip(x, min(low, high[0]), high[0])), float(np.clip(y, min(low, high[1]), high[1])))
    )


def for_shapes(model: AppearanceModel) -> AppearanceModel:
    """The model for shapes alone, four times as fast: only their part of the statistics, in float32."""
    roots = model.statistics.roots[..., : len(model.modes)].astype(np.float32)
    return replace(model, statistics=replace(model.statistics, roots=roots))


class SyntheticFaces(FacialKeypointsDataset):
    """Frames of synthetic people, otherwise like the real dataset.

    people: number of people with VIDEOS videos of FRAMES frames each; the first frames of all come first. The same seed
    gives the same faces.
    """

    synthetic = True

    @one_thread_each()
    def __init__(self, people: int = PEOPLE, *, seed: int = 0, model: AppearanceModel | None = None) -> None:
        model = model or load_appearance()
        faces = [face for number in range(people) for face in draw_person(model, number, seed=seed)]
        faces.sort(key=lambda face: (*face.seed[2:], face.seed[1]))  # all people's first frames come first
        names = [f"Sample_Person_{face.seed[1]:03}_{face.seed[2]}{face.seed[3]}.jpg" for face in faces]
        folders = ["test" if face.seed[3] == TEST_FRAME else "training" for face in faces]
        self.root, self.transform, self.unlabelled, self.problems = Path(SYNTHETIC), None, 0, ()
        self.frames = [FrameInfo.parse(*pair) for pair in zip(names, folders, strict=True)]
        shapes_only = for_shapes(model)
        self.keypoints = np.stack([face.keypoints(shapes_only) for face in faces])
        self.keypoints.setflags(write=False)
        self.store = FaceStore(model, faces, [f"{folder}/{name}" for folder, name in zip(folders, names, strict=True)])
        self.rows = np.arange(len(faces))


@lru_cache(maxsize=1)
def synthetic_faces() -> SyntheticFaces:
    """The synthetic faces; the same object at each call, so that its images are shared."""
    return SyntheticFaces()


def names_synthetic(folder: Path | str | None) -> bool:
    """Whether `folder`, else KP_DATA, is "synthetic" or its old name "sample"; a folder of that name comes first."""
    name = str(folder or os.environ.get("KP_DATA"))
    return is_synthetic(name) and not Path(name).is_dir()


def open_data(folder: Path | str | None = None, *, strict: bool = False) -> FacialKeypointsDataset:
    """The dataset in `folder`, KP_DATA or data/; the synthetic faces where none is named and none is there.

    "synthetic" names the synthetic faces. A folder that was named but is no dataset is an error (DataError); with
    `strict` also one with a label that cannot be a face.
    """
    if names_synthetic(folder):
        return synthetic_faces()
    root = find_data(folder)
    return FacialKeypointsDataset(root, strict=strict) if root else synthetic_faces()
