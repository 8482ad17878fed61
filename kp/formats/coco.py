"""Faces as COCO keypoints (cocodataset.org, "Data format"): one JSON file for any number of photos."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from kp.formats.record import check_finite, number_or_none
from kp.landmarks import CONTOURS, POINT_NAMES
from kp.prediction.face import FacePrediction

COCO = "coco"  # the format's name; it is one file for all photos
COCO_FILE = "keypoints.coco.json"
# COCO's visibility flags v. 1 (labelled, not visible) is for an occluded point with a known position; it is not used
# here. COCO labels no point outside the image, and its readers train on every point with v > 0.
NOT_LABELLED, VISIBLE = 0, 2
CATEGORY: dict[str, Any] = {
    "id": 1,
    "name": "face",
    "supercategory": "person",
    "keypoints": POINT_NAMES,
    # Pairs of points joined by a line; COCO counts points from 1.
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
    """Plain values for JSON: images, annotations, categories; see `annotation`."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, photo in enumerate(photos, start=1):
        check_finite(photo.faces)
        images.append({"id": number, "file_name": photo.file, "width": photo.width, "height": photo.height})
        annotations += [
            {"id": len(annotations) + index, "image_id": number, **annotation(face, photo.width, photo.height)}
            for index, face in enumerate(photo.faces, start=1)
        ]
    return {
        "info": {"description": "68 keypoints of faces, found by Keypoint Lab"},
        "images": images,
        "annotations": annotations,
        "categories": [CATEGORY],
    }


def annotation(face: FacePrediction, width: int, height: int) -> dict[str, Any]:
    """The annotation of a face in a photo of this size, without its ids.

    bbox [left, top, width, height] is the face's box clipped to the photo, area is its area. num_keypoints counts the
    points inside the photo. score: the confidence, else the detector's score, else 1 (a given box).
    """
    points = visible_keypoints(face.keypoints, width, height)
    box, edges = face.box, (width - 1, height - 1)  # integers are pixel centres
    left, top, right, bottom = np.clip([box.left, box.top, box.right, box.bottom], 0, [*edges, *edges]).tolist()
    scores = map(number_or_none, (face.confidence, face.score, 1.0))
    return {
        "category_id": CATEGORY["id"],
        "keypoints": [value for x, y, flag in points.tolist() for value in (x, y, int(flag))],
        "num_keypoints": int((points[:, 2] > NOT_LABELLED).sum()),
        "bbox": [left, top, right - left, bottom - top],
        "area": (right - left) * (bottom - top),
        "iscrowd": 0,
        "score": next(score for score in scores if score is not None),
    }


def visible_keypoints(keypoints: np.ndarray, width: int, height: int) -> np.ndarray:
    """Float64 (68, 3): x, y and visibility flag v, from keypoints (68, 2).

    A point outside the photo is not labelled: v = 0 and x = y = 0, as COCO defines it. One on the outer half of an
    edge pixel is moved to that pixel's centre, because COCO's readers expect 0 <= x <= width - 1.
    """
    size = np.array([width, height])
    inside = np.all((keypoints >= -0.5) & (keypoints <= size - 0.5), axis=1, keepdims=True)  # (68, 1)
    places = np.clip(keypoints.astype(np.float64), 0, size - 1)
    return np.where(inside, np.column_stack([places, np.full(len(places), VISIBLE)]), NOT_LABELLED)


def coco_bytes(photos: Iterable[CocoPhoto]) -> bytes:
    return (json.dumps(coco_json(photos), allow_nan=False) + "\n").encode()
