"""The Predict tab: its public API, its handlers, and the page in a browser."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from builders import drawn_face, tiny_checkpoint
from running import launch_app

from kp import Predictor, read_image, save_checkpoint
from kp.detectors import Detection
from kp.detectors.whole_image import WholeImage
from kp.formats.writer import faces_json
from kp.geometry import Box, CropTransform
from kp.ui.predict import pipeline
from kp.ui.predict.steps import steps_html
from kp.ui.settings import Settings

TWO = [Box(0, 20, 70, 90), Box(70, 40, 130, 100)]  # where a detector is made to see faces in a photo of 140 x 150


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shipped") / "tiny.safetensors"
    save_checkpoint(tiny_checkpoint(), path)
    return path


@pytest.fixture(scope="module")
def page_url(model: Path, data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app with the drawn dataset and one small network shipped."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kp.ui.services.model_store.list_checkpoints", lambda: {"tiny": model})
        yield from launch_app(Settings(data=str(data_root), home=tmp_path_factory.mktemp("home")))


@pytest.fixture(scope="module")
def client(page_url: str):
    from gradio_client import Client

    return Client(page_url, verbose=False)


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "face.png"
    cv2.imwrite(str(path), drawn_face(7)[0][..., ::-1])
    return path


def call(client, path: Path, **settings):
    from gradio_client import handle_file

    return client.predict(handle_file(path), api_name="/predict", **settings)


def test_api_gives_the_librarys_numbers(client, model: Path, photo: Path) -> None:
    drawn, faces = call(client, photo, detector="whole-image", margin=1.8)
    expected = Predictor(str(model), "whole-image", margin=1.8).predict(read_image(photo))
    assert faces == faces_json(expected)
    assert min(read_image(drawn if isinstance(drawn, str) else drawn["path"]).shape[:2]) >= 512


def test_api_needs_nothing_but_a_picture(client, photo: Path) -> None:
    parameters = client.view_api(return_format="dict")["named_endpoints"]["/predict"]["parameters"]
    assert [parameter["parameter_name"] for parameter in parameters] == [
        "image",
        "model",
        "detector",
        "threshold",
        "margin",
    ]
    assert [parameter["parameter_has_default"] for parameter in parameters] == [False, True, True, True, True]
    _, faces = call(client, photo)
    assert isinstance(faces, list)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"model": "nothing"}, "no model 'nothing'"),
        ({"model": "../tiny"}, "no model"),
        ({"detector": "eyes"}, "no detector named 'eyes'"),
        ({"threshold": 99}, "threshold"),
        ({"margin": 99}, "margin"),
    ],
)
def test_api_says_what_is_wrong(client, photo: Path, settings: dict, says: str) -> None:
    from gradio_client.exceptions import AppError

    with pytest.raises(AppError, match=says):
        call(client, photo, **settings)


def test_api_takes_any_picture_and_refuses_the_rest(client, tmp_path: Path) -> None:
    from gradio_client.exceptions import AppError

    image = drawn_face(8)[0]
    pictures = {
        "grey.png": image[..., 0],
        "deep.png": image.astype(np.uint16) * 257,
        "dot.png": image[:1, :1],
        "line.png": np.zeros((1, 10000, 3), np.uint8),
    }
    for name, pixels in pictures.items():
        cv2.imwrite(str(tmp_path / name), pixels)
        assert len(call(client, tmp_path / name, detector="whole-image")[1]) == 1, name
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(AppError, match="text.png is not a picture"):
        call(client, tmp_path / "text.png")


def test_analysis_is_the_prediction_with_its_steps(model: Path) -> None:
    image = drawn_face(9)[0]
    predictor = Predictor(str(model), "whole-image")
    analysis = pipeline.analyse(image, predictor, "tiny")
    assert faces_json(analysis.faces) == faces_json(predictor.predict(image))
    assert np.array_equal(analysis.crops[0], analysis.maps[0].warp(image))
    steps = steps_html(analysis, 0)
    assert "32 × 32 pixels" in steps and "1 × 1 × 32 × 32" in steps and "136, float32" in steps
    (face,) = analysis.faces
    assert f"the eyes {abs(face.roll):.0f}° from the level" in steps  # this network sees them anywhere
    level = replace(analysis, faces=[replace(face, roll=90.0)], rotation=90)
    assert "from the level" not in steps_html(level, 0)


def test_a_click_chooses_the_smallest_face_around_it(model: Path) -> None:
    image = np.zeros((900, 900, 3), np.uint8)
    predictor = Predictor(str(model), "whole-image")
    boxes = [Box(100, 100, 500, 500), Box(200, 200, 300, 300), Box(700, 700, 800, 800)]
    faces = predictor.predict(image, boxes)
    maps = [CropTransform.from_box(box, 32) for box in boxes]
    analysis = pipeline.Analysis(
        "tiny",
        "none",
        900,
        900,
        image,
        1.0,
        faces,
        [crop.warp(image) for crop in maps],
        maps,
        [],
        predictor.preprocessing,
        1,
        0,
        False,
        0.0,
        0.0,
    )
    assert pipeline.face_at(analysis, 250, 250) == 1
    assert pipeline.face_at(analysis, 450, 120) == 0
    assert pipeline.face_at(analysis, 890, 600) == 2


def test_large_photos_are_shown_small(model: Path) -> None:
    analysis = pipeline.analyse(np.zeros((1000, 4000, 3), np.uint8), Predictor(str(model), "whole-image"), "tiny")
    assert analysis.picture.shape == (400, pipeline.LONGEST, 3)
    assert analysis.faces[0].box.centre[0] == pytest.approx(1999.5, abs=20)  # not that of the small picture


@pytest.mark.browser
def test_page_finds_shows_and_saves(page_url: str, chromium, photo: Path, tmp_path: Path, monkeypatch) -> None:
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.goto(page_url)
    page.get_by_role("tab", name="Predict").click()
    page.wait_for_selector("#predict-examples button")
    page.get_by_label("Remove Image").click()
    page.wait_for_selector("#predict-notice >> text=Upload a photo")
    cv2.imwrite(str(tmp_path / "plain.png"), np.full((90, 110, 3), 128, np.uint8))
    page.set_input_files("#predict-photo input[type=file]", str(tmp_path / "plain.png"))
    page.wait_for_selector("#predict-notice >> text=found no face")
    page.click("#predict-whole")
    page.wait_for_selector("#predict-status >> text=1 face in 110 × 90 pixels")
    page.get_by_label("Remove Image").click()
    page.wait_for_selector("#predict-notice >> text=Upload a photo")
    page.set_input_files("#predict-photo input[type=file]", str(photo))
    page.wait_for_selector("#predict-status >> text=1 face in 140 × 150 pixels")
    assert page.locator("#predict-steps li").count() == 4
    with page.expect_download() as download:
        page.click("#predict-json")
    saved = json.loads(Path(download.value.path()).read_text())
    assert [len(face["keypoints"]) for face in saved] == [68]

    monkeypatch.setattr(WholeImage, "detect", lambda *_: [Detection(box, None) for box in TWO])
    monkeypatch.setattr(WholeImage, "box_style", "tight")
    page.click("#predict-find")
    page.wait_for_selector("#predict-status >> text=2 faces")
    page.locator("#predict-face label").nth(1).click()
    page.wait_for_selector(f"#predict-steps >> text={size_of(TWO[1])}")
    click_face(page, TWO[0])
    page.wait_for_selector(f"#predict-steps >> text={size_of(TWO[0])}")
    with page.expect_download() as download:
        page.click("#predict-csv")
    assert len(Path(download.value.path()).read_text().splitlines()) == 1 + 2 * 68
    page.close()


@pytest.mark.browser
def test_page_takes_a_box_drawn_by_two_clicks(page_url: str, chromium, photo: Path) -> None:
    page = open_with(chromium, page_url, photo)
    page.click("#predict-box > button")
    page.get_by_label("Draw: my clicks").check()
    for corner, wait in (
        ((40, 50), "#predict-corners >> text=First corner set"),
        ((100, 110), "#predict-status >> text=The box is yours"),
    ):
        click_pixel(page, *corner)
        page.wait_for_selector(wait)
    page.wait_for_selector("#predict-steps >> text=you")
    sides = [float(page.input_value(f"#predict-box-{side} input")) for side in ("left", "top", "right", "bottom")]
    assert np.allclose(sides, (40, 50, 100, 110), atol=1.5)
    page.fill("#predict-box-right input", "30")
    page.click("#predict-box-use")
    page.wait_for_selector("text=left < right")
    page.close()


@pytest.mark.browser
def test_page_tests_the_box_and_saves_files(page_url: str, chromium, photo: Path) -> None:
    page = open_with(chromium, page_url, photo)
    page.click("#predict-whole")
    page.wait_for_selector("#predict-status >> text=1 face")
    page.click("#predict-test > button")
    page.wait_for_selector("#predict-test-map td")
    page.fill("#predict-test-right input[type=number]", "40")
    page.press("#predict-test-right input[type=number]", "Enter")
    page.locator("#predict-test-right input[type=number]").blur()
    page.wait_for_selector("#predict-test-picture >> text=The box moved by")
    page.click("#predict-files > button")
    page.click("#predict-make")
    page.wait_for_selector("#predict-made a[download='photo.pts']")
    page.close()


def open_with(chromium, page_url: str, photo: Path):
    """The Predict tab with this photo, in which no detector sees a face."""
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.goto(page_url)
    page.get_by_role("tab", name="Predict").click()
    page.wait_for_selector("#predict-examples button")
    page.get_by_label("Remove Image").click()
    page.wait_for_selector("#predict-notice >> text=Upload a photo")
    page.set_input_files("#predict-photo input[type=file]", str(photo))
    page.wait_for_selector("#predict-status >> text=in 140 × 150 pixels")
    return page


def size_of(box: Box) -> str:
    """As the first step tells it."""
    tight = WholeImage.box_map.to_tight(box)
    return f"{tight.width:.0f} × {tight.height:.0f} pixels"


def click_face(page, box: Box) -> None:
    """Click the middle of a face's box in the picture."""
    click_pixel(page, *WholeImage.box_map.to_tight(box).centre)


def click_pixel(page, x: float, y: float) -> None:
    """Click a pixel of the photo, 150 pixels high, in the picture, which lies in the middle of its frame."""
    picture = page.locator("#predict-picture img")
    # The page has the answer's text before the answer's picture: wait until the browser has read that.
    page.wait_for_function("() => document.querySelector('#predict-picture img')?.naturalWidth > 0")
    width, height = picture.evaluate("image => [image.naturalWidth, image.naturalHeight]")
    frame = picture.bounding_box()
    zoom = min(frame["width"] / width, frame["height"] / height)
    factor = height / 150 * zoom
    picture.click(
        position={
            "x": (frame["width"] - width * zoom) / 2 + x * factor,
            "y": (frame["height"] - height * zoom) / 2 + y * factor,
        }
    )
