"""Any picture file to uint8 RGB, or an ImageError with advice."""

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from builders import drawn_face
from PIL import Image

from kp.data.decoding import upright_size
from kp.data.images import MAX_PIXELS, check_image, read_frame, read_image, read_reduced, readable_formats, to_grey
from kp.data.readers.image_files import image_size
from kp.errors import ImageError

FACE, _ = drawn_face(1)


def packed(picture: Image.Image, kind: str, **options) -> io.BytesIO:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    file.seek(0)
    return file


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
def test_lossless_formats_keep_every_pixel(kind: str) -> None:
    assert (read_image(packed(Image.fromarray(FACE), kind)) == FACE).all()


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF"])
def test_lossy_formats_keep_the_picture(kind: str) -> None:
    read = read_image(packed(Image.fromarray(FACE), kind, quality=95))
    assert read.shape == FACE.shape
    assert np.abs(read.astype(int) - FACE).mean() < 3


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"])
def test_every_kind_of_pixel_becomes_rgb(mode: str) -> None:
    grey = Image.fromarray(FACE).convert("L")
    picture = (
        Image.fromarray(np.asarray(grey).astype(np.uint16) * 200)
        if mode == "I;16"
        else Image.fromarray(FACE).convert("L" if mode in "IF" else "RGB").convert(mode)
    )
    read = read_image(packed(picture, "TIFF"))
    assert read.dtype == np.uint8
    assert read.shape == FACE.shape
    soft = [cv2.GaussianBlur(pixels, (0, 0), 4).ravel() for pixels in (to_grey(read), np.asarray(grey))]  # undoes dots
    assert np.corrcoef(*soft)[0, 1] > 0.9


def test_transparency_lies_on_white() -> None:
    picture = Image.new("RGBA", (4, 2), (255, 0, 0, 0))
    picture.putpixel((0, 0), (255, 0, 0, 255))
    read = read_image(packed(picture, "PNG"))
    assert read[0, 0].tolist() == [255, 0, 0]
    assert (read[1] == 255).all()


@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_photographs_stand_upright(orientation: int, turns: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    read = read_image(packed(Image.fromarray(FACE), "PNG", exif=exif))
    assert (read == np.rot90(FACE, turns)).all()


def test_of_an_animation_the_first_picture_is_taken() -> None:
    pages = [Image.new("RGB", (6, 4), colour) for colour in ("red", "blue")]
    read = read_image(packed(pages[0], "GIF", save_all=True, append_images=pages[1:]))
    assert read.shape == (4, 6, 3)
    assert read[0, 0].tolist() == [255, 0, 0]


def test_a_path_and_its_name_in_the_message(tmp_path: Path) -> None:
    path = tmp_path / "me.png"
    Image.fromarray(FACE).save(path)
    assert (read_image(path) == read_image(str(path))).all()
    path.write_text("this is a letter")
    with pytest.raises(ImageError, match="me.png is not a picture.*JPEG"):
        read_image(path)
    with pytest.raises(ImageError, match="away.png does not exist"):
        read_image(tmp_path / "away.png")
    with pytest.raises(ImageError, match="cannot be opened"):
        read_image(tmp_path)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_huge_picture_is_refused_before_it_is_decoded() -> None:
    side = int(MAX_PIXELS**0.5) + 10
    file = packed(Image.new("1", (side, side)), "PNG")
    with pytest.raises(ImageError, match="limit is 100 megapixels"):
        read_image(file)


def test_a_smaller_limit_can_be_set() -> None:
    with pytest.raises(ImageError, match="has 2000 x 1001 pixels; the limit is 2 megapixels"):
        read_image(packed(Image.new("L", (2000, 1001)), "PNG"), max_pixels=2_000_000)
    assert read_image(packed(Image.new("L", (2000, 1000)), "PNG"), max_pixels=2_000_000).shape == (1000, 2000, 3)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "PPM", "QOI", "TGA"])
def test_a_broken_file_is_an_image_error_and_nothing_else(kind: str) -> None:
    rng = np.random.default_rng(7)
    whole = packed(Image.fromarray(FACE[:40, :50]), kind).getvalue()
    refused = 0
    for _ in range(60):
        data = bytearray(whole[: rng.integers(0, len(whole))])
        for place in rng.integers(0, max(1, min(len(data), 300)), rng.integers(0, 5)):
            data[place : place + 1] = bytes([rng.integers(256)])
        try:
            assert read_image(io.BytesIO(data)).dtype == np.uint8
        except ImageError as error:
            refused += 1
            assert len(str(error)) > 30
    assert refused > 20


def test_formats_that_start_other_programs_are_refused() -> None:
    with pytest.raises(ImageError, match="not a picture that can be read"):
        read_image(packed(Image.fromarray(FACE), "EPS"))


def test_a_fresh_process_reads_jpeg_and_png(fresh_process: dict) -> None:
    """Pillow knows only the readers that were loaded; here nothing has read or written a picture before."""
    assert fresh_process["shapes"] == {"me.jpg": [8, 9, 3], "me.png": [8, 9, 3]}


