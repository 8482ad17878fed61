"""The files of a dataset's images: finding those that a table names, and their sizes."""

import os
import re
import struct
import unicodedata
from functools import cached_property
from pathlib import Path, PureWindowsPath

from PIL import Image

from kp.data.decoding import upright_size
from kp.errors import DataError

PERSON_VF = re.compile(r"(.+)_(\d)(\d)")  # PERSON, video and frame: a published file name without its ending


class ImageFolder:
    """The image files of a table: found by their exact names, else without regard to case, accents and folders."""

    def __init__(self, root: Path, folder: str) -> None:
        self.root, self.folder = root, root / folder
        try:
            self.names = set(os.listdir(self.folder))
        except (FileNotFoundError, NotADirectoryError):
            self.names = set()
        except OSError as error:
            raise DataError(
                f"{self.folder} cannot be read ({error.strerror or error}). Check its permissions."
            ) from None

    @property
    def image_names(self) -> set[str]:
        """Names of the folder's files; .DS_Store and the like are no images."""
        return {name for name in self.names if not name.startswith(".")}

    @cached_property
    def by_key(self) -> dict[str, Path]:
        """All files below the folder and beside the table, by their case-folded names with composed accents (NFC)."""
        beside = {_key(path.name): path for path in sorted(self.root.iterdir()) if path.is_file()}
        return beside | {
            _key(path.relative_to(self.folder).as_posix()): path
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }

    def find(self, name: str, table: Path, line: int) -> Path:
        """The file that a row names. Raises DataError where there is none."""
        if name in self.names:
            return self.folder / name
        plain = name.replace("\\", "/")
        if Path(plain).is_absolute() and Path(plain).is_file():
            return Path(plain)
        for beside in (self.folder / plain, self.root / plain):
            if beside.is_file():
                return beside
        for key in (plain, plain.removeprefix(f"{self.folder.name}/"), PureWindowsPath(name).name):
            if found := self.by_key.get(_key(key)):
                return found
        again = " Or download the dataset again." if PERSON_VF.fullmatch(Path(plain).stem) else ""
        raise DataError(
            f"{table}, line {line}: {self.folder / plain} is missing. Put the image there, or remove the line.{again}"
        )


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def image_size(path: Path) -> tuple[int, int] | None:
    """Height and width from a file's first bytes; None for a damaged image."""
    try:
        with path.open("rb") as file:
            head = file.read(26)
            if head.startswith(b"\x89PNG\r\n\x1a\n") and len(head) >= 24:  # ten times as fast as Pillow
                width, height = struct.unpack(">II", head[16:24])
                return height, width
            file.seek(0)
            with Image.open(file) as image:
                return upright_size(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None  # reading its pixels raises the ImageError
