"""The stages of a chain of transforms as a row of cards, each with the code that made it."""

from collections.abc import Sequence
from typing import Any

from kp.drawing.overlay import data_uri
from kp.drawing.stages import Stage
from kp.ui.static import read_static, render

CSS = read_static("stage_cards.css")


def stages_html(stages: Sequence[Stage], seed: int) -> str:
    """The cards; seed: of the random numbers in the transforms."""
    return render("stage_cards.html", seed=seed, cards=[_card(stage) for stage in stages])


def _card(stage: Stage) -> dict[str, Any]:
    shape, digits = " × ".join(map(str, stage.shape)), _digits(stage)
    call, _, arguments = stage.code.partition("(")
    facts = {
        "shape": shape,
        "type": stage.dtype,
        "values": f"{_number(stage.low)} to {_number(stage.high)}",
        "keypoints": f"{stage.points_low:.{digits}f} to {stage.points_high:.{digits}f} {stage.unit}",
    }
    return {
        "title": stage.title,
        "alt": f"After {stage.title}: {shape}, the 68 keypoints drawn in place",
        "src": data_uri(stage.picture, quality=90),
        "call": call,
        "arguments": arguments,
        "facts": facts,
        "remark": _remark(stage),
    }


def _remark(stage: Stage) -> str:
    if not stage.changed:
        return "By chance, nothing this time."
    if stage.outside:
        return f"{stage.outside} of 68 points outside the picture."
    return ""


def _number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else f"{value:.2f}"


def _digits(stage: Stage) -> int:
    return 0 if stage.unit == "pixels" else 2
