"""Face detectors, and how their boxes become ours."""

import cv2
import numpy as np
import pytest
from builders import drawn_face
from scenes import paste, portraits, scene

from kp.data import FacialKeypointsDataset
from kp.detectors import DETECTORS, BoxMap, Detection, create_detector
from kp.detectors.yunet import strongest
from kp.errors import ConfigError, ImageError
from kp.geometry import Box

REAL = [name for name in DETECTORS if name != "whole-image"]


def wall(height: int = 240, width: int = 320) -> np.ndarray:
    """A wall with a little shade on it."""
    shade = np.linspace(150, 180, width, dtype=np.uint8)
    return np.repeat(np.repeat(shade[None, :, None], height, axis=0), 3, axis=2)


@pytest.mark.parametrize("name", REAL)
def test_there_is_no_face_on_an_empty_wall(name: str) -> None:
    assert create_detector(name).detect(wall()) == []


def test_the_whole_image_is_always_one_face() -> None:
    (face,) = create_detector("whole-image").detect(wall(240, 320))
    assert (face.box.side, face.box.centre, face.score) == (240, (159.5, 119.5), None)


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize("shape", [(1, 1), (10, 10), (3, 900), (900, 3), (23, 25), (1500, 20)])
def test_pictures_of_odd_shapes(name: str, shape: tuple[int, int]) -> None:
    assert isinstance(create_detector(name).detect(wall(*shape)), list)


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize(
    "bad",
    [wall()[..., 0], wall().astype(np.float32), wall()[:0], np.dstack([wall(), wall()]), "face.jpg"],
    ids=["grey", "float", "empty", "six channels", "path"],
)
def test_what_is_no_picture_is_refused(name: str, bad: object) -> None:
    with pytest.raises(ImageError, match="uint8"):
        create_detector(name).detect(bad)


@pytest.mark.parametrize("name", DETECTORS)
def test_a_threshold_out_of_range_is_refused(name: str) -> None:
    low, high = DETECTORS[name].threshold_range
    for bad in (low - 0.05, high + 0.05, float("nan")):
        with pytest.raises(ConfigError, match=f"threshold is .* from {low} to {high}"):
            create_detector(name, threshold=bad)
    for good in (low, high):
        assert create_detector(name, threshold=good).threshold == good
    assert low <= create_detector(name).threshold <= high


def test_an_unknown_detector_says_what_there_is() -> None:
    with pytest.raises(ConfigError, match="'eyes'.*yunet, haar, whole-image"):
        create_detector("eyes")


@pytest.mark.parametrize("name", DETECTORS)
def test_every_detector_describes_itself(name: str) -> None:
    kind = DETECTORS[name]
    assert kind.title
    assert kind.threshold_help
    assert 0.3 < kind.box_map.scale < 1.5


def test_a_box_map_by_hand() -> None:
    tight = BoxMap(dx=0.1, dy=-0.05, scale=0.8).to_tight(Box(100, 200, 150, 240))  # side 50, centre (125, 220)
    assert (tight.centre, tight.side) == (pytest.approx((130, 217.5)), pytest.approx(40))


def test_fitting_finds_a_known_map_in_spite_of_outliers() -> None:
    rng = np.random.default_rng(0)
    known = BoxMap(dx=0.03, dy=0.11, scale=0.87)
    detected = [Box.square(tuple(rng.uniform(50, 300, 2)), rng.uniform(20, 200)) for _ in range(101)]
    tight = [known.to_tight(box) for box in detected]
    tight[:20] = [Box(0, 0, 500, 500)] * 20
    found = BoxMap.fit(detected, tight)
    assert (found.dx, found.dy, found.scale) == pytest.approx((known.dx, known.dy, known.scale), abs=0.02)
    exact = BoxMap.fit(detected[20:], tight[20:])
    assert (exact.dx, exact.dy, exact.scale) == pytest.approx((known.dx, known.dy, known.scale), abs=0.001)


def test_fitting_to_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="none"):
        BoxMap.fit([], [])


@pytest.mark.parametrize("name", DETECTORS)
def test_detecting_twice_gives_the_same(name: str) -> None:
    image, _ = drawn_face(3, height=300, width=300)
    detector = create_detector(name)
    assert detector.detect(image) == detector.detect(image) == create_detector(name).detect(image)


