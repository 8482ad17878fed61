"""The settings of a training run, each with a sentence that the command line and the app show."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from kp.data.preprocessing import FRAME_MARGIN, Preprocessing
from kp.data.splits import SPLITS
from kp.errors import ConfigError, choose
from kp.models import MODELS
from kp.training.losses import LOSSES

OPTIMIZERS = {
    "rmsprop": "RMSprop: steps scaled by each weight's recent gradients",
    "adam": "Adam: the same, with momentum",
    "adamw": "AdamW: Adam with weight decay kept apart",
    "muon": "Muon: momentum with orthogonal steps for convolutions, AdamW for the rest",
    "sgd": "SGD: plain gradient descent with momentum 0.9",
}
CROPS = {
    "face": "a square about the face's true box, so that every face has the same size",
    "frame": "the whole frame, resized and cropped at random, as in the reference recipe",
}
AUGMENTATIONS = {
    "none": "the same crop of each face in every epoch",
    "geometry": "random scale, shift, rotation and horizontal flip",
    "full": "the same, larger, and random brightness, contrast, blur, noise and occlusion",
    "3d": "the same, and heads turned further in depth, mouths opened",
}
SCHEDULES = {
    "constant": "the same learning rate throughout",
    "one-cycle": "up from a tenth at first, then down to zero",
}
PARTS = {
    "test": "the test set; settings must not be chosen by it",
    "validation": "people held out of the training set, for choosing settings",
}
PRECISIONS = {
    "auto": "whichever is faster on this machine, timed at the start",
    "float32": "32 bits",
    "bfloat16": "16 bits in the network, 32 for weights and loss",
}
CHOICES: dict[str, Mapping[str, Any]] = {  # the settings that are a choice, and their values
    "architecture": MODELS,
    "split": SPLITS,
    "validate_on": PARTS,
    "crop": CROPS,
    "augmentation": AUGMENTATIONS,
    "loss": LOSSES,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "precision": PRECISIONS,
}


def setting(default: Any, sentence: str) -> Any:
    return field(default=default, metadata={"help": sentence})


@dataclass(frozen=True)
class TrainConfig:
    """One training run. The defaults are the reference recipe, but for the crop and its size.

    >>> from kp import TrainConfig
    >>> TrainConfig("heatmap_net", crop_size=96).preprocessing.size
    96
    """

    architecture: str = setting("five_conv", "network architecture")
    split: str = setting("people", "how the frames are divided into a training and a test set")
    validate_on: str = setting("test", "set that the error is measured on")
    max_train_images: int = setting(0, "most images of the training set that are used; 0 for all")
    crop: str = setting("face", "input: the whole frame, or a square about the face")
    crop_size: int = setting(0, "side of the crop in pixels; 0 for the architecture's own")
    width: int = setting(0, "channels of heatmap_net's first stage; 0 for the architecture's own")
    margin: float = setting(1.35, "crop margin: side of the face crop, in sides of the tight face box")
    augmentation: str = setting("geometry", "data augmentation")
    epochs: int = setting(3, "epochs: how often each image is seen")
    max_seconds: float = setting(0.0, "time limit of training and validation, which the schedule fits; 0 for none")
    batch_size: int = setting(10, "batch size: images a step")
    loss: str = setting("mse", "loss function")
    optimizer: str = setting("rmsprop", "optimizer")
    learning_rate: float = setting(1e-4, "learning rate; 0.0001 to 0.003 is sensible, ten times that for Muon")
    evals_per_epoch: int = setting(1, "validations in each epoch")
    schedule: str = setting("constant", "learning rate schedule")
    weight_decay: float = setting(0.0, "weight decay")
    ema_decay: float = setting(0.0, "decay of the exponential moving average of the weights; 0 for no average")
    precision: str = setting("auto", "number format of the forward and backward pass")
    seed: int = setting(0, "random seed; the same seed gives the same run")

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            choose(name.replace("_", " "), getattr(self, name), choices)
        for name, low, high in (
            ("max_train_images", 0, math.inf),
            ("crop_size", 0, 512),
            ("width", 0, 128),
            ("margin", 0.5, 4),
            ("epochs", 1, 10_000),
            ("max_seconds", 0, 86_400),
            ("batch_size", 1, 1024),
            ("evals_per_epoch", 1, 100),
            ("learning_rate", 1e-8, 10),
            ("weight_decay", 0, 1),
            ("ema_decay", 0, 0.99999),
            ("seed", 0, 2**31 - 1),
        ):
            value, whole = getattr(self, name), isinstance(getattr(type(self), name), int)
            if not isinstance(value, int if whole else int | float) or isinstance(value, bool):
                raise ConfigError(f"{name} is {value!r}; it must be a {'whole ' * whole}number ({help_of(name)}).")
            if not low <= value <= high or not math.isfinite(value):
                raise ConfigError(f"{name} is {value}; it must be from {low} to {high} ({help_of(name)}).")
        if self.loss == "heatmap" and not MODELS[self.architecture].has_heatmaps:
            raise ConfigError(
                f"The loss 'heatmap' needs a network that draws heatmaps, and {self.architecture} does "
                "not. Choose heatmap_net, or another loss."
            )
        if 0 < self.crop_size < 32:
            raise ConfigError(
                f"crop_size is {self.crop_size}; a crop needs at least 32 pixels, or 0 for the architecture's own."
            )
        MODELS[self.architecture].arguments_for(self.input_size, self.width)  # raises where it cannot take that size

    @classmethod
    def reference(cls) -> "TrainConfig":
        """The recipe of the course project: whole frames, MSE, RMSprop 1e-4, batches of 10, 3 epochs."""
        return cls(crop="frame", augmentation="none")

    @property
    def input_size(self) -> int:
        """Side of the crop in pixels: `crop_size`, or the architecture's own."""
        return self.crop_size or MODELS[self.architecture].input_size

    @property
    def model_arguments(self) -> dict[str, Any]:
        """The arguments of `create_model` beyond the name."""
        return MODELS[self.architecture].arguments_for(self.input_size, self.width)

    @property
    def preprocessing(self) -> Preprocessing:
        """The reference's units at its own size of 224 px; else, and for heatmaps, -1..1 across the crop."""
        margin = FRAME_MARGIN if self.crop == "frame" else self.margin
        if self.input_size == 224 and not MODELS[self.architecture].has_heatmaps:
            return Preprocessing(size=224, margin=margin)
        return Preprocessing.centred(self.input_size, margin)

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def help_of(name: str) -> str:
    """The sentence of a setting."""
    return {option.name: option.metadata["help"] for option in fields(TrainConfig)}[name]


PRESETS: dict[str, TrainConfig] = {
    "reference": TrainConfig.reference(),
    "minute": TrainConfig(
        architecture="heatmap_net",
        crop_size=64,
        width=16,
        loss="heatmap",
        optimizer="muon",
        learning_rate=0.03,
        evals_per_epoch=2,
        schedule="one-cycle",
        ema_decay=0.99,
        batch_size=32,
        epochs=100,
        max_seconds=60.0,
    ),
}
