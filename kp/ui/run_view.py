"""A training run as the page shows it: a line of state, a bar, two charts."""

from collections.abc import Sequence
from html import escape
from typing import Any

from kp.drawing.charts import Chart
from kp.ui.runs import Run

# Errors of others and of simple means on this data, in percent NME.
REFERENCES = {
    "mean shape": 20.0,
    "nearest frame": 13.8,
    "best published": 9.74,
}
STATES = {
    "starting": "Starting", "decoding": "Reading the images", "training": "Training",
    "stopping": "Stopping after this step", "finished": "Finished", "stopped": "Stopped", "diverged": "Diverged",
    "failed": "Failed",
}
SMOOTHING = 0.9  # of the training loss, which jumps from batch to batch


def status_html(run: Run | None) -> str:
    """State, progress, speed and time left of a run; an invitation where there is none."""
    if run is None:
        return '<div class="kp-run" role="status">No run yet. Press Start: the curves appear here as it learns.</div>'
    share = _share(run)
    facts = _facts(run)
    return (f'<div class="kp-run" role="status"><b>{STATES[run.state]}</b> {escape(" · ".join(facts))}'
            f'<div class="kp-bar"><div style="width:{100 * share:.1f}%"></div></div></div>')


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
        return ["the process is coming up"]
    return [f"epoch {step['epoch']} of {run.config.epochs}", f"step {step['step']} of {step['steps']}",
            f"{step['images_per_second']:.0f} images/s", f"{_duration(step['seconds_left'])} left", *_result(run)]


def _result(run: Run) -> list[str]:
    return [f"NME {run.epochs[-1]['nme']:.1f} %"] if run.epochs else []


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def charts_html(run: Run | None) -> str:
    """The loss and the NME of a run, side by side."""
    if run is None:
        return two_charts({}, {}, "")
    steps_an_epoch = max(1, (run.progress.get("steps") or 1) / run.config.epochs)
    smooth, losses = None, []
    for event in run.steps:
        if event["loss"] is None:
            continue
        smooth = event["loss"] if smooth is None else SMOOTHING * smooth + (1 - SMOOTHING) * event["loss"]
        losses.append((event["step"] / steps_an_epoch, smooth))
    return two_charts({"training": losses, "validation": [(e["epoch"], e["validation_loss"]) for e in run.epochs]},
                      {"people never seen" if run.config.split == "people" else "test frames":
                       [(e["epoch"], e["nme"]) for e in run.epochs]}, run.config.loss)


def history_html(history: Sequence[dict[str, Any]], title: str) -> str:
    """The curves of a checkpoint's own training."""
    losses = {"training": [(e["epoch"], e["train_loss"]) for e in history],
              "validation": [(e["epoch"], e["validation_loss"]) for e in history]}
    return two_charts(losses, {"people never seen": [(e["epoch"], e["nme"]) for e in history]}, title)


def two_charts(losses: dict, errors: dict, what: str) -> str:
    loss = Chart(title=f"Loss{f' ({what})' if what else ''}", x_label="epochs", log=True).svg(losses)
    error = Chart(title="Mean error, % of the eye distance (NME)", x_label="epochs", unit=" %", log=True,
                  references=REFERENCES).svg(errors)
    return f'<div class="kp-charts"><div>{loss}</div><div>{error}</div></div>'
