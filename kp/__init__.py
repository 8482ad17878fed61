"""Keypoint Lab: networks that find 68 keypoints on faces: training, evaluation, prediction."""

__version__ = "0.1.0"

from typing import TYPE_CHECKING

from kp.lazy import getter

if TYPE_CHECKING:
    from kp.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
    from kp.data import FacialKeypointsDataset, Preprocessing, Sample, read_image
    from kp.errors import KpError
    from kp.evaluation import EvaluationReport, evaluate
    from kp.geometry import Box
    from kp.prediction.face import FacePrediction
    from kp.prediction.predictor import Predictor
    from kp.training import TrainConfig, train

__all__ = [
    "Box",
    "Checkpoint",
    "EvaluationReport",
    "FacePrediction",
    "FacialKeypointsDataset",
    "KpError",
    "Predictor",
    "Preprocessing",
    "Sample",
    "TrainConfig",
    "evaluate",
    "load_checkpoint",
    "read_image",
    "save_checkpoint",
    "train",
]
__getattr__ = getter(
    __name__,
    {
        "Box": "geometry",
        "Checkpoint": "checkpoint",
        "EvaluationReport": "evaluation",
        "FacePrediction": "prediction.face",
        "FacialKeypointsDataset": "data",
        "KpError": "errors",
        "Predictor": "prediction.predictor",
        "Preprocessing": "data",
        "Sample": "data",
        "TrainConfig": "training",
        "evaluate": "evaluation",
        "load_checkpoint": "checkpoint",
        "read_image": "data",
        "save_checkpoint": "checkpoint",
        "train": "training",
    },
)
