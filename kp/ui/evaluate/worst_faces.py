"""The faces with a network's largest errors: chosen by stored errors, predicted anew, drawn with their labels."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from kp.data import FacialKeypointsDataset
from kp.data.dataset import FrameInfo
from kp.drawing.faces import error_picture
from kp.drawing.overlay import data_uri
from kp.evaluation import predict_faces
from kp.metrics import eye_distance, point_errors, region_means
from kp.pose import head_pose
from kp.prediction.predictor import Predictor
from kp.ui.dataset.frames import frame_title
from kp.ui.services.results import Result
from kp.ui.static import render
from kp.ui.widgets.image_grid import GridItem, grid_item

ALIGNER = " A few labels are wrong themselves; they came from an automatic aligner."
COUNT = 12
THUMBNAIL, LARGE = 220, 640  # pixels


@dataclass(frozen=True)
class LabelledPrediction:
    """A network's prediction for a labelled face.

    image: uint8 (H, W, 3) RGB. truth, predicted: (68, 2), image pixels. expected_errors: (68,), fractions of the eye
    distance; NaN where the network predicts none.
    """

    frame: FrameInfo
    image: np.ndarray = field(repr=False)
    truth: np.ndarray = field(repr=False)
    predicted: np.ndarray = field(repr=False)
    expected_errors: np.ndarray = field(repr=False)

    @property
    def errors(self) -> np.ndarray:
        """(68,), fractions of the eye distance."""
        return point_errors(self.predicted, self.truth)

    @property
    def nme(self) -> float:
        """Percent."""
        return float(self.errors.mean() * 100)


def worst_indices(errors: Sequence[float | None], count: int = COUNT) -> list[int]:
    """Indices of the largest errors, worst first, without missed faces (None), where nothing was predicted."""
    found = [(error, index) for index, error in enumerate(errors) if error is not None]
    return [index for _, index in sorted(found, key=lambda item: -item[0])[:count]]


def predictions_for(
    predictor: Predictor, faces: FacialKeypointsDataset, indices: Sequence[int], setting: str
) -> list[LabelledPrediction]:
    """The network's predictions for these faces of a part, without those that the detector misses."""
    found, outputs = predict_faces(predictor, faces, indices, setting)
    return [
        LabelledPrediction(
            faces.frames[index],
            faces.image(index),
            faces.keypoints[index],
            points,
            expected_error / eye_distance(points),
        )
        for index, points, expected_error in zip(found, outputs.keypoints, outputs.expected_error, strict=True)
    ]


def face_items(predictions: Sequence[LabelledPrediction], chosen: int = 0) -> list[GridItem]:
    """Cells with label and prediction, and the error as caption."""
    return [
        grid_item(
            data_uri(picture_of(prediction, THUMBNAIL), quality=88),
            f"{frame_title(prediction.frame)}, error {prediction.nme:.0f} %",
            f"{prediction.nme:.1f} %",
            chosen=place == chosen,
        )
        for place, prediction in enumerate(predictions)
    ]


def picture_of(prediction: LabelledPrediction, side: int = LARGE) -> np.ndarray:
    """uint8 (side, side, 3): the face, labels hollow, prediction filled, a line between them."""
    return error_picture(prediction.image, prediction.truth, prediction.predicted, side=side)


def describe(prediction: LabelledPrediction) -> str:
    """The picture in words."""
    title = frame_title(prediction.frame)
    return f"{title}: labels as circles, prediction as dots, {prediction.nme:.1f} % apart on average"


def prediction_html(prediction: LabelledPrediction) -> str:
    """Person and frame, the error in all and by region, and the head's yaw."""
    frame, eyes, errors = prediction.frame, float(eye_distance(prediction.truth)), prediction.errors
    height, width = prediction.image.shape[:2]
    expected = prediction.expected_errors
    return render(
        "evaluate_face.html",
        title=frame_title(frame),
        file=f"{frame.folder}/{frame.name}",
        width=width,
        height=height,
        nme=prediction.nme,
        pixels=errors.mean() * eyes,
        eyes=eyes,
        regions=sorted(region_means(errors[None]).items(), key=lambda region: -region[1]),
        yaw=abs(head_pose(prediction.truth).yaw),
        person=frame.person.replace("_", " "),
        expected=expected.mean() * 100 if np.isfinite(expected).all() else None,
    )


def note(result: Result, count: int) -> str:
    """The sentence above the `count` worst faces of a result."""
    missed = result.record["missed"]
    text = f"The {count} largest errors of {result.label}: circles are labels, dots its predictions." + ALIGNER * (
        not result.synthetic
    )
    if missed:
        text += f" The detector missed {missed} other face{'s' * (missed > 1)}; there is nothing to draw on them."
    return text
