"""Find the keypoints in videos: writes each video with the points on it, and a table.

NAME.csv has a row for each frame and face: frame (from 1), timestamp (seconds), face_id (a face keeps its number while
it is seen), confidence, x_0..x_67, y_0..y_67 (pixels from 0), yaw, pitch, roll (degrees). NAME.mp4 has no
sound and a constant rate. Of a video that is cut all readable frames are written, with exit code 1.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from kp.commands.common import add_json, add_overwrite, name_replaced, print_json, progress_bar
from kp.commands.predict.options import add_network
from kp.commands.predict.summary import count
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
        help="smooth the points over time with the One Euro filter (default: yes)",
    )
    parser.add_argument(
        "--min-cutoff",
        type=float,
        default=USUAL.min_cutoff,
        metavar="HZ",
        help=f"of that filter; lower jitters less and lags more (default: {USUAL.min_cutoff:g})",
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
    check_output_paths(options, stems)
    whole = True
    for video, stem in zip(options.videos, stems, strict=True):
        try:
            whole &= annotate(video, stem, predictor, FaceTracker(smoothing), options)
        except ImageError as error:
            print(f"Error: {error}", file=sys.stderr)
            whole = False
    return 0 if whole else 1


def check_output_paths(options: argparse.Namespace, stems: Sequence[str]) -> None:
    """Print the files that will be replaced, on stderr. Raises ConfigError for those that must not be."""
    outputs = [
        path
        for video, stem in zip(options.videos, stems, strict=True)
        for path in output_paths(video, options.out, stem)
    ]
    videos = {os.path.realpath(video) for video in options.videos}
    if own := [path for path in outputs if os.path.realpath(path) in videos]:
        raise ConfigError(f"The output {own[0]} would take the place of the video. Name another folder with --out.")
    name_replaced(outputs, options)


def annotate(video: str, stem: str, predictor: Predictor, tracker: FaceTracker, options: argparse.Namespace) -> bool:
    """Write the outputs of one video and print its summary; whether all frames could be read.

    Raises ImageError for what is no video.
    """
    rows, with_faces, start, declared = 0, 0, time.monotonic(), VideoReader(video).info.frames
    whole = True
    with progress_bar("predicting", hidden=options.json) as progress:
        for event in annotate_video(
            predictor, video, options.out, tracker=tracker, stem=stem, overwrite=options.overwrite
        ):
            if isinstance(event, FrameDone):
                rows, with_faces = rows + len(event.faces), with_faces + bool(event.faces)
                progress(event.frame.number, max(event.frame.number, declared))
                continue
            whole = event.whole
            counts = {"frames_with_faces": with_faces, "rows": rows, "faces": tracker.seen}
            report(video, event, counts, seconds=time.monotonic() - start, json=options.json)
    return whole


def report(video: str, done: VideoDone, counts: dict[str, int], *, seconds: float, json: bool) -> None:
    """Print the summary of a finished video, and what differs from the source on stderr."""
    summary: dict[str, Any] = {
        "file": video,
        "width": done.info.width,
        "height": done.info.height,
        "rate": done.info.rate,
        "frames": done.frames,
        "frames_declared": done.info.frames or None,
        "whole": done.whole,
        "frames_repeated": done.repeated,
        "frames_dropped": done.dropped,
        "video_size": list(done.size),
        **counts,
        "files": [str(file) for file in done.files],
        "seconds": round(seconds, 3),
    }
    if json:
        print_json(summary)
    else:
        print_summary(summary)
    for remark in remarks(done):
        print(f"{video}: {remark}", file=sys.stderr)


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
    """Sentences on how the written video differs from its source, and on what is missing."""
    sentences = []
    if not done.whole:
        sentences.append(
            f"only {done.frames} of {done.info.frames} frames can be read, so the file is cut or damaged. "
            "These are written. Copy the video again for the rest."
        )
    if done.repeated or done.dropped:
        sentences.append(
            f"the frame rate changes. So that the new video keeps time, frames are shown again {done.repeated} "
            f"times and {count(done.dropped, 'frame')} left out; the table has each frame once."
        )
    if done.size != (done.info.width, done.info.height):
        sentences.append(
            f"the new video is {done.size[0]} x {done.size[1]} pixels, as it must be even: the last column or "
            "row is there twice. Coordinates are unchanged."
        )
    return sentences
