"""From a picture to keypoints in its own pixels."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from builders import drawn_face, tiny_checkpoint
from scenes import scene
from torch import Tensor

from kp import Box, Checkpoint, Predictor
from kp.data import Preprocessing
from kp.detectors.base import BoxMap, Detection, Detector
from kp.errors import CheckpointError, ConfigError, ImageError
from kp.geometry import apply, compose, rotation, warp
from kp.landmarks import LEFT_EYE, RIGHT_EYE
from kp.metrics import point_errors
from kp.models import create_model
from kp.models.base import StagedModel
from kp.prediction.orientation import upright_box
from kp.prediction.predictor import TILTED

IMAGE, _ = drawn_face(0, height=200, width=260)


class Pointing(StagedModel):
    """Predicts the same place of the crop for all 68 points, in the network's units."""

    has_heatmaps = False

    def __init__(self, x: float = 0.0, y: float = 0.0) -> None:
        super().__init__()
        self.place = torch.tensor([x, y])

    def stages(self, x: Tensor) -> Iterator[tuple[str, Tensor]]:
        yield "keypoints", self.place.expand(len(x), 68, 2)


class Seeing(Detector):
    """Detects the given faces."""

    box_map = BoxMap(0.0, 0.0, 1.0)
    default_threshold, threshold_range, threshold_help = 0.5, (0.0, 1.0), "not used"

    def __init__(self, *faces: Detection) -> None:
        super().__init__()
        self.faces = list(faces)

    def detect(self, image: np.ndarray) -> list[Detection]:
        return self.faces


class Blind(Seeing):
    """Must not be called."""

    def detect(self, image: np.ndarray) -> list[Detection]:
        pytest.fail("the detector was called")


def pointing_predictor(
    detector: Detector,
    x: float = 0.0,
    y: float = 0.0,
    *,
    preprocessing: Preprocessing | None = None,
    margin: float | None = None,
) -> Predictor:
    predictor = Predictor(tiny_checkpoint(), detector, margin=margin)
    predictor.network = Pointing(x, y)
    if preprocessing:
        predictor.preprocessing = preprocessing
    return predictor


def test_no_face_is_an_empty_list() -> None:
    assert Predictor(tiny_checkpoint(), Seeing()).predict(IMAGE) == []
    assert Predictor(tiny_checkpoint(), Blind()).predict(IMAGE, []) == []


def test_the_crop_s_centre_is_the_box_s_centre() -> None:
    box = Box(30.5, 41, 90, 120.25)
    (face,) = pointing_predictor(Seeing(Detection(box, 0.9))).predict(IMAGE)
    assert face.keypoints.shape == (68, 2)
    assert face.keypoints.dtype == np.float32
    assert np.abs(face.keypoints - box.centre).max() < 0.01
    assert (face.box.centre, face.score) == (box.centre, 0.9)


@pytest.mark.parametrize("margin", [None, 1.0, 2.0])
def test_the_crop_s_corner_is_the_margin_s_corner(margin: float | None) -> None:
    """-1 is the outer border of the crop, whose side is the box's times the margin."""
    box = Box(50, 60, 110, 120)
    (face,) = pointing_predictor(Blind(), -1.0, -1.0, margin=margin).predict(IMAGE, [box])
    half = 30 * (margin or Preprocessing.centred(32).margin)
    assert np.abs(face.keypoints - (80 - half, 90 - half)).max() < 0.02


def test_the_reference_s_units_are_undone() -> None:
    """100 px is the zero of the reference's units, so its prediction 0 is 100 px into a crop of 224."""
    box = Box(0, 0, 100, 100)
    (face,) = pointing_predictor(Blind(), preprocessing=Preprocessing()).predict(IMAGE, [box])
    expected = 50 + (100 - 111.5) * 135 / 224
    assert np.abs(face.keypoints - expected).max() < 0.01


def test_several_faces_stay_in_order() -> None:
    boxes = [Box(0, 0, 40, 40), Box(100, 20, 160, 80), Box(-30, 150, 30, 210)]  # one of them half outside
    seen = [Detection(box, score) for box, score in zip(boxes, (0.9, 0.8, 0.7), strict=True)]
    faces = pointing_predictor(Seeing(*seen)).predict(IMAGE)
    assert [face.score for face in faces] == [0.9, 0.8, 0.7]
    for face, box in zip(faces, boxes, strict=True):
        assert np.abs(face.keypoints - box.centre).max() < 0.01


