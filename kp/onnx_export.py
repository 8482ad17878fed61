"""Export of a network as ONNX, with a JSON description of its input and outputs.

PyTorch's tracing exporter is used: it needs only the package `onnx`, and these networks have no data-dependent branches
that tracing would lose.
"""

import io
import json
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from kp.checkpoint import Checkpoint
from kp.data import Preprocessing
from kp.errors import KpError
from kp.files import write_file
from kp.landmarks import LEFT_EYE, POINT_NAMES, RIGHT_EYE
from kp.prediction.predictor import TILTED

OPSET = 17
INPUT, KEYPOINTS, EXPECTED_ERROR = "crops", "keypoints", "expected_error"
MEASURED = "people, true-box"  # the entry of a checkpoint's metrics that is exported
FACES = "faces"  # the dynamic axis


class CropPixels(nn.Module):
    """A network with outputs in crop pixels: keypoints (n, 68, 2), and expected error (n, 68) where it predicts one."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        self.network = checkpoint.create_model().folded()
        self.preprocessing = checkpoint.preprocessing

    @property
    def outputs(self) -> list[str]:
        return [KEYPOINTS, EXPECTED_ERROR] if self.network.has_heatmaps else [KEYPOINTS]

    def forward(self, crops: Tensor) -> tuple[Tensor, ...]:
        stages, scale = dict(self.network.stages(crops)), self.preprocessing.scale
        keypoints = stages["keypoints"] * scale + self.preprocessing.mean
        return (keypoints, stages["sigma"] * (2 * scale)) if self.network.has_heatmaps else (keypoints,)


def export_onnx(checkpoint: Checkpoint, path: Path | str) -> list[Path]:
    """Write the network to `path` and its description beside it (.json); returns both paths.

    Raises KpError where the package onnx is missing, or writing fails.
    """
    path = Path(path)
    model = CropPixels(checkpoint).eval()
    content = traced(model)
    described = json.dumps(description(checkpoint, path.name, model.outputs), indent=1) + "\n"
    for file, data in ((path, content), (path.with_suffix(".json"), described.encode())):
        write_file(file, data)
    return [path, path.with_suffix(".json")]


def traced(model: CropPixels) -> bytes:
    """The bytes of a network's ONNX file. Raises KpError where the package onnx is missing."""
    try:
        import onnx  # noqa: F401  (PyTorch's exporter imports it; nothing else here does)
    except ImportError:
        raise KpError("Exporting needs the package onnx. Run: pip install onnx") from None
    size, channels = model.preprocessing.size, model.preprocessing.channels
    file = io.BytesIO()
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # PyTorch recommends its other exporter, which needs more packages
        torch.onnx.export(
            model,
            (torch.zeros(2, channels, size, size),),
            file,  # type: ignore[arg-type]  # annotated for paths, but tracing writes to any binary file
            dynamo=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=model.outputs,
            dynamic_axes={name: {0: FACES} for name in (INPUT, *model.outputs)},
        )
    return file.getvalue()


def description(checkpoint: Checkpoint, file: str, outputs: list[str]) -> dict[str, Any]:
    """How to use the file, as plain values for JSON."""
    preprocessing = checkpoint.preprocessing
    expected_error = {
        EXPECTED_ERROR: {
            "shape": [FACES, len(POINT_NAMES)],
            "unit": "pixels of the crop",
            "meaning": "expected distance of each point from the true one; divide by zoom for pixels of the image",
        }
    }
    return {
        "file": file,
        "title": checkpoint.title,
        "architecture": checkpoint.architecture,
        "opset": OPSET,
        "input": input_of(preprocessing),
        "crop": crop_of(preprocessing),
        "outputs": {
            KEYPOINTS: {
                "shape": [FACES, len(POINT_NAMES), 2],
                "unit": "pixels of the crop, x and y; the centre of its top left pixel is (0, 0)",
                "points": POINT_NAMES,
            },
            **(expected_error if EXPECTED_ERROR in outputs else {}),
        },
        "second_look": second_pass(),
        "back_to_image": "image_x = (crop_x - (size - 1) / 2) / zoom + box_x, and y alike; zoom = size / crop_side",
        "metrics": metrics_of(checkpoint),
    }


def metrics_of(checkpoint: Checkpoint) -> dict[str, Any] | None:
    """The error on people it was not trained on, with its unit and definition; None where it was not measured."""
    nme = checkpoint.metrics.get(MEASURED, {}).get("nme_mean")
    return (
        None
        if nme is None
        else {
            "nme_mean": nme,
            "unit": "percent of the distance between the outer corners of the eyes",
            "meaning": "the mean over faces of the mean distance between the 68 predicted and labelled points",
            "measured_on": "test frames of people that the network was not trained on, true boxes",
        }
    )


def second_pass() -> dict[str, Any]:
    """How the library predicts a tilted head a second time."""
    return {
        "tilt": "of the line from the left to the right eye, degrees(atan2(dy, dx)); an eye is the mean of its points",
        "left_eye": list(LEFT_EYE),
        "right_eye": list(RIGHT_EYE),
        "from": TILTED,
        "crop": "where the tilt exceeds this in either direction, rotate the crop about its centre by the tilt, "
        "counter-clockwise as seen on the screen, predict again, and rotate the points back",
    }


def input_of(preprocessing: Preprocessing) -> dict[str, Any]:
    """The input tensor."""
    grey = preprocessing.channels == 1
    return {
        "name": INPUT,
        "type": "float32",
        "shape": [FACES, preprocessing.channels, *[preprocessing.size] * 2],
        "layout": "NCHW",
        "range": [0, 1],
        "channels": "grey: 0.299 R + 0.587 G + 0.114 B, rounded, / 255" if grey else "R, G, B, each / 255",
    }


def crop_of(preprocessing: Preprocessing) -> dict[str, Any]:
    """How a crop is cut from the image by a face box."""
    return {
        "size": preprocessing.size,
        "margin": preprocessing.margin,
        "box": "left, top, right, bottom, tight around the 68 points, in pixels whose centres are integers",
        "box_x, box_y": "the box's centre: (left + right) / 2, (top + bottom) / 2",
        "crop_side": "margin * max(right - left, bottom - top), in pixels of the image; the crop is a square about "
        "the box's centre",
        "resampling": "bilinear; averaged over areas first where it shrinks by more than 2; outside the image its edge "
        "is repeated",
        "to_crop": "crop_x = (image_x - box_x) * zoom + (size - 1) / 2, and y alike; zoom = size / crop_side",
    }
