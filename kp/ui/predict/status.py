"""The status line above Predict's picture: faces, times, rotation and low confidence."""

from collections.abc import Sequence
from html import escape

from kp.detectors import DETECTORS
from kp.landmarks import POINT_NAMES
from kp.ui.predict.html import low_confidence_reason
from kp.ui.predict.pipeline import INSPECTED, Analysis
from kp.ui.services.model_store import RUN

WHOLE = "whole-image"  # the detector that takes the whole photo as one face
TURNED = {90: "90 degrees counter-clockwise", 180: "180 degrees", 270: "90 degrees clockwise"}


def describe(analysis: Analysis, marks: Sequence[str]) -> str:
    """The picture's alternative text."""
    count = len(analysis.faces)
    faces = f"{count or 'no'} face{'' if count == 1 else 's'} found"
    return f"The photo, {faces}, with {', '.join(marks) or 'nothing'} drawn on it" if count else f"The photo, {faces}"


def status_text(analysis: Analysis) -> str:
    """Number of faces, times, rotation and low confidence; Markdown."""
    count, size = len(analysis.faces), f"{analysis.width} × {analysis.height} pixels"
    detector = f"{analysis.detector.partition(' (')[0]} took {analysis.detector_ms:.0f} ms"
    if not count:
        return f"**No face** in {size}. {detector}, also in the photo turned by 90, 180 and 270 degrees."
    shown = f", shown at {analysis.factor:.0%} of its size" if analysis.factor < 1 else ""
    kept = f" The steps are kept of the first {INSPECTED}." if count > INSPECTED else ""
    took = "The box is yours" if analysis.given else f"{detector} to find {'them' if count > 1 else 'it'}"
    return (
        f"**{count} face{'s' * (count > 1)}** in {size}{shown}. {took}, {escape(analysis.model)} "
        f"{analysis.network_ms:.0f} ms for {count * len(POINT_NAMES)} points.{kept}{_remarks(analysis)}"
    )


def _remarks(analysis: Analysis) -> str:
    """Whether the picture was turned, and which faces have a low confidence."""
    text = ""
    if analysis.rotation:
        text += f" **The picture was turned by {TURNED[analysis.rotation]} to find faces.**"
    uncertain = sum(face.low_confidence for face in analysis.faces)
    if uncertain == len(analysis.faces) == 1:
        text += f" **The network is not sure of it: {low_confidence_reason(analysis.faces[0], analysis.rotation)}.**"
    elif uncertain == len(analysis.faces) > 1:
        text += " **The network is sure of none of them: they may be no faces, or their points may be off.**"
    elif uncertain == 1:
        text += " **Of one of them the network is not sure: it may be no face, or its points may be off.**"
    elif uncertain:
        text += (
            f" **Of {uncertain} of them the network is not sure: they may be no faces, or their points may be off.**"
        )
    return text


def no_face_html(analysis: Analysis, detector: str, threshold: float | None) -> str:
    """The notice when a detector finds no face, with what to try."""
    others = [kind.title.partition(" (")[0] for name, kind in DETECTORS.items() if name not in (detector, WHOLE)]
    at = "" if threshold is None else f" at the threshold {threshold:g}"
    return (
        f"<b>{escape(analysis.detector.partition(' (')[0])} found no face{at}.</b> Try a lower threshold, the "
        f"detector {escape(' or '.join(others))}, or draw a box around the face yourself (below). "
        "Or take the whole photo as one face:"
    )


def shown_name(model: str | None) -> str:
    """A network's name as shown to visitors."""
    return (model or "").replace(RUN, "your run ")
