"""From any picture to keypoints: detect -> crop -> network -> map back.

from kp import Predictor
faces = Predictor(model="heatmap_net", detector="yunet").predict(image)
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter

import numpy as np
import torch

from kp.checkpoint import Checkpoint, load_checkpoint
from kp.data.images import check_image
from kp.detectors import create_detector
from kp.detectors.base import Detector, resized
from kp.errors import ConfigError
from kp.geometry import Box, CropMap, apply, compose, invert, move_box, quarter_turn, rotation, scaling
from kp.landmarks import LEFT_EYE, RIGHT_EYE
from kp.metrics import eye_distance
from kp.prediction.tta import VIEWS, Answers, share_within

BATCH = 64  # crops a forward pass
ANSWERS = ("keypoints", "spread")  # the stages that are answers; a spread is half the expected error
CONFIDENT = 0.7  # a face of less may be none, or stand on its head: where all have less, turns are tried
TILTED = 10.0  # degrees between the eyes and the level; a head tilted further is looked at again, set upright
LYING = 60.0  # degrees; if all heads are tilted further, so may be the picture
FAR_OFF = 0.08  # of the eye distance: what the failure rate counts from, too
TURNS = (90, 270, 180)  # degrees, sideways first: photos are taken so
TURN_SIDE = 1280  # pixels of the longer side of what is looked at in other orientations


@dataclass(frozen=True)
class FacePrediction:
    """One face. box: tight about the points, as far as the detector tells, once the picture is turned about its centre
    by `turn`. keypoints: float32 (68, 2), image pixels.

    spread: float32 (68,), how far off each point is expected to be, image pixels. covariance: float32 (68, 2, 2), of
    where it may lie, square pixels. Both are NaN where neither the network nor several views tell. turn: degrees
    counter-clockwise by which the picture was turned to set the face upright. threshold: the `expected_share` below
    which the face is doubtful, as calibrated (kp/prediction/calibration.py).
    """

    box: Box
    score: float | None
    keypoints: np.ndarray
    spread: np.ndarray = field(default_factory=lambda: np.full(68, np.nan, np.float32))
    covariance: np.ndarray = field(default_factory=lambda: np.full((68, 2, 2), np.nan, np.float32))
    turn: float = 0.0
    threshold: float = CONFIDENT

    @property
    def confidence(self) -> float | None:
        """How sure the network is, 0..1; None where nothing tells.

        It is `expected_share` to the power with which the calibrated `threshold` becomes 0.7.
        """
        share = self.expected_share
        return None if share is None else share ** (math.log(CONFIDENT) / math.log(self.threshold))

    @property
    def expected_share(self) -> float | None:
        """The share of points that the network expects within 8 % of the eye distance; None where nothing tells."""
        return None if np.isnan(self.spread).any() else float(share_within(self.relative_spread, FAR_OFF))

    @property
    def doubtful(self) -> bool:
        """Whether the network is so little sure of it that it may be no face, or its points off."""
        return self.confidence is not None and self.confidence < CONFIDENT

    @property
    def relative_spread(self) -> np.ndarray:
        """Each point's expected error (68,) as a fraction of the eye distance."""
        return self.spread / max(float(eye_distance(self.keypoints)), 1e-6)

    @property
    def unsure(self) -> np.ndarray:
        """Which points (68,) are expected to be off by more than 8 % of the eye distance; none where nothing tells."""
        return self.relative_spread > FAR_OFF

    def scaled(self, factor_x: float, factor_y: float) -> "FacePrediction":
        """The same face in a picture that is resized by these factors, which are nearly equal."""
        enlarging, factor = scaling(factor_x, factor_y), (factor_x * factor_y) ** 0.5
        return replace(
            self,
            box=move_box(enlarging, self.box),
            keypoints=apply(enlarging, self.keypoints).astype(np.float32),
            spread=self.spread * np.float32(factor),
            covariance=self.covariance * np.float32(factor**2),
        )


@dataclass(frozen=True)
class Prediction:
    """The faces of a picture, best first, and what it took. turn: degrees by which it was turned to find them."""

    faces: list[FacePrediction]
    turn: int
    detector_seconds: float
    network_seconds: float


