"""Lossless JSON of predicted faces: `read_faces` reads what `json_bytes` writes."""

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from kp.errors import DataError, KpError
from kp.geometry import Box
from kp.pose import HeadPose, head_pose
from kp.prediction.face import CONFIDENT, FacePrediction


def check_finite(faces: Sequence[FacePrediction]) -> None:
    """Raises KpError where a keypoint is not finite."""
    if not all(np.isfinite(face.keypoints).all() for face in faces):
        raise KpError(
            "The network predicts values that are no numbers, so its training diverged. "
            "Choose another model, or train again with a lower learning rate."
        )


def faces_json(faces: Sequence[FacePrediction]) -> list[dict[str, Any]]:
    """Plain values for JSON, in image pixels; unknown values are None.

    box [left, top, right, bottom]; score, the detector's; keypoints 68 x [x, y]; confidence 0..1; threshold, the
    expected share of good points that is a confidence of 0.7; spread, the expected error of each of the 68 points;
    covariance 68 x [xx, xy, yy], of each point's position, square pixels; pose {yaw, pitch, roll}, degrees; turn,
    degrees counter-clockwise by which the crop was rotated to set the head upright (`FacePrediction.roll`).
    """
    check_finite(faces)
    return [
        {
            "box": [float(side) for side in (face.box.left, face.box.top, face.box.right, face.box.bottom)],
            "score": number_or_none(face.score),
            "keypoints": [[float(x), float(y)] for x, y in face.keypoints],
            "confidence": number_or_none(face.confidence),
            "threshold": face.threshold,
            "spread": face.expected_error.tolist() if np.isfinite(face.expected_error).all() else None,
            "covariance": covariance_json(face.covariance),
            "pose": pose_json(head_pose(face.keypoints)),
            "turn": face.roll,
        }
        for face in faces
    ]


def covariance_json(covariance: np.ndarray) -> list[list[float]] | None:
    """68 x [xx, xy, yy] from (68, 2, 2)."""
    return covariance.reshape(-1, 4)[:, [0, 1, 3]].tolist() if np.isfinite(covariance).all() else None


def pose_json(pose: HeadPose) -> dict[str, float | None]:
    return {name: number_or_none(degrees) for name, degrees in vars(pose).items()}


def number_or_none(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def json_bytes(faces: Sequence[FacePrediction]) -> bytes:
    return (json.dumps(faces_json(faces), allow_nan=False) + "\n").encode()


def read_faces(text: str | bytes) -> list[FacePrediction]:
    """The faces that `json_bytes` wrote. Raises DataError for anything else."""
    try:
        entries = json.loads(text)
        if not isinstance(entries, list):
            raise TypeError("not a list")
        faces = [read_face(entry) for entry in entries]
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise DataError(f"This is no JSON with faces ({type(error).__name__}: {error}). Predict again.") from None
    if any(face.keypoints.shape != (68, 2) or face.expected_error.shape != (68,) for face in faces):
        raise DataError("This JSON has faces with other than 68 points. Predict again.")
    return faces


def read_face(entry: dict[str, Any]) -> FacePrediction:
    """The face of one entry of `faces_json`. Raises KeyError, IndexError, TypeError or ValueError for other values."""
    box = Box(*entry["box"])
    known: dict[str, np.ndarray] = {}
    if entry.get("spread"):
        known["expected_error"] = np.array(entry["spread"], np.float32)
    if entry.get("covariance"):
        known["covariance"] = np.array(entry["covariance"], np.float32)[:, [0, 1, 1, 2]].reshape(-1, 2, 2)
    return FacePrediction(
        box,
        entry["score"],
        np.array(entry["keypoints"], np.float32),
        roll=entry.get("turn", 0),
        threshold=entry.get("threshold", CONFIDENT),
        **known,
    )
