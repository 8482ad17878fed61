"""MP4 headers (ISO/IEC 14496-12) beyond OpenCV: odd frame sizes, and the share of a track that is shown.

OpenCV writes even sizes only. MPEG-4 video (ISO/IEC 14496-2) is coded in whole macroblocks of 16 x 16 pixels, so that a
size one less than an even one has the same macroblocks, and only the numbers in the headers differ.
"""

import struct
from pathlib import Path
from typing import BinaryIO

VIDEO_LAYER = range(0x20, 0x30)  # start codes 00 00 01 xx of the header that has the frame size
NESTED = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts")  # boxes that hold boxes
EXTENDED_ASPECT = 15
LONGEST_HEADER = 24  # bytes, up to the height


def shown_share(path: Path) -> float:
    """The share of the video track in the edit list, 0..1; 1 without one, and for other file formats."""
    with path.open("rb") as file:
        moov = bytes(file.read(size)) if (size := find_movie(file)) else b""
    try:
        (track,) = (moov[start:end] for start, end in boxes_of(moov, b"trak") if b"vmhd" in moov[start:end])
        ((edits, _),) = boxes_of(track, b"elst")
        ((movie, _),) = boxes_of(moov, b"mvhd")
        ((media, _),) = boxes_of(track, b"mdhd")
        whole, unit = duration(track, media)
        entry = ">qqi" if track[edits] else ">iii"  # duration, first time, speed
        entries = struct.iter_unpack(
            entry, track[edits + 8 :][: struct.unpack_from(">I", track, edits + 4)[0] * struct.calcsize(entry)]
        )
        shown = sum(length for length, first, _ in entries if first >= 0) / duration(moov, movie)[1]
        return min(1.0, shown / (whole / unit)) if shown > 0 else 1.0
    except (ValueError, struct.error, IndexError, ZeroDivisionError):  # boxes missing, several, or damaged
        return 1.0


def duration(data: bytes, header: int) -> tuple[int, int]:
    """Duration and units a second from an mvhd or mdhd box."""
    unit, length = struct.unpack_from(*(">IQ", data, header + 20) if data[header] else (">II", data, header + 12))
    return length, unit


def find_movie(file: BinaryIO) -> int:
    """Seek to the content of the moov box and return its size in bytes; 0 where there is none."""
    while len(head := file.read(8)) == 8:
        size, name = struct.unpack(">I4s", head)
        if name == b"moov":
            return max(size - 8, 0)
        if size == 1:  # a 64-bit size follows the name
            size = int.from_bytes(file.read(8), "big") - 8
        file.seek(max(size, 8) - 8, 1)
    return 0


def set_picture_size(path: Path, width: int, height: int) -> bool:
    """Set the frame size in a file with one video track, in place; returns False, without a change, where impossible.

    Width and height must each be the file's, or one less than an even one. Raises OSError.
    """
    with path.open("r+b") as file:
        size = find_movie(file)
        moov = bytearray(file.read(size))
        if len(moov) != size or not change_headers(moov, width, height):
            return False
        file.seek(-size, 1)
        file.write(moov)
        return True


def change_headers(moov: bytearray, width: int, height: int) -> bool:
    """Set the size in the track header, sample description and video layer header; False unless each is found once."""
    track, sample = ([start for start, _ in boxes_of(moov, name)] for name in (b"tkhd", b"stsd"))
    if len(track) != 1 or len(sample) != 1 or moov[sample[0] + 12 : sample[0] + 16] != b"mp4v":
        return False
    layer = next(
        (
            place + 4
            for place in range(sample[0], len(moov) - 4)
            if moov[place : place + 3] == b"\0\0\1" and moov[place + 3] in VIDEO_LAYER
        ),
        None,
    )
    if layer is None:
        return False
    header = moov[layer : layer + 64]
    if not set_layer_size(header, width, height):
        return False
    moov[layer : layer + len(header)] = header
    track_size = track[0] + (84 if moov[track[0]] == 0 else 96) - 8
    struct.pack_into(">II", moov, track_size, width << 16, height << 16)
    struct.pack_into(">HH", moov, sample[0] + 8 + 32, width, height)
    return True


def boxes_of(data: bytes | bytearray, wanted: bytes, start: int = 0, end: int | None = None) -> list[tuple[int, int]]:
    """Start and end of the content of each box with this name, nested ones included."""
    found, end = [], len(data) if end is None else end
    while start + 8 <= end:
        size, name = struct.unpack_from(">I4s", data, start)
        stop = min(start + max(size, 8), end)
        if name == wanted:
            found.append((start + 8, stop))
        elif name in NESTED:
            found += boxes_of(data, wanted, start + 8, stop)
        start = stop
    return found


def set_layer_size(header: bytearray, width: int, height: int) -> bool:
    """Set video_object_layer_width and _height after the start code; False for a header of another kind."""
    if len(header) < LONGEST_HEADER:
        return False
    bits = "".join(f"{byte:08b}" for byte in header)
    place = 1 + 8  # random_accessible_vol, type indication
    place += 1 + (7 if bits[place] == "1" else 0)  # is_object_layer_identifier, verid, priority
    place += 4 + (16 if int(bits[place : place + 4], 2) == EXTENDED_ASPECT else 0)
    if bits[place] == "1":  # vol_control_parameters: chroma, low_delay
        place += 1 + 3
        place += 79 if bits[place] == "1" else 0  # vbv_parameters
    place += 1
    rectangular = bits[place : place + 2] == "00"
    place += 2 + 1
    resolution = int(bits[place : place + 16], 2)
    place += 16 + 1
    place += 1 + (max(1, (resolution - 1).bit_length()) if bits[place] == "1" else 0)  # fixed_vop_rate
    old = int(bits[place + 1 : place + 14], 2), int(bits[place + 15 : place + 28], 2)
    marked = bits[place] == bits[place + 14] == bits[place + 28] == "1"
    fits = all(new == was or (new == was - 1 and was % 2 == 0) for new, was in zip((width, height), old, strict=True))
    if not (rectangular and marked and fits):
        return False
    bits = f"{bits[:place]}1{width:013b}1{height:013b}{bits[place + 28 :]}"
    header[:] = int(bits, 2).to_bytes(len(header), "big")
    return True
