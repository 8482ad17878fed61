"""Head pose from keypoints and a generic head model.

Six keypoints are matched with those of a rigid head (OpenCV's `solvePnP`). The head's proportions are rounded values of
an average adult (HEAD); the camera is assumed far away, as for a face in a television frame.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

POINTS = [30, 8, 36, 45, 48, 54]  # nose tip, chin, outer eye corners, mouth corners
# Millimetres; x to the right of the image, y down, z away from the camera.
HEAD = np.array([[0, 0, 0], [0, 66, 13], [-45, -34, 27], [45, -34, 27], [-30, 30, 25], [30, 30, 25]], np.float64)
LEFT_EYE, RIGHT_EYE = 2, 3  # of POINTS
HEIGHT = 100.0  # millimetres, of these points
DISTANCE = 13.0  # of the camera, in HEIGHT; 1.3 m


@dataclass(frozen=True)
class HeadPose:
    """Angles in degrees; NaN where all keypoints coincide.

    yaw and pitch: the direction of the nose, positive to the right of the image and down. roll: the rotation in the
    image plane, clockwise positive.
    """

    yaw: float
    pitch: float
    roll: float


def head_pose(keypoints: np.ndarray) -> HeadPose:
    """The pose of a face with keypoints (68, 2)."""
    points = keypoints[POINTS].astype(np.float64)
    size = float(np.ptp(points, axis=0).max())
    if not size > 0:
        return HeadPose(math.nan, math.nan, math.nan)
    left, right = points[LEFT_EYE], points[RIGHT_EYE]
    tilt = math.atan2(right[1] - left[1], right[0] - left[0])
    points = (points - points.mean(axis=0)) @ rotation_in_plane(tilt)[:2, :2]  # upright: from there solvePnP converges
    focal = DISTANCE * size
    camera = np.diag([focal, focal, 1.0])
    start = np.array([0.0, 0.0, DISTANCE * HEIGHT])  # the distance at which the head has its size in the image
    _, rotation, _ = cv2.solvePnP(HEAD, points, camera, None, np.zeros(3), start, True, cv2.SOLVEPNP_ITERATIVE)
    matrix = rotation_in_plane(tilt) @ cv2.Rodrigues(rotation)[0]
    ahead = matrix @ np.array([0.0, 0.0, -1.0])  # direction of the nose
    side = matrix @ np.array([1.0, 0.0, 0.0])
    return HeadPose(
        yaw=math.degrees(math.atan2(ahead[0], -ahead[2])),
        pitch=math.degrees(math.atan2(ahead[1], math.hypot(ahead[0], ahead[2]))),
        roll=math.degrees(math.atan2(side[1], side[0])),
    )


def rotation_in_plane(angle: float) -> np.ndarray:
    """The 3x3 matrix of a rotation by an angle (radians), clockwise in the image."""
    cos, sin = math.cos(angle), math.sin(angle)
    return np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
