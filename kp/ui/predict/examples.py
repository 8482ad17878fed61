"""Predict's examples: frames of people in no shipped network's training data, and synthetic scenes."""

import threading
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np

from kp.data import FacialKeypointsDataset
from kp.drawing.overlay import data_uri
from kp.errors import ImageError, KpError
from kp.geometry import Box, CropTransform
from kp.synthetic.appearance import load_appearance
from kp.synthetic.scenes import PLANS, Scene, draw_scene
from kp.ui.context import DataSource
from kp.ui.widgets.image_grid import GridItem, grid_item

FRAMES = 6  # of the real dataset
THUMBNAIL = 200  # pixels
AROUND = 0.5  # what a thumbnail shows around the box of all faces, in heights of a face


@dataclass(frozen=True)
class Example:
    """A photo to click on. keypoints: of all its faces, (faces, 68, 2)."""

    image: np.ndarray = field(repr=False)
    keypoints: np.ndarray = field(repr=False)
    caption: str
    alt: str

    @cached_property
    def item(self) -> GridItem:
        """Its cell of the grid: a square crop around the faces."""
        box = Box.from_points(self.keypoints.reshape(-1, 2))
        height = float(np.ptp(self.keypoints[..., 1], axis=1).mean())
        crop = CropTransform.from_box(Box.square(box.centre, box.side + AROUND * height), THUMBNAIL)
        return grid_item(data_uri(crop.warp(self.image), quality=85), self.alt, self.caption)


@lru_cache(maxsize=1)
def scenes() -> list[Scene]:
    """The synthetic scenes, rendered once. Raises CheckpointError where the appearance model is damaged."""
    model = load_appearance()
    return [draw_scene(model, plan) for plan in PLANS]


class Examples:
    """Shared by all visitors; rebuilt when the real dataset replaces the synthetic faces."""

    def __init__(self, data: DataSource) -> None:
        self.data = data
        self._made: tuple[FacialKeypointsDataset | None, list[Example]] | None = None
        self._lock = threading.Lock()

    def all(self) -> list[Example]:
        """Real frames first, then scenes; an empty list where there are neither."""
        dataset = None if self.data.problem else self.data.open()
        with self._lock:
            if self._made is None or self._made[0] is not dataset:
                real = test_people(dataset) if dataset is not None and not dataset.synthetic else []
                self._made = dataset, [*real, *_drawn()]
            return self._made[1]

    @property
    def items(self) -> list[GridItem]:
        return [example.item for example in self.all()]


def test_people(dataset: FacialKeypointsDataset) -> list[Example]:
    """One frame each of a few people of the test part, evenly over the alphabet."""
    people: dict[str, int] = {}
    for row in dataset.part("people", "test").rows.tolist():
        people.setdefault(dataset.frames[row].person, row)
    rows, examples = [people[person] for person in sorted(people)], []
    for row in rows[:: max(1, len(rows) // FRAMES)][:FRAMES]:
        name = dataset.frames[row].person.replace("_", " ")
        with suppress(ImageError):  # a damaged file
            examples.append(Example(dataset.image(row), dataset.keypoints[[row]], name, f"Example: {name}"))
    return examples


def _drawn() -> list[Example]:
    try:
        return [
            Example(scene.image, scene.keypoints, scene.title, f"Drawn example: {scene.title}") for scene in scenes()
        ]
    except KpError:  # the appearance model is damaged: the Dataset tab reports it
        return []
