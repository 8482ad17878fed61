"""Any picture file to uint8 RGB."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from kp.errors import ImageError

MAX_PIXELS = 100_000_000  # a picture of this size takes 300 MB as RGB
# Pillow knows more, among them some that start other programs (EPS) or whose readers are brittle.
# A phone's MPO opens as JPEG.
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "PPM")


def read_image(source: Path | str | object, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """The picture in a file (a path or an open binary file), upright, as uint8 (H, W, 3) RGB.

    EXIF orientation is applied, transparency is laid on white, 16-bit and float pictures are scaled to
    their own range, of an animation the first frame is taken. Raises ImageError with advice, for a picture of
    more than `max_pixels` before it is decoded.
    """
    label = Path(source).name if isinstance(source, str | Path) else "The picture"
    try:
        with Image.open(source, formats=FORMATS) as picture:
            if picture.width * picture.height > max_pixels:
                raise ImageError(
                    f"{label} has {picture.width} x {picture.height} pixels; the limit is "
                    f"{max_pixels // 1_000_000} megapixels. Make it smaller first."
                )
            picture.seek(0)
            return _to_rgb(ImageOps.exif_transpose(picture))
    except FileNotFoundError:
        raise ImageError(f"{source} does not exist. Check the path.") from None
    except (IsADirectoryError, PermissionError) as error:
        raise ImageError(f"{source} cannot be opened ({error.strerror}). Name a picture file.") from None
    except UnidentifiedImageError:
        raise ImageError(f"{label} is not a picture that can be read here. Use JPEG, PNG, WebP, AVIF or GIF.") from None
    except Image.DecompressionBombError:
        raise ImageError(f"{label} has too many pixels; the limit is {max_pixels // 1_000_000} megapixels.") from None
    except (OSError, EOFError, SyntaxError, ValueError, RuntimeError, LookupError) as error:  # all seen on broken files
        raise ImageError(f"{label} is damaged ({error}). Save it anew or take another one.") from None


def _to_rgb(picture: Image.Image) -> np.ndarray:
    if picture.mode.startswith("I") or picture.mode == "F":
        values = np.asarray(picture, np.float32)
        low, high = float(values.min()), float(values.max())
        picture = Image.fromarray(((values - low) / max(high - low, 1e-9) * 255).astype(np.uint8))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        white.alpha_composite(picture)
        picture = white
    return np.array(picture.convert("RGB"))


def read_frame(path: Path) -> np.ndarray:
    """A dataset frame as uint8 (H, W, 3) RGB, decoded by content (they are PNG inside .jpg, with an idle alpha)."""
    try:
        pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    except (OSError, cv2.error):
        pixels = None
    if pixels is None:
        name = f"{path.parent.name}/{path.name}"  # visitors of the app see it: no word on where the server keeps it
        raise ImageError(f"{name} cannot be read as a picture. Download the dataset again, or remove its row.")
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def check_image(image: np.ndarray) -> None:
    """Raises ImageError unless uint8 (H, W, 3) with at least one pixel."""
    if (not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3
            or not image.size):
        what = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise ImageError(f"A picture is a uint8 array (height, width, 3), RGB; this is {what}. "
                         "Read files with kp.read_image.")


def to_grey(image: np.ndarray) -> np.ndarray:
    """uint8 (H, W) from uint8 (H, W, 3) RGB, by the usual luma weights (ITU-R BT.601)."""
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
