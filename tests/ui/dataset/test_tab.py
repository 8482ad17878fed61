"""The Dataset tab: its answers as plain functions, and the whole of it in a browser."""

import shutil
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from builders import TEST_PEOPLE, TRAINING_PEOPLE

from kp.data import FacialKeypointsDataset
from kp.errors import ConfigError, ImageError
from kp.synthetic.dataset import SyntheticFaces
from kp.synthetic.shape_modes import face_space
from kp.ui.context import DataSource
from kp.ui.dataset import frames
from kp.ui.dataset.frames import EVERYBODY, Selection
from kp.ui.dataset.handlers import FrameHandlers
from kp.ui.dataset.shape_space import picture_html
from kp.ui.widgets.stage_cards import stages_html

POINTS = ["points"]


@pytest.fixture
def handlers(data_root: Path) -> FrameHandlers:
    return FrameHandlers(DataSource(str(data_root)))


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five frames on a page, so that the drawn dataset has several pages."""
    monkeypatch.setattr(frames, "PAGE", 5)


def names(dataset: FacialKeypointsDataset, selection: Selection) -> set[str]:
    return {dataset.frames[row].person for row in selection.rows(dataset)}


def test_selections_follow_split_part_and_person(dataset: FacialKeypointsDataset) -> None:
    assert names(dataset, Selection("people", "test")) == set(TEST_PEOPLE)
    assert names(dataset, Selection("people", "train")) == set(TRAINING_PEOPLE)
    assert names(dataset, Selection("official", "test")) == {*TEST_PEOPLE, *TRAINING_PEOPLE}
    one = Selection("official", "train", "Ada_Stone").rows(dataset)
    assert [dataset.frames[row].name[10:12] for row in one] == ["00", "01", "10", "11"]


def test_the_summary_counts_images_people_and_labels(dataset: FacialKeypointsDataset) -> None:
    rows = Selection("people", "test").rows(dataset)
    assert frames.summary(dataset, rows) == ("**12 images of 2 people**; 12 of the 14 images in test/ have labels.")
    assert frames.summary(dataset, rows[:1]).startswith("**1 image of 1 person**")


@pytest.mark.parametrize(("asked", "page"), [(None, 1), (0, 1), (-3, 1), (2, 2), (99, 3)])
@pytest.mark.usefixtures("small_pages")
def test_a_page_that_does_not_exist_is_the_nearest_one(asked: float | None, page: int) -> None:
    assert frames.existing_page(range(12), asked) == page


@pytest.mark.usefixtures("small_pages")
def test_pages_hold_every_frame_once() -> None:
    pages = [frames.page_rows(range(12), page) for page in (1, 2, 3)]
    assert [len(page) for page in pages] == [5, 5, 2]
    assert sum(pages, []) == list(range(12))


def test_thumbnails_show_all_faces_at_the_same_size(dataset: FacialKeypointsDataset) -> None:
    thumbnail = frames.face_thumbnail(dataset.image(0), dataset.keypoints[0])
    assert thumbnail.shape == (200, 200, 3)
    item = frames.face_item(dataset, 0, "test", remark="test", chosen=True)
    assert (item["alt"], item["caption"], item["chosen"]) == ("Ben Hart, video 0, frame 0, test", "test", True)


def test_the_official_split_leaks_and_the_sentence_says_so(handlers: FrameHandlers) -> None:
    dataset = handlers.data.open()
    row = Selection("official", "test").rows(dataset)[0]
    assert "**This test frame's video has 2 training frames**" in handlers.detail("official", row, POINTS)[2]
    row = Selection("official", "train").rows(dataset)[0]
    assert "**This training frame's video has 1 test frame**" in handlers.detail("official", row, POINTS)[2]
    assert "nothing leaks" in handlers.detail("people", row, POINTS)[2]
    assert [item["caption"] for item in handlers.detail("official", row, POINTS)[3]] == ["training", "test"]


def test_the_first_screen_has_the_first_test_frame(handlers: FrameHandlers) -> None:
    notice, body, person, grid, _, page, count, chosen = handlers.start("people", "test")
    assert (notice.visible, body.visible, person.value) == (False, True, EVERYBODY)
    assert (len(grid), page, count) == (12, 1, "of 1")
    assert chosen == Selection("people", "test").rows(handlers.data.open())[0]
    assert [item["chosen"] for item in grid] == [True] + [False] * 11


@pytest.mark.usefixtures("small_pages")
def test_a_new_filter_keeps_the_chosen_frame_where_it_can(handlers: FrameHandlers) -> None:
    rows = Selection("people", "test").rows(handlers.data.open())
    kept = handlers.select("people", "test", EVERYBODY, rows[7])
    assert (kept[3], kept[5]) == (2, rows[7])
    other = handlers.select("people", "train", "Ben_Hart", rows[7])
    assert other[0].value == EVERYBODY  # this person is not in that part
    assert other[5] == Selection("people", "train").rows(handlers.data.open())[0]


@pytest.mark.usefixtures("small_pages")
def test_previous_and_next_stop_at_the_ends(handlers: FrameHandlers) -> None:
    place = ("people", "test", EVERYBODY)
    assert handlers.next(*place, 1, None)[2] == 2
    assert handlers.next(*place, 3, None)[2] == 3
    assert handlers.previous(*place, 1, None)[2] == 1
    assert len(handlers.jump(*place, 3, None)[0]) == 2


@pytest.mark.usefixtures("small_pages")
def test_a_click_chooses_the_frame_on_that_page(handlers: FrameHandlers) -> None:
    dataset = handlers.data.open()
    rows = Selection("people", "test").rows(dataset)
    row, picture, facts, *_, coordinates = handlers.pick(
        "people", "test", EVERYBODY, 2, POINTS, SimpleNamespace(index=1)
    )
    assert row == rows[6]
    assert dataset.frames[row].name in facts
    assert min(picture["value"].shape[:2]) >= 512
    x, y = dataset.keypoints[row, 30]
    assert f"<td>30</td><td>nose bridge 4</td><td>nose</td><td>{x:.0f}</td><td>{y:.0f}</td>" in coordinates


def test_a_click_on_another_frame_of_the_video_marks_it_in_the_grid(handlers: FrameHandlers) -> None:
    rows = Selection("people", "test").rows(handlers.data.open())
    answer = handlers.pick_other("people", "test", EVERYBODY, 1, POINTS, rows[0], SimpleNamespace(index=0))
    assert answer[0] == rows[1]
    assert [item["chosen"] for item in answer[-1]].index(True) == 1


def test_the_switches_change_what_is_drawn(handlers: FrameHandlers) -> None:
    plain = handlers.picture(0, [])["value"]
    drawn = [handlers.picture(0, [mark])["value"] for mark in ("points", "contours")]
    assert all((picture != plain).any() for picture in drawn)
    assert (drawn[0] != drawn[1]).any()
    assert "points, contours" in handlers.picture(0, ["points", "contours"])["alt_text"]


def test_the_dice_draw_another_crop(handlers: FrameHandlers) -> None:
    first = handlers.stages(0, "reference recipe", 0)
    seed, second = handlers.roll(0, "reference recipe", 0)
    assert seed == 1
    assert second != first
    assert second == handlers.stages(0, "reference recipe", 1)
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
    handlers = FrameHandlers(DataSource(str(root)))
    _, _, _, grid, *_, chosen = handlers.start("people", "test")
    assert grid[0]["caption"] == "damaged"
    assert chosen == second
    with pytest.raises(ImageError, match="cannot be read as a picture"):
        handlers.detail("people", first, POINTS)


@pytest.mark.usefixtures("on_nothing")
def test_without_any_face_there_is_a_notice_and_nothing_else() -> None:
    notice, body, *_ = FrameHandlers(DataSource(None)).start("people", "test")
    assert (notice.visible, body.visible) == (True, False)
    assert "no appearance model" in notice.value


@pytest.mark.usefixtures("on_sample")
def test_without_data_there_are_sample_faces() -> None:
    handlers = FrameHandlers(DataSource(None))
    notice, body, person, grid, summary, *_, chosen = handlers.start("people", "test")
    assert (notice.visible, body.visible, len(grid)) == (False, True, 24)
    assert [item["alt"] for item in grid[:3]] == [f"Sample Person {n:03}, video 0, frame 0" for n in (2, 3, 6)]
    assert summary == "**36 images of 3 people** who do not exist."
    assert [label for label, _ in person.choices] == ["everybody (3)", *(f"Sample Person {n:03}" for n in (2, 3, 6))]
    _, facts, leak, others, _ = handlers.detail("people", chosen, POINTS)
    assert f"open_data(&quot;synthetic&quot;)[{chosen}]" in facts and "nothing leaks" in leak and len(others) == 5


@pytest.mark.usefixtures("on_sample")
def test_the_first_page_is_drawn_ahead(few_faces: SyntheticFaces) -> None:
    fresh = SyntheticFaces(12, model=few_faces.store.model)
    frames.draw_first_page(fresh)
    assert len(fresh.store._images) == 24


@pytest.mark.usefixtures("on_sample", "small_pages")
def test_the_next_page_is_painted_while_this_one_is_looked_at(few_faces: SyntheticFaces, monkeypatch) -> None:
    fresh = SyntheticFaces(12, model=few_faces.store.model)
    monkeypatch.setattr(DataSource, "open", lambda _: fresh)
    FrameHandlers(DataSource(None)).next("people", "test", EVERYBODY, 1, None)
    for thread in [thread for thread in threading.enumerate() if thread.name == "next-page"]:
        thread.join()
    rows = Selection("people", "test").rows(fresh)
    assert set(fresh.store._images) == {(row, False) for row in rows[5:15]}


# The shape space


def test_sliders_are_told_and_drawn() -> None:
    space = face_space()
    plain = picture_html(space, None, False, [0.0] * 10)
    moved = picture_html(space, None, False, [1.5, 0, 0, 0, -1, 0, 0, 0, 0, 2])
    assert "<b>The mean face</b></figcaption>" in plain
    assert (
        'alt="The mean face, turning: to the right (1.5), mouth: closed (1), colour of the light: orange (2)"' in moved
    )
    assert picture_html(space, None, True, [0.0] * 10) != plain != picture_html(space, 7, False, [0.0] * 10)
    with pytest.raises(ConfigError, match="at most 5 numbers"):
        picture_html(space, None, False, [9.0, *[0.0] * 9])


@pytest.mark.real_data
def test_every_official_test_frame_of_the_real_data_leaks(real_dataset: FacialKeypointsDataset) -> None:
    for row in Selection("official", "test").rows(real_dataset)[::77]:
        parts = [frames.part_of(real_dataset, "official", other) for other in frames.other_frames(real_dataset, row)]
        assert parts == ["train"] * 3


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
def test_an_app_without_data_shows_sample_faces_and_where_to_get_real_ones(empty_app_url: str, chromium) -> None:
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


@pytest.mark.browser
def test_the_sliders_of_the_shape_space_redraw_the_face(app_url: str, chromium) -> None:
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.goto(app_url)
    page.click("#dataset-space > button")
    picture, caption = page.locator("#space-picture img"), page.locator("#space-picture figcaption")
    mean = picture.get_attribute("src")
    page.fill("#space-shape-1 input[type=number]", "1.5")
    page.keyboard.press("Enter")
    caption.filter(has_text="The mean face, turning: to the right (1.5)").wait_for()
    assert picture.get_attribute("src") != mean
    page.click("#space-new")
    caption.filter(has_text="Synthetic person").wait_for()
    assert page.input_value("#space-shape-1 input[type=number]") == "0"
    somebody = picture.get_attribute("src")
    page.click("#space-keypoints input")
    page.wait_for_function("before => document.querySelector('#space-picture img').src != before", arg=somebody)
    page.click("#space-keypoints input")
    page.click("#space-reset")
    caption.get_by_text("The mean face", exact=True).wait_for()
    assert picture.get_attribute("src") == mean
    page.close()


def test_points_are_where_the_large_picture_has_them(dataset: FacialKeypointsDataset) -> None:
    plain, drawn = (frames.large_picture(dataset, 0, marks) for marks in ([], POINTS))
    factor = plain.shape[0] / dataset.image(0).shape[0]
    ys, xs = np.nonzero((plain != drawn).any(axis=2))
    low, high = (dataset.keypoints[0].min(0) + 0.5) * factor, (dataset.keypoints[0].max(0) + 0.5) * factor
    assert [xs.min(), ys.min()] == pytest.approx(low, abs=8)
    assert [xs.max(), ys.max()] == pytest.approx(high, abs=8)
