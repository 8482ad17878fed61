"""Fit each detector's box to the box about the keypoints, on the training people.

Prints the numbers that stand in kp/detectors/ as `box_map`, and how well boxes agree with and without them.
"""

import argparse

import numpy as np

from kp.commands.common import add_data, add_json, open_dataset, print_json, progress_bar
from kp.detectors import DETECTORS, BoxMap, create_detector
from kp.geometry import Box


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_data(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    faces = open_dataset(options).part("people", "train")
    fitted = {}
    for name in DETECTORS:
        detector = create_detector(name)
        detected, tight = [], []
        with progress_bar(name, hidden=options.json) as progress:
            for index in range(len(faces)):
                truth = Box.around(faces.keypoints[index])
                boxes = [face.box for face in detector.detect(faces.image(index))]
                best = max(boxes, key=truth.overlap, default=None)
                if best and truth.overlap(best) > 0.1:
                    detected.append(best)
                    tight.append(truth)
                progress(index + 1, len(faces))
        fitted[name] = (_describe(BoxMap.fit(detected, tight), detected, tight, len(faces)) if detected
                        else {"found": 0, "of": len(faces)})
        if not options.json:
            print(f"{name}: {fitted[name]}")
    if options.json:
        print_json(fitted)
    return 0


def _describe(box_map: BoxMap, detected: list[Box], tight: list[Box], total: int) -> dict[str, float]:
    """The map, and the spread that is left: of size (log) and place (in tight box sides)."""
    mapped = [box_map.to_tight(box) for box in detected]
    sizes = [np.log(m.side / t.side) for m, t in zip(mapped, tight, strict=True)]
    places = [np.hypot(m.centre[0] - t.centre[0], m.centre[1] - t.centre[1]) / t.side
              for m, t in zip(mapped, tight, strict=True)]
    return {**vars(box_map), "found": len(detected), "of": total,
            "size_spread": round(float(np.std(sizes)), 3), "place_p95": round(float(np.percentile(places, 95)), 3)}
