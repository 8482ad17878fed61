"""Who is learnt from, and who is tested on."""

from hashlib import sha256

import numpy as np
import pytest
from builders import TEST_PEOPLE, TRAINING_PEOPLE

from kp.data import FacialKeypointsDataset
from kp.data.splits import PARTS, SPLITS, is_test_person, part_indices
from kp.errors import ConfigError


def people_of(dataset: FacialKeypointsDataset) -> set[str]:
    return {frame.person for frame in dataset.frames}


def test_the_rule_of_the_split_by_person() -> None:
    """Spelt out: the sha256 of the name, as a number, divides by five for a test person."""
    names = [f"Person_{number}" for number in range(500)]
    expected = [int.from_bytes(sha256(name.encode()).digest(), "big") % 5 == 0 for name in names]
    rows = part_indices(names, [False] * 500, "people", "test")
    assert rows.tolist() == np.flatnonzero(expected).tolist()


def test_drawn_people_fall_where_the_rule_says(dataset: FacialKeypointsDataset) -> None:
    assert people_of(dataset.part("people", "test")) == set(TEST_PEOPLE)
    assert people_of(dataset.part("people", "train")) == set(TRAINING_PEOPLE)
    assert people_of(dataset.part("people", "validation")) == {"Ada_Hart"}


@pytest.mark.parametrize("split", SPLITS)
def test_train_and_test_divide_the_frames(dataset: FacialKeypointsDataset, split: str) -> None:
    names = [frame.name for part in ("train", "test") for frame in dataset.part(split, part).frames]
    assert sorted(names) == sorted(frame.name for frame in dataset.frames)


@pytest.mark.parametrize("split", SPLITS)
def test_fit_and_validation_divide_the_training_part_by_person(dataset: FacialKeypointsDataset, split: str) -> None:
    fit, validation, train = (dataset.part(split, part) for part in ("fit", "validation", "train"))
    assert not people_of(fit) & people_of(validation)
    assert sorted(frame.name for part in (fit, validation) for frame in part.frames) == sorted(
        frame.name for frame in train.frames
    )


def test_unknown_names_say_what_there_is(dataset: FacialKeypointsDataset) -> None:
    with pytest.raises(ConfigError, match="'mine'.*people, official"):
        dataset.part("mine", "train")
    with pytest.raises(ConfigError, match="'rest'.*train, test"):
        dataset.part("people", "rest")


@pytest.mark.real_data
def test_the_official_split_has_its_published_size(real_dataset: FacialKeypointsDataset) -> None:
    train, test = (real_dataset.part("official", part) for part in ("train", "test"))
    assert (len(train), len(test)) == (3462, 770)
    videos = {frame.video_name for frame in train.frames}
    assert all(frame.video_name in videos for frame in test.frames)  # it leaks, as described


@pytest.mark.real_data
def test_the_split_by_person_has_its_published_size(real_dataset: FacialKeypointsDataset) -> None:
    train, test = (real_dataset.part("people", part) for part in ("train", "test"))
    assert (len(train), len(people_of(train))) == (3423, 282)
    assert (len(test), len(people_of(test))) == (809, 65)


@pytest.mark.real_data
@pytest.mark.parametrize("learning", ["train", "fit", "validation"])
def test_nobody_is_both_learnt_from_and_tested_on(real_dataset: FacialKeypointsDataset, learning: str) -> None:
    assert not people_of(real_dataset.part("people", learning)) & people_of(real_dataset.part("people", "test"))


@pytest.mark.real_data
def test_validation_is_about_an_eighth_of_the_training_people(real_dataset: FacialKeypointsDataset) -> None:
    share = len(people_of(real_dataset.part("people", "validation"))) / 282
    assert 0.08 < share < 0.18


def test_every_part_has_a_sentence() -> None:
    assert set(PARTS) == {"train", "test", "fit", "validation"}
    assert all(PARTS.values())
    assert all(SPLITS.values())


@pytest.mark.parametrize("count", [2, 3, 4, 5, 8, 12, 20])
def test_of_few_people_no_part_is_empty_and_nobody_is_in_two(count: int) -> None:
    """Whatever they are called: somebody to test on, somebody to learn from, of whom one validates if there are two."""
    for seed in range(100):
        people = [f"IMG_{seed}_{number}" for number in range(count)]
        fit, validation, test = (
            set(part_indices(people, [False] * count, "people", part).tolist())
            for part in ("fit", "validation", "test")
        )
        assert test and fit and bool(validation) == (len(fit | validation) > 1)
        assert fit | validation | test == set(range(count)) and len(fit) + len(validation) + len(test) == count
        tested = {index for index, person in enumerate(people) if is_test_person(person)}
        assert test == tested or not tested or len(tested) == count  # who is one by name stays one


def test_two_people_are_one_to_learn_from_and_one_to_test_on() -> None:
    for seed in range(50):
        people = [f"{seed}a", f"{seed}b"]
        assert [len(part_indices(people, [False] * 2, "people", part)) for part in ("train", "test")] == [1, 1]
