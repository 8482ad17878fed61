"""The measurements of `python -m kp bench`: each function yields rows of a name, a value and its unit."""

from kp.bench.app import measure_app
from kp.bench.data import measure_data
from kp.bench.learning import measure_learning
from kp.bench.peers import measure_peers
from kp.bench.photos import measure_photos
from kp.bench.prediction import measure_prediction
from kp.bench.row import Row
from kp.bench.training import measure_training

MEASUREMENTS = {
    "data": measure_data,
    "training": measure_training,
    "learning": measure_learning,
    "prediction": measure_prediction,
    "photos": measure_photos,
    "peers": measure_peers,
    "app": measure_app,
}

__all__ = ["MEASUREMENTS", "Row"]
