"""Which way a head is turned, from its keypoints and a generic head.

Six points of a face are matched with six of a rigid head (OpenCV's `solvePnP`). The head's proportions are round
figures of an average adult; the camera is taken to be far away, as for a face in a television frame.
"""

from dataclasses import dataclass

import cv2
import numpy as np

POINTS = [30, 8, 36, 45, 48, 54]  # nose tip, chin, outer eye corners, mouth corners
# Millimetres; x to the right of the image, y down, z away from the camera.
HEAD = np.array([[0, 0, 0], [0, 66, 13], [-45, -34, 27], [45, -34, 27], [-30, 30, 25], [30, 30, 25]], np.float64)
DISTANCE = 10.0  # of the camera, in face heights


@dataclass(frozen=True)
class HeadPose:
    """Degrees. yaw: to the right of the image positive; pitch: down positive; roll: clockwise positive."""

    yaw: float
    pitch: float
    roll: float


def head_pose(keypoints: np.ndarray) -> HeadPose:
    """The pose of a face with keypoints (68, 2)."""
    points = keypoints[POINTS].astype(np.float64)
    centre = points.mean(axis=0)
    focal = DISTANCE * max(float(np.ptp(keypoints[:, 1])), 1.0)
    camera = np.array([[focal, 0, centre[0]], [0, focal, centre[1]], [0, 0, 1]])
    start = np.array([0.0, 0.0, DISTANCE * 130.0])  # a head of 130 mm, upright, far enough to be as large as it is seen
    _, turn, _ = cv2.solvePnP(HEAD, points, camera, None, np.zeros(3), start, True, cv2.SOLVEPNP_ITERATIVE)
    matrix, _ = cv2.Rodrigues(turn)
    ahead = matrix @ np.array([0.0, 0.0, -1.0])  # where the nose points
    side = matrix @ np.array([1.0, 0.0, 0.0])
    return HeadPose(
        yaw=float(np.degrees(np.arctan2(ahead[0], -ahead[2]))),
        pitch=float(np.degrees(np.arctan2(ahead[1], np.hypot(ahead[0], ahead[2])))),
        roll=float(np.degrees(np.arctan2(side[1], side[0]))),
    )