def test_more_faces_than_a_batch() -> None:
    boxes = [Box(x, 10, x + 30, 50) for x in range(150)]
    faces = pointing_predictor(Blind()).predict(IMAGE, boxes)
    assert [round(float(face.keypoints[0, 0])) for face in faces] == [x + 15 for x in range(150)]


def test_boxes_given_skip_the_detector() -> None:
    (face,) = Predictor(tiny_checkpoint(), Blind()).predict(IMAGE, [Box(10, 10, 50, 50)])
    assert face.score is None
    assert np.isfinite(face.keypoints).all()


def test_the_detector_s_boxes_are_made_tight() -> None:
    detector = Seeing(Detection(Box(0, 0, 100, 100), 1.0))
    detector.box_map = BoxMap(dx=0.1, dy=0.2, scale=0.5)
    (face,) = pointing_predictor(detector).predict(IMAGE)
    assert (face.box.centre, face.box.side) == (pytest.approx((60, 70)), pytest.approx(50))
    assert np.abs(face.keypoints - (60, 70)).max() < 0.01


def test_moving_the_face_moves_the_prediction() -> None:
    """An untrained network predicts nonsense, but the same nonsense at every place."""
    wide = np.zeros((260, 400, 3), np.uint8)
    wide[:] = 90
    moved = wide.copy()
    wide[20:220, 30:290], moved[40:240, 100:360] = IMAGE, IMAGE
    predictor = Predictor(tiny_checkpoint(), Blind())
    box = Box(110, 70, 190, 150)
    (here,), (there,) = predictor.predict(wide, [box]), predictor.predict(moved, [Box(180, 90, 260, 170)])
    assert np.abs(there.keypoints - here.keypoints - (70, 20)).max() < 0.05


@pytest.mark.parametrize("box", [Box(50, 10, 50, 60), Box(60, 10, 50, 60), Box(10, 60, 50, 20)])
def test_an_empty_or_reversed_box_is_refused(box: Box) -> None:
    with pytest.raises(ConfigError, match="left < right and top < bottom"):
        Predictor(tiny_checkpoint(), Blind()).predict(IMAGE, [box])


@pytest.mark.parametrize("bad", [IMAGE[..., 0], IMAGE / 255, IMAGE[:, :0], [[1, 2]], None])
def test_what_is_no_picture_is_refused(bad: object) -> None:
    for boxes in (None, [Box(0, 0, 9, 9)]):
        with pytest.raises(ImageError, match="kp.read_image"):
            Predictor(tiny_checkpoint(), Seeing()).predict(bad, boxes)


def test_bad_settings_are_refused() -> None:
    with pytest.raises(CheckpointError, match="'nobody'"):
        Predictor("nobody")
    with pytest.raises(ConfigError, match="'eyes'"):
        Predictor(tiny_checkpoint(), "eyes")
    with pytest.raises(ConfigError, match="margin"):
        Predictor(tiny_checkpoint(), "whole-image", margin=50)
    with pytest.raises(ConfigError, match="threshold"):
        Predictor(tiny_checkpoint(), "yunet", threshold=7)


def test_a_network_in_colour_sees_colour() -> None:
    arguments = {"width": 8, "channels": 3}
    torch.manual_seed(0)
    checkpoint = Checkpoint(
        "heatmap_net",
        arguments,
        create_model("heatmap_net", **arguments).state_dict(),
        replace(Preprocessing.centred(64), channels=3),
    )
    predictor = Predictor(checkpoint, "whole-image")
    (face,), (swapped,) = predictor.predict(IMAGE), predictor.predict(np.ascontiguousarray(IMAGE[..., ::-1]))
    assert not np.allclose(face.keypoints, swapped.keypoints)


