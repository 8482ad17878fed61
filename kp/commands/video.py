"""Find the keypoints in videos: each video with the points on it, and a table.

NAME.csv has a row for each frame and face: frame (from 1), timestamp (seconds), face_id (a face keeps its number while
it is seen), confidence, x_0..x_67, y_0..y_67 (pixels from 0), yaw, pitch, roll (degrees). NAME.mp4 has no
sound and a constant rate. A video that is cut is done as far as it goes, with exit code 1.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from kp.commands.common import add_json, add_overwrite, name_replaced, print_json, progress_bar
from kp.commands.predict.command import add_network, count
from kp.errors import ConfigError, ImageError
from kp.formats.stems import unique_stems
from kp.prediction.one_euro import OneEuro
from kp.prediction.predictor import Predictor
from kp.prediction.tracking import FaceTracker
from kp.video.annotate import FrameDone, VideoDone, VideoReader, annotate_video, output_paths

USUAL = OneEuro()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("videos", nargs="+", metavar="VIDEO", help="a video file (MP4, MOV, AVI, WebM, ...)")
    parser.add_argument(
        "--out",
        metavar="DIR",
        required=True,
        help="write NAME.mp4 and NAME.csv there; of two videos "
        "with one name the second has its ending in it, too, as in NAME.mov.mp4",
    )
    add_overwrite(parser)
    add_network(parser)
    parser.add_argument(
        "--smooth",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="hold points still that tremble, with the One Euro filter (default: yes)",
    )
    parser.add_argument(
        "--min-cutoff",
        type=float,
        default=USUAL.min_cutoff,
        metavar="HZ",
        help=f"of that filter; lower trembles less and lags more (default: {USUAL.min_cutoff:g})",
    )
    parser.add_argument(
        "--beta",
        type=float,
        default=USUAL.beta,
        help="of that filter, for speeds in face sides a "
        f"second; higher lags less in fast moves (default: {USUAL.beta:g})",
    )
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    options.videos = list(dict.fromkeys(options.videos))
    smoothing = OneEuro(options.min_cutoff, options.beta) if options.smooth else None
    predictor = Predictor(
        options.model, options.detector, threshold=options.threshold, margin=options.margin, tta=options.tta
    )
    stems = unique_stems(options.videos)
    check_places(options, stems)
    whole = True
    for video, stem in zip(options.videos, stems, strict=True):
        try:
            whole &= do_video(video, stem, predictor, FaceTracker(smoothing), options)
        except ImageError as error:
            print(f"Error: {error}", file=sys.stderr)
            whole = False
    return 0 if whole else 1


def check_places(options: argparse.Namespace, stems: Sequence[str]) -> None:
    """Name the files that will be replaced, on stderr. Raises ConfigError for those that may not be."""
    outputs = [
        path
        for video, stem in zip(options.videos, stems, strict=True)
        for path in output_paths(video, options.out, stem)
    ]
    videos = {os.path.realpath(video) for video in options.videos}
    if own := [path for path in outputs if os.path.realpath(path) in videos]:
        raise ConfigError(f"The output {own[0]} would take the place of the video. Name another folder with --out.")
    name_replaced(outputs, options)


def do_video(video: str, stem: str, predictor: Predictor, tracker: FaceTracker, options: argparse.Namespace) -> bool:
    """Whether all of the video could be read. Raises ImageError for what is no video."""
    rows, with_faces, start, declared = 0, 0, time.monotonic(), VideoReader(video).info.frames
    with progress_bar("predicting", hidden=options.json) as progress:
        for event in annotate_video(
            predictor, video, options.out, tracker=tracker, stem=stem, overwrite=options.overwrite
        ):
            if isinstance(event, FrameDone):
                rows, with_faces = rows + len(event.faces), with_faces + bool(event.faces)
                progress(event.frame.number, max(event.frame.number, declared))
    summary: dict[str, Any] = {
        "file": video,
        "width": event.info.width,
        "height": event.info.height,
        "rate": event.info.rate,
        "frames": event.frames,
        "frames_declared": event.info.frames or None,
        "whole": event.whole,
        "frames_repeated": event.repeated,
        "frames_dropped": event.dropped,
        "video_size": list(event.size),
        "frames_with_faces": with_faces,
        "rows": rows,
        "faces": tracker.seen,
        "files": [str(file) for file in event.files],
        "seconds": round(time.monotonic() - start, 3),
    }
    if options.json:
        print_json(summary)
    else:
        print_summary(summary)
    for remark in remarks(event):
        print(f"{video}: {remark}", file=sys.stderr)
    return event.whole


def print_summary(summary: dict[str, Any]) -> None:
    frames = summary["frames"]
    print(
        f"{summary['file']}: {summary['width']} x {summary['height']} pixels, {count(frames, 'frame')}, "
        f"{summary['rate']:g} a second"
    )
    print(
        f"  {count(summary['faces'], 'face')}, seen in {count(summary['frames_with_faces'], 'frame')}; "
        f"{frames / max(summary['seconds'], 1e-3):.1f} frames a second"
    )
    print(f"  wrote {', '.join(summary['files'])}")


def remarks(done: VideoDone) -> list[str]:
    """What is other in the new video than in the old, and what is missing."""
    said = []
    if not done.whole:
        said.append(
            f"only {done.frames} of {done.info.frames} frames can be read, so the file is cut or damaged. What "
            "was read is done. Copy the video again for the rest."
        )
    if done.repeated or done.dropped:
        said.append(
            f"the frame rate changes. So that the new video keeps time, frames are shown again {done.repeated} "
            f"times and {count(done.dropped, 'frame')} left out; the table has each frame once."
        )
    if done.size != (done.info.width, done.info.height):
        said.append(
            f"the new video is {done.size[0]} x {done.size[1]} pixels, as it must be even: the last column or "
            "row is there twice. All coordinates stay."
        )
    return said
