"""Find the keypoints in a video: the video with the points on it, and a table.

NAME.csv has a row for each frame and face: frame (from 1), timestamp (seconds), face_id (a face keeps its number while
it is seen), confidence, x_0..x_67, y_0..y_67 (pixels from 0), yaw, pitch, roll (degrees). NAME.mp4 has no sound.
"""

import argparse
import os
import time
from typing import Any

from kp.commands.common import add_json, print_json, progress_bar
from kp.commands.predict import add_network, count
from kp.errors import ConfigError
from kp.predict import Predictor
from kp.smoothing import OneEuro
from kp.tracking import FaceTracker
from kp.video import VideoReader, annotate_video, output_paths

USUAL = OneEuro()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("video", help="a video file (MP4, MOV, AVI, WebM, ...)")
    parser.add_argument("--out", metavar="DIR", required=True, help="write NAME.mp4 and NAME.csv there")
    add_network(parser)
    parser.add_argument("--smooth", action=argparse.BooleanOptionalAction, default=True,
                        help="hold points still that tremble, with the One Euro filter (default: yes)")
    parser.add_argument("--min-cutoff", type=float, default=USUAL.min_cutoff, metavar="HZ",
                        help=f"of that filter; lower trembles less and lags more (default: {USUAL.min_cutoff:g})")
    parser.add_argument("--beta", type=float, default=USUAL.beta, help="of that filter, for speeds in face sides a "
                        f"second; higher lags less in fast moves (default: {USUAL.beta:g})")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    smoothing = OneEuro(options.min_cutoff, options.beta) if options.smooth else None
    predictor = Predictor(options.model, options.detector, threshold=options.threshold, margin=options.margin,
                          views=options.views)
    info = VideoReader(options.video).info
    video, table = output_paths(options.video, options.out)
    if os.path.realpath(video) == os.path.realpath(options.video):
        raise ConfigError(f"The output {video} would take the place of the video. Name another folder with --out.")
    frames, rows, with_faces, tracker, start = 0, 0, 0, FaceTracker(smoothing), time.monotonic()
    with progress_bar("predicting", hidden=options.json) as progress:
        for done in annotate_video(predictor, options.video, options.out, tracker=tracker):
            frames, rows, with_faces = frames + 1, rows + len(done.faces), with_faces + bool(done.faces)
            progress(frames, max(frames, info.frames))
    summary: dict[str, Any] = {
        "file": options.video, "width": info.width, "height": info.height, "rate": info.rate, "frames": frames,
        "frames_with_faces": with_faces, "rows": rows, "faces": tracker.seen, "files": [str(video), str(table)],
        "seconds": round(time.monotonic() - start, 3),
    }
    if options.json:
        print_json(summary)
    else:
        print(f"{options.video}: {info.width} x {info.height} pixels, {count(frames, 'frame')}, {info.rate:g} a second")
        print(f"  {count(tracker.seen, 'face')}, seen in {count(with_faces, 'frame')}; "
              f"{frames / max(summary['seconds'], 1e-3):.1f} frames a second")
        print(f"  wrote {video}, {table}")
    return 0
