"""Reports on labelled faces, with predictors whose errors are known."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from builders import tiny_checkpoint
from running import SUMMARY_KEYS

from kp import Checkpoint, Predictor, evaluate
from kp.data import FacialKeypointsDataset
from kp.detectors.base import BoxMap, Detection, Detector
from kp.errors import ConfigError, DataError
from kp.evaluation import SETTINGS, EvaluationReport, frames_learnt, metrics_key
from kp.geometry import Box, CropTransform
from kp.landmarks import REGIONS
from kp.prediction.tta import CropPredictions


def predictions_of(keypoints: list[np.ndarray]) -> CropPredictions:
    """CropPredictions without expected errors."""
    points = np.array(keypoints, np.float32).reshape(-1, 68, 2)
    return CropPredictions.from_network(points, np.full(points.shape[:2], np.nan, np.float32))


class KnowsTheLabels(Predictor):
    """Predicts the labels, all moved by `offset` eye distances to the right."""

    def __init__(self, dataset: FacialKeypointsDataset, *, offset: float = 0.0, detector: Detector | str = "yunet"):
        super().__init__(tiny_checkpoint(), detector)
        self.offset, self.crops = offset, []
        self.labels = {id(dataset.image(index)): dataset.keypoints[index] for index in range(len(dataset))}

    def predict_crops(self, crops: Sequence[tuple[np.ndarray, CropTransform]]) -> CropPredictions:
        self.crops += [crop for _, crop in crops]
        labels = [self.labels[id(image)] for image, _ in crops]
        moved = [points + (self.offset * np.linalg.norm(points[36] - points[45]), 0) for points in labels]
        return predictions_of(moved)


class Sees(Detector):
    """Finds the labels' boxes of the frames with an even number, and always something far away."""

    box_map = BoxMap(0.0, 0.0, 1.0)
    default_threshold, threshold_range, threshold_help = 0.5, (0.0, 1.0), "not used"

    def __init__(self, dataset: FacialKeypointsDataset, *, every: int = 2) -> None:
        super().__init__()
        self.boxes = {
            id(dataset.image(index)): Box.from_points(dataset.keypoints[index])
            for index in range(len(dataset))
            if every and index % every == 0
        }

    def detect(self, image: np.ndarray) -> list[Detection]:
        away = [Detection(Box(-900, -900, -800, -800), 0.9)]
        return away + [Detection(self.boxes[id(image)], 0.8)] if id(image) in self.boxes else away


@pytest.fixture(scope="module")
def test_part(dataset: FacialKeypointsDataset) -> FacialKeypointsDataset:
    return dataset.part("people", "test")


def test_labels_answered_are_no_error(dataset: FacialKeypointsDataset) -> None:
    report = evaluate(KnowsTheLabels(dataset), dataset)
    summary = report.summary()
    assert (summary["nme_mean"], summary["nme_p95"], summary["fr8"], summary["missed"]) == (0, 0, 0, 0)
    assert summary["auc8"] == pytest.approx(1)
    assert (report.predicted == dataset.part("people", "test").keypoints).all()


@pytest.mark.parametrize("offset", [0.02, 0.09, 0.3])
def test_a_known_offset_is_a_known_error(dataset: FacialKeypointsDataset, offset: float) -> None:
    summary = evaluate(KnowsTheLabels(dataset, offset=offset), dataset).summary()
    for key in ("nme_mean", "nme_median", "nme_p95"):
        assert summary[key] == pytest.approx(offset * 100, rel=1e-4)
    assert summary["regions"] == pytest.approx(dict.fromkeys(REGIONS, offset * 100), rel=1e-4)
    assert summary["fr8"] == (100 if offset > 0.08 else 0)
    assert summary["fr10"] == (100 if offset > 0.1 else 0)
    assert summary["auc8"] == pytest.approx(max(0, 1 - offset / 0.08), abs=1e-5)


def test_a_summary_has_these_figures_and_no_others(dataset: FacialKeypointsDataset) -> None:
    summary = evaluate(KnowsTheLabels(dataset), dataset, name="mine").summary()
    assert list(summary) == SUMMARY_KEYS
    assert (summary["model"], summary["split"], summary["setting"]) == ("mine", "people", "true-box")
    assert summary["images"] == 12
    assert list(summary["regions"]) == list(REGIONS)


def test_missed_faces_count_as_failures_and_not_in_the_mean(dataset, test_part) -> None:
    predictor = KnowsTheLabels(dataset, offset=0.04, detector=Sees(test_part))
    report = evaluate(predictor, dataset, setting="detected-box")
    summary = report.summary()
    assert (summary["images"], summary["missed"]) == (12, 6)
    assert (summary["fr8"], summary["fr10"]) == (50, 50)
    assert summary["nme_mean"] == pytest.approx(4)
    assert summary["auc8"] == pytest.approx(0.25)  # half of the faces at half of the limit
    assert np.isinf(report.nme).tolist() == np.isnan(report.predicted).all(axis=(1, 2)).tolist() == [False, True] * 6


