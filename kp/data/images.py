"""Reading any image file as uint8 RGB."""

import logging
import warnings
from contextlib import nullcontext
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from kp.console import mute_c_stderr
from kp.data.decoding import swaps_sides, upright_pixels
from kp.data.image_formats import ImageSource, describe_unreadable, readable_formats
from kp.errors import ImageError

logger = logging.getLogger(__name__)
MAX_PIXELS = 100_000_000  # an image of this size takes 300 MB as RGB, and 700 MB while it is read
MAX_JPEG_PIXELS = 250_000_000  # JPEG is decoded at 1/2, 1/4 or 1/8 of its size where it has more than MAX_PIXELS
REDUCTIONS = (1, 2, 4, 8)
MAX_PIXELS_OF = {"WEBP": 50_000_000, "AVIF": 50_000_000, "HEIF": 50_000_000}  # their decoders take twice the memory
# Pillow warns of large images, damaged EXIF and truncated tags: what matters becomes an ImageError here.
warnings.filterwarnings("ignore", module=r"PIL\.")
Image.MAX_IMAGE_PIXELS = MAX_JPEG_PIXELS // 2  # Pillow refuses twice as many


def read_image(source: ImageSource, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """The image in a file (a path or an open binary file), upright, as uint8 (H, W, 3) RGB.

    EXIF orientation is applied, transparency becomes white, 16-bit and float images are scaled from their range to
    0..255, and an animation gives its first frame. Raises ImageError for what cannot be read, and for an image of more
    than `max_pixels` (WebP, AVIF and HEIC: 50 megapixels) before it is decoded. A larger JPEG, up to 250 megapixels,
    is reduced with a logged warning; `read_reduced` returns the original size too.

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


def reduction_of(picture: Image.Image, max_pixels: int) -> int | None:
    """The factor by which each side is reduced, so that at most `max_pixels` are decoded: 1, for JPEG also 2, 4 or 8.

    None where no factor is large enough.
    """
    limit = min(max_pixels, MAX_PIXELS_OF.get(picture.format or "", max_pixels))
    jpeg = picture.format in ("JPEG", "MPO") and picture.width * picture.height <= MAX_JPEG_PIXELS
    fitting = (
        by for by in REDUCTIONS[: None if jpeg else 1] if -(-picture.width // by) * -(-picture.height // by) <= limit
    )
    return next(fitting, None)


def read_reduced(source: ImageSource, *, max_pixels: int = MAX_PIXELS) -> tuple[np.ndarray, int, tuple[int, int]]:
    """The image as `read_image` returns it, the reduction (1, 2, 4 or 8), and the original upright (width, height).

    Raises ImageError as `read_image`.
    """
    label = Path(source).name if isinstance(source, str | Path) else "The picture"
    try:
        with Image.open(source, formats=readable_formats()) as picture:
            limit = min(max_pixels, MAX_PIXELS_OF.get(picture.format or "", max_pixels))
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
                return upright_pixels(picture), reduction, whole[::-1] if swaps_sides(picture) else whole
    except FileNotFoundError:
        raise ImageError(f"{source} does not exist. Check the path.") from None
    except (IsADirectoryError, PermissionError) as error:
        raise ImageError(f"{source} cannot be opened ({error.strerror}). Name a picture file.") from None
    except UnidentifiedImageError:
        raise ImageError(f"{label} {describe_unreadable(source)}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):  # the latter where warnings are errors
        raise ImageError(
            f"{label} has too many pixels; the limit is {max_pixels // 1_000_000} megapixels. Make it smaller first."
        ) from None
    except (OSError, EOFError, SyntaxError, ValueError, RuntimeError, LookupError) as error:  # all seen on broken files
        raise ImageError(f"{label} is damaged ({error}). Save it anew or take another one.") from None


def read_frame(path: Path) -> np.ndarray:
    """A dataset frame as uint8 (H, W, 3) RGB, decoded by content (PNG in .jpg, with an unused alpha channel)."""
    try:
        with mute_c_stderr():
            pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    except (OSError, cv2.error):
        pixels = None
    if pixels is None:
        name = f"{path.parent.name}/{path.name}"  # shown to visitors of the app: no path of the server
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
