"""The Evaluate tab's HTML: the table of figures, figures on both splits, and the status of a measurement."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kp.data.splits import SPLITS
from kp.drawing.curves import colour_of
from kp.ui.services.results import Job, Result, label_of
from kp.ui.static import render


@dataclass(frozen=True)
class Column:
    """A figure of a record: its key there, and how its value is written."""

    title: str
    key: str
    form: str
    help: str = ""

    def written(self, record: Mapping[str, Any]) -> str:
        value = record.get(self.key)
        return "none" if value is None else self.form.format(value)


@dataclass(frozen=True)
class Sibling:
    """A frame's picture (a data: address), the part that it belongs to ("test", "training"), "Person, frame N"."""

    src: str
    part: str
    title: str

    @property
    def frame(self) -> str:
        return self.title.rpartition(" ")[2]


COLUMNS = [
    Column("NME mean", "nme_mean", "{:.2f} %", "mean error of a face, % of the eye distance"),
    Column("median", "nme_median", "{:.2f} %", "half of the faces have at most this error"),
    Column("p95", "nme_p95", "{:.2f} %", "95 of 100 faces have at most this error"),
    Column("FR@8", "fr8", "{:.1f} %", "failure rate: share of faces with an error above 8 %; a missed face has failed"),
    Column(
        "FR@10", "fr10", "{:.1f} %", "failure rate: share of faces with an error above 10 %; a missed face has failed"
    ),
    Column("AUC@8", "auc8", "{:.3f}", "area under the curve of cumulative errors from 0 to 8 %; 1 would be perfect"),
    Column("missed", "missed", "{}", "faces that the detector did not find"),
    Column("images", "images", "{}", "faces that were measured"),
]
LEAK_COLUMNS = [column for column in COLUMNS if column.key in ("nme_mean", "nme_median", "fr10")]
REAL = {"people": "people never seen in training", "official": "the published test part, which leaks"}
SYNTHETIC = {"people": "identities never seen in training", "official": "identities whose videos are in training"}
BOXES = {"true-box": "crops from the labels' own box", "detected-box": "end to end, boxes from the detector"}


def table_html(results: Mapping[str, Result | None], split: str, setting: str, *, can_run: bool) -> str:
    """One row per network; None: not measured yet, with what to do about it."""
    seen = [
        (result.label, result.seen, result.record["images"]) for result in results.values() if result and result.seen
    ]
    rows = [_row(name, result, number) for number, (name, result) in enumerate(results.items())]
    return render(
        "evaluate_table.html",
        columns=COLUMNS,
        rows=rows,
        seen=seen,
        images=_counted(results, split),
        boxes=BOXES[setting],
        can_run=can_run,
    )


def _row(name: str, result: Result | None, number: int) -> dict[str, Any]:
    return {
        "label": label_of(name),
        "colour": colour_of(number),
        "source": result.source if result else "",
        "values": [column.written(result.record) for column in COLUMNS] if result else [],
    }


def _counted(results: Mapping[str, Result | None], split: str) -> str:
    """How many images were measured, real and synthetic."""
    parts = []
    for synthetic, what in ((False, f"images of {REAL[split]}"), (True, f"synthetic faces of {SYNTHETIC[split]}")):
        counts = sorted(
            {result.record["images"] for result in results.values() if result and result.synthetic == synthetic}
        )
        parts += [f"{' or '.join(map(str, counts))} {what}"] if counts else []
    return "; ".join(parts) or f"Images of {REAL[split]}"


def leak_html(label: str, results: Mapping[str, Result | None], seen_sentence: str) -> str:
    """One network's figures on both splits, and why they differ. seen_sentence: of the function of that name."""
    rows = [
        _leak_row(title, results[split]) for split, title in (("people", "by person"), ("official", "as published"))
    ]
    return render("evaluate_leak.html", label=label, columns=LEAK_COLUMNS, rows=rows, seen_sentence=seen_sentence)


def _leak_row(title: str, result: Result | None) -> dict[str, Any]:
    if result is None:
        return {"title": title, "measured": False, "synthetic": False, "values": [], "seen": ""}
    seen = "not known" if result.seen is None else f"{result.seen} of {result.record['images']}"
    return {
        "title": title,
        "measured": True,
        "synthetic": result.synthetic,
        "seen": seen,
        "values": [column.written(result.record) for column in LEAK_COLUMNS],
    }


def seen_sentence(label: str, trained_on: str, seen: int | None, images: int) -> str:
    """How many of the published test images were in training. trained_on: a split. seen: None where unknown."""
    if trained_on == "official":
        return f"{label} was trained on the published training part: on other images of the same videos."
    if trained_on not in SPLITS or seen == 0:
        return ""
    count = f"{seen} of the {images}" if seen else "most of the"
    return (
        f"{label} was trained on the training part by person, and that holds {count} published test images: its "
        "figure as published is measured on images from its training."
    )


def siblings_html(pictures: Sequence[Sibling]) -> str:
    """Frames of one video beside each other; those of the test part are outlined."""
    return render("evaluate_siblings.html", pictures=pictures)


def status_html(job: Job | None, idle: str = "") -> str:
    """The progress of a measurement and the time left; `idle` where there is none."""
    if job is None:
        return render("evaluate_status.html", head="", text=idle, share=None)
    if not job.active:
        return render("evaluate_status.html", head=f"{job.state.capitalize()}.", text=job.message, share=job.share)
    of = f" ({job.measured + 1} of {len(job.names)} models)" if len(job.names) > 1 else ""
    facts = [
        f"{label_of(job.name)}{of}",
        f"{job.done} of {job.total} images" if job.done else "reading the first images",
    ]
    if job.seconds_left is not None:
        facts.append(f"{job.seconds_left:.0f} s left")
    head = "Measuring" if job.state == "running" else "Stopping after this batch"
    return render("evaluate_status.html", head=head, text=" · ".join(facts), share=job.share)