def test_of_several_faces_the_labelled_one_is_measured(dataset, test_part) -> None:
    predictor = KnowsTheLabels(dataset, detector=Sees(test_part, every=1))
    assert evaluate(predictor, dataset, setting="detected-box").summary()["missed"] == 0
    for crop, keypoints in zip(predictor.crops, test_part.keypoints, strict=True):
        assert crop.to_crop(np.array([Box.from_points(keypoints).centre])) == pytest.approx(
            np.array([[15.5, 15.5]]), abs=0.01
        )


def test_a_rough_detector_s_faces_are_looked_at_twice_here_too(dataset, test_part) -> None:
    predictor = Predictor(tiny_checkpoint(), "whole-image")
    report = evaluate(predictor, dataset, setting="detected-box")
    for index, points in enumerate(report.predicted):
        (face,) = predictor.search(test_part.image(index), rotations=()).faces
        assert np.allclose(face.keypoints, points, atol=1e-3)


def test_all_faces_missed_is_a_report_too(dataset, test_part) -> None:
    predictor = KnowsTheLabels(dataset, detector=Sees(test_part, every=0))
    summary = evaluate(predictor, dataset, setting="detected-box").summary()
    assert list(summary) == SUMMARY_KEYS
    assert (summary["missed"], summary["fr8"], summary["auc8"]) == (12, 100, 0)
    assert summary["nme_mean"] is None
    assert summary["regions"] == {}


@pytest.mark.parametrize("setting", ["true-box", "whole-frame"])
def test_other_settings_ask_no_detector(dataset, test_part, monkeypatch, setting: str) -> None:
    predictor = KnowsTheLabels(dataset)
    monkeypatch.setattr(predictor.detector, "detect", lambda image: pytest.fail("called"))
    assert evaluate(predictor, dataset, setting=setting).summary()["missed"] == 0
    crop, keypoints = predictor.crops[0], test_part.keypoints[0]
    expected = Box.from_points(keypoints).centre if setting == "true-box" else (69.5, 74.5)  # the middle of 150 x 140
    assert crop.to_image(np.array([[15.5, 15.5]])) == pytest.approx(np.array([expected]), abs=0.01)


@pytest.mark.parametrize(
    ("split", "part", "images"),
    [("people", "test", 12), ("people", "validation", 6), ("official", "test", 12), ("official", "train", 24)],
)
def test_the_chosen_part_is_measured(dataset, split: str, part: str, images: int) -> None:
    report = evaluate(KnowsTheLabels(dataset), dataset, split=split, part=part)
    assert report.names == [frame.name for frame in dataset.part(split, part).frames]
    assert len(report.names) == report.summary()["images"] == images


def test_progress_goes_to_the_end(dataset, monkeypatch) -> None:
    monkeypatch.setattr("kp.evaluation.CHUNK", 5)
    news = []
    evaluate(KnowsTheLabels(dataset), dataset, progress=lambda done, total: news.append((done, total)))
    assert news == [(5, 12), (10, 12), (12, 12)]


def test_an_empty_part_is_an_error(dataset) -> None:
    nobody = dataset.subset([index for index, frame in enumerate(dataset.frames) if frame.person == "Ada_Stone"])
    with pytest.raises(DataError, match="test part of the split 'people' is empty.*6 frames of 1 person.*at least two"):
        evaluate(KnowsTheLabels(dataset), nobody)


def test_unknown_names_are_refused(dataset) -> None:
    for bad in ({"setting": "box"}, {"split": "mine"}, {"part": "rest"}):
        with pytest.raises(ConfigError, match=f"'{next(iter(bad.values()))}'"):
            evaluate(KnowsTheLabels(dataset), dataset, **bad)
    assert all(SETTINGS.values())


def test_a_report_by_hand() -> None:
    errors = np.full((4, 68), 0.05, np.float32)
    errors[1], errors[2, :34], errors[3] = 0.09, 0.13, np.inf
    report = EvaluationReport(
        "m",
        "s",
        "t",
        list("abcd"),
        errors,
        np.zeros((4, 68, 2), np.float32),
        np.full((4, 68), np.nan, np.float32),
        np.zeros((4, 68, 2), np.float32),
    )
    assert report.nme[:3] == pytest.approx([0.05, 0.09, 0.09])
    summary = report.summary()
    assert summary["nme_mean"] == pytest.approx((5 + 9 + 9) / 3, rel=1e-4)
    assert (summary["fr8"], summary["fr10"], summary["missed"]) == (75, 25, 1)
    assert summary["auc8"] == pytest.approx(0.03 / 0.08 / 4, rel=1e-4)
    assert summary["regions"]["jaw"] == pytest.approx((5 + 9 + 13) / 3, rel=1e-4)
    assert summary["regions"]["mouth"] == pytest.approx((5 + 9 + 5) / 3, rel=1e-4)


