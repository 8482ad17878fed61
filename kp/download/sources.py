"""Sources of the dataset, and checksums that verify it."""

import csv
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CSVS = {"training": "training_frames_keypoints.csv", "test": "test_frames_keypoints.csv"}


@dataclass(frozen=True)
class Checksums:
    """SHA-256 in hex. csvs: of the two files. images: of the images that each CSV names, see `set_digest`.

    whole_test: of the published test folder with `whole_test_count` images, not all of them labelled.
    """

    csvs: Mapping[str, str]
    images: Mapping[str, str]
    whole_test: str
    whole_test_count: int


CHECKSUMS = Checksums(
    csvs={
        "training": "9f3d1213429893d4955e2789076f6ce11e297253fed86337cffb6ca85bd61ec8",
        "test": "348e5e1a5906001f64d3da627e4f61dc3de90771d6d92f5d93628029b3c85e65",
    },
    images={
        "training": "fdd6d99f486e434a617fef69bc346dbf72cf6838562bbadb6042ce29e058f9b4",
        "test": "823ed5d960bf55292c7619fee120447e2fc746324ece29788149656e45407071",
    },
    whole_test="0f63ad4890eea1ed95dc471cfc943b583f03f81cec31fc0125fe34d78478cbf9",
    whole_test_count=2308,
)


@dataclass(frozen=True)
class Source:
    """A zip archive that contains the dataset. name: shown to users. megabytes: approximate size."""

    name: str
    url: str
    megabytes: int
    checksums: Checksums = CHECKSUMS

    @property
    def key(self) -> str:
        """A file name that depends on the address alone."""
        return hashlib.sha256(self.url.encode()).hexdigest()[:12]


SOURCES = (
    Source(
        "Amazon S3",
        "https://s3.amazonaws.com/video.udacity-data.com/topher/2018/May/5aea1b91_train-test-data/train-test-data.zip",
        340,
    ),
    Source(
        "GitHub",
        "https://codeload.github.com/udacity/P1_Facial_Keypoints/zip/6e55adc6bd032d9fb1ad41a4c3e68aae847cdf81",
        340,
    ),
)


def set_digest(digests: Mapping[str, bytes]) -> str:
    """One SHA-256 for a set of files, of their names and digests (32 bytes each) in the order of the names."""
    whole = hashlib.sha256()
    for name in sorted(digests):
        whole.update(name.encode() + b"\0" + digests[name])
    return whole.hexdigest()


def labelled_names(table: Path) -> list[str]:
    """The first column of a CSV file without its header: the labelled images."""
    with table.open(newline="", encoding="utf-8") as file:
        return [row[0] for row in csv.reader(file) if row][1:]


def verify(root: Path, digests: Mapping[str, bytes], checksums: Checksums) -> str | None:
    """The first difference from the published dataset; None without one. digests: SHA-256 by file name below `root`."""
    for part, expected in checksums.csvs.items():
        found = digests[CSVS[part]].hex()
        if found != expected:
            return f"{CSVS[part]} has the checksum {found[:12]}… instead of {expected[:12]}…"
        images = {
            name.removeprefix(f"{part}/"): digest for name, digest in digests.items() if name.startswith(f"{part}/")
        }
        names = labelled_names(root / CSVS[part])
        if missing := next((name for name in names if name not in images), None):
            return f"{part}/{missing} is missing"
        expected = checksums.images[part]
        if part == "test" and len(images) == checksums.whole_test_count:
            expected = checksums.whole_test
        else:
            images = {name: images[name] for name in names}
        if (found := set_digest(images)) != expected:
            return f"the images in {part}/ have the checksum {found[:12]}… instead of {expected[:12]}…"
    return None


def verify_quickly(root: Path, checksums: Checksums) -> str | None:
    """As `verify` for a folder, without reading images: checksums of the CSV files, and the presence of every image."""
    for part, expected in checksums.csvs.items():
        table = root / CSVS[part]
        if not table.is_file():
            return f"{table.name} is missing"
        if hashlib.sha256(table.read_bytes()).hexdigest() != expected:
            return f"{table.name} is not the published one"
        present = set(os.listdir(root / part)) if (root / part).is_dir() else set()
        if missing := next((name for name in labelled_names(table) if name not in present), None):
            return f"{part}/{missing} is missing"
    return None
