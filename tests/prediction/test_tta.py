"""Several looks at a face, and what their disagreement tells."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from builders import drawn_face, tiny_checkpoint

from kp import Box, FacialKeypointsDataset, Predictor
from kp.detectors import create_detector
from kp.errors import ConfigError
from kp.geometry import CropTransform
from kp.landmarks import MIRROR
from kp.metrics import eye_distance, point_errors
from kp.prediction.face import CONFIDENT
from kp.prediction.tta import AUGMENTATIONS, AXIS_VARIANCE, CropPredictions, share_within

IMAGE, TRUTH = drawn_face(2, height=220, width=240)
CROP = CropTransform.from_box(Box.square((110, 100), 150), 96)


def test_the_first_augmentation_is_the_crop_itself() -> None:
    assert np.array_equal(AUGMENTATIONS[0].apply_to(CROP).matrix, CROP.matrix)


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_an_augmented_crop_is_near_the_crop_and_maps_back(augmentation) -> None:
    seen = augmentation.apply_to(CROP)
    assert np.allclose(seen.to_image(seen.to_crop(TRUTH)), TRUTH, atol=1e-3)
    assert seen.scale == pytest.approx(CROP.scale / augmentation.scale)
    assert (np.linalg.det(seen.matrix[:, :2]) < 0) == augmentation.mirrored
    there = seen.to_crop(TRUTH[MIRROR]) if augmentation.mirrored else seen.to_crop(TRUTH)
    assert augmentation.in_order(there[None]).shape == (1, 68, 2)
    middle = seen.to_image(np.array([[47.5, 47.5]]))[0]
    assert np.allclose(middle, (110 + augmentation.right * 150, 100 + augmentation.down * 150), atol=1e-3)


def test_a_mirrored_augmentation_is_the_mirrored_crop() -> None:
    mirrored = next(augmentation for augmentation in AUGMENTATIONS if augmentation.mirrored)
    there, plain = mirrored.apply_to(CROP).warp(IMAGE), CROP.warp(IMAGE)
    assert np.abs(there.astype(int) - plain[:, ::-1]).max() <= 1
    assert np.array_equal(mirrored.in_order(np.arange(68)[None]), MIRROR[None])


def test_the_augmentations_cancel_out() -> None:
    for count in (2, 4, 6, 8):
        crops = AUGMENTATIONS[:count]
        assert sum(augmentation.mirrored for augmentation in crops) == count / 2
        assert (
            abs(sum(augmentation.right for augmentation in crops)) < 1e-9
            and abs(sum(augmentation.down for augmentation in crops)) < 1e-9
        )
        assert np.mean([augmentation.scale for augmentation in crops]) == pytest.approx(1, abs=0.01)


def test_one_crop_keeps_the_networks_expected_error() -> None:
    points, own = np.zeros((3, 1, 68, 2), np.float32), np.full((3, 1, 68), 4, np.float32)
    predictions = CropPredictions.average(points, own)
    assert np.array_equal(predictions.expected_error, own[:, 0])
    assert np.allclose(predictions.covariance, 16 * AXIS_VARIANCE * np.eye(2))
    assert predictions.covariance.dtype == np.float32


def test_the_covariance_is_that_of_the_mixture() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(50, 3, (1, 4, 68, 2)).astype(np.float32)
    own = rng.uniform(1, 3, (1, 4, 68)).astype(np.float32)
    predictions = CropPredictions.average(points, own)
    between = np.cov(points[0, :, 5].T)
    expected = between + AXIS_VARIANCE * np.mean(own[0, :, 5] ** 2) * np.eye(2)
    assert np.allclose(predictions.covariance[0, 5], expected, rtol=1e-4)
    assert np.allclose(predictions.keypoints, points.mean(axis=1))
    assert predictions.expected_error[0, 5] == pytest.approx(np.sqrt(np.trace(expected) / 2 / AXIS_VARIANCE), rel=1e-4)


def test_crops_alone_give_the_expected_error_where_the_network_does_not() -> None:
    points = np.zeros((1, 2, 68, 2), np.float32)
    points[0, 1, :, 0] = 3  # apart from left to right
    predictions = CropPredictions.average(points, np.full((1, 2, 68), np.nan, np.float32))
    across, down = np.linalg.eigvalsh(predictions.covariance[0, 0])[::-1]
    assert across > down > 0
    assert np.isfinite(predictions.expected_error).all()
    assert np.isnan(CropPredictions.average(points[:, :1], np.full((1, 1, 68), np.nan)).expected_error).all()


def test_the_numbers_of_the_density() -> None:
    """Errors with the density exp(-r / b) in the plane: their mean, their variance, and how many are small."""
    b, r = 1.7, np.linspace(0, 80, 400_001)
    chance = r * np.exp(-r / b) / b**2 * (r[1] - r[0])
    mean = (r * chance).sum()
    assert mean == pytest.approx(2 * b, rel=1e-4)
    assert (r**2 * chance).sum() / 2 == pytest.approx(AXIS_VARIANCE * mean**2, rel=1e-4)
    assert share_within(np.full(68, mean), 4.0) == pytest.approx(chance[r <= 4.0].sum(), rel=1e-3)


def test_several_crops_are_one_prediction_a_face() -> None:
    boxes = [Box(60 + shift, 60, 160 + shift, 160) for shift in range(30)]
    faces = Predictor(tiny_checkpoint(), "whole-image", tta=8).predict(IMAGE, boxes)
    assert len(faces) == 30
    assert all(face.confidence is not None and face.covariance.shape == (68, 2, 2) for face in faces)
    alone = Predictor(tiny_checkpoint(), "whole-image", tta=8).predict(IMAGE, boxes[7:8])[0]
    assert np.allclose(faces[7].keypoints, alone.keypoints, atol=1e-3)
    assert np.allclose(faces[7].covariance, alone.covariance, rtol=1e-2, atol=1e-3)


def test_one_crop_is_the_default() -> None:
    (face,) = Predictor(tiny_checkpoint(), "whole-image").predict(IMAGE)
    assert face.confidence is None and not face.uncertain_points.any()


@pytest.mark.parametrize("crops", [0, 9, -1, 2.5, None, "4"])
def test_other_numbers_of_crops_are_refused(crops: object) -> None:
    with pytest.raises(ConfigError, match="1 to 8 crops"):
        Predictor(tiny_checkpoint(), "whole-image", tta=crops)


def wall() -> np.ndarray:
    shade = np.linspace(150, 180, 320, dtype=np.uint8)
    return np.repeat(np.repeat(shade[None, :, None], 240, axis=0), 3, axis=2)


def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (240, 240, 3), dtype=np.uint8)


def clouds() -> np.ndarray:
    soft = cv2.GaussianBlur(np.random.default_rng(1).normal(0, 1, (240, 240, 3)), (0, 0), 12)
    return cv2.normalize(soft, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


def text() -> np.ndarray:
    page = np.full((300, 300, 3), 250, np.uint8)
    for line in range(12):
        cv2.putText(page, "the quick brown fox", (5, 25 + 24 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (20, 20, 20), 2)
    return page


def checkers() -> np.ndarray:
    place = np.arange(240) // 20
    return (((place[:, None] + place) % 2) * 200 + 20).astype(np.uint8)[..., None].repeat(3, axis=2)


def smiley() -> np.ndarray:
    drawing = np.full((240, 240, 3), 255, np.uint8)
    cv2.circle(drawing, (120, 120), 90, (0, 0, 0), 3)
    for x in (85, 155):
        cv2.circle(drawing, (x, 95), 8, (0, 0, 0), -1)
    cv2.ellipse(drawing, (120, 130), (45, 40), 0, 20, 160, (0, 0, 0), 3)
    return drawing


@pytest.mark.parametrize("crops", [1, 4])
@pytest.mark.parametrize("picture", [wall, noise, clouds, text, checkers, smiley])
def test_where_there_is_no_face_there_is_no_confidence(picture: Callable[[], np.ndarray], crops: int) -> None:
    image = picture()
    (face,) = Predictor("heatmap_net", "whole-image", tta=crops).predict(image)
    assert face.confidence < (CONFIDENT if crops == 1 else 0.3)
    assert face.uncertain_points.mean() > 0.6
    assert not [face for face in Predictor("heatmap_net", "yunet", tta=crops).predict(image) if face.confidence > 0.5]
    weak = Predictor("heatmap_net", create_detector("yunet", threshold=0.1), tta=crops).predict(image)
    assert not [face for face in weak if face.confidence > 0.5]


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["heatmap_net", "five_conv"])
def test_expected_errors_are_about_the_errors(name: str, real_dataset: FacialKeypointsDataset) -> None:
    """On people never seen: 4 crops are better than one, expect errors of the right size, and know who is worse."""
    faces = real_dataset.part("people", "test")
    rows = range(0, len(faces), 16)
    one, four = Predictor(name, "whole-image"), Predictor(name, "whole-image", tta=4)
    crops = [
        (faces.image(row), one.preprocessing.crop_transform(Box.from_points(faces.keypoints[row]))) for row in rows
    ]
    truth, predictions = faces.keypoints[list(rows)], four.predict_crops(crops)
    errors = point_errors(predictions.keypoints, truth)
    expected = predictions.expected_error / eye_distance(predictions.keypoints)[:, None]
    assert errors.mean() < point_errors(one.predict_crops(crops).keypoints, truth).mean()
    assert expected.mean() == pytest.approx(errors.mean(), rel=0.25)
    assert np.corrcoef(errors.mean(axis=1), expected.mean(axis=1))[0, 1] > 0.35
    apart = predictions.keypoints - truth
    reach = np.einsum("npi,npij,npj->np", apart, np.linalg.inv(predictions.covariance), apart)
    assert 0.65 < np.mean(reach < 4) < 0.97  # inside the ellipses that are drawn
