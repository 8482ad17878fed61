"""The names of a photo's output files, without endings: no two photos share one."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from kp.files import digest_of
from kp.formats.coco import COCO_FILE

# Ends of stems whose files could have the names of another stem's: x.face-2 + .pts is the second face of x.
AMBIGUOUS = re.compile(rf"(\.face-\d+|\.aligned|\.openface|(^|/){re.escape(COCO_FILE.rpartition('.')[0])})$", re.I)


def unique_stems(
    photos: Sequence[Path | str],
    folders: Sequence[Path | str | None] | None = None,
    *,
    owners: Mapping[str, str] | None = None,
) -> list[str]:
    """A stem for each photo's outputs: its name, or a longer one where another photo has that.

    A photo gets the first of its `stem_candidates` that no other photo has. folders: for each photo the folder that it
    was found in, whose inner folders the stem keeps, or None. owners: photo (real path) of each stem given before;
    photos keep their stems. No file of one stem has the name of a file of another.
    """
    taken = {stem.casefold(): owner for stem, owner in (owners or {}).items()}  # some file systems ignore case
    stems = []
    for photo, folder in zip(map(Path, photos), folders or [None] * len(photos), strict=True):
        owner = os.path.realpath(photo)
        stems.append(
            next(
                stem
                for stem in stem_candidates(photo, folder)
                if not AMBIGUOUS.search(stem) and taken.setdefault(stem.casefold(), owner) == owner
            )
        )
    return stems


def stem_candidates(photo: Path, folder: Path | str | None = None) -> Iterator[str]:
    """Possible stems of a photo, shortest first: x, x.jpg, x.jpg~1a2b3c4d (its path's digest), and longer digests."""
    inner = Path(Path(os.path.abspath(photo)).name or "photo") if folder is None else photo.relative_to(folder)
    yield inner.with_name(inner.stem).as_posix()
    yield inner.as_posix()
    digest = digest_of(os.path.realpath(photo).encode(errors="surrogateescape"))
    yield from (f"{inner.as_posix()}~{digest[:length]}" for length in range(8, len(digest) + 1))
