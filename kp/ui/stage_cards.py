"""The stages of a chain of transforms as a row of cards, each with the code that made it."""

from collections.abc import Sequence
from html import escape

from kp.drawing.overlay import data_uri
from kp.drawing.stages import Stage

CSS = """
ol {display: grid; gap: 12px; grid-template-columns: repeat(auto-fill, minmax(200px, 1fr)); list-style: none;
  margin: 0; padding: 0}
li {border: 1px solid var(--border-color-primary); border-radius: 8px; padding: 10px; min-width: 0; margin: 0;
  color: var(--body-text-color); font-size: .8125rem; line-height: 1.45;
  display: flex; flex-direction: column; gap: 6px}
h4 {font-size: .9375rem; font-weight: 600; margin: 0; color: inherit}
img {width: 100%; height: 220px; object-fit: contain; border-radius: 5px; display: block;
  background: var(--background-fill-secondary)}
code {font-family: var(--font-mono); font-size: .75rem; overflow-wrap: break-word; color: inherit;
  background: var(--background-fill-secondary); border-radius: 4px; padding: 2px 5px; display: block}
dl {display: grid; grid-template-columns: auto 1fr; gap: 0 8px; margin: 0}
dt {color: var(--body-text-color-subdued)}
dd {margin: 0}
p {margin: 0}
.seed {font-size: .875rem; color: var(--body-text-color-subdued); margin-bottom: 8px}
@media (max-width: 640px) {ol {grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 8px} img {height: 150px}
  dl {grid-template-columns: 1fr} dd {margin-bottom: 4px}}
"""


def stages_html(stages: Sequence[Stage], seed: int) -> str:
    """The cards; `seed` is what their random numbers came from."""
    return (f'<p class="seed">Drawn with seed {seed}. The same seed gives the same pictures again.</p>'
            f"<ol>{''.join(map(_card, stages))}</ol>")


def _card(stage: Stage) -> str:
    shape = " × ".join(map(str, stage.shape))
    facts = {
        "shape": shape, "type": stage.dtype, "values": f"{_number(stage.low)} to {_number(stage.high)}",
        "keypoints": f"{stage.points_low:.{_digits(stage)}f} to {stage.points_high:.{_digits(stage)}f} {stage.unit}",
    }
    rows = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in facts.items())
    remark = f"<p><b>{_remark(stage)}</b></p>" if _remark(stage) else ""
    code = escape(stage.code).replace("(", "(<wbr>", 1)
    alt = f"After {stage.title}: {shape}, the 68 keypoints drawn in place"
    return (f'<li><h4>{escape(stage.title)}</h4><img alt="{escape(alt)}" src="{data_uri(stage.picture, quality=90)}">'
            f"<code>{code}</code><dl>{rows}</dl>{remark}</li>")


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
