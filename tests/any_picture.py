"""Files that people hand in as photos: each is a picture that can be read, or one that gets a clear sentence."""

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scenes import scene

SIZE = (150, 130)  # height, width


def face() -> np.ndarray:
    """A sample portrait, uint8 (150, 130, 3)."""
    return scene([75], height=SIZE[0], width=SIZE[1])[0]


@dataclass(frozen=True)
class Handed:
    """A file. shape: what it is read as, (H, W). says: what is said of it instead. like: how near to `face()`, 0..1."""

    name: str
    content: Callable[[], bytes]
    shape: tuple[int, int] | None = SIZE
    says: str = ""
    like: float = 0.9


def packed(picture: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def photo(mode: str = "RGB") -> Image.Image:
    return Image.fromarray(face()).convert(mode)


def turned_by_exif(turn: int) -> bytes:
    """Stored so that EXIF's turn sets it upright."""
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    exif = Image.Exif()
    exif[0x0112] = turn
    return packed(photo().transpose(undo[turn]) if turn in undo else photo(), "JPEG", quality=95, exif=exif)


def deep() -> bytes:
    return packed(Image.fromarray(np.asarray(photo("L")).astype(np.uint16) * 200), "PNG")


def floating() -> bytes:
    values = np.asarray(photo("L"), np.float32) / 255
    values[0, :2] = np.nan, np.inf
    return packed(Image.fromarray(values), "TIFF")


def palette_with_a_hole() -> bytes:
    picture = photo().quantize(200)
    return packed(picture, "PNG", transparency=255)


def animated(kind: str) -> bytes:
    return packed(photo(), kind, save_all=True, append_images=[Image.new("RGB", SIZE[::-1], "red")], duration=100)


def plain(height: int, width: int) -> bytes:
    return packed(Image.new("RGB", (width, height), (120, 90, 60)), "PNG")


def bomb() -> bytes:
    """A PNG of 30000 x 30000 pixels in a few hundred kilobytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    side, rows = 30_000, zlib.compressobj(9)
    body = b"".join(rows.compress(bytes(1 + side // 8)) for _ in range(side)) + rows.flush()
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


FILES = [
    *(Handed(f"turned-{turn}.jpg", lambda turn=turn: turned_by_exif(turn)) for turn in range(1, 9)),
    Handed("odd-turn.jpg", lambda: turned_by_exif(77)),
    Handed("opaque.png", lambda: packed(photo("RGBA"), "PNG")),
    Handed("grey.jpg", lambda: packed(photo("L"), "JPEG", quality=95)),
    Handed("grey-alpha.png", lambda: packed(photo("LA"), "PNG")),
    Handed("palette.png", lambda: packed(photo().quantize(256), "PNG")),
    Handed("palette-hole.png", palette_with_a_hole),
    Handed("cmyk.jpg", lambda: packed(photo("CMYK"), "JPEG", quality=95)),
    Handed("cmyk.tif", lambda: packed(photo("CMYK"), "TIFF")),
    Handed("black-and-white.png", lambda: packed(photo("1"), "PNG"), like=0.2),
    Handed("sixteen.png", deep),
    Handed("float.tif", floating),
    Handed("moving.gif", lambda: animated("GIF")),
    Handed("moving.webp", lambda: animated("WEBP"), like=0.85),
    Handed("moving.png", lambda: animated("PNG")),
    Handed("photo.webp", lambda: packed(photo(), "WEBP", quality=90)),
    Handed("photo.avif", lambda: packed(photo(), "AVIF", quality=90)),
    Handed("photo.bmp", lambda: packed(photo(), "BMP")),
    Handed("photo.ppm", lambda: packed(photo(), "PPM")),
    Handed("progressive.jpg", lambda: packed(photo(), "JPEG", quality=95, progressive=True)),
    Handed("mislabelled.gif", lambda: packed(photo(), "JPEG", quality=95)),
    Handed("no ending", lambda: packed(photo(), "PNG")),
    Handed("dot.png", lambda: plain(1, 1), shape=(1, 1), like=0),
    Handed("line.png", lambda: plain(1, 10_000), shape=(1, 10_000), like=0),
    Handed("column.png", lambda: plain(10_000, 1), shape=(10_000, 1), like=0),
    Handed("text.jpg", lambda: b"dear all, find my photo attached", shape=None, says="is not a picture"),
    Handed("empty.jpg", lambda: b"", shape=None, says="is empty"),
    Handed(
        "phone.heic",
        lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200),
        shape=None,
        says="HEIC photo.*[sS]ave it",
    ),
    Handed("heic.jpg", lambda: b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(200), shape=None, says="HEIC"),
    Handed("clip.png", lambda: b"\0\0\0\x18ftypisom\0\0\0\0" + bytes(200), shape=None, says="is a video"),
    Handed("page.png", lambda: b"%PDF-1.7 and so on", shape=None, says="PDF document"),
    Handed("drawing.png", lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", shape=None, says="SVG"),
    Handed("cut.jpg", lambda: turned_by_exif(1)[:2000], shape=None, says="is damaged"),
    Handed("cut.png", lambda: packed(photo(), "PNG")[:5000], shape=None, says="is damaged"),
    Handed("cut.webp", lambda: packed(photo(), "WEBP", quality=90)[:900], shape=None, says="is damaged|not a picture"),
    Handed("bomb.png", bomb, shape=None, says="the limit is 100 megapixels"),
    Handed(
        "too-large.png",
        lambda: packed(Image.new("1", (10_100, 10_000)), "PNG"),
        shape=None,
        says="has 10100 x 10000 pixels; the limit is 100 megapixels",
    ),
    Handed(
        "too-large.webp",
        lambda: packed(Image.new("L", (7_200, 7_000)), "WEBP", quality=1, method=0),
        shape=None,
        says="has 7200 x 7000 pixels; the limit is 50 megapixels for WEBP",
    ),
]