@pytest.mark.parametrize("detector", ["whole-image", "haar", "yunet"])
def test_threads_may_share_a_predictor(detector: str) -> None:
    images = [drawn_face(seed, height=160, width=160)[0] for seed in range(4)]
    predictor = Predictor(tiny_checkpoint(), detector)
    boxes = None if detector == "whole-image" else [Box(20, 20, 120, 130), Box(5, 5, 60, 60)]

    def work(image: np.ndarray) -> list[np.ndarray]:
        predictor.detector.detect(image)
        return [face.keypoints for face in predictor.predict(image, boxes)]

    alone = [work(image) for image in images]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(work, images * 5))
    for number, keypoints in enumerate(together):
        assert np.allclose(keypoints, alone[number % 4], atol=1e-3)


def test_predicting_leaves_no_gradients_and_changes_nothing() -> None:
    predictor = Predictor(tiny_checkpoint(), "whole-image")
    before = IMAGE.copy()
    first, second = predictor.predict(IMAGE), predictor.predict(IMAGE)
    assert np.array_equal(IMAGE, before)
    assert (first[0].keypoints == second[0].keypoints).all()  # dropout is off
    assert all(parameter.grad is None for parameter in predictor.network.parameters())


def turned_faces(quarters: int) -> tuple[np.ndarray, np.ndarray]:
    return scene([110, 150], height=420, width=560, quarters=quarters)


@pytest.mark.parametrize(("quarters", "turn"), [(0, 0), (1, 270), (2, 180), (3, 90)])
def test_sideways_and_upside_down_faces(quarters: int, turn: int) -> None:
    image, truth = turned_faces(quarters)
    found = Predictor("heatmap_net").search(image)
    assert found.rotation == turn
    assert [face.roll for face in found.faces] == [turn] * 2
    for points in truth:
        face = max(found.faces, key=lambda face: Box.from_points(points).iou(Box.from_points(face.keypoints)))
        assert point_errors(face.keypoints, points).mean() < 0.06  # in the pixels of the picture as it was given
        assert face.box.iou(Box.from_points(points)) > 0.5
        assert face.confidence > 0.7


def test_the_whole_image_may_be_a_face_on_its_side() -> None:
    image, (truth,) = scene([100], height=220, width=220, quarters=1)
    (face,) = Predictor("heatmap_net", "whole-image").predict(image)
    assert face.roll == pytest.approx(270, abs=15)
    assert point_errors(face.keypoints, truth).mean() < 0.08


@pytest.mark.parametrize("quarters", [0, 1])
def test_a_loose_box_is_made_anew_about_the_points(quarters: int) -> None:
    image, (truth,) = scene([150], height=300, width=300, quarters=quarters)
    tight, turn = Box.from_points(truth), 270 * quarters
    wide = Box(tight.left - 30, tight.top - 10, tight.right + 20, tight.bottom + 50)
    predictor = Predictor("heatmap_net", Seeing(Detection(wide, 0.9)))
    (once,), (twice,) = (predictor.predict(image, [wide], roll=turn, box_style=style) for style in ("exact", "loose"))
    assert once.box == wide
    assert (twice.box, twice.roll) == upright_box(once.keypoints, turn)
    assert tight.iou(twice.box) > 0.8 > tight.iou(wide)
    if not quarters:
        assert predictor.predict(image)[0].box == Box.square(wide.centre, wide.side)
        predictor.detector.box_style = "loose"
        assert predictor.predict(image)[0].box == twice.box


def test_a_loose_box_stays_where_the_points_are_in_one_place() -> None:
    box = Box(50, 60, 110, 120)
    (face,) = pointing_predictor(Blind()).predict(IMAGE, [box], box_style="loose")
    assert face.box == box


def test_a_face_in_a_given_box_is_rotated_by_roll() -> None:
    image, truth = turned_faces(2)
    boxes = [Box.from_points(points) for points in truth]
    predictor = Predictor("heatmap_net", Blind())
    upright, turned = predictor.predict(image, boxes), predictor.predict(image, boxes, roll=180)
    assert max(face.confidence for face in upright) < 0.5 < min(face.confidence for face in turned)
    assert point_errors(np.array([face.keypoints for face in turned]), truth).mean() < 0.05
    assert [face.box for face in turned] == boxes


