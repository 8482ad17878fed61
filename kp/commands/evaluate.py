"""Measure a network on labelled faces; all figures in percent of the eye distance.

true-box: the crop is made from the labels' own box. detected-box: end to end, a missed face is a failure.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from kp.checkpoint import find_checkpoint, load_checkpoint
from kp.commands.common import add_data, add_json, open_dataset, print_json, progress_bar, rewrite_checkpoint
from kp.data.splits import SPLITS
from kp.detectors import DETECTORS
from kp.errors import ConfigError
from kp.evaluation import SETTINGS, EvaluationReport, evaluate, metrics_key
from kp.prediction.predictor import Predictor
from kp.synthetic.dataset import SYNTHETIC


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="a shipped checkpoint's name, or a .safetensors file")
    add_data(parser)
    parser.add_argument("--split", default="people", choices=SPLITS, help="split (default: people)")
    parser.add_argument(
        "--part",
        default="test",
        choices=("test", "validation"),
        help="validation: for choosing settings (default: test)",
    )
    parser.add_argument("--setting", default="true-box", choices=SETTINGS, help="where the face box comes from")
    parser.add_argument("--detector", default="yunet", choices=DETECTORS, help="for detected-box (default: yunet)")
    parser.add_argument("--record", action="store_true", help="write the metrics into the checkpoint")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    predictor = Predictor(options.model, options.detector)
    dataset = open_dataset(options)
    if options.record and dataset.synthetic:
        raise ConfigError(
            "A model card holds metrics on real people, not on synthetic faces. Leave --record out, or name "
            "the real dataset with --data."
        )
    path = find_checkpoint(options.model)
    with progress_bar("evaluating", hidden=options.json) as progress:
        report = evaluate(
            predictor,
            dataset,
            split=options.split,
            part=options.part,
            setting=options.setting,
            name=path.stem,
            progress=progress,
        )
    summary = report.summary() | ({"data": SYNTHETIC} if dataset.synthetic else {})
    if options.record:
        _record(path, metrics_key(options.split, options.setting, options.detector, part=options.part), report)
        print(f"replaced {path}, which has these metrics now", file=sys.stderr)
    seen = f"It was trained on {report.learnt} of these {summary['images']} images." if report.learnt else ""
    if options.json:
        print_json(summary)
        if seen:
            print(f"{seen} Its true error is higher.", file=sys.stderr)
        return 0
    print(
        f"{summary['model']}, split {summary['split']}, {summary['setting']}, {summary['images']} "
        f"{'synthetic faces: nobody real' if dataset.synthetic else 'images'}"
    )
    if seen:
        print(f"  {seen} Its true error is higher.")
    if summary["missed"] == summary["images"]:
        print("  the detector found none of the faces")
        return 0
    print(
        f"  NME  mean {summary['nme_mean']:.2f} %, median {summary['nme_median']:.2f} %, "
        f"95th percentile {summary['nme_p95']:.2f} %"
    )
    print(
        f"  faces over 8 %: {summary['fr8']:.1f} %, over 10 %: {summary['fr10']:.1f} %; AUC@8 {summary['auc8']:.3f}; "
        f"missed {summary['missed']}"
    )
    print("  " + ", ".join(f"{region} {value:.2f} %" for region, value in summary["regions"].items()))
    return 0


def _record(path: Path, key: str, report: EvaluationReport) -> None:
    """Write a report into the checkpoint's metrics; its weights stay as they are, in precision and in files."""
    checkpoint = load_checkpoint(path)
    figures = {name: value for name, value in report.record().items() if name not in ("model", "split", "setting")}
    rewrite_checkpoint(replace(checkpoint, metrics=checkpoint.metrics | {key: figures}), path)
