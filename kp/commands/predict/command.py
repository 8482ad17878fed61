"""Find the keypoints of the faces in photos.

A photo without a face is no failure; one that cannot be read is, and the others are still done.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from kp.commands.common import add_json, add_old_name, add_overwrite, print_json, progress_bar
from kp.commands.predict.box_table import boxes_of_photos, read_boxes, some
from kp.commands.predict.find_images import find_photos, others_in
from kp.commands.predict.left_out import reasons
from kp.commands.predict.worker_pool import ImageTask, PhotoResult, PredictSettings, do_all
from kp.detectors import DETECTORS
from kp.errors import ConfigError
from kp.files import OVERWRITE, Written, left_message, listed, write_outputs_of
from kp.formats.aligned import SIZES
from kp.formats.coco import COCO, COCO_FILE, CocoPhoto, coco_bytes
from kp.formats.writer import FORMATS, USUAL
from kp.hardware import own_cores
from kp.prediction.face import FacePrediction
from kp.prediction.tta import AUGMENTATIONS

MANY = 50  # photos from which on it pays to start processes
THRESHOLDS = "; ".join(
    f"{name} {kind.default_threshold:g} in {kind.threshold_range[0]:g}..{kind.threshold_range[1]:g}"
    for name, kind in DETECTORS.items()
    if name != "whole-image"
)
TITLES = {name: kind.title for name, kind in FORMATS.items()} | {COCO: f"COCO keypoints of all photos, in {COCO_FILE}"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "photos",
        nargs="+",
        metavar="PHOTO",
        help="a picture file (JPEG, PNG, WebP, AVIF, GIF, ...), "
        "or a folder, whose pictures are taken and those of the folders in it",
    )
    add_network(parser)
    parser.add_argument(
        "--boxes",
        metavar="CSV",
        help="face boxes in place of a detector: a table with the columns "
        "file,left,top,right,bottom, in pixels, tight around the 68 points, a row for each face. A row "
        "belongs to the photo of the same path as given here, else of the same file name. A photo "
        "without a row has no face, and you are told",
    )
    add_output(parser)
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help=f"processes, each with one thread (default: one a core from {MANY} photos on, else none but this one)",
    )
    add_json(parser)


def add_network(parser: argparse.ArgumentParser) -> None:
    """Which network and which detector."""
    parser.add_argument(
        "--model",
        default="heatmap_net",
        help="a shipped checkpoint's name, or a .safetensors file (default: heatmap_net)",
    )
    parser.add_argument("--detector", default="yunet", choices=DETECTORS, help="what finds the faces (default: yunet)")
    parser.add_argument("--threshold", type=float, help=f"the detector's, in its own unit (default: {THRESHOLDS})")
    parser.add_argument(
        "--margin",
        type=float,
        help="side of the crop, in sides of the face box (default: what the network was trained with)",
    )
    tta = parser.add_argument(
        "--tta",
        type=int,
        default=1,
        metavar="N",
        help="test-time augmentation: predict each face from N slightly different crops, "
        f"1 to {len(AUGMENTATIONS)}; slower, and a little better (default: 1)",
    )
    add_old_name(parser, "--views", tta)


def add_output(parser: argparse.ArgumentParser) -> None:
    """What is written."""
    parser.add_argument(
        "--out",
        metavar="DIR",
        help="write NAME.png, NAME.csv and NAME.json for each photo; of two "
        "photos with one name the second has its ending in it, too, as in NAME.jpg.json; folders in a "
        "folder are kept. A file that this program did not write, or that was changed since, stays as "
        "it is, and the exit code is 1",
    )
    add_overwrite(parser)
    parser.add_argument(
        "--formats",
        type=format_names,
        metavar="LIST",
        help="what to write, with commas between: "
        + "; ".join(f"{name}, {title}" for name, title in TITLES.items())
        + f" (default: {','.join(USUAL)})",
    )
    parser.add_argument(
        "--align",
        type=int,
        metavar="SIZE",
        help="write each face as a picture too, eyes level, of "
        "SIZE x SIZE pixels, and the matrices from photo to picture",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="leave out photos whose files are in DIR already, newer than the photo and made with the same settings",
    )


def format_names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if wrong := [name for name in names if name not in TITLES]:
        raise argparse.ArgumentTypeError(f"there is no format {wrong[0]!r}; choose from {', '.join(TITLES)}")
    return names


def check_options(options: argparse.Namespace) -> None:
    """Raises ConfigError for options that do not go together."""
    formats = options.formats if options.formats is not None else USUAL
    for name, given in (
        ("--formats", options.formats),
        ("--align", options.align),
        ("--resume", options.resume),
        (OVERWRITE, options.overwrite),
    ):
        if given and not options.out:
            raise ConfigError(f"{name} is about the files that are written. Name a folder for them: --out DIR")
    if options.resume and "json" not in formats:
        raise ConfigError("--resume reads in the .json files what is done. Add json to --formats.")
    if options.align is not None and not SIZES[0] <= options.align <= SIZES[1]:
        raise ConfigError(f"--align is {options.align}; it must be from {SIZES[0]} to {SIZES[1]} pixels.")
    if options.workers is not None and options.workers < 1:
        raise ConfigError(f"--workers is {options.workers}; it must be at least 1.")


def run(options: argparse.Namespace) -> int:
    check_options(options)
    formats = options.formats if options.formats is not None else USUAL
    # With boxes given no face is looked for, so the detector that needs nothing is enough.
    work = PredictSettings(
        options.model,
        "whole-image" if options.boxes else options.detector,
        None if options.boxes else options.threshold,
        options.margin,
        options.tta,
        options.out,
        tuple(name for name in formats if name != COCO),
        options.align,
        options.overwrite,
    )
    _ = work.predictor  # settings that cannot be are told before any work
    jobs = find_jobs(options, pictures="png" in formats)
    results = predict_all(jobs, work, workers=options.workers, resume=options.resume, hidden=options.json)
    whole = write_coco(results, work) if options.out and COCO in formats else Written()
    if options.json:
        print_json([result.to_json() for result in results])
        if replaced := [path for part in (*(result.written for result in results), whole) for path in part.replaced]:
            print(f"replaced {listed(replaced)}", file=sys.stderr)
    else:
        print_summary(results, out=options.out)
        print_written(whole)
    if whole.left:
        print(left_message(whole.left), file=sys.stderr)
    return 1 if whole.left or any(result.problem for result in results) else 0


def write_coco(results: Sequence[PhotoResult], work: PredictSettings) -> Written:
    """The one file of all photos that could be read."""
    photos = [
        CocoPhoto(result.file, result.width, result.height, result.faces) for result in results if result.error is None
    ]
    return write_outputs_of("", {COCO_FILE: coco_bytes(photos)}, Path(work.out), log=work.log, overwrite=work.overwrite)


def find_jobs(options: argparse.Namespace, *, pictures: bool) -> list[ImageTask]:
    """The photos with their boxes, if there are any given. pictures: whether pictures are written."""
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
    """A line on stderr for each kind of file that is left out of the folders."""
    others = [file for name in named if os.path.isdir(name) for file in others_in(name, out)]
    for line in reasons(others):
        print(f"Left out: {line}", file=sys.stderr)


def predict_all(
    jobs: Sequence[ImageTask], work: PredictSettings, *, workers: int | None, resume: bool, hidden: bool
) -> list[PhotoResult]:
    """Each photo's result, in order. hidden: draw no progress bar."""
    results = [work.done_before(job) if resume else None for job in jobs]
    todo = [number for number, result in enumerate(results) if result is None]
    if workers is None:
        workers = own_cores() if len(todo) >= MANY else 1
    with progress_bar("predicting", hidden=hidden) as progress:
        for done, (number, result) in enumerate(do_all([jobs[number] for number in todo], work, workers), start=1):
            results[todo[number]] = result
            progress(done, len(todo))
    return results


