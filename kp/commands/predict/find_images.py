"""The photos named on the command line: files, and the picture files of folders."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from kp.commands.predict.left_out import VIDEOS
from kp.commands.predict.resume import ResumeLog
from kp.data.images import readable_formats
from kp.errors import ConfigError
from kp.formats.stems import unique_stems


@dataclass(frozen=True)
class Photo:
    """A picture's path as given, and its stem: the path of its output files in --out without an ending."""

    file: str
    stem: str


def find_photos(named: Sequence[str], *, out: str | None = None, pictures: bool = True) -> list[Photo]:
    """The named files, and all pictures in the named folders and their subfolders; nothing from `out`.

    Stems keep the subfolders, and a photo keeps its earlier stem in `out`. A folder without pictures is returned as a
    photo that cannot be read, so that it is reported. pictures: whether pictures are written. Raises ConfigError where
    one of them would replace a photo, and where `out` is one of the folders.
    """
    files: list[tuple[str, str | None]] = []
    for name in named:
        if not os.path.isdir(name):
            files.append((name, None))
            continue
        if out and os.path.realpath(out) == os.path.realpath(name):
            raise ConfigError(
                f"--out {out} is the folder with the photos. Name another folder, so that no picture of "
                "the output is taken for a photo."
            )
        files += [(file, name) for file in pictures_in(name, out)] or [(name, None)]
    stems = unique_stems(
        [file for file, _ in files], [folder for _, folder in files], owners=ResumeLog(out).owners() if out else None
    )
    photos = [Photo(file, stem) for (file, _), stem in zip(files, stems, strict=True)]
    if out and pictures:
        check_out(photos, out)
    return photos


def pictures_in(folder: str, out: str | None = None) -> list[str]:
    """Sorted paths of the picture files in a folder and its subfolders, without hidden ones and `out`."""
    endings = picture_endings()
    return [file for file in files_in(folder, out) if os.path.splitext(file)[1].lower() in endings]


def others_in(folder: str, out: str | None = None) -> list[str]:
    """Sorted paths of the files in a folder and its subfolders that are no pictures by their endings."""
    endings = picture_endings()
    return [file for file in files_in(folder, out) if os.path.splitext(file)[1].lower() not in endings]


def files_in(folder: str, out: str | None = None) -> list[str]:
    """Sorted paths of the files in a folder and its subfolders, without hidden ones and `out`."""
    skipped = os.path.realpath(out) if out else None
    found = []
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(
            name for name in folders if name[0] != "." and os.path.realpath(os.path.join(place, name)) != skipped
        )
        found += [os.path.join(place, name) for name in sorted(files) if name[0] != "."]
    return found


def picture_endings() -> set[str]:
    """File name endings of readable picture formats: ".jpg", ..."""
    formats = readable_formats()
    Image.init()
    return {ending for ending, kind in Image.registered_extensions().items() if kind in formats}


def check_out(photos: Sequence[Photo], out: str) -> None:
    """Raises ConfigError where an output picture would replace a photo."""
    taken = {os.path.realpath(photo.file) for photo in photos}
    for photo in photos:
        written = os.path.join(out, f"{photo.stem}.png")
        if os.path.realpath(written) in taken:
            raise ConfigError(f"The output {written} would take the place of a photo. Name another folder with --out.")


def is_video(file: str) -> bool:
    return Path(file).suffix.lower() in VIDEOS
