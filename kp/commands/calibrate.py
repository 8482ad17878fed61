"""Fit calibrations on the training people: the boxes of the detectors, or with a MODEL its confidence.

Without MODEL it prints the numbers of `box_map` in kp/detectors/ and the errors of the boxes that remain with them.
With MODEL it degrades frames, sets the threshold of low confidence so that few of the faces with an error below 8 % and
as many as possible of those over 10 % are flagged, and writes it into the checkpoint; the weights stay the same.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kp.checkpoint import find_checkpoint, load_checkpoint
from kp.commands.common import (
    add_data,
    add_json,
    add_old_name,
    open_dataset,
    print_json,
    progress_bar,
    rewrite_checkpoint,
)
from kp.data import FacialKeypointsDataset
from kp.detectors import DETECTORS, BoxMap, create_detector
from kp.errors import ConfigError
from kp.geometry import Box
from kp.prediction.calibration import BAD, GOOD, FlagShares, entry, measure
from kp.prediction.predictor import Predictor
from kp.prediction.tta import AUGMENTATIONS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model",
        nargs="?",
        metavar="MODEL",
        help="the network whose confidence is calibrated, a "
        "shipped checkpoint's name or a .safetensors file, which is changed; none: the detectors",
    )
    tta = parser.add_argument(
        "--tta",
        type=int,
        default=1,
        metavar="N",
        help=f"calibrate for N crops of each face, 1 to {len(AUGMENTATIONS)} (default: 1)",
    )
    add_old_name(parser, "--views", tta)
    parser.add_argument(
        "--frames", type=int, default=2000, metavar="N", help="number of frames, each degraded once (default: 2000)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the frames and of their degradations (default: 0)")
    parser.add_argument(
        "--check",
        action="store_true",
        help="change nothing: report the shares that the checkpoint's "
        "threshold gives on degraded frames of the test people",
    )
    add_data(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    dataset = open_dataset(options)
    if options.model is not None:
        return calibrate_confidence(options, dataset)
    if options.check:
        raise ConfigError("--check measures the confidence of a network. Name its MODEL.")
    return calibrate_boxes(options, dataset.part("people", "train"))


def calibrate_confidence(options: argparse.Namespace, dataset: FacialKeypointsDataset) -> int:
    """Fit the threshold and write it, or with --check only measure it on the test people."""
    if options.frames < 1:
        raise ConfigError(f"--frames is {options.frames}; it must be at least 1.")
    path = find_checkpoint(options.model)
    checkpoint = load_checkpoint(path)
    predictor = Predictor(checkpoint, tta=options.tta)
    if dataset.synthetic and not options.check and str(options.model) != str(path):
        raise ConfigError(
            "A shipped network is calibrated on real people, not on synthetic faces. Name the dataset "
            "with --data, or a copy of the network."
        )
    part = "test" if options.check else "train"
    with progress_bar("predicting", hidden=options.json) as progress:
        measured = measure(
            predictor, dataset.part("people", part), frames=options.frames, seed=options.seed, progress=progress
        )
    threshold = checkpoint.confidence_threshold(options.tta) if options.check else measured.threshold()
    shares = measured.shares(threshold)
    if not options.check:
        fitted = entry(threshold, shares, seed=options.seed, frames=options.frames)
        write_calibration(path, options.tta, fitted)
    if options.json:
        print_json({"threshold": threshold, "part": part, "tta": options.tta} | shares.record())
    else:
        print(shares_text(shares, part))
        print(f"The threshold is {threshold:.4f}" + ("." if options.check else f", written to {path}."))
    return 0


def shares_text(shares: FlagShares, part: str) -> str:
    return (
        f"{shares.frames} degraded frames of the {part} people, {shares.missed} faces not found. Flagged as of low "
        f"confidence: {shares.bad_flagged:.1%} of {shares.bad} faces with an error over {BAD:.0%}, "
        f"{shares.good_flagged:.1%} of {shares.good} below {GOOD:.0%}."
    )


def write_calibration(path: Path, tta: int, fitted: dict[str, Any]) -> None:
    """Add the entry for `tta` crops a face to a checkpoint's calibration, or replace it."""
    checkpoint = load_checkpoint(path)
    rewrite_checkpoint(replace(checkpoint, calibration=checkpoint.calibration | {str(tta): fitted}), path)


def calibrate_boxes(options: argparse.Namespace, faces: FacialKeypointsDataset) -> int:
    fitted = {}
    for name in DETECTORS:
        detector = create_detector(name)
        detected, tight = [], []
        with progress_bar(name, hidden=options.json) as progress:
            for index in range(len(faces)):
                truth = Box.from_points(faces.keypoints[index])
                boxes = [face.box for face in detector.detect(faces.image(index))]
                best = max(boxes, key=truth.iou, default=None)
                if best and truth.iou(best) > 0.1:
                    detected.append(best)
                    tight.append(truth)
                progress(index + 1, len(faces))
        fitted[name] = (
            _describe(BoxMap.fit(detected, tight), detected, tight, len(faces))
            if detected
            else {"found": 0, "of": len(faces)}
        )
        if not options.json:
            print(f"{name}: {fitted[name]}")
    if options.json:
        print_json(fitted)
    return 0


def _describe(box_map: BoxMap, detected: list[Box], tight: list[Box], total: int) -> dict[str, float]:
    """The map, and the residuals of mapped boxes: of size (log) and of centre (in tight box sides)."""
    mapped = [box_map.to_tight(box) for box in detected]
    sizes = [np.log(m.side / t.side) for m, t in zip(mapped, tight, strict=True)]
    places = [
        np.hypot(m.centre[0] - t.centre[0], m.centre[1] - t.centre[1]) / t.side
        for m, t in zip(mapped, tight, strict=True)
    ]
    return {
        **vars(box_map),
        "found": len(detected),
        "of": total,
        "size_spread": round(float(np.std(sizes)), 3),
        "place_p95": round(float(np.percentile(places, 95)), 3),
    }
