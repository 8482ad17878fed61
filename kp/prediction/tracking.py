"""Tracking faces over the frames of a video: matched by box overlap, with smoothed keypoints."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kp.geometry import Box
from kp.prediction.face import FacePrediction
from kp.prediction.one_euro import OneEuro, OneEuroFilter

LEAST_OVERLAP = 0.3  # IoU of a face's boxes in two frames
DEFAULT = OneEuro()
MEMORY = 0.5  # seconds for which a track without a detection is kept


@dataclass(frozen=True)
class TrackedFace:
    """A face and the number of its track, from 1."""

    number: int
    face: FacePrediction


@dataclass
class Track:
    """A face's number, the box and time of its last detection, and its filter."""

    number: int
    box: Box
    seconds: float
    filter: OneEuroFilter


class FaceTracker:
    """Tracks the faces of one video or webcam. It can be copied and pickled.

    smoothing: settings of the filter; None for unsmoothed points. seen: number of tracks so far.
    """

    def __init__(self, smoothing: OneEuro | None = DEFAULT) -> None:
        self.smoothing = smoothing
        self.tracks: list[Track] = []
        self.seen = 0

    def update(self, faces: Sequence[FacePrediction], seconds: float) -> list[TrackedFace]:
        """The faces of the frame at time `seconds`, in their order, with track numbers and smoothed."""
        self.tracks = [track for track in self.tracks if seconds - track.seconds <= MEMORY]
        boxes = [Box.from_points(face.keypoints) for face in faces]
        found = match([track.box for track in self.tracks], boxes)
        known, tracked = list(self.tracks), []
        for index, (face, box) in enumerate(zip(faces, boxes, strict=True)):
            if index in found:
                track = known[found[index]]
                track.box, track.seconds = box, seconds
            else:
                self.seen += 1
                track = Track(self.seen, box, seconds, OneEuroFilter(self.smoothing))
                self.tracks.append(track)
            tracked.append(TrackedFace(track.number, self._smooth(track, face, seconds)))
        return tracked

    def _smooth(self, track: Track, face: FacePrediction, seconds: float) -> FacePrediction:
        if self.smoothing is None:
            return face
        box = face.box
        values = np.concatenate([face.keypoints, [[box.left, box.top], [box.right, box.bottom]]])  # (70, 2)
        smooth = track.filter(values, seconds, size=max(track.box.side, 1.0))
        (left, top), (right, bottom) = smooth[68:].tolist()
        return replace(face, box=Box(left, top, right, bottom), keypoints=smooth[:68].astype(np.float32))


def match(before: Sequence[Box], now: Sequence[Box], *, least: float = LEAST_OVERLAP) -> dict[int, int]:
    """Index of the matching box in `before` by the index in `now`: greedily, largest IoU first, each box once."""
    pairs = sorted(((old.iou(new), i, j) for i, old in enumerate(before) for j, new in enumerate(now)), reverse=True)
    found: dict[int, int] = {}
    for overlap, i, j in pairs:
        if overlap >= least and j not in found and i not in found.values():
            found[j] = i
    return found
