"""Files of a folder that are no pictures, and what to do about each kind."""

import os
from collections import Counter
from collections.abc import Iterable

HEIC = (".heic", ".heif", ".hif")
RAW = (".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf")
VIDEOS = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv")
OTHER = "not a picture that can be read here"
REASONS: dict[str, str] = {
    **dict.fromkeys(HEIC, "install pillow-heif to read them, or save them as JPEG"),
    **dict.fromkeys(RAW, "raw photos; export them as JPEG"),
    **dict.fromkeys(VIDEOS, "videos; see `python -m kp video`"),
    **dict.fromkeys((".pdf", ".svg", ".psd", ".jxl", ".jp2", ".eps"), "export them as JPEG or PNG"),
}


def reasons(files: Iterable[str]) -> list[str]:
    """A line for each ending of `files`, the most frequent first: ".heic: 12 files: install ..."."""
    endings = Counter(os.path.splitext(file)[1].lower() for file in files)
    return [
        f"{ending or 'no ending'}: {number} file{'s' * (number > 1)}: {REASONS.get(ending, OTHER)}"
        for ending, number in sorted(endings.items(), key=lambda kind: (-kind[1], kind[0]))
    ]
