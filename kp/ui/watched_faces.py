"""The faces that a run shows all along: people never seen, label and prediction drawn, after each epoch."""

from html import escape

import numpy as np

from kp.data import FacialKeypointsDataset
from kp.drawing.faces import error_picture
from kp.drawing.overlay import data_uri
from kp.metrics import nme
from kp.ui.runs import Run


def faces_html(run: Run | None, dataset: FacialKeypointsDataset | None, epoch: int | None = None) -> str:
    """The watched faces after `epoch` (the last one if None), as a row of pictures; nothing before the first."""
    if run is None or dataset is None or not run.epochs:
        return ""
    event = run.epochs[(epoch or len(run.epochs)) - 1]
    pictures = []
    for row, points in zip(run.started["watched"], event["faces"], strict=True):
        truth, predicted = dataset.keypoints[row], np.array(points, np.float32)
        error = float(nme(predicted, truth)) * 100
        picture = error_picture(dataset.image(row), truth, predicted)
        alt = f"{dataset.frames[row].person.replace('_', ' ')}, error {error:.1f} percent"
        pictures.append(f'<figure><img alt="{escape(alt)}" src="{data_uri(picture, quality=85)}">'
                        f"<figcaption>{error:.1f} %</figcaption></figure>")
    return (f'<div class="kp-note">The same faces after epoch {event["epoch"]:g} ({event["seconds"]:.0f} s): labels '
            f'are rings, predictions are dots, lines are errors.</div><div class="kp-faces">{"".join(pictures)}</div>')
