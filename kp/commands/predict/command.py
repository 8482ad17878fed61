"""Find the keypoints of the faces in photos.

A photo without a face is no failure; one that cannot be read is, and the others are still done.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from kp.commands.common import print_json, progress_bar
from kp.commands.predict.box_table import boxes_of_photos, read_boxes, some
from kp.commands.predict.find_images import find_photos, others_in
from kp.commands.predict.left_out import reasons
from kp.commands.predict.options import MANY, add_arguments, check_options
from kp.commands.predict.settings import PredictSettings
from kp.commands.predict.summary import print_summary, print_written
from kp.commands.predict.task import ImageTask, PhotoResult
from kp.commands.predict.worker_pool import predict_tasks
from kp.files import Written, left_message, listed, write_outputs_of
from kp.formats.coco import COCO, COCO_FILE, coco_bytes
from kp.formats.writer import USUAL
from kp.hardware import own_cores

__all__ = ["add_arguments", "run"]


def run(options: argparse.Namespace) -> int:
    check_options(options)
    formats = options.formats if options.formats is not None else USUAL
    settings = settings_of(options, formats)
    _ = settings.predictor  # loaded now: wrong settings are reported before any work
    tasks = find_tasks(options, pictures="png" in formats)
    results = predict_all(tasks, settings, workers=options.workers, resume=options.resume, hidden=options.json)
    coco = write_coco(results, settings) if COCO in formats else Written()
    if options.json:
        print_json([result.to_json() for result in results])
        if replaced := [path for part in (*(result.written for result in results), coco) for path in part.replaced]:
            print(f"replaced {listed(replaced)}", file=sys.stderr)
    else:
        print_summary(results, out=options.out)
        print_written(coco)
    if coco.left:
        print(left_message(coco.left), file=sys.stderr)
    return 1 if coco.left or any(result.problem for result in results) else 0


def settings_of(options: argparse.Namespace, formats: Sequence[str]) -> PredictSettings:
    """With --boxes no face is detected, so the detector is the one that needs no weights."""
    return PredictSettings(
        model=options.model,
        detector="whole-image" if options.boxes else options.detector,
        threshold=None if options.boxes else options.threshold,
        margin=options.margin,
        tta=options.tta,
        out=options.out,
        formats=tuple(name for name in formats if name != COCO),
        align=options.align,
        overwrite=options.overwrite,
    )


def find_tasks(options: argparse.Namespace, *, pictures: bool) -> list[ImageTask]:
    """The photos, with the boxes of --boxes if it is given. pictures: whether pictures are written."""
    photos = find_photos(options.photos, out=options.out, pictures=pictures)
    print_left_out(options.photos, out=options.out)
    if not options.boxes:
        return [ImageTask(photo) for photo in photos]
    files = [photo.file for photo in photos]
    boxes = boxes_of_photos(read_boxes(options.boxes), files)
    if missing := [file for file in files if file not in boxes]:
        print(
            f"{options.boxes} has no row for {len(missing)} of {len(files)} photos: {some(missing)}. "
            "They count as photos without a face.",
            file=sys.stderr,
        )
    return [ImageTask(photo, boxes.get(photo.file, [])) for photo in photos]


def print_left_out(named: Sequence[str], *, out: str | None) -> None:
    """A line on stderr for each kind of file in the folders that is no picture."""
    others = [file for name in named if os.path.isdir(name) for file in others_in(name, out)]
    for line in reasons(others):
        print(f"Left out: {line}", file=sys.stderr)


def predict_all(
    tasks: Sequence[ImageTask], settings: PredictSettings, *, workers: int | None, resume: bool, hidden: bool
) -> list[PhotoResult]:
    """Each task's result, in order. workers: None chooses by the number of tasks. hidden: draw no progress bar."""
    earlier = [settings.earlier_result(task) if resume else None for task in tasks]
    results = {number: result for number, result in enumerate(earlier) if result is not None}
    remaining = [number for number in range(len(tasks)) if number not in results]
    if workers is None:
        workers = own_cores() if len(remaining) >= MANY else 1
    with progress_bar("predicting", hidden=hidden) as progress:
        predicted = predict_tasks([tasks[number] for number in remaining], settings, workers)
        for done, (index, result) in enumerate(predicted, start=1):
            results[remaining[index]] = result
            progress(done, len(remaining))
    return [results[number] for number in range(len(tasks))]


def write_coco(results: Sequence[PhotoResult], settings: PredictSettings) -> Written:
    """One COCO file of all photos that could be read; none without an output folder."""
    if not settings.out:
        return Written()
    content = coco_bytes(entry for result in results for entry in result.coco())
    return write_outputs_of(
        "", {COCO_FILE: content}, Path(settings.out), log=settings.log, overwrite=settings.overwrite
    )
