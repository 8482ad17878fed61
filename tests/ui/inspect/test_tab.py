"""The tab Feature maps: its handlers as plain functions, and once in a browser."""

import re
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
import torch
from builders import drawn_face
from running import launch_app

import kp.ui.services.model_store
from kp.checkpoint import Checkpoint, list_checkpoints, save_checkpoint
from kp.data import FacialKeypointsDataset, Preprocessing
from kp.detectors.whole_image import WholeImage
from kp.explain.kernels import convolutions
from kp.models import create_model
from kp.ui.context import DataSource
from kp.ui.inspect.faces import dataset_face, faces_shown, first_frames, photo_face
from kp.ui.inspect.handlers import InsideHandlers
from kp.ui.inspect.html import crop_html
from kp.ui.inspect.parts import inside_parts
from kp.ui.inspect.view import FACE, KERNELS, MAPS, NETWORK, PAGE, LayerView, View
from kp.ui.inspect.viewer import NetworkViewer
from kp.ui.services.model_store import ModelStore
from kp.ui.settings import Settings

NAME = "run:small"


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two small networks of random weights: a deep one with 68 heatmaps, and one in colour."""
    folder = tmp_path_factory.mktemp("networks")
    torch.manual_seed(0)
    for name, channels in (("small", 1), ("colour", 3)):
        arguments = {"width": 16, "channels": channels}
        model = create_model("heatmap_net", **arguments)
        preprocessing = Preprocessing(**{**vars(Preprocessing.centred(64)), "channels": channels})
        checkpoint = Checkpoint("heatmap_net", arguments, model.state_dict(), preprocessing)
        save_checkpoint(checkpoint, folder / f"{name}.safetensors")
    return folder


def handlers_of(viewer: NetworkViewer) -> InsideHandlers:
    with gr.Blocks():
        return InsideHandlers(viewer, inside_parts(0 if viewer.data.problem else len(viewer.people)))


def drawn(handlers: InsideHandlers, *choices) -> tuple:
    """summary, grid, detail, crop, chosen."""
    updates, parts = handlers.draw(*choices), handlers.parts
    return tuple(updates[part] for part in (parts.summary, parts.grid, parts.detail, parts.face.crop, parts.chosen))


def drawn_layer(handlers: InsideHandlers, *choices) -> tuple:
    """layer, channel, page, applied, shared, and the same."""
    updates, parts = handlers.draw_layer(*choices), handlers.parts
    return tuple(
        updates[part]
        for part in (
            parts.layer,
            parts.channel,
            parts.page,
            parts.applied,
            parts.shared,
            parts.summary,
            parts.grid,
            parts.detail,
            parts.face.crop,
            parts.chosen,
        )
    )


def enlarged(handlers: InsideHandlers, index: int, *choices) -> tuple:
    """detail, chosen."""
    updates = handlers.enlarge(index, *choices)
    return updates[handlers.parts.detail], updates[handlers.parts.chosen]


@pytest.fixture(scope="module")
def handlers(checkpoints: Path, data_root: Path) -> InsideHandlers:
    return handlers_of(NetworkViewer(ModelStore(checkpoints), DataSource(str(data_root))))


@pytest.fixture
def without_data(checkpoints: Path, on_nothing: None) -> InsideHandlers:
    return handlers_of(NetworkViewer(ModelStore(checkpoints), DataSource(None)))


def choices(
    kind: str = KERNELS,
    layer: str | None = None,
    *,
    name: str | None = NAME,
    channel: int | None = 0,
    page: int = 0,
    applied: str = NETWORK,
    shared: bool = False,
    frame: int | None = 0,
    photo=None,
    chosen: int | None = None,
) -> tuple:
    return name, kind, layer, channel, page, applied, shared, frame, photo, chosen


def layers(handlers: InsideHandlers, kind: str) -> list[str]:
    return [layer for _, layer in handlers.viewer.layers(handlers.viewer.models.predictor(NAME), kind)]


def resolved(handlers: InsideHandlers, view: View) -> LayerView:
    layer_view = handlers.viewer.resolve(view)
    assert layer_view is not None
    return layer_view


@pytest.mark.parametrize("kind", [KERNELS, MAPS])
def test_every_layer_can_be_shown(handlers: InsideHandlers, kind: str) -> None:
    for layer in layers(handlers, kind):
        *controls, summary, items, detail, crop, chosen = drawn_layer(handlers, *choices(kind, layer))
        assert detail.startswith("<h2>") and "64x64 pixels" in crop
        assert not re.search(r"\bnan\b", re.sub('"data:[^"]*"', "", summary + detail))
        assert len(controls) == 5
        if chosen is None:
            assert items == []
        else:
            assert [item["chosen"] for item in items].index(True) == chosen < PAGE


def test_the_first_screen_shows_the_kernels_of_the_first_convolution(handlers: InsideHandlers) -> None:
    layer, channel, page, applied, shared, summary, items, detail, _, chosen = drawn_layer(handlers, *choices())
    assert layer.value == "stem.0" and len(items) == 16 and f"Kernel {chosen} of stem.0" in detail
    assert not any(control.visible for control in (channel, page, applied, shared))
    assert "16 kernels of 3x3" in summary


def test_a_click_enlarges_that_kernel_with_its_own_numbers(handlers: InsideHandlers) -> None:
    layer = "stage16.0.conv2"
    detail, chosen = enlarged(handlers, 5, *choices(layer=layer, channel=7, page=1))
    assert chosen == PAGE + 5 and f"Kernel {PAGE + 5} of {layer}, for channel 7" in detail
    network = handlers.viewer.models.predictor(NAME).network
    weights = convolutions(network)[layer].weight[PAGE + 5, 7].detach().numpy()
    written = [float(text.replace("\N{MINUS SIGN}", "-")) for text in re.findall(r">([^<>]+)</text>", detail)]
    assert any(np.allclose(written[at : at + 9], weights.ravel(), atol=6e-4) for at in range(len(written) - 8))


def test_a_deeper_kernel_is_applied_to_its_input_or_to_the_face(handlers: InsideHandlers) -> None:
    reads, _ = enlarged(handlers, 0, *choices(layer="stage8.0.conv1", channel=3))
    face, _ = enlarged(handlers, 0, *choices(layer="stage8.0.conv1", channel=3, applied=FACE))
    assert "Input channel 3 of stage8.0.conv1" in reads and "The face" in face


def test_the_channel_that_varies_most_is_shown_first(handlers: InsideHandlers) -> None:
    view = resolved(handlers, View(NAME, KERNELS, "stage4.0.conv1"))
    maps = resolved(handlers, View(NAME, MAPS, "stem"))
    assert view.channel == handlers.viewer.pictures(maps).chosen


def test_choices_that_a_network_does_not_have_are_replaced(handlers: InsideHandlers) -> None:
    view = resolved(handlers, View(NAME, KERNELS, "conv9", channel=999, page=99))
    assert (view.layer, view.channel, view.page) == ("stem.0", 0, 0)
    assert drawn(handlers, *choices(frame=None))[3] == drawn(handlers, *choices(frame=0))[3]


def test_a_heatmap_names_its_point(handlers: InsideHandlers) -> None:
    detail, _ = enlarged(handlers, 36, *choices(MAPS, "heatmaps"))
    assert "Map 36 of heatmaps (point 36: left eye 1)" in detail


def test_one_scale_for_all_maps_changes_the_grid(handlers: InsideHandlers) -> None:
    own, shared = (drawn(handlers, *choices(MAPS, "stem", shared=flag)) for flag in (False, True))
    assert own[1] != shared[1] and "Colour scale" in shared[0] and "Colour scale" not in own[0]


def test_a_network_in_colour_has_three_channels_to_choose_from(handlers: InsideHandlers) -> None:
    view = resolved(handlers, View("run:colour"))
    assert handlers.viewer.channels(view) == 3
    detail, _ = enlarged(handlers, 0, *choices(name="run:colour", channel=2))
    assert "colour channel 2" in detail


def test_a_photo_comes_before_the_dataset(handlers: InsideHandlers) -> None:
    image = np.zeros((90, 120, 3), np.uint8)
    photo = handlers.read_photo(NAME, image)
    assert "no face" in photo.note
    assert photo.note in drawn(handlers, *choices(photo=photo))[3]
    assert handlers.read_photo(NAME, None) is None


def test_of_a_photo_only_the_part_about_the_face_is_kept_and_the_crop_stays_the_same(handlers: InsideHandlers) -> None:
    predictor = handlers.viewer.models.predictor(NAME)
    image = np.zeros((800, 700, 3), np.uint8)
    image[150:750, 50:650] = drawn_face(3, height=600, width=600)[0]
    face = photo_face(image, predictor)
    detector = predictor.detector if predictor.detector.detect(image) else WholeImage()
    box = detector.box_map.to_tight(detector.detect(image)[0].box)
    expected = predictor.preprocessing.crop_transform(box).warp(image)
    assert np.abs(face.crop(predictor).astype(int) - expected).mean() < 3
    assert max(face.image.shape) <= 640


@pytest.mark.real_data
def test_the_face_in_a_photo_is_found(handlers: InsideHandlers, real_dataset: FacialKeypointsDataset) -> None:
    photo = handlers.read_photo(NAME, np.array(real_dataset.part("people", "test").image(0)))
    assert "YuNet found" in photo.note and "no face" not in photo.note


def test_faces_to_choose_from_are_different_people(handlers: InsideHandlers, dataset: FacialKeypointsDataset) -> None:
    part = dataset.part("people", "test")
    people = [part.frames[index].person for index in first_frames(part)]
    assert people == list(dict.fromkeys(people)) and len(people) == 2
    assert faces_shown(list(range(30)), 2) == list(range(24, 30)) and faces_shown(list(range(30)), 3)[0] == 0
    items = handlers.faces(0, handlers.pick_face(1, 0)[handlers.parts.face.frame])
    assert [item["chosen"] for item in items] == [False, True]
    assert dataset_face(part, 4).crop(handlers.viewer.models.predictor(NAME)).shape == (64, 64, 3)


def test_without_any_face_kernels_show_and_maps_invite_a_photo(without_data: InsideHandlers) -> None:
    summary, items, detail, crop, _ = drawn(without_data, *choices())
    assert len(items) == 16 and "The kernel" in detail and "filtered image" not in detail and "photo" in crop
    summary, items, detail, *_ = drawn(without_data, *choices(MAPS))
    assert items == [] and detail == "" and "photo of your own" in summary
    assert without_data.faces(0, 0) == []


@pytest.mark.usefixtures("on_sample")
def test_synthetic_faces_are_the_input_until_the_dataset_comes(checkpoints: Path, data_root: Path) -> None:
    data = DataSource(None)
    handlers = handlers_of(NetworkViewer(ModelStore(checkpoints), data))
    assert "a synthetic test person" in drawn(handlers, *choices())[3]
    assert len(handlers.faces(0, 0)) == 3
    data.fallback = data_root
    assert "Ben Hart, a test person." in drawn(handlers, *choices())[3]
    assert len(handlers.faces(0, 0)) == 2


def test_without_a_checkpoint_there_is_a_message(handlers: InsideHandlers) -> None:
    *_, summary, items, detail, _, chosen = drawn_layer(handlers, *choices(name=None))
    assert "No checkpoint is shipped" in summary and items == [] and detail == "" and chosen is None


@pytest.fixture(scope="module")
def inside_url(checkpoints: Path, data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An app that ships the small networks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kp.ui.services.model_store, "list_checkpoints", lambda: list_checkpoints(checkpoints))
        yield from launch_app(Settings(data=str(data_root), home=tmp_path_factory.mktemp("home")))


@pytest.mark.browser
def test_kernels_and_maps_by_click(inside_url: str, chromium) -> None:
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.goto(inside_url)
    page.get_by_role("tab", name="Feature maps").click()
    title, grid = page.locator("#inside-detail h2"), page.locator("#inside-grid button")
    title.filter(has_text="Kernel").wait_for()
    assert grid.count() == 16
    grid.nth(3).click()
    title.filter(has_text="Kernel 3 of stem.0").wait_for()
    assert page.locator("#inside-detail svg text").first.text_content()
    page.locator("#inside-kind").get_by_text("Feature maps").click()
    title.filter(has_text="of stem").and_(title.filter(has_text="Map")).wait_for()
    grid.nth(9).click()
    title.filter(has_text="Map 9 of stem").wait_for()
    page.locator("#inside-faces button").nth(1).click()
    page.locator("#inside-crop").get_by_text("Cleo Brook").wait_for()
    page.close()


def test_a_note_is_escaped() -> None:
    html = crop_html(np.zeros((8, 8, 3), np.uint8), "<b>name</b>")
    assert "&lt;b&gt;name&lt;/b&gt;" in html and html.count("<img ") == 1
