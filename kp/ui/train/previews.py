"""Validation previews: the same faces after each evaluation of a run, with labels and predictions drawn."""

import numpy as np

from kp.data import FacialKeypointsDataset
from kp.drawing.faces import error_picture
from kp.drawing.overlay import data_uri
from kp.metrics import nme
from kp.ui.services.run import Run
from kp.ui.static import render


def previews_html(run: Run | None, dataset: FacialKeypointsDataset | None, epoch: int | None = None) -> str:
    """The previews after evaluation `epoch` (from 1; None: the last); "" before the first or without a dataset."""
    if run is None or dataset is None or not run.epochs or run.started is None:
        return ""
    event = run.epochs[(epoch or len(run.epochs)) - 1]
    faces = []
    for row, points in zip(run.started["watched"], event["faces"], strict=True):
        truth, predicted = dataset.keypoints[row], np.array(points, np.float32)
        picture = error_picture(dataset.image(row), truth, predicted)
        faces.append(
            {
                "person": dataset.frames[row].person.replace("_", " "),
                "error": f"{float(nme(predicted, truth)) * 100:.1f}",
                "source": data_uri(picture, quality=85),
            }
        )
    return render("train_previews.html", epoch=f"{event['epoch']:g}", seconds=f"{event['seconds']:.0f}", faces=faces)
