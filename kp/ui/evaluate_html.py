"""What the Evaluate tab says: a table of figures, plots, what a split means, and how far a measurement is."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from kp.data.splits import SPLITS
from kp.drawing.curves import bars, colour_of, cumulative_errors, expected_errors
from kp.landmarks import REGIONS
from kp.ui.measurements import Job, Result, label_of

COLUMNS = {  # heading -> what it says, and how a record's value is written
    "NME mean": ("mean error of a face, % of the eye distance", "nme_mean", "{:.2f} %"),
    "median": ("half of the faces have at most this error", "nme_median", "{:.2f} %"),
    "p95": ("95 of 100 faces have at most this error", "nme_p95", "{:.2f} %"),
    "FR@8": ("failure rate: share of faces with an error above 8 %; a missed face has failed", "fr8", "{:.1f} %"),
    "FR@10": ("failure rate: share of faces with an error above 10 %; a missed face has failed", "fr10", "{:.1f} %"),
    "AUC@8": ("area under the curve of cumulative errors from 0 to 8 %; 1 would be perfect", "auc8", "{:.3f}"),
    "missed": ("faces that the detector did not find", "missed", "{}"),
    "images": ("faces that were measured", "images", "{}"),
}
LEGEND = """NME: mean distance of the 68 points from their labels, in % of the distance between the outer eye corners.
FR@8, FR@10: share of faces with an error above 8 and 10 %. AUC@8: area under the first curve up to 8 %, 1 at best."""
LEAK = """As published, the same 347 people are in both parts, and every test image's video has three training images:
copying the labels of the nearest one scores 13.8 % without any learning. By person, nobody in the test part was ever
seen, so only that figure says what a new face can expect."""
PEOPLE = {"people": "people never seen in training", "official": "the published test part, which leaks"}
INVENTED = {"people": "people who do not exist and were never seen in training",
            "official": "people who do not exist, in videos that were seen in training"}
BOXES = {"true-box": "crops from the labels' own box", "detected-box": "end to end, boxes from the detector"}
CSS = """
.figures {overflow-x: auto; color: var(--body-text-color)}
.figures table {border-collapse: separate; border-spacing: 0; width: 100%; margin: 0; padding: 0; border: 0;
  font-size: .9375rem}
.figures tr {border: 0}
.figures th, .figures td {padding: 6px 10px; border-width: 0; text-align: right; white-space: nowrap;
  font-variant-numeric: tabular-nums}
.figures thead th {font-weight: 600; font-size: .8125rem}
.figures tbody tr > * {border-top: 1px solid var(--border-color-primary)}
.figures th:first-child {text-align: left; font-weight: 600; padding-left: 0; position: sticky; left: 0;
  background: var(--background-fill-primary)}
