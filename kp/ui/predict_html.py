"""What is said about predicted faces: how sure, how far turned; the box test, two networks side by side."""

import math
from collections.abc import Sequence
from html import escape

import numpy as np

from kp.formats.record import number_or_none
from kp.geometry import CropMap
from kp.landmarks import POINT_NAMES, REGIONS
from kp.metrics import eye_distance
from kp.pose import HeadPose, head_pose
from kp.predict import FAR_OFF, FacePrediction

CSS = """
.face {font-size: .875rem; line-height: 1.5; color: var(--body-text-color)}
.face b {font-weight: 600}
"""
TOOLS_CSS = """
p, figcaption, caption {font-size: .8125rem; line-height: 1.45; color: var(--body-text-color); margin: 4px 0}
caption {caption-side: top; text-align: left}
b {font-weight: 600; color: inherit}
figure {margin: 0; min-width: 0}
img {width: 100%; max-width: 512px; border-radius: 8px; display: block; margin: 0}
.pair {display: grid; grid-template-columns: repeat(auto-fit, minmax(220px, 1fr)); gap: 12px}
.map {--map-near: transparent; --map-far: #2b7bba; overflow-x: auto}
.map table {border-collapse: collapse; font-size: .75rem; margin: 0; border: 0; color: var(--body-text-color);
  font-variant-numeric: tabular-nums}
.map tr {border: 0}
.map td:empty {border: 0}
.map th {font-weight: 400; padding: 3px 4px; border: 0; text-align: right; color: var(--body-text-color-subdued)}
.map td {padding: 6px 4px; border: 1px solid var(--border-color-primary); text-align: center; min-width: 34px}
"""
STILL = 3.0        # degrees; a head turned by less looks ahead
FAR_TURNED = 50.0  # degrees; there are few training frames beyond
SMALL = 32         # pixels; no face of the training frames is smaller


def face_html(face: FacePrediction, number: int | None = None, *, turn: float = 0.0) -> str:
    """Confidence, head pose and doubtful points of one face; number: counted from 1, where there are several.

    turn: degrees counter-clockwise that set the picture upright: the head's tilt is told as it looks then.
    """
    parts = [_confidence(face), _pose(face, turn)]
    if number and face.doubtful:  # of a face that is alone, the status says it
        parts.insert(1, f"The network is not sure of it: {reason_of_doubt(face, turn)}")
    unsure = int(face.unsure.sum())
    if unsure:
        parts.append(f"{unsure} of 68 points are hollow: each may well be off by more than {percent(FAR_OFF)} of it")
    name = f"<b>Face {number}.</b> " if number else ""
    return f'<div class="face">{name}{". ".join(part for part in parts if part)}.</div>'


def _confidence(face: FacePrediction) -> str:
    if face.confidence is None:
        return "One view of this network does not tell how sure it is; several do"
    within = f"{percent(face.expected_share)} of the points expected within {percent(FAR_OFF)} of the eye distance"
    return f"Confidence <b>{percent(face.confidence)}</b> ({within})"


def reason_of_doubt(face: FacePrediction, turn: float) -> str:
    """Why the network may not be sure of a face; turn: as in `face_html`."""
    yaw = abs(_upright_pose(face, turn).yaw)
    if yaw > FAR_TURNED:
        return (f"it may be no face; if it is one, its head is turned far to the side (by about {yaw:.0f}°), where "
                "half of the points are hidden and the others are often off")
    if face.box.side < SMALL:
        return f"at {face.box.side:.0f} pixels it may be too small, or no face, or its points may be off"
    return "it may be no face, or its points may be off"


def _upright_pose(face: FacePrediction, turn: float) -> HeadPose:
    return head_pose(CropMap.from_box(face.box, 256, turn=turn).to_crop(face.keypoints))


