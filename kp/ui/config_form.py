"""The settings of a run as controls, made from TrainConfig's own fields, choices and sentences."""

from collections.abc import Sequence
from typing import Any

import gradio as gr

from kp.training import PRESETS, TrainConfig
from kp.training.config import CHOICES, help_of

MAIN = (("architecture",), ("crop",), ("epochs", "subset"))  # the rows on top; the others are under Advanced
LABELS = {
    "architecture": "Network", "split": "Split", "validate_on": "Validate on", "subset": "Images to learn from",
    "crop": "What the network sees", "size": "Crop size, pixels", "margin": "Crop margin, in face boxes",
    "augmentation": "Augmentation", "epochs": "Epochs", "evaluations": "Evaluations an epoch",
    "seconds": "Time limit, seconds", "batch_size": "Batch size",
    "loss": "Loss", "optimizer": "Optimiser", "learning_rate": "Learning rate", "schedule": "Schedule",
    "weight_decay": "Weight decay", "averaging": "Weight averaging", "precision": "Number format", "seed": "Seed",
    "width": "Width of the network",
}
PRESET_TITLES = {"reference": "Reference recipe", "minute": "One minute"}


def control(name: str, default: Any) -> gr.components.Component:
    """The control of one field of TrainConfig."""
    described = {"label": LABELS[name], "info": help_of(name), "min_width": 100,
                 "elem_id": f"kp-train-{name.replace('_', '-')}"}
    if name in CHOICES:
        return gr.Dropdown(list(CHOICES[name]), value=default, **described)
    return gr.Number(default, precision=0 if isinstance(default, int) else None, **described)


class ConfigForm:
    """Builds the controls where it is made; `controls` are a listener's inputs, `read` makes the config of them.

    `start` and `stop` stand below the recipe, above what can be changed of it.
    """

    def __init__(self, preset: str) -> None:
        values = PRESETS[preset].to_dict()
        self.preset = gr.Dropdown([(PRESET_TITLES[name], name) for name in PRESETS], value=preset, label="Recipe",
                                  info="settings to start from; everything below can be changed",
                                  elem_id="kp-train-preset")
        self.start = gr.Button("Start", variant="primary", elem_id="kp-train-start")
        self.stop = gr.Button("Stop", variant="stop", elem_id="kp-train-stop", visible=False)
        made = {}
        for row in MAIN:
            with gr.Row():
                made |= {name: control(name, values[name]) for name in row}
        with gr.Accordion("Advanced", open=False, elem_id="kp-train-advanced"):
            made |= {name: control(name, value) for name, value in values.items() if name not in made}
        self.names = list(values)
        self.controls = [made[name] for name in self.names]
        self.preset.input(self.fill, self.preset, self.controls, show_progress="hidden", api_visibility="private")

    def fill(self, preset: str) -> list[Any]:
        return list(PRESETS[preset].to_dict().values())

    def read(self, values: Sequence[Any]) -> TrainConfig:
        """Raises ConfigError for a value out of its range; an emptied number is the default."""
        defaults = TrainConfig().to_dict()
        given = dict(zip(self.names, values, strict=True))
        return TrainConfig(**{name: defaults[name] if value is None else type(defaults[name])(value)
                              for name, value in given.items()})
