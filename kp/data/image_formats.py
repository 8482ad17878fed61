"""The image formats that are read, and messages for files that are something else."""

from pathlib import Path
from typing import IO

ImageSource = Path | str | IO[bytes]  # a path, or a file that is open in binary mode

# Pillow's other formats are left out: some start other programs (EPS), some have brittle readers.
# A phone's MPO opens as JPEG.
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "PPM")
USE = "Use JPEG, PNG, WebP, AVIF or GIF."
SIGNATURES = {b"\xff\xd8": "a JPEG", b"\x89PNG": "a PNG", b"GIF8": "a GIF"}  # a file that begins so is damaged
HEIC_MARKS = (b"ftypheic", b"ftypheix", b"ftyphevc", b"ftypmif1", b"ftypmsf1")
# Files that are often mistaken for images: offset and values of their first bytes, and the end of the message.
OTHER_FORMATS = (
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


def readable_formats() -> tuple[str, ...]:
    """Pillow's names of the formats that are read: FORMATS, and HEIF (HEIC) where pillow-heif is installed."""
    try:
        import pillow_heif
    except ImportError:
        return FORMATS
    pillow_heif.register_heif_opener()
    return (*FORMATS, "HEIF")


def describe_unreadable(source: ImageSource) -> str:
    """What a file is that cannot be decoded, and what to do: the end of a sentence."""
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
    for place, marks, sentence in OTHER_FORMATS:
        if start[place:].startswith(marks):
            return sentence
    return f"is not a picture that can be read here. {USE}"