def print_summary(results: Sequence[PhotoResult], *, out: str | None) -> None:
    for result in results:
        if result.error is None:
            print_result(result)
    failed = [result for result in results if result.problem]
    if failed and len(results) > 1:
        print("Failed:")
    for result in failed:
        print(f"{result.file}: {result.problem}")
    faces, kept = sum(len(result.faces) for result in results), sum(result.kept for result in results)
    print(
        f"{count(len(results), 'photo')}, {count(faces, 'face')}"
        + (f", {kept} done before" if kept else "")
        + (f", {len(failed)} failed" if failed else "")
        + ("" if out else ". --out DIR writes pictures and tables, --json prints the points")
    )


def print_result(result: PhotoResult) -> None:
    if result.kept:
        print(f"{result.file}: done before, {count(len(result.faces), 'face')}")
        return
    print(
        f"{result.file}: {result.width} x {result.height} pixels, {count(len(result.faces), 'face')}"
        + (f" (read at 1/{result.reduction} of its size)" if result.reduction > 1 else "")
    )
    for number, face in enumerate(result.faces, start=1):
        score = "" if face.score is None else f", score {face.score:.2f}"
        box = face.box
        print(
            f"  {number}: box ({box.left:.1f}, {box.top:.1f}) to ({box.right:.1f}, {box.bottom:.1f}){score}"
            f"{confidence_text(face)}"
        )
    print_written(result.written)


def print_written(written: Written) -> None:
    for what, paths in (("wrote", written.new), ("replaced", written.replaced), ("removed", written.removed)):
        if paths:
            print(f"  {what} {', '.join(map(str, paths))}")


def confidence_text(face: FacePrediction) -> str:
    """ ", confidence 0.42, low confidence": what the network says of a face; empty where nothing tells."""
    if face.confidence is None:
        return ""
    return f", confidence {face.confidence:.2f}{', low confidence' if face.low_confidence else ''}"


def count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"