.figures .none {text-align: left; font-style: italic; white-space: normal; min-width: 12em}
.figures small {display: block; font-weight: 400; color: var(--body-text-color-subdued)}
.figures i.swatch, .key i {display: inline-block; width: .75em; height: .75em; border-radius: 3px; margin-right: .5em}
.said {color: var(--body-text-color); font-size: .9375rem; margin: 0 0 8px}
.small {color: var(--body-text-color-subdued); font-size: .8125rem; margin: 8px 0 0}
.flatters {border-left: 4px solid #D55E00; padding: 2px 0 2px 12px; margin: 0 0 10px; color: var(--body-text-color)}
.key {display: flex; flex-wrap: wrap; gap: 2px 16px; color: var(--body-text-color); font-size: .875rem}
.plots {display: grid; grid-template-columns: repeat(auto-fill, minmax(min(380px, 100%), 1fr)); gap: 20px 24px}
.plots p {margin: 8px 0 0; font-size: .9375rem; line-height: 1.5; color: var(--body-text-color)}
.siblings {display: grid; grid-template-columns: repeat(auto-fill, minmax(120px, 1fr)); gap: 8px; max-width: 640px}
.siblings figure {margin: 0}
.siblings img {width: 100%; border-radius: 6px; display: block}
.siblings .test img {outline: 3px solid #D55E00; outline-offset: -3px}
.siblings figcaption {font-size: .8125rem; color: var(--body-text-color); padding-top: 3px}
"""


def table_html(results: Mapping[str, Result | None], split: str, setting: str, *, can_run: bool) -> str:
    """A row a network; what is not measured says how to."""
    rows = "".join(_row(name, result, number, can_run) for number, (name, result) in enumerate(results.items()))
    head = "".join(f'<th scope="col"><abbr title="{escape(told)}" style="text-decoration:none">{name}</abbr></th>'
                   for name, (told, _, _) in COLUMNS.items())
    said = f"<b>{_counted(results, split)}</b>; {BOXES[setting]}."
    if not results:
        return '<p class="said">No model is chosen. Choose one or several.</p>'
    return (f'<p class="said">{said}</p>{_flattering(results)}'
            f'<div class="figures" tabindex="0" role="region" aria-label="Figures of the chosen models"><table><thead>'
            f'<tr><th scope="col">Model</th>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
            f'<p class="small">{LEGEND}</p>')


def _counted(results: Mapping[str, Result | None], split: str) -> str:
    """How many images of whom, real and invented."""
    told = []
    for invented, what in ((False, f"images of {PEOPLE[split]}"), (True, f"sample faces of {INVENTED[split]}")):
        counts = sorted({result.record["images"] for result in results.values()
                         if result and result.invented == invented})
        told += [f"{' or '.join(map(str, counts))} {what}"] if counts else []
    return "; ".join(told) or f"Images of {PEOPLE[split]}"


def _row(name: str, result: Result | None, number: int, can_run: bool) -> str:
    head = f'<th scope="row"><i class="swatch" style="background:{colour_of(number)}"></i>{escape(label_of(name))}'
    if result is None:
        how = "not measured yet; press Run" if can_run else "not measured yet; that needs the dataset"
        return f'<tr>{head}</th><td class="none" colspan="{len(COLUMNS)}">{how}</td></tr>'
    values = "".join(f"<td>{_written(result.record.get(key), form)}</td>" for _, key, form in COLUMNS.values())
    return f"<tr>{head}<small>{result.source}</small></th>{values}</tr>"


def _written(value: Any, form: str) -> str:
    return "none" if value is None else form.format(value)


def _flattering(results: Mapping[str, Result | None]) -> str:
    """What must be known beside a figure that is partly about images that a network has learnt from."""
    told = [f"{escape(result.label)} has learnt from <b>{result.learnt} of these {result.record['images']} images</b>"
            for result in results.values() if result and result.learnt]
    if not told:
        return ""
    return f'<p class="flatters">{"; ".join(told)}: its figures here are not about people never seen.</p>'


def charts_html(results: Sequence[Result], *, can_run: bool) -> str:
    """The curves of all networks in one plot; errors by region, yaw and size; expected against measured errors."""
    if not results:
        return ""
    labels = {result.label: result for result in results}
    errors = {label: result.errors for label, result in labels.items()}
    parts = [cumulative_errors(errors) if any(errors.values()) else ""]
    regions = {label: [result.record["regions"].get(region) for region in REGIONS] for label, result in labels.items()}
    parts.append(bars("Error by region of the face (NME)", [(region, "") for region in REGIONS], regions))
    parts += [_grouped(title, key, labels) for title, key in (("Error by how far the head is turned", "by_yaw"),
                                                              ("Error by size: pixels between the eyes", "by_size"))]
    parts += _spread(labels)
    said = [label for label, result in labels.items() if not result.errors]
    how = "Press Run" if can_run else "Get the dataset and press Run"
    note = f'<p class="said">Of {escape(", ".join(said))} only sums are stored. {how} to see the curve, the groups ' \
           "and the worst faces.</p>" if said else ""
    plots = "".join(f"<div>{part}</div>" for part in parts if part)
    return f'{note}{_key(list(labels))}<div class="plots">{plots}</div>'


def _key(labels: Sequence[str]) -> str:
    """The colours of several networks."""
    if len(labels) < 2:
        return ""
    names = [f'<span><i style="background:{colour_of(number)}"></i>{escape(label)}</span>'
             for number, label in enumerate(labels)]
    return f'<p class="key">{"".join(names)}</p>'


def _grouped(title: str, key: str, labels: Mapping[str, Result]) -> str:
    """Bars of groups of faces, with how many there are."""
    told = {label: result.record.get(key) for label, result in labels.items()}
    groups = next((groups for groups in told.values() if groups), None)
    if groups is None:
        return ""
    names = [(group["label"].replace(" degrees", "°"), f"{group['images']} faces") for group in groups]
    values = {label: [group["nme"] for group in found or []] or [None] * len(groups) for label, found in told.items()}
    return bars(title, names, values)


def _spread(labels: Mapping[str, Result]) -> list[str]:
    """Measured over expected errors of the networks that tell; a sentence on each."""
    told = {label: result.record.get("spread") for label, result in labels.items()}
    if not any(told.values()):
        return []
    plot = expected_errors({label: (spread["expected"], spread["measured"]) if spread else ((), ())
                            for label, spread in told.items()})
    sentences = [_spread_sentence(label, spread) for label, spread in told.items() if spread]
    return [plot, f"<p>{'</p><p>'.join(sentences)}</p>"]


def _spread_sentence(label: str, spread: Mapping[str, Any]) -> str:
    ratio = sum(spread["measured"]) / max(sum(spread["expected"]), 1e-9)
    size = "about as large as it expects" if 0.85 <= ratio <= 1.18 else \
        f"{ratio:.1f} times what it expects: it is too sure of itself" if ratio > 1 else \
        f"{ratio:.1f} times what it expects: it is too modest"
    pixels = f"<b>{spread['in_pixels']:.2f}</b> in pixels (the face's size alone gives {spread['by_size']:.2f}), and " \
        if "in_pixels" in spread else ""  # not in records of earlier versions
    return (f"{escape(label)} says of each point how far off it may be. The rank correlation of that with the true "
            f"error (1: it always knows which point is worse; 0: it has no idea) is {pixels}"
            f"<b>{spread['rank_correlation']:.2f}</b> with both as shares of the eye distance. Its errors are {size}.")


def leak_html(label: str, results: Mapping[str, Result | None], learnt: str) -> str:
    """One network's figures on both splits, and why they differ. learnt: of `learnt_sentence`."""
    keys = (("NME mean", "nme_mean", "{:.2f} %"), ("median", "nme_median", "{:.2f} %"), ("FR@10", "fr10", "{:.1f} %"))
    rows = []
    for split, title in (("people", "by person"), ("official", "as published")):
        result = results[split]
        if result is None:
            rows.append(f'<tr><th scope="row">{title}</th><td class="none" colspan="{len(keys) + 1}">not measured yet; '
                        f"choose the split <i>{title}</i> and press Run</td></tr>")
            continue
        values = "".join(f"<td>{_written(result.record.get(key), form)}</td>" for _, key, form in keys)
        count = "not known" if result.learnt is None else f"{result.learnt} of {result.record['images']}"
        small = "<small>on sample faces</small>" if result.invented else ""
        rows.append(f'<tr><th scope="row">{title}{small}</th>{values}<td>{count}</td></tr>')
    head = "".join(f'<th scope="col">{name}</th>' for name, _, _ in keys)
    return (f'<div class="figures" tabindex="0" role="region" aria-label="Figures on both splits"><table><thead><tr>'
            f'<th scope="col">{escape(label)}</th>{head}<th scope="col">learnt from</th></tr></thead>'
            f'<tbody>{"".join(rows)}</tbody></table></div>'
            f'<p class="said" style="margin-top:10px">{LEAK} {escape(learnt)}</p>')


def learnt_sentence(label: str, trained_on: str, learnt: int | None, images: int) -> str:
    """Which of the published test images a network knows. trained_on: a split. learnt: None where it is not known."""
    if trained_on == "official":
        return f"{label} learnt from the published training part: from other images of the same videos."
    if trained_on not in SPLITS or learnt == 0:
        return ""
    count = f"{learnt} of the {images}" if learnt else "most of the"
    return (f"{label} learnt from the training part by person, and that holds {count} published test images: its "
            "figure as published is measured on images that it knows.")


def siblings_html(pictures: Sequence[tuple[str, str, str]]) -> str:
    """Pictures (address, part, title) of one video beside each other; those of the test part have a frame."""
    figures = [f'<figure class="{escape(part)}"><img src="{src}" alt="{escape(title)}, {escape(part)}">'
               f"<figcaption>{escape(part)}, frame {escape(title.rpartition(' ')[2])}</figcaption></figure>"
               for src, part, title in pictures]
    return f'<div class="siblings">{"".join(figures)}</div>' if figures else ""


def status_html(job: Job | None, idle: str = "") -> str:
    """How far a measurement is, and how long it will still take."""
    if job is None:
        return f'<div class="kp-run" role="status">{escape(idle)}</div>'
    if not job.active:
        text = f"<b>{job.state.capitalize()}.</b> {escape(job.message)}"
    else:
        of = f" ({job.measured + 1} of {len(job.names)} models)" if len(job.names) > 1 else ""
        facts = [f"{escape(label_of(job.name))}{of}"]
        facts.append(f"{job.done} of {job.total} images" if job.done else "reading the first images")
        if job.seconds_left is not None:
            facts.append(f"{job.seconds_left:.0f} s left")
        head = "Measuring" if job.state == "running" else "Stopping after this batch"
        text = f"<b>{head}</b> {' · '.join(facts)}"
    return (f'<div class="kp-run" role="status">{text}'
            f'<div class="kp-bar"><div style="width:{100 * job.share:.1f}%"></div></div></div>')