def test_a_phone_s_double_picture_is_its_first_one() -> None:
    pages = [Image.new("RGB", (60, 40), colour) for colour in ("red", "blue")]
    read = read_image(packed(pages[0], "MPO", save_all=True, append_images=pages[1:]))
    assert read[20, 30].argmax() == 0


def test_a_frame_drops_its_alpha(tmp_path: Path) -> None:
    path = tmp_path / "frame.jpg"
    Image.fromarray(np.dstack([FACE, np.full(FACE.shape[:2], 255, np.uint8)])).save(path, "PNG")
    assert (read_frame(path) == FACE).all()
    with pytest.raises(ImageError, match=f"^{tmp_path.name}/away.jpg cannot be read") as caught:
        read_frame(tmp_path / "away.jpg")
    assert str(tmp_path) not in str(caught.value)  # the app shows it to visitors


@pytest.mark.parametrize(
    "bad",
    [
        FACE[..., 0],
        FACE.astype(np.float32),
        np.dstack([FACE, FACE[..., :1]]),
        FACE[:0],
        FACE.tolist(),
        None,
        "face.jpg",
        FACE[None],
    ],
    ids=["grey", "float", "four channels", "no rows", "list", "None", "path", "batch"],
)
def test_arrays_that_are_no_pictures(bad: object) -> None:
    with pytest.raises(ImageError, match=r"uint8 array \(height, width, 3\).*kp.read_image"):
        check_image(bad)


def test_a_picture_passes_the_check() -> None:
    check_image(FACE)
    check_image(FACE[:1, :1])


@pytest.mark.parametrize(("orientation", "size"), [(1, (1001, 600)), (6, (600, 1001))])
def test_a_large_jpeg_is_read_at_reduced_size(orientation: int, size: tuple[int, int]) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    face = Image.fromarray(FACE).resize((1001, 600))
    for divided, limit in ((1, 600_600), (2, 600_599), (4, 100_000), (8, 30_000)):
        image, reduction, whole = read_reduced(packed(face, "JPEG", exif=exif, quality=95), max_pixels=limit)
        assert (reduction, whole) == (divided, size) and image.shape[0] * image.shape[1] <= limit
        assert image.shape[1::-1] == tuple(-(-side // divided) for side in size)
        turned = face if orientation == 1 else face.transpose(Image.Transpose.ROTATE_270)
        assert np.abs(np.asarray(turned.resize(image.shape[1::-1])).astype(int) - image).mean() < 4
    with pytest.raises(ImageError, match="has 1001 x 600 pixels; the limit is"):
        read_image(packed(face, "JPEG"), max_pixels=5_000)
    with pytest.raises(ImageError, match="the limit is"):
        read_image(packed(face, "PNG"), max_pixels=600_599)


def test_a_photo_of_108_megapixels_is_read() -> None:
    image, reduction, whole = read_reduced(packed(Image.new("L", (12000, 9000), 90), "JPEG"))
    assert (image.shape, reduction, whole) == ((4500, 6000, 3), 2, (12000, 9000))


@pytest.mark.parametrize(("start", "kind"), [(b"\xff\xd8\xff\xe0", "JPEG"), (b"\x89PNG\r\n\x1a\n", "PNG")])
def test_a_picture_s_signature_with_nothing_behind_it_is_damaged(start: bytes, kind: str) -> None:
    with pytest.raises(ImageError, match=f"is damaged: it begins as a {kind}"):
        read_image(io.BytesIO(start + bytes(200)))


def test_heic_is_read_where_pillow_heif_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    fake = SimpleNamespace(register_heif_opener=lambda: calls.append(1))
    monkeypatch.setitem(sys.modules, "pillow_heif", fake)
    assert readable_formats()[-1] == "HEIF" and calls
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    assert "HEIF" not in readable_formats()


def test_a_heic_photo_is_its_pixels(tmp_path: Path) -> None:
    heif = pytest.importorskip("pillow_heif", reason="reads HEIC; pip install pillow-heif")
    heif.register_heif_opener()
    path = tmp_path / "me.heic"
    Image.fromarray(FACE).save(path, quality=95)
    read = read_image(path)
    assert read.shape == FACE.shape and np.abs(read.astype(int) - FACE).mean() < 3
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(ImageError, match=r"me.heic is damaged"):
        read_image(path)


@pytest.mark.parametrize(("orientation", "size"), [(1, (20, 30)), (3, (20, 30)), (6, (30, 20)), (8, (30, 20))])
def test_the_size_of_a_photo_is_that_of_its_upright_pixels(orientation: int, size: tuple[int, int], tmp_path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (30, 20)).save(tmp_path / "a.jpg", exif=exif)
    with Image.open(tmp_path / "a.jpg") as picture:
        assert upright_size(picture) == size == read_image(tmp_path / "a.jpg").shape[:2]
    assert image_size(tmp_path / "a.jpg") == size
