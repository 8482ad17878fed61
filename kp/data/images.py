"""Any picture file to uint8 RGB."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import cv2
import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from kp.console import mute_c_stderr
from kp.errors import ImageError

logger = logging.getLogger(__name__)
MAX_PIXELS = 100_000_000  # a picture of this size takes 300 MB as RGB, and 700 MB while it is read
MAX_JPEG_PIXELS = 250_000_000  # JPEG is decoded at 1/2, 1/4 or 1/8 of its size where it has more than MAX_PIXELS
REDUCTIONS = (1, 2, 4, 8)
MAX_PIXELS_OF = {"WEBP": 50_000_000, "AVIF": 50_000_000, "HEIF": 50_000_000}  # their decoders take twice the memory
STRIP = 1 << 22  # pixels that are converted at once
# Pillow knows more, among them some that start other programs (EPS) or whose readers are brittle.
# A phone's MPO opens as JPEG.
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "PPM")
USE = "Use JPEG, PNG, WebP, AVIF or GIF."
SIGNATURES = {b"\xff\xd8": "a JPEG", b"\x89PNG": "a PNG", b"GIF8": "a GIF"}  # of files that are damaged if not read
HEIC_MARKS = (b"ftypheic", b"ftypheix", b"ftyphevc", b"ftypmif1", b"ftypmsf1")
# What else is often taken for a picture: how the file begins, from which byte on, and what to say.
STRANGERS = (
    (
        4,
        HEIC_MARKS,
        "is a HEIC photo, which cannot be read "
        "here. Install pillow-heif, or save it as JPEG. An iPhone takes JPEG with "
        "Settings > Camera > Formats > Most Compatible.",
    ),
    (4, (b"ftyp",), f"is a video, not a picture. Take a frame of it. {USE}"),
    (0, (b"%PDF",), f"is a PDF document, not a picture. Export its page as a picture. {USE}"),
    (0, (b"<svg", b"<?xml"), f"is a drawing made of lines (SVG or XML), not of pixels. Export it as PNG. {USE}"),
    (0, (b"\xff\x0a", b"\0\0\0\x0cJXL "), f"is JPEG XL, which cannot be read here. {USE}"),
    (0, (b"8BPS",), f"is a Photoshop file, which cannot be read here. Export it. {USE}"),
)
# Pillow warns of large pictures (our own limit is near its own), damaged EXIF and truncated tags: what matters of it is
# an ImageError here, and the rest is no concern of whoever reads a photo.
warnings.filterwarnings("ignore", module=r"PIL\.")
Image.MAX_IMAGE_PIXELS = MAX_JPEG_PIXELS // 2  # Pillow refuses twice as many


def read_image(source: Path | str | object, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """The picture in a file (a path or an open binary file), upright, as uint8 (H, W, 3) RGB.

    EXIF orientation is applied, transparency is laid on white, 16-bit and float pictures are scaled to
    their own range, of an animation the first frame is taken. Raises ImageError with advice, for a picture of
    more than `max_pixels` (of WebP, AVIF and HEIC 50 megapixels) before it is decoded. A larger JPEG, up to 250
    megapixels, is reduced, and a warning is logged; `read_reduced` gives its whole size too.

        >>> from io import BytesIO
        >>> from PIL import Image
        >>> from kp import read_image
        >>> file = BytesIO()
        >>> Image.new("L", (40, 30)).save(file, "PNG")
        >>> image = read_image(file)
        >>> image.shape, image.dtype.name
        ((30, 40, 3), 'uint8')
    """
    image, reduction, (width, height) = read_reduced(source, max_pixels=max_pixels)
    if reduction > 1:
        logger.warning(
            "A picture of %d x %d pixels is read at 1/%d of its size, %d x %d pixels.",
            width,
            height,
            reduction,
            image.shape[1],
            image.shape[0],
        )
    return image


def readable_formats() -> tuple[str, ...]:
    """Pillow's names of the formats that are read: FORMATS, and HEIF (HEIC) where pillow-heif is installed."""
    try:
        import pillow_heif
    except ImportError:
        return FORMATS
    pillow_heif.register_heif_opener()
    return (*FORMATS, "HEIF")