def test_expected_errors_are_compared_with_true_ones() -> None:
    """Faces of three sizes. Expected errors without information correlate in pixels all the same, by the size alone."""
    sizes, rng = np.array([20, 40, 80], np.float32), np.random.default_rng(0)
    truth = np.zeros((3, 68, 2), np.float32)
    truth[:, 45, 0] = sizes
    errors = rng.uniform(0.02, 0.06, (3, 68)).astype(np.float32)
    records = {}
    for name, expected in (("informed", errors * 2), ("random", rng.uniform(0.039, 0.041, (3, 68)).astype(np.float32))):
        records[name] = EvaluationReport("m", "s", "t", list("abc"), errors, truth, expected, truth).record()["spread"]
    assert [records["informed"][key] for key in ("rank_correlation", "in_pixels")] == pytest.approx([1, 1])
    assert abs(records["random"]["rank_correlation"]) < 0.15
    assert records["random"]["in_pixels"] == pytest.approx(records["random"]["by_size"], abs=0.05)
    assert records["informed"]["by_size"] == records["random"]["by_size"] > 0.7


@pytest.mark.real_data
def test_the_mean_shape_in_the_true_box_has_its_known_error(real_dataset: FacialKeypointsDataset) -> None:
    """20 %: the reference line of the plots, by the same code that measures networks."""

    class MeanShape(Predictor):
        def predict_crops(self, crops):
            return predictions_of([crop.to_image(mean) for _, crop in crops])

    predictor = MeanShape(tiny_checkpoint(), "whole-image")
    train = real_dataset.part("people", "train")
    shapes = [
        predictor.preprocessing.crop_transform(Box.from_points(points)).to_crop(points) for points in train.keypoints
    ]
    mean = np.mean(shapes, axis=0)
    summary = evaluate(predictor, real_dataset.subset(range(0, len(real_dataset), 4))).summary()
    assert summary["nme_mean"] == pytest.approx(20, abs=2.5)


def trained_on(dataset: FacialKeypointsDataset, *, images: int | None = None, **config: object) -> Checkpoint:
    """A checkpoint whose record has this config."""
    train_set = dataset.learning(**config)
    return replace(
        tiny_checkpoint(),
        config=config,
        data={"split": config["split"], "images": len(train_set) if images is None else images},
    )


@pytest.mark.parametrize(
    ("config", "split", "learnt"),
    [
        ({"split": "people"}, "people", 0),
        ({"split": "people"}, "official", 8),
        ({"split": "official"}, "people", 8),
        ({"split": "people", "validate_on": "validation"}, "official", 6),
        ({"split": "official"}, "official", 0),
    ],
)
def test_images_of_the_training_set_are_counted(dataset, config: dict, split: str, learnt: int) -> None:
    assert frames_learnt(trained_on(dataset, **config), dataset, dataset.part(split, "test")) == learnt


def test_of_a_subset_exactly_its_images_are_counted(dataset) -> None:
    trained = trained_on(dataset, split="people", max_train_images=5, seed=3)
    train_set = dataset.learning("people", max_train_images=5, seed=3)
    assert len(train_set) == 5
    assert frames_learnt(trained, dataset, train_set) == 5
    assert frames_learnt(trained, dataset, dataset.part("official", "test")) == sum(
        frame.folder == "test" for frame in train_set.frames
    )


def test_training_on_another_dataset_is_not_known(dataset) -> None:
    part = dataset.part("official", "test")
    assert frames_learnt(trained_on(dataset, split="people", images=3423), dataset, part) is None
    assert frames_learnt(tiny_checkpoint(), dataset, part) is None


def test_a_record_holds_the_number_of_images_trained_on(dataset) -> None:
    predictor = Predictor(trained_on(dataset, split="people"), "whole-image")
    report = evaluate(predictor, dataset, split="official")
    assert report.record()["learnt"] == report.learnt == 8
    assert "learnt" not in report.summary()


def test_records_are_found_by_these_names() -> None:
    assert metrics_key("people", "true-box", "yunet") == "people, true-box"
    assert metrics_key("official", "detected-box", "haar") == "official, detected-box, haar"
    assert metrics_key("people", "true-box", "haar", part="validation") == "people, true-box, validation"


@pytest.mark.real_data
def test_most_official_test_images_are_training_images_of_the_split_by_person(real_dataset) -> None:
    trained = trained_on(real_dataset, split="people")
    assert frames_learnt(trained, real_dataset, real_dataset.part("official", "test")) == 621
