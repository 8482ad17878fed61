"""The Dataset tab: its handlers as plain functions, and the whole of it in a browser."""

import shutil
import threading
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from kp.data import FacialKeypointsDataset
from kp.errors import ImageError
from kp.synthetic.dataset import SyntheticFaces
from kp.ui.context import DataSource
from kp.ui.dataset import frames
from kp.ui.dataset.frames import EVERYBODY, Selection
from kp.ui.dataset.handlers import FrameHandlers, Updates
from kp.ui.dataset.parts import dataset_parts
from kp.ui.widgets.stage_cards import stages_html

POINTS = ["points"]


def handlers_of(data: DataSource) -> FrameHandlers:
    with gr.Blocks():
        return FrameHandlers(data, dataset_parts(gr.HTML()))


@pytest.fixture
def handlers(data_root: Path) -> FrameHandlers:
    return handlers_of(DataSource(str(data_root)))


def leak_of(handlers: FrameHandlers, split: str, row: int) -> str:
    return handlers.detail(split, row, POINTS)[handlers.parts.detail.leak]


def picture_of(handlers: FrameHandlers, marks: list[str]) -> dict[str, Any]:
    return handlers.draw(0, marks)[handlers.parts.detail.picture]


def chosen_cells(grid: list[dict[str, Any]]) -> list[int]:
    return [index for index, item in enumerate(grid) if item["chosen"]]


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five frames on a page, so that the drawn dataset has several pages."""
    monkeypatch.setattr(frames, "PAGE", 5)


def test_the_official_split_leaks_and_the_sentence_says_so(handlers: FrameHandlers) -> None:
    dataset = handlers.data.open()
    row = Selection("official", "test").rows(dataset)[0]
    assert "**This test frame's video has 2 training frames**" in leak_of(handlers, "official", row)
    row = Selection("official", "train").rows(dataset)[0]
    assert "**This training frame's video has 1 test frame**" in leak_of(handlers, "official", row)
    assert "nothing leaks" in leak_of(handlers, "people", row)
    others = handlers.detail("official", row, POINTS)[handlers.parts.detail.others]
    assert [item["caption"] for item in others] == ["training", "test"]


def test_the_first_screen_has_the_first_test_frame(handlers: FrameHandlers) -> None:
    updates, parts = handlers.start("people", "test"), handlers.parts
    grid = updates[parts.browser.grid]
    assert (updates[parts.notice].visible, updates[parts.body].visible) == (False, True)
    assert updates[parts.filters.person].value == EVERYBODY
    assert (len(grid), updates[parts.browser.page], updates[parts.browser.count]) == (12, 1, "of 1")
    assert updates[parts.browser.chosen] == Selection("people", "test").rows(handlers.data.open())[0]
    assert chosen_cells(grid) == [0]


@pytest.mark.usefixtures("small_pages")
def test_a_new_filter_keeps_the_chosen_frame_where_it_can(handlers: FrameHandlers) -> None:
    rows = Selection("people", "test").rows(handlers.data.open())
    browser = handlers.parts.browser
    kept = handlers.select("people", "test", EVERYBODY, rows[7])
    assert (kept[browser.page], kept[browser.chosen]) == (2, rows[7])
    other = handlers.select("people", "train", "Ben_Hart", rows[7])
    assert other[handlers.parts.filters.person].value == EVERYBODY  # this person is not in that part
    assert other[browser.chosen] == Selection("people", "train").rows(handlers.data.open())[0]


@pytest.mark.usefixtures("small_pages")
def test_previous_and_next_stop_at_the_ends(handlers: FrameHandlers) -> None:
    place, browser = ("people", "test", EVERYBODY), handlers.parts.browser
    assert handlers.next(*place, 1, None)[browser.page] == 2
    assert handlers.next(*place, 3, None)[browser.page] == 3
    assert handlers.previous(*place, 1, None)[browser.page] == 1
    jumped = handlers.jump(*place, 3, None)
    assert len(jumped[browser.grid]) == 2
    assert browser.page not in jumped  # the number that is being typed


@pytest.mark.usefixtures("small_pages")
def test_a_click_chooses_the_frame_on_that_page(handlers: FrameHandlers) -> None:
    dataset = handlers.data.open()
    rows = Selection("people", "test").rows(dataset)
    updates = handlers.pick("people", "test", EVERYBODY, 2, POINTS, SimpleNamespace(index=1))
    row, detail = updates[handlers.parts.browser.chosen], handlers.parts.detail
    assert row == rows[6]
    assert dataset.frames[row].name in updates[detail.facts]
    assert min(updates[detail.picture]["value"].shape[:2]) >= 512
    x, y = dataset.keypoints[row, 30]
    cells = f"<td>30</td><td>nose bridge 4</td><td>nose</td><td>{x:.0f}</td><td>{y:.0f}</td>"
    assert cells in updates[detail.coordinates]


@pytest.mark.usefixtures("small_pages")
def test_a_click_on_a_cell_that_is_gone_changes_nothing(handlers: FrameHandlers) -> None:
    def changed(updates: Updates) -> list[Any]:
        return [value for value in updates.values() if value != gr.skip()]

    gone = SimpleNamespace(index=5)
    assert changed(handlers.pick("people", "test", EVERYBODY, 1, POINTS, gone)) == []
    assert changed(handlers.pick_other("people", "test", EVERYBODY, 1, 0, POINTS, gone)) == []


def test_a_click_on_another_frame_of_the_video_marks_it_in_the_grid(handlers: FrameHandlers) -> None:
    rows = Selection("people", "test").rows(handlers.data.open())
    browser = handlers.parts.browser
    updates = handlers.pick_other("people", "test", EVERYBODY, 1, rows[0], POINTS, SimpleNamespace(index=0))
    assert updates[browser.chosen] == rows[1]
    assert chosen_cells(updates[browser.grid]) == [1]


def test_the_switches_change_what_is_drawn(handlers: FrameHandlers) -> None:
    plain = picture_of(handlers, [])["value"]
    drawn = [picture_of(handlers, [mark])["value"] for mark in ("points", "contours")]
    assert all((picture != plain).any() for picture in drawn)
    assert (drawn[0] != drawn[1]).any()
    assert "points, contours" in picture_of(handlers, ["points", "contours"])["alt_text"]


def test_the_dice_draw_another_crop(handlers: FrameHandlers) -> None:
    stages = handlers.parts.stages
    first = handlers.show_stages(0, "reference recipe", 0)[stages.cards]
    rolled = handlers.roll(0, "reference recipe", 0)
    second = rolled[stages.cards]
    assert rolled[stages.seed] == 1
    assert second != first
    assert second == handlers.show_stages(0, "reference recipe", 1)[stages.cards]
    assert "RandomCrop(<wbr>size=(224, 224))" in second


def test_names_from_files_are_text_and_not_html(handlers: FrameHandlers) -> None:
    from kp.drawing.stages import describe_stages

    sample = handlers.data.open().sample(0)
    assert "<script>" not in stages_html(describe_stages(sample, [], code="<script>"), 0)


def test_a_damaged_frame_is_a_grey_cell_and_an_error_when_chosen(data_root: Path, tmp_path: Path) -> None:
    root = shutil.copytree(data_root, tmp_path / "damaged")
    dataset = FacialKeypointsDataset(root)
    first, second = Selection("people", "test").rows(dataset)[:2]
    (root / dataset.frames[first].folder / dataset.frames[first].name).write_bytes(b"not a picture")
    handlers = handlers_of(DataSource(str(root)))
    updates, browser = handlers.start("people", "test"), handlers.parts.browser
    assert updates[browser.grid][0]["caption"] == "damaged"
    assert updates[browser.chosen] == second
    with pytest.raises(ImageError, match="cannot be read as a picture"):
        handlers.detail("people", first, POINTS)


@pytest.mark.usefixtures("on_nothing")
def test_without_any_face_there_is_a_notice_and_nothing_else() -> None:
    handlers = handlers_of(DataSource(None))
    updates, parts = handlers.start("people", "test"), handlers.parts
    assert updates.keys() == {parts.notice, parts.body}
    assert (updates[parts.notice].visible, updates[parts.body].visible) == (True, False)
    assert "no appearance model" in updates[parts.notice].value


@pytest.mark.usefixtures("on_sample")
def test_without_data_there_are_synthetic_faces() -> None:
    handlers = handlers_of(DataSource(None))
    updates, parts = handlers.start("people", "test"), handlers.parts
    grid, chosen = updates[parts.browser.grid], updates[parts.browser.chosen]
    assert (updates[parts.notice].visible, updates[parts.body].visible, len(grid)) == (False, True, 24)
    assert [item["alt"] for item in grid[:3]] == [f"Sample Person {n:03}, video 0, frame 0" for n in (2, 3, 6)]
    assert updates[parts.browser.summary] == "**36 images of 3 people**, all synthetic."
    people = [label for label, _ in updates[parts.filters.person].choices]
    assert people == ["everybody (3)", *(f"Sample Person {n:03}" for n in (2, 3, 6))]
    shown = handlers.detail("people", chosen, POINTS)
    assert f'open_data("synthetic")[{chosen}]' in unescape(shown[parts.detail.facts])
    assert "nothing leaks" in shown[parts.detail.leak] and len(shown[parts.detail.others]) == 5


@pytest.mark.usefixtures("on_sample", "small_pages")
def test_the_next_page_is_rendered_in_the_background(few_faces: SyntheticFaces, monkeypatch) -> None:
    fresh = SyntheticFaces(12, model=few_faces.store.model)
    monkeypatch.setattr(DataSource, "open", lambda _: fresh)
    handlers_of(DataSource(None)).next("people", "test", EVERYBODY, 1, None)
    for thread in [thread for thread in threading.enumerate() if thread.name == "next-page"]:
        thread.join()
    rows = Selection("people", "test").rows(fresh)
    assert set(fresh.store._images) == {(row, False) for row in rows[5:15]}


@pytest.mark.browser
@pytest.mark.usefixtures("small_pages")
def test_the_tab_in_a_browser(app_url: str, chromium) -> None:
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.goto(app_url)
    cell = "#dataset-grid button[aria-label^='{}']"
    title = page.locator("#dataset-facts b")
    page.wait_for_selector(cell.format("Ben Hart, video 0, frame 0") + ".chosen")
    page.wait_for_selector("#dataset-stages li")
    assert title.inner_text() == "Ben Hart, video 0, frame 0"

    page.click("#dataset-next")
    page.wait_for_selector(cell.format("Cleo Brook, video 0, frame 1"))
    page.fill("#dataset-page input", "3")
    page.wait_for_selector(cell.format("Cleo Brook, video 1, frame 5"))
    page.click(cell.format("Cleo Brook, video 1, frame 5"))
    page.wait_for_selector("#dataset-facts b:has-text('Cleo Brook, video 1, frame 5')")

    picture = page.locator("#dataset-picture img")
    before = picture.get_attribute("src")
    page.click("#dataset-marks label:has-text('numbers')")
    page.wait_for_selector("#dataset-picture img[alt*='points, numbers']")
    assert picture.get_attribute("src") != before

    cards = page.locator("#dataset-stages img")
    before = cards.nth(2).get_attribute("src")
    page.click("#dataset-dice")
    page.wait_for_selector("#dataset-stages p:has-text('seed 1')")
    assert cards.nth(2).get_attribute("src") != before

    page.click("#dataset-split label:has-text('as published')")
    page.wait_for_selector("#dataset-leak:has-text('2 training frames')")
    page.click("#dataset-person input")
    page.wait_for_timeout(100)  # the old name is selected a moment after the click
    page.keyboard.type("stone")
    page.keyboard.press("Enter")
    page.wait_for_selector("#dataset-summary:has-text('2 images of 1 person')")
    page.wait_for_selector("#dataset-facts b:has-text('Ada Stone')")
    page.close()


@pytest.mark.browser
def test_an_app_without_data_shows_synthetic_faces_and_where_to_get_real_ones(empty_app_url: str, chromium) -> None:
    page = chromium.new_page()
    page.goto(empty_app_url)
    page.wait_for_selector("#dataset-sample:has-text('Synthetic faces: nobody real')")
    page.wait_for_selector("#dataset-download:has-text('Download the dataset')")
    page.wait_for_selector("#dataset-grid button[aria-label^='Sample Person 002'].chosen")
    page.wait_for_selector("#dataset-stages li")
    page.click("#dataset-next")
    page.wait_for_selector("#dataset-grid button:nth-child(12)")
    page.click("#dataset-grid button:nth-child(12)")
    page.wait_for_selector("#dataset-facts:has-text('open_data')")
    page.close()
