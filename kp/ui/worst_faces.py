"""The faces that a network finds hardest: chosen by stored errors, predicted anew, drawn with what was off."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

import numpy as np

from kp.data import FacialKeypointsDataset
from kp.data.dataset import FrameInfo
from kp.drawing.faces import error_picture
from kp.drawing.overlay import data_uri
from kp.evaluation import answers_of
from kp.metrics import eye_distance, point_errors, region_means
from kp.pose import head_pose
from kp.predict import Predictor
from kp.ui.frames import frame_title
from kp.ui.grid import GridItem, grid_item

COUNT = 12
THUMBNAIL, LARGE = 220, 640  # pixels


@dataclass(frozen=True)
class Answer:
    """A network's answer for a labelled face. predicted: (68, 2), image pixels. errors, spread: (68,), fractions.

    spread: what the network expects its errors to be; NaN where it does not say.
    """

    frame: FrameInfo
    image: np.ndarray = field(repr=False)
    truth: np.ndarray = field(repr=False)
    predicted: np.ndarray = field(repr=False)
    spread: np.ndarray = field(repr=False)

    @property
    def errors(self) -> np.ndarray:
        return point_errors(self.predicted, self.truth)

    @property
    def nme(self) -> float:
        """Percent."""
        return float(self.errors.mean() * 100)


def worst_indices(errors: Sequence[float | None], count: int = COUNT) -> list[int]:
    """Places of the largest errors, worst first; missed faces (None) are left out, nothing was predicted there."""
    found = [index for index, error in enumerate(errors) if error is not None]
    return sorted(found, key=lambda index: -errors[index])[:count]


def answers_for(predictor: Predictor, faces: FacialKeypointsDataset, indices: Sequence[int],
                setting: str) -> list[Answer]:
    """The network's answers for these faces of a part, without those that the detector misses."""
    found, told = answers_of(predictor, faces, indices, setting)
    return [Answer(faces.frames[index], faces.image(index), faces.keypoints[index], points,
                   spread / eye_distance(points))
            for index, points, spread in zip(found, told.keypoints, told.spread, strict=True)]


def face_items(answers: Sequence[Answer], chosen: int = 0) -> list[GridItem]:
    """Cells with label and prediction, and the error as caption."""
    return [grid_item(data_uri(picture_of(answer, THUMBNAIL), quality=88),
                      f"{frame_title(answer.frame)}, error {answer.nme:.0f} %", f"{answer.nme:.1f} %",
                      chosen=place == chosen) for place, answer in enumerate(answers)]


def picture_of(answer: Answer, side: int = LARGE) -> np.ndarray:
    """uint8 (side, side, 3): the face, labels hollow, prediction filled, a line between them."""
    return error_picture(answer.image, answer.truth, answer.predicted, side=side)


def describe(answer: Answer) -> str:
    """The picture in words."""
    return f"{frame_title(answer.frame)}: labels as circles, prediction as dots, {answer.nme:.1f} % apart on average"


def answer_html(answer: Answer) -> str:
    """Who it is and where the frame is, how far off the points are, in all and by region."""
    distance, errors = float(eye_distance(answer.truth)), answer.errors
    regions = sorted(region_means(errors[None]).items(), key=lambda region: -region[1])
    height, width = answer.image.shape[:2]
    told = [
        f"<b>{escape(frame_title(answer.frame))}</b>",
        f"<code>{escape(answer.frame.folder)}/{escape(answer.frame.name)}</code>, {width} × {height} pixels",
        f"Error (NME) <b>{answer.nme:.1f} %</b>: a point is {errors.mean() * distance:.1f} px off on average, where "
        f"the outer eye corners are {distance:.0f} px apart.",
        "By region: " + ", ".join(f"{name} {value * 100:.1f}&nbsp;%" for name, value in regions) + ".",
        f"The head is turned {abs(head_pose(answer.truth).yaw):.0f}° away from the camera.",
    ]
    if np.isfinite(answer.spread).all():
        told.append(f"The network itself expected {answer.spread.mean() * 100:.1f} %.")
    person = escape(answer.frame.person.replace("_", " "))
    told.append(f"To see the other frames, choose the person <i>{person}</i> in the Dataset tab.")
    return f'<div class="facts">{"".join(f"<p>{fact}</p>" for fact in told)}</div>'
