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
# COCO's flags of a point. 1 (labelled, but hidden) is for a point whose place in the picture is known though something
# covers it. COCO labels nothing outside a picture, and its readers train on every point whose flag is over 0.
NOT_LABELLED, VISIBLE = 0, 2
CATEGORY: dict[str, Any] = {
    "id": 1,
    "name": "face",
    "supercategory": "person",
    "keypoints": POINT_NAMES,
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
    """Plain values for JSON: images, annotations, categories; see `annotation`."""
    images, annotations = [], []
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
    """A face of a photo of this size, without its ids.

    bbox [left, top, width, height] is the part of the face's box that lies in the photo, area is that part's.
    num_keypoints counts the points that do. score: the confidence, else the detector's score, else 1 (a given box).
    """
    points = visible_keypoints(face.keypoints, width, height)
    box, edges = face.box, (width - 1, height - 1)  # as with points, whole numbers are the centres of pixels
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
    """Float64 (68, 3), x, y and flag, from keypoints (68, 2).

    A point outside the photo is not labelled, and COCO's definition of that is v = 0 with x = y = 0. One on the outer
    half of an edge pixel is moved to that pixel's centre, as COCO's readers expect 0 <= x <= width - 1.
    """
    size = np.array([width, height])
    inside = ((keypoints >= -0.5) & (keypoints <= size - 0.5)).all(axis=1)
    places = np.clip(keypoints.astype(np.float64), 0, size - 1)
    return np.where(inside[:, None], np.column_stack([places, np.full(len(places), VISIBLE)]), NOT_LABELLED)


def coco_bytes(photos: Iterable[CocoPhoto]) -> bytes:
    return (json.dumps(coco_json(photos), allow_nan=False) + "\n").encode()
