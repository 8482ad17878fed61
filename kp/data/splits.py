"""Splits into a training and a test set.

`official`: the two CSV files. It leaks: every test frame's video has training frames.
`people`: all labelled frames, split by person, so that no test person is in the training set.
Settings are chosen on the part `validation`, people of the training set; the test set is for the final evaluation.
"""

from collections.abc import Sequence
from hashlib import sha256

import numpy as np

from kp.errors import choose

SPLITS = {
    "people": "by person: no person of the test set is in the training set",
    "official": "as published: every test video also has training frames, which flatters",
}
PARTS = {
    "train": "the training set",
    "test": "the test set",
    "fit": "the training set without its validation people",
    "validation": "people of the training set, held out for choosing settings",
}


NEEDED = (
    "Labels of more people are needed: at least two for the split `people` (three with validation people), "
    "and both tables for the split `official`."
)


def person_number(person: str) -> int:
    """A hash of the name, the same on every machine."""
    return int(sha256(person.encode()).hexdigest(), 16)


def describe_people(people: Sequence[str]) -> str:
    """The numbers of frames and people, for messages: "12 frames of 1 person"."""
    count = len(set(people))
    return f"{len(people)} frame{'s' * (len(people) != 1)} of {count} {'person' if count == 1 else 'people'}"


def is_test_person(person: str) -> bool:
    """Whether a person is in the test set, about a fifth of all."""
    return person_number(person) % 5 == 0


def is_validation_person(person: str) -> bool:
    """Whether a person is in the validation set, about an eighth of the training people."""
    return not is_test_person(person) and (person_number(person) // 5) % 8 == 0


def part_indices(people: Sequence[str], in_test_csv: Sequence[bool], split: str, part: str) -> np.ndarray:
    """The rows (ascending int array) of a part of a split; one person and one flag for each row."""
    choose("split", split, SPLITS)
    choose("part", part, PARTS)
    everyone = sorted(set(people), key=person_number)
    test_people = _some(everyone, [person for person in everyone if is_test_person(person)])
    is_test = np.array([person in test_people for person in people], bool)
    if split == "official":
        is_test = np.asarray(in_test_csv, bool)
    if part in ("train", "test"):
        return np.flatnonzero(is_test == (part == "test"))
    train_people = [person for person in everyone if person not in test_people]
    held_out = _some(train_people, [person for person in train_people if is_validation_person(person)])
    validation = np.array([person in held_out for person in people], bool)
    return np.flatnonzero(~is_test & (validation == (part == "validation")))


def _some(people: Sequence[str], chosen: Sequence[str]) -> set[str]:
    """The chosen people; with two people or more at least one, and not all of them."""
    if len(people) < 2:
        return set()
    return set(chosen[: len(people) - 1] or people[:1])
