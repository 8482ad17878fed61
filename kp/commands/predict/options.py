"""The options of `kp predict`; those of the network and the detector are `kp video`'s too."""

import argparse

from kp.commands.common import add_json, add_old_name, add_overwrite
from kp.detectors import DETECTORS
from kp.errors import ConfigError
from kp.files import OVERWRITE
from kp.formats.aligned import SIZES
from kp.formats.coco import COCO, COCO_FILE
from kp.formats.writer import FORMATS, USUAL
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
        help="a picture file (JPEG, PNG, WebP, AVIF, GIF, ...), or a folder, searched with its subfolders for pictures",
    )
    add_network(parser)
    parser.add_argument(
        "--boxes",
        metavar="CSV",
        help="face boxes in place of a detector: a table with the columns "
        "file,left,top,right,bottom, in pixels, tight around the 68 points, a row for each face. A row "
        "belongs to the photo of the same path as given here, else of the same file name. A photo "
        "without a row has no face, which is reported",
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
    """Options of the network and the detector."""
    parser.add_argument(
        "--model",
        default="heatmap_net",
        help="a shipped checkpoint's name, or a .safetensors file (default: heatmap_net)",
    )
    parser.add_argument("--detector", default="yunet", choices=DETECTORS, help="the face detector (default: yunet)")
    parser.add_argument("--threshold", type=float, help=f"the detector's, in its own unit (default: {THRESHOLDS})")
    parser.add_argument(
        "--margin",
        type=float,
        help="side of the crop, in sides of the face box (default: the one that the network was trained with)",
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
    """Options of the output files."""
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
        help="also write an aligned crop of each face, eyes level, of "
        "SIZE x SIZE pixels, and the matrices from photo to crop",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="leave out photos whose files are in DIR already, newer than the photo and made with the same settings",
    )


def format_names(text: str) -> tuple[str, ...]:
    """The names in a comma-separated list. Raises ArgumentTypeError for an unknown one."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if wrong := [name for name in names if name not in TITLES]:
        raise argparse.ArgumentTypeError(f"there is no format {wrong[0]!r}; choose from {', '.join(TITLES)}")
    return names


def check_options(options: argparse.Namespace) -> None:
    """Raises ConfigError for options out of range, or that exclude each other."""
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
