"""The Evaluate tab's plots: cumulative errors, errors by region, yaw and size, expected against measured errors."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from kp.drawing.curves import bars, colour_of, cumulative_errors, expected_errors
from kp.landmarks import REGIONS
from kp.ui.services.results import Result
from kp.ui.static import render

WELL_CALIBRATED = (0.85, 1.18)  # measured by expected errors


def charts_html(results: Sequence[Result], *, can_run: bool) -> str:
    """All networks in each plot, with a key where there are several; empty without results."""
    if not results:
        return ""
    labels = {result.label: result for result in results}
    plots = [
        _cumulative(labels),
        _by_region(labels),
        _grouped("Error by how far the head is turned", "by_yaw", labels),
        _grouped("Error by size: pixels between the eyes", "by_size", labels),
        _expected(labels),
    ]
    expected = {label: result.record["spread"] for label, result in labels.items() if result.record.get("spread")}
    return render(
        "evaluate_charts.html",
        plots=[Markup(plot) for plot in plots if plot],
        can_run=can_run,
        key=[(label, colour_of(number)) for number, label in enumerate(labels)],
        without_errors=[label for label, result in labels.items() if not result.errors],
        sentences=[error_sentence(label, record) for label, record in expected.items()],
    )


def _cumulative(labels: Mapping[str, Result]) -> str:
    errors = {label: result.errors for label, result in labels.items()}
    return cumulative_errors(errors) if any(errors.values()) else ""


def _by_region(labels: Mapping[str, Result]) -> str:
    values = {label: [result.record["regions"].get(region) for region in REGIONS] for label, result in labels.items()}
    return bars("Error by region of the face (NME)", [(region, "") for region in REGIONS], values)


def _grouped(title: str, key: str, labels: Mapping[str, Result]) -> str:
    """Bars of groups of faces, with the number of faces in each; empty where no record has them."""
    records = {label: result.record.get(key) for label, result in labels.items()}
    groups = next((groups for groups in records.values() if groups), None)
    if groups is None:
        return ""
    names = [(group["label"].replace(" degrees", "°"), f"{group['images']} faces") for group in groups]
    values = {
        label: [group["nme"] for group in found or []] or [None] * len(groups) for label, found in records.items()
    }
    return bars(title, names, values)


def _expected(labels: Mapping[str, Result]) -> str:
    """Measured over expected errors; empty where no network predicts its errors."""
    records = {label: result.record.get("spread") for label, result in labels.items()}
    if not any(records.values()):
        return ""
    return expected_errors(
        {label: (entry["expected"], entry["measured"]) if entry else ((), ()) for label, entry in records.items()}
    )


def error_sentence(label: str, expected: Mapping[str, Any]) -> Markup:
    """How the errors that a network expects agree with the measured ones. expected: a record's "spread" entry."""
    ratio = sum(expected["measured"]) / max(sum(expected["expected"]), 1e-9)
    low, high = WELL_CALIBRATED
    size = (
        "about as large as predicted"
        if low <= ratio <= high
        else f"{ratio:.1f} times the predicted ones: it is {'over' if ratio > 1 else 'under'}confident"
    )
    return render("evaluate_error.html", label=label, record=expected, size=size)
