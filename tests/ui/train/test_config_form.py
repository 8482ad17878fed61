"""The form of the Train tab says and reads what TrainConfig has."""

from typing import Any

import gradio as gr
import pytest

from kp.errors import ConfigError
from kp.training import PRESETS, TrainConfig
from kp.training.config import CHOICES, help_of
from kp.ui.train.config_form import LABELS, MAIN, PRESET_TITLES, ConfigForm


@pytest.fixture(scope="module")
def form() -> ConfigForm:
    with gr.Blocks():
        return ConfigForm("minute")


def given(form: ConfigForm, **changes: Any) -> list[Any]:
    """The form's values as the reference recipe has them, but for the changes."""
    return list((PRESETS["reference"].to_dict() | changes).values())


def test_every_setting_has_a_control_that_explains_it(form: ConfigForm) -> None:
    names = list(TrainConfig().to_dict())
    assert form.names == names and set(LABELS) == set(names)
    for name, control in zip(names, form.controls, strict=True):
        assert (control.label, control.info) == (LABELS[name], help_of(name))
        assert control.elem_id == f"kp-train-{name.replace('_', '-')}"
        if name in CHOICES:
            assert [value for _, value in control.choices] == list(CHOICES[name])


def test_the_controls_open_with_the_recipe_that_is_named(form: ConfigForm) -> None:
    assert form.preset.value == "minute"
    assert [control.value for control in form.controls] == list(PRESETS["minute"].to_dict().values())


def test_what_matters_most_is_not_hidden(form: ConfigForm) -> None:
    top = {name for row in MAIN for name in row}
    for name, control in zip(form.names, form.controls, strict=True):
        parent, hidden = control.parent, False
        while parent is not None:
            hidden, parent = hidden or isinstance(parent, gr.Accordion), parent.parent
        assert hidden == (name not in top)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_recipe_fills_the_form_and_is_read_back(form: ConfigForm, preset: str) -> None:
    assert form.read(list(form.fill(preset).values())) == PRESETS[preset]
    assert (PRESET_TITLES[preset], preset) in form.preset.choices


def test_numbers_come_in_the_setting_s_own_kind(form: ConfigForm) -> None:
    config = form.read(given(form, epochs=5.0, max_seconds=60, seed=3.0, learning_rate=1))
    assert config == form.read(given(form, epochs=5, max_seconds=60.0, seed=3, learning_rate=1.0))
    assert isinstance(config.epochs, int) and isinstance(config.max_seconds, float)


def test_an_emptied_number_is_the_default(form: ConfigForm) -> None:
    config = form.read(given(form, epochs=None, learning_rate=None))
    assert (config.epochs, config.learning_rate) == (TrainConfig().epochs, TrainConfig().learning_rate)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("learning_rate", -1, "learning_rate is -1.0; it must be from 1e-08 to 10"),
        ("epochs", 0, "epochs is 0; it must be from 1 to 10000"),
        ("margin", 99, "margin is 99.0"),
        ("crop_size", 5, "crop_size is 5; a crop needs at least 32 pixels"),
        ("loss", "heatmap", "five_conv does not"),
        ("architecture", "resnet", "no architecture named 'resnet'"),
    ],
)
def test_a_bad_setting_is_named(form: ConfigForm, name: str, value: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        form.read(given(form, **{name: value}))
