"""The settings of a run as controls, made from the fields, choices and help texts of TrainConfig."""

from collections.abc import Sequence
from typing import Any

import gradio as gr

from kp.training import PRESETS, TrainConfig
from kp.training.config import CHOICES, help_of
from kp.ui.events import Action

MAIN = (("architecture",), ("crop",), ("epochs", "max_train_images"))  # the rows on top; the others are under Advanced
LABELS = {
    "architecture": "Network",
    "split": "Split",
    "validate_on": "Validate on",
    "max_train_images": "Training images",
    "crop": "Crop",
    "crop_size": "Crop size, pixels",
    "margin": "Crop margin, in face boxes",
    "augmentation": "Augmentation",
    "epochs": "Epochs",
    "evals_per_epoch": "Evaluations per epoch",
    "max_seconds": "Time limit, seconds",
    "batch_size": "Batch size",
    "loss": "Loss",
    "optimizer": "Optimiser",
    "learning_rate": "Learning rate",
    "schedule": "Schedule",
    "weight_decay": "Weight decay",
    "ema_decay": "Weight averaging",
    "precision": "Precision",
    "seed": "Seed",
    "width": "Width of the network",
}
PRESET_TITLES = {"reference": "Reference recipe", "minute": "One minute"}


def control(name: str, default: Any) -> gr.components.Component:
    """The control of one field of TrainConfig."""
    described: dict[str, Any] = {
        "label": LABELS[name],
        "info": help_of(name),
        "min_width": 100,
        "elem_id": f"kp-train-{name.replace('_', '-')}",
    }
    if name in CHOICES:
        return gr.Dropdown(list(CHOICES[name]), value=default, **described)
    return gr.Number(default, precision=0 if isinstance(default, int) else None, **described)


class ConfigForm:
    """Controls for every setting, in the current gr.Blocks. `controls` are an event's inputs, in the order of `read`.

    `start` and `stop` are placed between the recipe and its settings.
    """

    def __init__(self, preset: str) -> None:
        values = PRESETS[preset].to_dict()
        self.preset = gr.Dropdown(
            [(PRESET_TITLES[name], name) for name in PRESETS],
            value=preset,
            label="Recipe",
            info="settings to start from; everything below can be changed",
            elem_id="kp-train-preset",
        )
        self.start = gr.Button("Start", variant="primary", elem_id="kp-train-start")
        self.stop = gr.Button("Stop", variant="stop", elem_id="kp-train-stop", visible=False)
        made: dict[str, gr.components.Component] = {}
        for row in MAIN:
            with gr.Row():
                made |= {name: control(name, values[name]) for name in row}
        with gr.Accordion("Advanced", open=False, elem_id="kp-train-advanced"):
            made |= {name: control(name, value) for name, value in values.items() if name not in made}
        self.names = list(values)
        self.controls = [made[name] for name in self.names]
        Action(self.fill, inputs=self.preset, outputs=self.controls).on(self.preset.input)

    def fill(self, preset: str) -> dict[Any, Any]:
        """The values of a recipe, by control."""
        return dict(zip(self.controls, PRESETS[preset].to_dict().values(), strict=True))

    def read(self, values: Sequence[Any]) -> TrainConfig:
        """The config of the controls' values; None is the default. Raises ConfigError for one out of range."""
        defaults = TrainConfig().to_dict()
        given = dict(zip(self.names, values, strict=True))
        return TrainConfig(
            **{name: defaults[name] if value is None else type(defaults[name])(value) for name, value in given.items()}
        )