@pytest.mark.real_data
@pytest.mark.parametrize("name", REAL)
def test_a_real_face_is_found_where_the_label_says(name: str, real_dataset: FacialKeypointsDataset) -> None:
    detector, overlaps = create_detector(name), []
    faces = real_dataset.part("people", "test")
    for index in range(0, 800, 40):
        image, truth = faces.image(index), Box.from_points(faces.keypoints[index])
        found = detector.detect(image)
        assert all(isinstance(face, Detection) for face in found)
        for box in (face.box for face in found):
            assert -0.3 * box.side < box.left < box.right < image.shape[1] + 0.3 * box.side
            assert -0.3 * box.side < box.top < box.bottom < image.shape[0] + 0.3 * box.side
        tight = [detector.box_map.to_tight(face.box) for face in found]
        overlaps.append(max((truth.iou(box) for box in tight), default=0.0))
    assert np.median(overlaps) > 0.6
    assert np.mean(np.array(overlaps) > 0.3) > 0.6


@pytest.mark.real_data
def test_scores_fall_and_a_higher_threshold_finds_no_more(real_dataset: FacialKeypointsDataset) -> None:
    image = np.concatenate([cv2.resize(real_dataset.image(index), (200, 220)) for index in (0, 40, 80)], axis=1)
    counts = []
    for threshold in (0.1, 0.5, 0.9):
        faces = create_detector("yunet", threshold=threshold).detect(image)
        scores = [face.score for face in faces]
        assert scores == sorted(scores, reverse=True)
        assert all(threshold <= score <= 1 for score in scores)
        counts.append(len(faces))
    assert counts == sorted(counts, reverse=True)
    assert counts[1] >= 2


@pytest.mark.real_data
@pytest.mark.parametrize("name", REAL)
def test_boxes_do_not_depend_on_the_size_of_the_picture(name: str, real_dataset: FacialKeypointsDataset) -> None:
    """Large pictures are looked at in a smaller size; the boxes come back in the picture's own pixels."""
    faces = real_dataset.part("people", "test")
    near = 0
    for index in range(0, 400, 133):
        image = faces.image(index)
        large = image.repeat(8, axis=0).repeat(8, axis=1)
        detector = create_detector(name)
        small_boxes, large_boxes = detector.detect(image), detector.detect(large)
        if small_boxes and large_boxes:
            box = large_boxes[0].box
            shrunk = Box(box.left / 8, box.top / 8, box.right / 8, box.bottom / 8)
            near += max(face.box.iou(shrunk) for face in small_boxes) > 0.6
    assert near >= 3


def found_of(truth: np.ndarray, image: np.ndarray) -> tuple[int, int]:
    """How many of the faces with these keypoints YuNet finds, and how many it finds elsewhere."""
    detector = create_detector("yunet")
    seen = [detector.box_map.to_tight(face.box) for face in detector.detect(image)]
    boxes = [Box.from_points(points) for points in truth]
    hits = sum(any(box.iou(other) > 0.4 for other in seen) for box in boxes)
    return hits, sum(all(box.iou(other) < 0.2 for other in boxes) for box in seen)


def test_tiny_faces_in_a_large_photo() -> None:
    image, truth = scene([20] * 8, height=3000, width=4000)
    assert found_of(truth, image) == (8, 0)


@pytest.mark.parametrize(("side", "height", "width"), [(850, 900, 900), (2400, 3000, 2500), (130, 150, 150)])
def test_a_face_that_fills_the_photo(side: int, height: int, width: int) -> None:
    image, truth = scene([side], height=height, width=width)
    assert found_of(truth, image) == (1, 0)


def test_a_hundred_faces() -> None:
    image, truth = scene([80] * 100, height=1600, width=2000)
    hits, wrong = found_of(truth, image)
    assert hits >= 99 and wrong == 0


def test_large_and_small_faces_in_one_photo() -> None:
    image, truth = scene([900, 30, 60, 200], height=2400, width=3200)
    assert found_of(truth, image) == (4, 0)


def test_a_face_on_the_border_of_two_tiles_is_one_face() -> None:
    """Tiles are 1024 pixels wide: faces stand on their borders and corners."""
    photo = np.full((2100, 2200, 3), 120, np.uint8)
    faces = portraits()
    truth = [
        paste(photo, faces.image(index), faces.keypoints[index], place, 26.0)
        for index, place in enumerate([(1024, 300), (1024, 1024), (300, 1024), (1030, 1700), (2048, 1018)])
    ]
    assert found_of(np.array(truth), photo) == (5, 0)


def test_the_part_of_a_face_is_no_second_face() -> None:
    face, part = Detection(Box(0, 0, 100, 100), 0.9), Detection(Box(40, 30, 90, 80), 0.7)
    beside, again = Detection(Box(90, 10, 180, 100), 0.8), Detection(Box(5, 5, 105, 105), 0.6)
    assert strongest([part, again, beside, face]) == [face, beside]
