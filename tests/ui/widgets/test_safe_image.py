"""What an uploaded file becomes: upright RGB, or a toast that says why not."""

import base64
import io
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from builders import drawn_face
from gradio.data_classes import ImageData
from PIL import Image

from kp.ui.widgets.safe_image import SafeImage

FACE, _ = drawn_face(4)


@pytest.fixture
def component(tmp_path: Path) -> SafeImage:
    component = SafeImage()
    component.GRADIO_CACHE = str(tmp_path / "cache")
    (tmp_path / "cache").mkdir()
    return component


def upload(component: SafeImage, picture: Image.Image | bytes, name: str = "me.png", **options) -> ImageData:
    """The picture as a file in the cache, as gradio has it after an upload."""
    path = Path(component.GRADIO_CACHE) / name
    if isinstance(picture, bytes):
        path.write_bytes(picture)
    else:
        picture.save(path, **options)
    return ImageData(path=str(path))


def data_url(picture: Image.Image, kind: str = "png") -> str:
    file = io.BytesIO()
    picture.save(file, kind)
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"


def refusal(component: SafeImage, payload: ImageData) -> str:
    with pytest.raises(gr.Error) as caught:
        component.preprocess(payload)
    assert caught.value.print_exception is False  # no stack trace in the log for what visitors send
    return caught.value.message


def test_an_upload_is_its_pixels(component: SafeImage) -> None:
    image = component.preprocess(upload(component, Image.fromarray(FACE)))
    assert image.dtype == np.uint8 and (image == FACE).all()
    assert component.preprocess(None) is None


def test_a_phone_s_photo_stands_upright(component: SafeImage) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    payload = upload(component, Image.fromarray(FACE), "me.jpg", exif=exif, quality=95)
    image = component.preprocess(payload).astype(int)
    assert image.shape == np.rot90(FACE, 3).shape and np.abs(image - np.rot90(FACE, 3)).mean() < 4


def test_transparency_lies_on_white(component: SafeImage) -> None:
    picture = Image.new("RGBA", (6, 4), (255, 0, 0, 0))
    assert (component.preprocess(upload(component, picture)) == 255).all()
    assert (component.preprocess(ImageData(url=data_url(picture))) == 255).all()


def test_sixteen_bits_are_scaled_and_not_clipped(component: SafeImage) -> None:
    deep = FACE[..., 1].astype(np.uint16) * 100
    image = component.preprocess(upload(component, Image.fromarray(deep)))
    assert image.shape == FACE.shape and (image.min(), image.max()) == (0, 255)
    assert np.corrcoef(image[..., 0].ravel(), deep.ravel())[0, 1] > 0.999


@pytest.mark.parametrize("mode", ["P", "L", "RGB"])
def test_a_gif_has_colours_and_not_palette_numbers(component: SafeImage, mode: str) -> None:
    pages = [Image.new("RGB", (6, 4), colour).convert(mode) for colour in ("white", "blue")]
    image = component.preprocess(upload(component, pages[0], "me.gif", save_all=True, append_images=pages[1:]))
    assert image.shape == (4, 6, 3) and (image == 255).all()


def test_a_text_is_no_picture_whatever_its_name(component: SafeImage) -> None:
    assert "me.png is not a picture" in refusal(component, upload(component, b"dear all"))


def test_a_damaged_picture_says_so(component: SafeImage) -> None:
    file = io.BytesIO()
    Image.fromarray(FACE).save(file, "JPEG")
    assert "me.jpg is damaged" in refusal(component, upload(component, file.getvalue()[:900], "me.jpg"))


def test_a_picture_over_the_limit_is_refused(component: SafeImage) -> None:
    assert component.limit(1) is component
    too_large = Image.new("L", (1000, 1001))
    assert "has 1000 x 1001 pixels; the limit is 1 megapixels" in refusal(component, upload(component, too_large))
    assert "limit is 1 megapixels" in refusal(component, ImageData(url=data_url(too_large)))
    assert component.preprocess(upload(component, Image.new("L", (1000, 1000)))).shape == (1000, 1000, 3)
    assert SafeImage().max_pixels == 100_000_000  # each component has its own limit


@pytest.mark.parametrize("place", ["elsewhere/me.png", "cache-of-another/me.png", "cache/../elsewhere/me.png"])
def test_nothing_outside_the_uploads_is_read(component: SafeImage, tmp_path: Path, place: str) -> None:
    """A path without gradio's own mark comes through to here: any picture of the server could be asked for."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "cache-of-another").mkdir()
    Image.fromarray(FACE).save(tmp_path / place)
    assert "not uploaded here" in refusal(component, ImageData(path=str(tmp_path / place)))


def test_a_link_out_of_the_uploads_is_not_followed(component: SafeImage, tmp_path: Path) -> None:
    Image.fromarray(FACE).save(tmp_path / "secret.png")
    (tmp_path / "cache" / "link.png").symlink_to(tmp_path / "secret.png")
    assert "not uploaded here" in refusal(component, ImageData(path=str(tmp_path / "cache" / "link.png")))


@pytest.mark.parametrize("payload", [ImageData(), ImageData(url="http://127.0.0.1/me.png"), ImageData(path="")])
def test_an_address_is_not_fetched(component: SafeImage, payload: ImageData) -> None:
    assert "not uploaded here" in refusal(component, payload)


def test_a_data_address_is_a_picture_too(component: SafeImage) -> None:
    assert (component.preprocess(ImageData(url=data_url(Image.fromarray(FACE)))) == FACE).all()
    assert "is damaged" in refusal(component, ImageData(url="data:image/png;base64,a?b"))
    assert "not a picture" in refusal(component, ImageData(url="data:image/png;base64,aGVsbG8gd29ybGQ="))
    assert "is empty" in refusal(component, ImageData(url="data:,"))


def test_the_page_draws_it_as_the_stock_image() -> None:
    component = SafeImage(label="Photo", sources=["upload"], elem_id="me").limit(5)
    config = component.get_config()
    assert component.get_block_name() == "image"
    assert (config["label"], config["sources"], config["elem_id"]) == ("Photo", ["upload"], "me")
