"""Faces as COCO keypoints (cocodataset.org, "Data format"): one JSON file for any number of photos."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from kp.formats.record import check_finite, number_or_none
from kp.landmarks import CONTOURS, NUM_KEYPOINTS, POINT_NAMES
from kp.predict import FacePrediction

COCO = "coco"                      # the format's name; it is one file for all photos
COCO_FILE = "keypoints.coco.json"
LABELLED = 2   # COCO's flag of a point that is labelled and visible
CATEGORY: dict[str, Any] = {
    "id": 1, "name": "face", "supercategory": "person", "keypoints": POINT_NAMES,
    # Pairs of points joined by a line, which count from 1 as COCO has them.
    "skeleton": [[start + 1, end + 1] for line in CONTOURS.values() for start, end in pairwise(line)],
}


@dataclass(frozen=True)
class CocoPhoto:
    """A photo's file name, its size in pixels, and its faces."""

    file: str
    width: int
    height: int
    faces: Sequence[FacePrediction]


def coco_json(photos: Iterable[CocoPhoto]) -> dict[str, Any]:
    """Plain values for JSON: images, annotations, categories. bbox [left, top, width, height] is the face's box."""
    images, annotations = [], []
    for number, photo in enumerate(photos, start=1):
        check_finite(photo.faces)
        images.append({"id": number, "file_name": photo.file, "width": photo.width, "height": photo.height})
        annotations += [{"id": len(annotations) + index, "image_id": number, **annotation(face)}
                        for index, face in enumerate(photo.faces, start=1)]
    return {"info": {"description": "68 keypoints of faces, found by Keypoint Lab"}, "images": images,
            "annotations": annotations, "categories": [CATEGORY]}


def annotation(face: FacePrediction) -> dict[str, Any]:
    """A face without its numbers. score: the confidence, else the detector's score, else 1 (a box that was given)."""
    box = face.box
    scores = map(number_or_none, (face.confidence, face.score, 1.0))
    return {
        "category_id": CATEGORY["id"],
        "keypoints": [value for x, y in face.keypoints for value in (float(x), float(y), LABELLED)],
        "num_keypoints": NUM_KEYPOINTS,
        "bbox": [float(value) for value in (box.left, box.top, box.width, box.height)],
        "area": float(box.width * box.height), "iscrowd": 0,
        "score": next(score for score in scores if score is not None),
    }


def coco_bytes(photos: Iterable[CocoPhoto]) -> bytes:
    return (json.dumps(coco_json(photos), allow_nan=False) + "\n").encode()