class Predictor:
    """A network and a detector, ready to use; safe to share between threads.

    model: a shipped checkpoint's name, a path, or a Checkpoint. detector: a name or a Detector.
    threshold: the detector's, in its own unit. margin: the crop's side in box sides, instead of the network's own.
    views: from how many slightly different crops each face is asked, 1 to 8; the answer is their mean.
    """

    def __init__(
        self,
        model: str | Checkpoint = "heatmap_net",
        detector: str | Detector = "yunet",
        *,
        threshold: float | None = None,
        margin: float | None = None,
        views: int = 1,
    ) -> None:
        if views not in range(1, len(VIEWS) + 1):
            raise ConfigError(f"A face is asked from 1 to {len(VIEWS)} views, not {views!r}.")
        self.checkpoint = model if isinstance(model, Checkpoint) else load_checkpoint(model)
        self.network = self.checkpoint.create_model().folded().to(memory_format=torch.channels_last)
        preprocessing = self.checkpoint.preprocessing
        if margin is not None:
            preprocessing = type(preprocessing)(**{**vars(preprocessing), "margin": margin})
        self.preprocessing = preprocessing
        self.detector = detector if isinstance(detector, Detector) else create_detector(detector, threshold=threshold)
        self.views = views
        self.doubtful_below = self.checkpoint.doubtful_below(views)

    def predict(
        self, image: np.ndarray, boxes: Sequence[Box] | None = None, *, turn: float = 0.0, rough: bool = False
    ) -> list[FacePrediction]:
        """The faces in uint8 (H, W, 3) RGB, best first; no face is an empty list.

        boxes: tight face boxes, used in place of the detector. turn: degrees counter-clockwise that set the faces in
        these boxes upright. rough: the boxes are not tight, and made anew. See `look`.
        Raises ImageError for any other kind of array.
        """
        if boxes is None:
            return self.search(image).faces
        check_image(image)
        for box in boxes:
            if box.width <= 0 or box.height <= 0:
                raise ConfigError(
                    f"A face box needs left < right and top < bottom, not "
                    f"{box.left:g}, {box.top:g}, {box.right:g}, {box.bottom:g}."
                )
        return self._ask(image, [(box, None) for box in boxes], turn, rough=rough, tight=not rough)

    def search(self, image: np.ndarray, *, turns: Sequence[int] = TURNS) -> Prediction:
        """`predict`'s faces, and what it took to find them.

        Where no face is found, or none that the network is sure of and that stands, the picture is looked at turned by
        so many degrees too, multiples of 90. A face of low confidence is kept where nothing else is found.
        """
        check_image(image)
        best = self._search(image, 0)
        if _stands(best):
            return best
        tried = [best]
        for turn in turns:
            turned = self._search(image, turn)
            tried.append(turned)
            if (_stands(turned) or not best.faces) and _rank(turned) > _rank(best):
                best = turned
        return replace(
            best,
            detector_seconds=sum(one.detector_seconds for one in tried),
            network_seconds=sum(one.network_seconds for one in tried),
        )

    def _search(self, image: np.ndarray, turn: int) -> Prediction:
        """The faces that stand upright when the picture is turned by this many degrees, a multiple of 90."""
        start = perf_counter()
        seen, back = (image, np.eye(2, 3)) if turn == 0 else turned_copy(image, turn // 90)
        tight = [(self.detector.box_map.to_tight(face.box), face.score) for face in self.detector.detect(seen)]
        found = perf_counter()
        faces = self._ask(
            image,
            [(box if turn == 0 else move_box(back, box), score) for box, score in tight],
            turn,
            rough=self.detector.rough,
        )
        return Prediction(faces, turn, found - start, perf_counter() - found)

    def _ask(
        self,
        image: np.ndarray,
        found: Sequence[tuple[Box, float | None]],
        turn: float,
        *,
        rough: bool,
        tight: bool = False,
    ) -> list[FacePrediction]:
        places, answers = self.look([(image, box) for box, _ in found], turn=turn, rough=rough, tight=tight)
        fields = zip(found, places, answers.keypoints, answers.spread, answers.covariance, strict=True)
        return [
            FacePrediction(box, score, *said, turned, self.doubtful_below)
            for (_, score), (box, turned), *said in fields
        ]

    def look(
        self, faces: Sequence[tuple[np.ndarray, Box]], *, turn: float = 0.0, rough: bool = False, tight: bool = False
    ) -> tuple[list[tuple[Box, float]], Answers]:
        """The network's answers for n pairs of a picture and a face box, and where they were looked at: box and turn.

        Where the eyes found are more than TILTED degrees from the level, the face is looked at again, set upright, and
        about the points found; a `tight` box stays what it is. `rough` boxes are all made anew so. On heads that are
        tilted by 30 or 45 degrees that lowers the NME by 6 and 30 % (`heatmap_net`, YuNet, turned test frames).
        """
        places = [(box, turn) for _, box in faces]
        answers, again = self._answers_at(faces, places), {}
        for index, points in enumerate(answers.keypoints):
            place = upright_place(points, turn)
            if place and (rough or abs(place[1] - turn) > TILTED):
                again[index] = (places[index][0], place[1]) if tight else place
        second = self._answers_at([faces[index] for index in again], list(again.values()))
        for name, values in vars(answers).items():
            values[list(again)] = getattr(second, name)
        return [again.get(index, place) for index, place in enumerate(places)], answers

    def _answers_at(self, faces: Sequence[tuple[np.ndarray, Box]], places: Sequence[tuple[Box, float]]) -> Answers:
        crops = [self.preprocessing.crop_map(box, turn=turn) for box, turn in places]
        return self.answers([(image, crop) for (image, _), crop in zip(faces, crops, strict=True)])

    def answers(self, crops: Sequence[tuple[np.ndarray, CropMap]]) -> Answers:
        """The network's answers for n pairs of a picture and where to crop it."""
        views, at_once = VIEWS[: self.views], max(1, BATCH // self.views)
        keypoints = np.empty((len(crops), len(views), 68, 2), np.float32)
        own = np.empty((len(crops), len(views), 68), np.float32)
        for start in range(0, len(crops), at_once):
            seen = [(image, view.of(crop)) for image, crop in crops[start : start + at_once] for view in views]
            for place, answer in enumerate(zip(*self._forward(seen), strict=True), start=start * len(views)):
                face, number = divmod(place, len(views))
                keypoints[face, number], own[face, number] = map(views[number].in_order, answer)
        return Answers.of_views(keypoints, own)

    @torch.inference_mode()
    def _forward(self, crops: Sequence[tuple[np.ndarray, CropMap]]) -> tuple[np.ndarray, np.ndarray]:
        """Keypoints (n, 68, 2) and the network's own spread (n, 68), image pixels, of one batch."""
        tensor = self.preprocessing.to_tensor([crop.cut(image) for image, crop in crops])
        tensor = tensor.contiguous(memory_format=torch.channels_last)
        stages = {name: output.numpy() for name, output in self.network.stages(tensor) if name in ANSWERS}
        points = self.preprocessing.decode(stages["keypoints"])  # (n, 68, 2) crop pixels
        spread = stages.get("spread", np.full(points.shape[:2], np.nan)) * 2 * self.preprocessing.scale
        keypoints = [crop.to_image(face) for (_, crop), face in zip(crops, points, strict=True)]
        return np.array(keypoints), np.array([face / crop.zoom for (_, crop), face in zip(crops, spread, strict=True)])


def upright_place(points: np.ndarray, turn: float) -> tuple[Box, float] | None:
    """The box about keypoints (68, 2), tight once it is turned, and the turn in degrees that levels the eyes.

    Of the turns that do the same, it is the one nearest to `turn`. None for points in one place.
    """
    left, right = points[LEFT_EYE].mean(axis=0), points[RIGHT_EYE].mean(axis=0)
    level = float(np.degrees(np.arctan2(right[1] - left[1], right[0] - left[0])))
    upright = rotation(level, (0.0, 0.0))
    box = Box.around(apply(upright, points))
    if not (np.isfinite(box.side) and box.side > 0):
        return None
    ((x, y),) = apply(invert(upright), np.array([box.centre])).tolist()
    lies = round(level / 90) % 2 == 1
    right, down = (box.height / 2, box.width / 2) if lies else (box.width / 2, box.height / 2)
    return Box(x - right, y - down, x + right, y + down), turn + angle_between(level, turn)


def angle_between(first: float, second: float) -> float:
    """Degrees from the second to the first, -180..180."""
    return (first - second + 180) % 360 - 180


def turned_copy(image: np.ndarray, quarters: int) -> tuple[np.ndarray, np.ndarray]:
    """The picture turned by quarters, of at most TURN_SIDE pixels, and the matrix of the way back."""
    small, _ = resized(image, min(TURN_SIDE, max(image.shape[:2])))
    height, width = small.shape[:2]
    shrinking = scaling(width / image.shape[1], height / image.shape[0])
    turned = np.ascontiguousarray(np.rot90(small, quarters))
    return turned, invert(compose(quarter_turn(quarters, height, width), shrinking))


def _stands(prediction: Prediction) -> bool:
    """Whether the network expects one of the faces to be right, and that one does not lie on its side once turned.

    By what it expects, not by the calibrated confidence: which faces are found does not depend on a calibration.
    """
    return any(
        (face.expected_share is None or face.expected_share >= CONFIDENT)
        and abs(angle_between(face.turn, prediction.turn)) <= LYING
        for face in prediction.faces
    )


def _rank(prediction: Prediction) -> tuple[bool, float, float, int]:
    """By whether a face stands, then by the surest answer, by the best score, by how many faces there are."""
    faces = prediction.faces
    return (
        _stands(prediction),
        max((face.confidence or 0.0 for face in faces), default=0.0),
        max((face.score or 0.0 for face in faces), default=0.0),
        len(faces),
    )
