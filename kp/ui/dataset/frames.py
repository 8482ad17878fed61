"""The dataset in the Dataset tab: selections, pages, thumbnails, and facts about a frame."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kp.data import FacialKeypointsDataset
from kp.data.dataset import FrameInfo
from kp.data.splits import is_test_person
from kp.drawing.overlay import data_uri, draw_face, enlarge, scale_points
from kp.errors import ImageError
from kp.geometry import Box, CropTransform
from kp.landmarks import EYE_CORNERS
from kp.ui.widgets.image_grid import GridItem, grid_item

PAGE = 24  # frames on a page
THUMBNAIL = 200  # pixels, twice what a cell shows
THUMBNAIL_MARGIN = 1.4  # its side, in sides of the tight face box: the same for all, so faces can be compared
EVERYBODY = ""  # the person filter's value that filters nothing
PART_NAMES = {"train": "training", "test": "test"}


@dataclass(frozen=True)
class Selection:
    """A visitor's filters: one part of a split, of everybody or of one person."""

    split: str = "people"
    part: str = "test"
    person: str = EVERYBODY

    def rows(self, dataset: FacialKeypointsDataset) -> list[int]:
        """Rows of `dataset`, ascending."""
        rows = dataset.part(self.split, self.part).rows.tolist()
        return [row for row in rows if self.person in (EVERYBODY, dataset.frames[row].person)]


def people_in(dataset: FacialKeypointsDataset, rows: Sequence[int]) -> list[str]:
    """Names of the people of these rows, sorted."""
    return sorted({dataset.frames[row].person for row in rows})


def page_count(rows: Sequence[int]) -> int:
    return max(1, -(-len(rows) // PAGE))


def page_rows(rows: Sequence[int], page: int) -> list[int]:
    """The rows on a page; pages count from 1."""
    return list(rows[(page - 1) * PAGE : page * PAGE])


def existing_page(rows: Sequence[int], page: float | None) -> int:
    """The number of the page nearest to `page`; the first one for None."""
    return int(min(max(page or 1, 1), page_count(rows)))


def draw_page(dataset: FacialKeypointsDataset, rows: Sequence[int], page: int) -> None:
    """Load a page's pictures into the shared store, on all cores."""
    dataset.store.preload(dataset.rows[page_rows(rows, page)])


def draw_first_page(dataset: FacialKeypointsDataset) -> None:
    """Load the pictures of the first page of the initial selection."""
    draw_page(dataset, Selection().rows(dataset), 1)


def summary(dataset: FacialKeypointsDataset, rows: Sequence[int]) -> str:
    """The number of images and people in these rows, and of the test folder's images with labels; Markdown."""
    if not rows:
        return "No image is in this part. Choose the other one."
    people = len(people_in(dataset, rows))
    counted = f"**{len(rows)} image{'s' * (len(rows) != 1)} of {people} {'person' if people == 1 else 'people'}**"
    if dataset.synthetic:
        return f"{counted}, all synthetic."
    labelled = sum(frame.folder == "test" for frame in dataset.frames)
    total = labelled + dataset.unlabelled
    share = f"all {total}" if total == labelled else f"{labelled} of the {total}"
    return f"{counted}; {share} images in test/ have labels."


def part_of(dataset: FacialKeypointsDataset, split: str, row: int) -> str:
    """train or test."""
    frame = dataset.frames[row]
    testing = frame.folder == "test" if split == "official" else is_test_person(frame.person)
    return "test" if testing else "train"


def other_frames(dataset: FacialKeypointsDataset, row: int) -> list[int]:
    """Rows of the other frames of the same video; those of the folder training/ first."""
    video = dataset.frames[row].video_name
    rows = [other for other, frame in enumerate(dataset.frames) if frame.video_name == video and other != row]
    return sorted(rows, key=lambda other: (dataset.frames[other].folder == "test", dataset.frames[other].frame))


def frame_title(frame: FrameInfo) -> str:
    """ "Aaron Eckhart, video 0, frame 3"."""
    numbers = [f"{kind} {value}" for kind, value in (("video", frame.video), ("frame", frame.frame)) if value]
    return ", ".join([frame.person.replace("_", " "), *numbers])


def face_item(
    dataset: FacialKeypointsDataset, row: int, caption: str = "", *, remark: str = "", chosen: bool = False
) -> GridItem:
    """A grid cell: a square about the face with its labels as lines; plain grey where the file cannot be read.

    remark: follows the frame's title in the alternative text.
    """
    title = ", ".join(filter(None, [frame_title(dataset.frames[row]), remark]))
    try:
        src = data_uri(face_thumbnail(dataset.image(row), dataset.keypoints[row]), quality=85)
    except ImageError:
        blank = np.full((8, 8), 128, np.uint8)
        return grid_item(data_uri(blank), f"{title}: cannot be read", "damaged", chosen=chosen)
    return grid_item(src, title, caption, chosen=chosen)


def face_thumbnail(image: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """uint8 (200, 200, 3): the face fills the same share of each thumbnail."""
    box = Box.from_points(keypoints)
    crop = CropTransform.from_box(Box.square(box.centre, box.side * THUMBNAIL_MARGIN), THUMBNAIL)
    return draw_face(crop.warp(image), crop.to_crop(keypoints), truth=True, points=False, contours=True)


def large_picture(dataset: FacialKeypointsDataset, row: int, marks: Sequence[str]) -> np.ndarray:
    """uint8 (H, W, 3): the whole frame, enlarged, with its labels. marks: any of points, numbers, contours."""
    image, factor = enlarge(dataset.image(row), 640 if "numbers" in marks else 512)
    return draw_face(
        image,
        scale_points(dataset.keypoints[row], factor),
        truth=True,
        points="points" in marks,
        numbers="numbers" in marks,
        contours="contours" in marks,
    )


def first_readable(dataset: FacialKeypointsDataset, rows: Sequence[int]) -> int | None:
    """The first of these rows whose picture can be decoded; None where there is none."""
    for row in rows:
        try:
            dataset.image(row)
        except ImageError:
            continue
        return row
    return None


def eye_distance(keypoints: np.ndarray) -> float:
    """Pixels between the outer eye corners."""
    left, right = EYE_CORNERS
    return float(np.linalg.norm(keypoints[right] - keypoints[left]))


def leak_sentence(part: str, others: Sequence[str]) -> str:
    """Whether the split separates frames of one video. part: the frame's own; others: those of its video's others."""
    if not others:
        return "This video has no other frame in the dataset."
    crossing = sum(other != part for other in others)
    frames = f"{crossing} {PART_NAMES['train' if part == 'test' else 'test']} frame{'s' if crossing > 1 else ''}"
    if not crossing:
        return f"All frames of this video are in the {PART_NAMES[part]} part of this split: nothing leaks."
    if part == "test":
        return f"**This test frame's video has {frames}**: the network was trained on nearly the same picture."
    return f"**This training frame's video has {frames}**: the network is tested on nearly the same picture."
