"""A training run as HTML: its state with a progress bar, and two charts."""

from collections.abc import Mapping, Sequence
from typing import Any

from kp.drawing.charts import Chart, Point
from kp.drawing.references import REFERENCES
from kp.ui.services.run import Run
from kp.ui.static import render

STATES = {
    "starting": "Starting",
    "decoding": "Reading the images",
    "training": "Training",
    "stopping": "Stopping after this step",
    "finished": "Finished",
    "stopped": "Stopped",
    "diverged": "Diverged",
    "failed": "Failed",
}
LONG = 600.0  # seconds; the charts of longer runs are in minutes


def status_html(run: Run | None) -> str:
    """State, progress, speed and time left of a run; how to start one where run is None."""
    if run is None:
        return render("train_status.html", state="", facts="", percent="")
    state = "Rendering the synthetic faces" if run.state == "decoding" and run.synthetic else STATES[run.state]
    return render("train_status.html", state=state, facts=" · ".join(_facts(run)), percent=f"{100 * _share(run):.1f}")


def _share(run: Run) -> float:
    if run.state == "decoding":
        return run.progress.get("done", 0) / max(1, run.progress.get("total", 1))
    if "seconds_left" in run.progress:
        spent, left = run.progress["seconds"], run.progress["seconds_left"] or 0.0
        return spent / max(spent + left, 1e-9) if run.active else 1.0
    return 0.0


def _facts(run: Run) -> list[str]:
    if not run.active:
        return [run.message, *_result(run)]
    if run.state == "decoding":
        return [f"{run.progress['done']} of {run.progress['total']}, once for all epochs"]
    step = run.progress
    if "step" not in step:
        return ["the training process is starting"]
    return [
        f"epoch {step['epoch']} of {run.config.epochs}",
        f"step {step['step']} of {step['steps']}",
        f"{step['images_per_second']:.0f} images/s",
        f"{_duration(step['seconds_left'])} left",
        *_result(run),
    ]


def _result(run: Run) -> list[str]:
    return [f"NME {run.epochs[-1]['nme']:.1f} %"] if run.epochs else []


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def charts_html(run: Run | None, other: Run | None = None, *, epoch: int | None = None) -> str:
    """Loss and NME of a run, side by side. other: a run to compare it with. epoch: an evaluation to mark, from 1."""
    if run is None:
        return two_charts({}, {}, "")
    losses, errors = loss_lines(run), {f"run {run.number}" if other else tested_on(run): error_line(run.epochs)}
    if other and other is not run:
        losses |= {f"run {other.number}: {name}": line for name, line in loss_lines(other).items()}
        errors |= {f"run {other.number}": error_line(other.epochs)}
    marker = run.epochs[epoch - 1]["seconds"] if epoch else None
    references = {} if run.synthetic else REFERENCES
    return two_charts(losses, errors, run.config.loss, marker=marker, references=references)


def loss_lines(run: Run) -> dict[str, list[Point]]:
    """Training loss, smoothed, and validation loss over the seconds of a run."""
    return {"training": run.losses, "validation": [(e["seconds"], e["validation_loss"]) for e in run.epochs]}


def error_line(epochs: Sequence[dict[str, Any]]) -> list[Point]:
    return [(epoch["seconds"], epoch["nme"]) for epoch in epochs]


def tested_on(run: Run) -> str:
    if run.synthetic:
        return "synthetic people never seen" if run.config.split == "people" else "synthetic test frames"
    return "people never seen" if run.config.split == "people" else "test frames"


def history_html(history: Sequence[dict[str, Any]], title: str) -> str:
    """The curves from a checkpoint's training history."""
    losses = {
        "training": [(e["seconds"], e["train_loss"]) for e in history],
        "validation": [(e["seconds"], e["validation_loss"]) for e in history],
    }
    return two_charts(losses, {"people never seen": error_line(history)}, title)


def two_charts(
    losses: dict, errors: dict, what: str, *, marker: float | None = None, references: Mapping[str, float] = REFERENCES
) -> str:
    """Losses and errors over time, in minutes for runs longer than LONG. references: baselines, dashed lines."""
    last = max((x for line in (*losses.values(), *errors.values()) for x, _ in line), default=0.0)
    unit, label = (60.0, "minutes") if last > LONG else (1.0, "seconds")
    losses, errors = (
        {name: [(x / unit, y) for x, y in line] for name, line in lines.items()} for lines in (losses, errors)
    )
    at = None if marker is None else marker / unit
    loss = Chart(title=f"Loss{f' ({what})' if what else ''}", x_label=label, log=True, marker=at).svg(losses)
    error = Chart(
        title="Mean error, % of the eye distance (NME)",
        x_label=label,
        unit=" %",
        log=True,
        references=references,
        marker=at,
    ).svg(errors)
    return f'<div class="kp-charts"><div>{loss}</div><div>{error}</div></div>'
