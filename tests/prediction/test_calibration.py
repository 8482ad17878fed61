"""Confidence that is calibrated on degraded frames."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import tiny_checkpoint
from scenes import scene

from kp import Box, Predictor
from kp.checkpoint import load_checkpoint, read_description, save_checkpoint
from kp.checkpoint_format import KEY
from kp.commands.predict.summary import confidence_text
from kp.detectors.base import BoxMap, Detection, Detector
from kp.errors import CheckpointError, DataError
from kp.prediction.calibration import Measured, measure
from kp.prediction.face import CONFIDENT, FacePrediction
from kp.synthetic.dataset import SYNTHETIC, open_data
from kp.transforms.degradations import KINDS, degraded
from kp.transforms.head_shape import fit_head


class SeenTurned(Detector):
    """Sees a face in upright pictures only if they are taller than wide."""

    box_map, default_threshold, threshold_range, threshold_help = BoxMap(0, 0, 1), 0.5, (0.0, 1.0), "not used"

    def detect(self, image: np.ndarray) -> list[Detection]:
        height, width = image.shape[:2]
        return [Detection(Box.square((width / 2, height / 2), 100), 0.9)] if height > width else []


def face_with(share_of: float, threshold: float = CONFIDENT) -> FacePrediction:
    """A face whose points are all expected to be off by this fraction of the eye distance."""
    points = np.random.default_rng(0).uniform(0, 100, (68, 2)).astype(np.float32)
    points[36], points[45] = (0, 0), (100, 0)
    return FacePrediction(
        Box.from_points(points), 0.9, points, np.full(68, 100 * share_of, np.float32), threshold=threshold
    )


@pytest.mark.parametrize("crops", [1, 2])
def test_a_face_found_only_in_a_rotated_image_is_kept_with_low_confidence(crops: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    found = Predictor("heatmap_net", SeenTurned(), tta=crops).search(noise)
    (face,) = found.faces
    assert face.low_confidence and found.rotation in (90, 270)


def test_the_threshold_is_where_confidence_is_low() -> None:
    at = face_with(0.05).expected_share
    for threshold in (0.4, CONFIDENT, 0.95):
        face = face_with(0.05, threshold)
        assert face.low_confidence == (at < threshold) and 0 < face.confidence < 1
    assert face_with(0.05, at).confidence == pytest.approx(CONFIDENT)
    assert face_with(0.05).confidence == at  # no calibration: as before


def test_the_command_line_prints_the_confidence() -> None:
    assert confidence_text(face_with(0.01)) == ", confidence 1.00"
    assert confidence_text(face_with(0.5)).endswith(", low confidence")
    assert confidence_text(replace(face_with(0.01), expected_error=np.full(68, np.nan, np.float32))) == ""


def test_bad_faces_are_flagged_but_few_good_ones() -> None:
    rng = np.random.default_rng(0)
    errors = np.r_[np.full(1000, 0.04), np.full(500, 0.2), np.full(100, 0.09)]  # those between are of neither group
    apart = Measured(errors, np.r_[rng.uniform(0.9, 1, 1000), rng.uniform(0.2, 0.8, 500), np.zeros(100)], 3)
    shares = apart.shares(apart.threshold())
    assert shares.bad_flagged == 1 and shares.good_flagged == pytest.approx(0.04)
    assert (shares.bad, shares.good, shares.missed, shares.frames) == (500, 1000, 3, 1603)
    mixed = Measured(errors, rng.uniform(0, 1, 1600), 0)
    assert 0.03 < mixed.shares(mixed.threshold()).good_flagged <= 0.05
    with pytest.raises(DataError, match="--frames"):
        Measured(errors[:1000], errors[:1000], 0).threshold()


def test_degraded_frames_are_the_same_for_the_same_seed() -> None:
    faces = open_data(SYNTHETIC).part("people", "train")
    head, seen = fit_head(faces.keypoints), set()
    for row in range(20):
        (kind, first), (_, second) = (degraded(faces.sample(row), head, (3, row)) for _ in range(2))
        assert np.array_equal(first.image, second.image) and np.array_equal(first.keypoints, second.keypoints)
        assert first.image.shape == faces.image(row).shape and first.image.dtype == np.uint8
        assert not np.array_equal(first.image, faces.image(row))
        assert (kind == "turned") != np.array_equal(first.keypoints, faces.keypoints[row])
        seen.add(kind)
    assert seen == set(KINDS)


def test_faces_are_measured_as_any_picture_is() -> None:
    measured = measure(Predictor("heatmap_net"), open_data(SYNTHETIC).part("people", "train"), frames=20, seed=0)
    assert len(measured.errors) == len(measured.expected) == 20 - measured.missed > 10
    assert 0 < np.median(measured.errors) < 0.1 < np.median(measured.expected) <= 1


def test_a_calibration_is_kept_and_changes_confidence_only(tmp_path: Path) -> None:
    image, _ = scene([120], height=240, width=240)
    plain = replace(load_checkpoint("heatmap_net"), calibration={})
    save_checkpoint(
        replace(plain, calibration={"1": {"threshold": 0.9}}), tmp_path / "a.safetensors", dtype=torch.float16
    )
    fitted = load_checkpoint(tmp_path / "a.safetensors")
    assert (fitted.confidence_threshold(1), fitted.confidence_threshold(4), plain.confidence_threshold(1)) == (
        0.9,
        0.9,
        CONFIDENT,
    )
    (before,), (after,) = (Predictor(one).predict(image) for one in (plain, fitted))
    assert np.array_equal(before.keypoints, after.keypoints) and np.array_equal(
        before.expected_error, after.expected_error
    )
    assert after.confidence < before.confidence == before.expected_share


def test_old_checkpoints_have_no_calibration_and_a_garbled_one_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = tmp_path / "a.safetensors"
    save_checkpoint(tiny_checkpoint(), path)
    meta, weights = read_description(path), load_file(path)
    del meta["calibration"]
    save_file(weights, path, {KEY: json.dumps(meta)})
    assert load_checkpoint(path).confidence_threshold(1) == CONFIDENT
    for wrong in ([], {"one": {"threshold": 0.5}}, {"1": {}}, {"1": {"threshold": 2}}):
        save_file(weights, path, {KEY: json.dumps(meta | {"calibration": wrong})})
        with pytest.raises(CheckpointError, match="calibration"):
            load_checkpoint(path)