def _pose(face: FacePrediction, turn: float) -> str:
    pose = _upright_pose(face, turn)
    if number_or_none(pose.yaw) is None:
        return ""
    looks = [_way(pose.yaw, "to the right", "to the left"), _way(pose.pitch, "down", "up")]
    looks = " and ".join(part for part in looks if part) or "ahead"
    tilt = _way(pose.roll, "clockwise", "counter-clockwise")
    return f"Looks <b>{looks}</b>{f', head tilted <b>{tilt}</b>' if tilt else ''}"


def _way(degrees: float, positive: str, negative: str) -> str:
    if math.fabs(degrees) < STILL:
        return ""
    return f"{math.fabs(degrees):.0f}° {positive if degrees > 0 else negative}"


def box_test_html(picture: str, points: float, box: float) -> str:
    """The box test's picture (a data: address) and how far the points moved, in eye distances."""
    by = f"The box moved by <b>{percent(box)}</b> of the eye distance, the points" if box else "The points moved"
    alt = "The face with its points before (hollow) and after (filled) the box was changed, and the crop as a square"
    return (f'<figure><img src="{picture}" alt="{alt}"><figcaption>{by} by <b>{percent(points, 1)}</b> on average. '
            "Hollow: the detector's box. Filled: yours. Square: what the network sees.</figcaption></figure>")


def map_html(movement: np.ndarray, shifts: Sequence[float]) -> str:
    """A map of shifts of the box: each cell tells how far the points moved, in percent of the eye distance."""
    if not movement.size:
        return ""
    top = f'<tr><td></td>{"".join(f"<th scope=col>{shifted(right)}</th>" for right in shifts)}</tr>'
    rows = "".join(
        f'<tr><th scope="row">{shifted(down)}</th>{"".join(_cell(value) for value in line)}</tr>'
        for down, line in zip(shifts, movement, strict=True))
    return (f'<div class="map"><table><caption>How far the points move (percent of the eye distance) when the box is '
            f"shifted right (columns) and down (rows), in percent of its side</caption>{top}{rows}</table></div>")


def percent(share: float, digits: int = 0) -> str:
    return f"{share * 100:.{digits}f} %"


def shifted(share: float) -> str:
    """Percent, with its sign."""
    return f"{share * 100:+.0f}" if share else "0"


def _cell(value: float) -> str:
    """Its shade is deepest where the points move by a sixth of the eye distance; the number stays readable."""
    share = min(value * 6, 1.0) * 55
    return (f'<td style="background: color-mix(in srgb, var(--map-far) {share:.0f}%, var(--map-near))">'
            f"{value * 100:.1f}</td>")


def compare_html(pictures: Sequence[str], names: tuple[str, str], first: FacePrediction,
                 second: FacePrediction) -> str:
    """Two networks on one face: pictures (data: addresses), and how far apart their points are."""
    apart = np.linalg.norm(first.keypoints - second.keypoints, axis=1)
    eyes = max(float(eye_distance(first.keypoints)), 1e-6)
    captions = names if len(pictures) == 2 else (f"hollow: {names[0]}, filled: {names[1]}",)
    figures = "".join(f'<figure><img src="{picture}" alt="The face with the points of {escape(caption)}">'
                      f"<figcaption>{escape(caption)}</figcaption></figure>"
                      for picture, caption in zip(pictures, captions, strict=True))
    parts = ", ".join(f"{name} {percent(apart[list(points)].mean() / eyes, 1)}" for name, points in REGIONS.items())
    sure = ", ".join(f"{escape(name)} {percent(face.confidence)}"
                     for name, face in zip(names, (first, second), strict=True) if face.confidence is not None)
    return (f'<p>The two lie <b>{percent(apart.mean() / eyes, 1)}</b> of the eye distance apart on average ({parts}), '
            f"at most {percent(apart.max() / eyes, 1)} at {POINT_NAMES[int(apart.argmax())]}."
            f'{f" Confidence: {sure}." if sure else ""}</p><div class="pair">{figures}</div>')
