"""Which frames a network learns from, and which it is tested on.

`official`: the two CSV files as they are. It leaks: every test frame's video has training frames.
`people`: all labelled frames, divided by person, so that nobody in the test part was ever seen.
Settings are chosen on the `validation` part, a division by person of the training part;
the test part is for looking at once, at the end.
"""

from collections.abc import Sequence
from hashlib import sha256

import numpy as np

from kp.errors import choose

SPLITS = {
    "people": "by person: nobody in the test part was ever seen in training",
    "official": "as published: every test video also has training frames, which flatters",
}
PARTS = {
    "train": "everything that may be learnt from",
    "test": "what a network is tested on",
    "fit": "the training part without its validation people",
    "validation": "people of the training part, held out for choosing settings",
}


def person_number(person: str) -> int:
    """A number that depends on the name alone, the same on every machine."""
    return int(sha256(person.encode()).hexdigest(), 16)


def is_test_person(person: str) -> bool:
    return person_number(person) % 5 == 0


def is_validation_person(person: str) -> bool:
    """An eighth or so of the people who are not test people."""
    return not is_test_person(person) and (person_number(person) // 5) % 8 == 0


def part_indices(people: Sequence[str], in_test_csv: Sequence[bool], split: str, part: str) -> np.ndarray:
    """The rows (ascending int array) of a part of a split; one person and one flag for each row."""
    choose("split", split, SPLITS)
    choose("part", part, PARTS)
    if split == "official":
        testing = np.asarray(in_test_csv, bool)
    else:
        testing = np.array([is_test_person(person) for person in people], bool)
    if part in ("train", "test"):
        return np.flatnonzero(testing == (part == "test"))
    validation = np.array([is_validation_person(person) for person in people], bool)
    return np.flatnonzero(~testing & (validation == (part == "validation")))
