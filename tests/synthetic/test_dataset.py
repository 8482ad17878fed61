"""Portraits of synthetic people: a dataset in all respects, the same every time, and no picture of anybody."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import tiny_checkpoint

from kp.__main__ import main
from kp.checkpoint import save_checkpoint
from kp.data import FacialKeypointsDataset, Sample
from kp.data.splits import is_test_person
from kp.detectors import create_detector
from kp.errors import DataError
from kp.evaluation import frames_learnt
from kp.geometry import Box
from kp.pose import head_pose
from kp.synthetic.appearance import load_appearance
from kp.synthetic.dataset import FRAMES, PEOPLE, SYNTHETIC, VIDEOS, SyntheticFaces, open_data, synthetic_faces
from kp.synthetic.scenes import PLANS, draw_scene


@pytest.fixture(scope="module")
def faces() -> SyntheticFaces:
    return synthetic_faces()


@pytest.fixture
def few(few_faces: SyntheticFaces) -> SyntheticFaces:
    return few_faces


def test_it_has_what_the_real_dataset_has(few: SyntheticFaces, dataset: FacialKeypointsDataset) -> None:
    assert isinstance(few, FacialKeypointsDataset)
    assert vars(few).keys() == vars(dataset).keys()
    assert len(few) == 12 * VIDEOS * FRAMES
    assert few.keypoints.shape == (len(few), 68, 2)
    assert few.keypoints.dtype == np.float32
    assert not few.keypoints.flags.writeable
    assert few.root.name == SYNTHETIC


def test_a_sample_is_a_sample(few: SyntheticFaces) -> None:
    sample = few[13]  # after the twelve people's first frames
    assert isinstance(sample, Sample)
    assert (sample.name, sample.person, sample.video, sample.frame) == (
        "Sample_Person_001_01.jpg",
        "Sample_Person_001",
        "0",
        "1",
    )
    assert sample.image.dtype == np.uint8
    assert sample.image.shape[2] == 3
    assert not sample.image.flags.writeable
    assert few.sample(13, grey=True).image.shape == sample.image.shape[:2]


def test_subsets_share_the_pictures(few: SyntheticFaces) -> None:
    part = few.subset([5, 3]).subset([1])
    assert part.frames == [few.frames[3]]
    assert (part.keypoints[0] == few.keypoints[3]).all()
    assert part.image(0) is few.image(3)


def test_the_sizes_of_the_parts(faces: SyntheticFaces) -> None:
    assert len(faces) == PEOPLE * VIDEOS * FRAMES == 3600
    assert len(faces.part("official", "train")) == 3000
    assert len(faces.part("official", "test")) == 600
    test = faces.part("people", "test")
    assert 0.15 < len(test) / len(faces) < 0.25
    assert all(is_test_person(frame.person) for frame in test.frames)
    assert len(faces.part("people", "validation")) > 200


def test_the_official_split_leaks_as_the_real_one(few: SyntheticFaces) -> None:
    learnt = {frame.video_name for frame in few.part("official", "train").frames}
    assert {frame.video_name for frame in few.part("official", "test").frames} <= learnt


def test_a_seed_is_a_set_of_faces(few: SyntheticFaces) -> None:
    again, other = SyntheticFaces(12), SyntheticFaces(12, seed=1)
    assert (again.keypoints == few.keypoints).all()
    assert (again.image(7) == few.image(7)).all()
    assert np.abs(other.keypoints - few.keypoints).max() > 5
    more = SyntheticFaces(13)
    assert (more.keypoints[:12] == few.keypoints[:12]).all()


def test_the_faces_are_the_same_on_every_machine(faces: SyntheticFaces) -> None:
    """Figures of one machine: a shift of one pixel, or other random numbers, would be far outside the tolerance."""
    sums = faces.keypoints[[0, 1000, 2000, 3599]].mean(axis=(1, 2))
    assert sums == pytest.approx(KEYPOINT_MEANS, abs=1e-3)
    assert faces.image(1000).mean() == pytest.approx(MEAN_OF_1000, abs=0.5)


KEYPOINT_MEANS = (56.1016, 80.1157, 101.4985, 69.3306)
MEAN_OF_1000 = 71.44


def test_frames_are_as_large_as_the_real_ones(faces: SyntheticFaces) -> None:
    heights = np.array([face.placement.height for face in faces.store.faces])
    assert heights.min() >= 90
    assert heights.max() <= 480
    assert 180 < np.median(heights) < 220
    eyes = np.linalg.norm(faces.keypoints[:, 36] - faces.keypoints[:, 45], axis=1)
    assert 38 < np.median(eyes) < 50
    inside = [
        ((points > -0.5) & (points < (face.placement.width, face.placement.height))).all()
        for face, points in zip(faces.store.faces, faces.keypoints, strict=True)
    ]
    assert np.mean(inside) > 0.97


def test_heads_turn_both_ways_and_mouths_open(faces: SyntheticFaces) -> None:
    yaw = np.array([head_pose(points).yaw for points in faces.keypoints[::20]])
    assert abs(np.median(yaw)) < 8
    assert np.abs(yaw).max() > 40
    opening = (faces.keypoints[:, 66] - faces.keypoints[:, 62])[:, 1]
    assert (opening > 0).mean() > 0.99
    assert np.percentile(opening / np.ptp(faces.keypoints[..., 1], axis=1), 95) > 0.05


def test_frames_of_a_person_are_more_alike_than_people(faces: SyntheticFaces) -> None:
    """In the skin's coefficients, the turn's part taken off."""
    model = faces.store.model
    skin = model.parts["skin"]
    rows = np.stack(
        [
            face.coefficients(model)[skin] - model.statistics.mean(face.turn)[skin]
            for face in sorted(faces.store.faces, key=lambda face: face.seed)[: 60 * VIDEOS * FRAMES]
        ]
    )
    rows = rows.reshape(60, VIDEOS * FRAMES, -1)
    within = rows.std(axis=1).mean()
    assert within < 0.8 * rows.reshape(-1, rows.shape[-1]).std(axis=0).mean()


def test_the_picture_shows_the_face_where_the_keypoints_are(faces: SyntheticFaces) -> None:
    """Eyes are darker than what is above and below them: there, and not a little beside."""

    def grey_at_eyes(shift: float) -> float:
        values = []
        for index in range(0, 600, 13):
            image, points = faces.image(index, grey=True), faces.keypoints[index]
            for eye in (points[36:42], points[42:48]):
                place = eye.mean(axis=0) + (0, shift * faces.store.faces[index].placement.size)
                x, y = place.round().astype(int).clip(0, np.array(image.shape[::-1]) - 1)
                values.append(float(image[y, x]))
        return float(np.mean(values))

    assert grey_at_eyes(0) + 5 < min(grey_at_eyes(0.09), grey_at_eyes(-0.09))


def test_yunet_finds_the_faces(faces: SyntheticFaces) -> None:
    detector, rows = create_detector("yunet"), range(5, 3600, 47)
    found = 0
    for row in rows:
        truth = Box.from_points(faces.keypoints[row])
        boxes = [detector.box_map.to_tight(face.box) for face in detector.detect(faces.image(row))]
        found += any(truth.iou(box) > 0.4 for box in boxes)
    assert found >= 0.96 * len(rows)


def test_a_page_is_quick_and_makes_only_itself(few: SyntheticFaces) -> None:
    fresh = SyntheticFaces(6, model=few.store.model)
    fresh.image(0)
    begun = time.perf_counter()
    for index in range(1, 25):
        fresh.image(index)
    assert time.perf_counter() - begun < 4  # 0.5 s on an idle core
    assert len(fresh.store._images) == 25


def test_preload_makes_all_in_threads(few: SyntheticFaces) -> None:
    part, seen = SyntheticFaces(3, model=few.store.model), []
    part.preload(lambda done, total: seen.append((done, total)), grey=True)
    assert seen[-1] == (36, 36)
    assert part.image(3, grey=True) is part.image(3, grey=True)


def test_open_data_takes_the_real_one_where_there_is_one(data_root: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv("KP_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    assert open_data(data_root).root == data_root
    assert open_data() is synthetic_faces()
    assert open_data(SYNTHETIC) is synthetic_faces()
    monkeypatch.setenv("KP_DATA", str(data_root))
    assert open_data().root == data_root
    assert open_data(SYNTHETIC) is synthetic_faces()
    with pytest.raises(DataError, match="Name the folder"):
        open_data(tmp_path)


def test_a_folder_named_sample_comes_first(data_root: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(SYNTHETIC).symlink_to(data_root)
    assert open_data(SYNTHETIC).root == Path(SYNTHETIC)


def test_no_sample_is_a_kind_alone(faces: SyntheticFaces) -> None:
    """Each person strays from the mean of four people that he begins with."""
    model = faces.store.model
    statistics = load_appearance().statistics
    for face in faces.store.faces[:20]:
        start = statistics.coefficients(face.turn, face.kind, np.zeros_like(face.draws))
        moved = face.coefficients(model) - start
        assert np.sqrt((moved[model.parts["skin"]] ** 2).mean()) > 0.3


def test_the_first_page_shows_as_many_people_as_faces(faces: SyntheticFaces) -> None:
    test = faces.part("people", "test")
    assert len({frame.person for frame in test.frames[:24]}) == 24


# Scenes


def test_a_detector_finds_the_faces_of_every_scene() -> None:
    model, detector = load_appearance(), create_detector("yunet")
    for plan in PLANS:
        scene = draw_scene(model, plan)
        assert scene.image.shape == (plan.height, plan.width, 3) and scene.image.dtype == np.uint8
        assert scene.keypoints.shape == (len(plan.people), 68, 2)
        found = [detector.box_map.to_tight(face.box) for face in detector.detect(scene.image)]
        assert len(found) == len(plan.people), plan.title
        for points in scene.keypoints:
            assert max(Box.from_points(points).iou(box) for box in found) > 0.4, plan.title


def test_scenes_are_the_same_each_time_and_show_what_they_say() -> None:
    model = load_appearance()
    plans = {plan.title: plan for plan in PLANS}
    one = draw_scene(model, plans["one face"])
    assert (draw_scene(model, plans["one face"]).image == one.image).all()
    assert max(len(plan.people) for plan in PLANS) >= 4
    yaw = {
        title: head_pose(draw_scene(model, plans[title]).keypoints[0]).yaw
        for title in ("turned left", "turned right", "one face")
    }
    assert abs(yaw["turned left"]) > 30 and abs(yaw["turned right"]) > 30
    assert yaw["turned left"] * yaw["turned right"] < 0 and abs(yaw["one face"]) < 20


def test_figures_on_samples_do_not_go_into_a_card(tmp_path: Path, capsys) -> None:
    path = tmp_path / "mine.safetensors"
    save_checkpoint(tiny_checkpoint(), path)
    assert main(["evaluate", str(path), "--data", SYNTHETIC, "--record"]) == 1
    assert "A model card holds metrics on real people" in capsys.readouterr().err


def test_a_network_is_said_to_have_learnt_from_samples(few_faces: SyntheticFaces) -> None:
    part = few_faces.part("people", "train")
    assert part.synthetic
    learnt = {"name": SYNTHETIC, "split": "people", "images": len(part), "people": 9}
    trained = replace(tiny_checkpoint(), config={"split": "people"}, data=learnt)
    assert frames_learnt(trained, few_faces, part) == len(part)
    assert frames_learnt(replace(trained, data=learnt | {"name": "real"}), few_faces, part) == 0