@pytest.mark.parametrize(("tilt", "given"), [(-30, False), (30, False), (-55, True), (55, True)])
def test_tilted_heads_get_a_second_upright_pass(monkeypatch, given: bool, tilt: float) -> None:
    image, points = scene([150] * 4, height=600, width=600)
    matrix = compose(rotation(tilt, (425, 425)), np.array([[1, 0, 125], [0, 1, 125]]))
    image, truth = warp(image, matrix, (850, 850)), apply(matrix, points)
    predictor, boxes, errors = Predictor("heatmap_net"), [Box.from_points(face) for face in truth], {}
    for least in (TILTED, 360.0):
        monkeypatch.setattr("kp.prediction.predictor.TILTED", least)
        faces = predictor.predict(image, boxes) if given else predictor.search(image, rotations=()).faces
        nearest = [max(faces, key=lambda face, box=box: box.iou(Box.from_points(face.keypoints))) for box in boxes]
        errors[least] = point_errors(np.array([face.keypoints for face in nearest]), truth).mean()
        assert all(abs(face.roll + (tilt if least == TILTED else 0)) < 20 for face in nearest)
        assert [face.box for face in faces] == boxes or not given
    assert errors[TILTED] < min(0.045, errors[360.0])


def test_a_face_on_its_side_does_not_end_the_search_for_those_that_stand() -> None:
    """YuNet sees some faces of a picture that lies on its side; turned upright it shows all."""
    image, truth = turned_faces(1)
    predictor = Predictor("heatmap_net")
    assert any(not face.low_confidence and abs(face.roll) > 60 for face in predictor.search(image, rotations=()).faces)
    found = predictor.search(image)
    assert (found.rotation, len(found.faces)) == (270, len(truth))


def test_the_box_of_a_second_pass_is_tight_in_the_rotated_image() -> None:
    square = np.array([[0, 0], [40, 0], [40, 30], [0, 30]], np.float32)
    points = np.resize(square, (68, 2))
    points[LEFT_EYE], points[RIGHT_EYE] = (5, 10), (35, 10)
    for turn, box in ((0, Box(0, 0, 40, 30)), (30, Box(0, 0, 40, 30)), (90, Box(5, -5, 35, 35))):
        seen = apply(rotation(-turn, (20, 15)), points)
        found, level = upright_box(seen, 0.0)
        assert level == pytest.approx(turn, abs=1e-3)
        assert np.allclose(
            [found.left, found.top, found.right, found.bottom], [box.left, box.top, box.right, box.bottom], atol=1e-3
        )
    assert upright_box(points, 350.0)[1] == pytest.approx(360)
    assert upright_box(np.zeros((68, 2)), 0.0) is None


class Compass(Seeing):
    """Sees a face where the picture's first pixel is white."""

    def detect(self, image: np.ndarray) -> list[Detection]:
        return self.faces if image[0, 0].min() > 250 else []


@pytest.mark.parametrize(("corner", "turn"), [((0, 0), 0), ((0, -1), 90), ((-1, 0), 270), ((-1, -1), 180)])
def test_boxes_of_a_turned_picture_come_back(corner: tuple[int, int], turn: int) -> None:
    """A white corner; the picture is turned until it is the first pixel, and the face is at that corner."""
    image = np.zeros((60, 100, 3), np.uint8)
    image[corner] = 255
    predictor = pointing_predictor(Compass(Detection(Box(0, 0, 20, 20), None)))
    (face,) = predictor.predict(image)
    x, y = (89 if corner[1] else 10), (49 if corner[0] else 10)
    assert face.roll == turn
    assert np.allclose(face.box.centre, (x, y), atol=1e-3)
    assert np.abs(face.keypoints - (x, y)).max() < 0.01


def test_a_large_picture_is_turned_in_a_smaller_size() -> None:
    image = np.zeros((3000, 2000, 3), np.uint8)
    image[-8:, -8:] = 255
    predictor = pointing_predictor(Compass(Detection(Box(0, 0, 128, 128), None)))
    (face,) = predictor.predict(image)
    assert face.roll == 180
    assert face.box.side == pytest.approx(300, abs=1)
    assert np.allclose(face.box.centre, (1849, 2849), atol=2)


def test_a_picture_without_a_face_is_not_turned() -> None:
    found = Predictor("heatmap_net").search(np.full((200, 300, 3), 128, np.uint8))
    assert (found.faces, found.rotation) == ([], 0)
    assert found.detector_seconds > 0