def reduction_of(picture: Image.Image, max_pixels: int) -> int | None:
    """By how much each side is divided so that at most `max_pixels` are decoded: 1, for JPEG also 2, 4 or 8.

    None where that is not enough.
    """
    limit = min(max_pixels, MAX_PIXELS_OF.get(picture.format, max_pixels))
    jpeg = picture.format in ("JPEG", "MPO") and picture.width * picture.height <= MAX_JPEG_PIXELS
    fitting = (
        by for by in REDUCTIONS[: None if jpeg else 1] if -(-picture.width // by) * -(-picture.height // by) <= limit
    )
    return next(fitting, None)


def read_reduced(
    source: Path | str | object, *, max_pixels: int = MAX_PIXELS
) -> tuple[np.ndarray, int, tuple[int, int]]:
    """`read_image`'s picture, by how much its sides are divided (1, 2, 4 or 8), and its upright width and height.

    Width and height are those before it is divided. Raises ImageError as `read_image`.
    """
    label = Path(source).name if isinstance(source, str | Path) else "The picture"
    try:
        with Image.open(source, formats=readable_formats()) as picture:
            limit = min(max_pixels, MAX_PIXELS_OF.get(picture.format, max_pixels))
            reduction = reduction_of(picture, max_pixels)
            if reduction is None:
                raise ImageError(
                    f"{label} has {picture.width} x {picture.height} pixels; the limit is {limit // 1_000_000} "
                    f"megapixels{f' for {picture.format}' if limit < max_pixels else ''}. Make it smaller first."
                )
            picture.seek(0)
            whole = picture.size
            if reduction > 1:
                picture.draft(None, (whole[0] // reduction, whole[1] // reduction))
            with mute_c_stderr() if picture.format == "TIFF" else nullcontext():  # libtiff reports damage there
                return _upright(picture), reduction, whole[::-1] if _lies(picture) else whole
    except FileNotFoundError:
        raise ImageError(f"{source} does not exist. Check the path.") from None
    except (IsADirectoryError, PermissionError) as error:
        raise ImageError(f"{source} cannot be opened ({error.strerror}). Name a picture file.") from None
    except UnidentifiedImageError:
        raise ImageError(f"{label} {_what_is(source)}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):  # the latter where warnings are errors
        raise ImageError(
            f"{label} has too many pixels; the limit is {max_pixels // 1_000_000} megapixels. Make it smaller first."
        ) from None
    except (OSError, EOFError, SyntaxError, ValueError, RuntimeError, LookupError) as error:  # all seen on broken files
        raise ImageError(f"{label} is damaged ({error}). Save it anew or take another one.") from None


def _what_is(source: Path | str | object) -> str:
    """What a file is that is no picture, as the end of a sentence."""
    if isinstance(source, str | Path):
        with open(source, "rb") as file:
            start = file.read(64)
    else:
        source.seek(0)
        start = source.read(64)
    if not start:
        return "is empty. Save it anew or take another one."
    for mark, kind in SIGNATURES.items():
        if start.startswith(mark):
            return f"is damaged: it begins as {kind} does, but cannot be decoded. Save it anew or take another one."
    if "HEIF" in readable_formats() and start[4:].startswith(HEIC_MARKS):
        return "is damaged: it begins as a HEIC photo does, but cannot be decoded. Save it anew or take another one."
    for place, marks, sentence in STRANGERS:
        if start[place:].startswith(marks):
            return sentence
    return f"is not a picture that can be read here. {USE}"


def _lies(picture: Image.Image) -> bool:
    """Whether its EXIF orientation swaps width and height."""
    return picture.getexif().get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)


def _upright(picture: Image.Image) -> np.ndarray:
    """The pixels, strip by strip: Pillow's own steps would each hold a copy of all of them."""
    turn = picture.getexif().get(ExifTags.Base.Orientation, 1)
    low, high = _range(picture) if _is_deep(picture) else (0.0, 1.0)
    sides = (picture.width, picture.height) if _lies(picture) else (picture.height, picture.width)
    upright = np.empty((*sides, 3), np.uint8)
    stored = _as_stored(upright, turn)
    for top, strip in _strips(picture):
        stored[top : top + strip.height] = _to_rgb(strip, low, high)
    return upright


def _as_stored(upright: np.ndarray, turn: int) -> np.ndarray:
    """A view of the upright picture in the order of the file. turn: EXIF's, 1 to 8."""
    views = {
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.swapaxes(0, 1),
        6: np.rot90(upright),
        7: upright[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(upright, 3),
    }
    return views.get(turn, upright)


def _strips(picture: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """Where each strip begins, and the strip."""
    rows = max(1, STRIP // picture.width)
    for top in range(0, picture.height, rows):
        yield top, picture.crop((0, top, picture.width, min(top + rows, picture.height)))


def _is_deep(picture: Image.Image) -> bool:
    return picture.mode.startswith("I") or picture.mode == "F"


def _range(picture: Image.Image) -> tuple[float, float]:
    """The lowest and the highest value that are numbers."""
    lows, highs = [], []
    for _, strip in _strips(picture):
        values = np.asarray(strip)
        known = values[np.isfinite(values)]
        if known.size:
            lows.append(float(known.min()))
            highs.append(float(known.max()))
    return min(lows, default=0.0), max(highs, default=1.0)


def _to_rgb(strip: Image.Image, low: float, high: float) -> np.ndarray:
    if _is_deep(strip):
        values = np.nan_to_num(np.asarray(strip, np.float64), nan=low, posinf=high, neginf=low)
        grey = ((values - low) / max(high - low, 1e-9) * 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if strip.has_transparency_data:
        white = Image.new("RGBA", strip.size, "white")
        white.alpha_composite(strip.convert("RGBA"))
        strip = white
    return np.asarray(strip.convert("RGB"))


def read_frame(path: Path) -> np.ndarray:
    """A dataset frame as uint8 (H, W, 3) RGB, decoded by content (they are PNG inside .jpg, with an idle alpha)."""
    try:
        with mute_c_stderr():
            pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    except (OSError, cv2.error):
        pixels = None
    if pixels is None:
        name = f"{path.parent.name}/{path.name}"  # visitors of the app see it: no word on where the server keeps it
        raise ImageError(f"{name} cannot be read as a picture. Download the dataset again, or remove its row.")
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def check_image(image: np.ndarray) -> None:
    """Raises ImageError unless uint8 (H, W, 3) with at least one pixel."""
    if (
        not isinstance(image, np.ndarray)
        or image.dtype != np.uint8
        or image.ndim != 3
        or image.shape[2] != 3
        or not image.size
    ):
        what = type(image).__name__
        if isinstance(image, np.ndarray) and image.ndim:
            what = f"{image.dtype} of {' x '.join(map(str, image.shape))} values"
        raise ImageError(
            f"A picture is a uint8 array (height, width, 3), RGB; this is {what}. Read files with kp.read_image."
        )


def to_grey(image: np.ndarray) -> np.ndarray:
    """uint8 (H, W) from uint8 (H, W, 3) RGB, by the usual luma weights (ITU-R BT.601)."""
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
