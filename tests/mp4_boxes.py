"""MP4 files as trees of boxes (ISO/IEC 14496-12), to make the odd videos that OpenCV does not write."""

import struct
from collections.abc import Callable

NESTED = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts")  # boxes that hold boxes


def boxes_of(data: bytes) -> list[tuple[bytes, bytes]]:
    """Name and content of each box."""
    boxes, place = [], 0
    while place < len(data):
        size, name = struct.unpack(">I4s", data[place : place + 8])
        boxes.append((name, data[place + 8 : place + (size or len(data))]))
        place += size or len(data)
    return boxes


def joined(boxes: list[tuple[bytes, bytes]]) -> bytes:
    return b"".join(struct.pack(">I4s", len(content) + 8, name) + content for name, content in boxes)


def change(data: bytes, wanted: bytes, content: Callable[[bytes], bytes]) -> bytes:
    """The file with the content of each box of this name replaced by `content(old)`."""
    return joined(
        [
            (name, content(old) if name == wanted else change(old, wanted, content) if name in NESTED else old)
            for name, old in boxes_of(data)
        ]
    )


def without_edits(data: bytes) -> bytes:
    """The file without its edit list, which says how much of it is to be shown."""
    return change(data, b"trak", lambda old: joined([box for box in boxes_of(old) if box[0] != b"edts"]))


def with_edits(data: bytes, seconds: float, units_a_second: int = 1000) -> bytes:
    """The file with an edit list that shows its first seconds only. units_a_second: those of the whole file."""

    def shortened(old: bytes) -> bytes:
        assert old[0] == 0 and struct.unpack(">I", old[4:8]) == (1,)
        return old[:8] + struct.pack(">I", round(seconds * units_a_second)) + old[12:]

    return change(data, b"elst", shortened)


def with_durations(data: bytes, runs: list[tuple[int, int]]) -> bytes:
    """The video with other durations: (frames, units of time) for each run of frames, in the units that it has."""
    table = b"".join(struct.pack(">II", *run) for run in runs)
    return change(without_edits(data), b"stts", lambda _: struct.pack(">II", 0, len(runs)) + table)


def duration_of(data: bytes) -> int:
    """Units of time of one frame, where all are alike."""
    found = []
    change(data, b"stts", lambda old: found.append(struct.unpack(">II", old[8:16])) or old)
    ((_, units),) = found
    return units


def cut(data: bytes, share: float) -> bytes:
    """A copy that was broken off after this share of the pictures; what tells of them stands in front of them."""
    order = [b"ftyp", b"free", b"moov", b"mdat"]
    boxes = sorted(boxes_of(data), key=lambda box: order.index(box[0]))
    moved = joined(boxes).index(dict(boxes)[b"mdat"]) - data.index(dict(boxes)[b"mdat"])

    def shifted(old: bytes) -> bytes:
        places = struct.unpack(f">{len(old) // 4 - 2}I", old[8:])
        return old[:8] + struct.pack(f">{len(places)}I", *(place + moved for place in places))

    whole = change(joined(boxes), b"stco", shifted)
    return whole[: len(whole) - int(len(dict(boxes)[b"mdat"]) * (1 - share))]
