"""The frames of the Dataset tab: selections, pages, thumbnails."""

import numpy as np
import pytest
from builders import TEST_PEOPLE, TRAINING_PEOPLE

from kp.data import FacialKeypointsDataset
from kp.synthetic.dataset import SyntheticFaces
from kp.ui.dataset import frames
from kp.ui.dataset.frames import Selection


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


@pytest.mark.parametrize(("requested", "page"), [(None, 1), (0, 1), (-3, 1), (2, 2), (99, 3)])
@pytest.mark.usefixtures("small_pages")
def test_a_page_that_does_not_exist_is_the_nearest_one(requested: float | None, page: int) -> None:
    assert frames.existing_page(range(12), requested) == page


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


def test_points_are_where_the_large_picture_has_them(dataset: FacialKeypointsDataset) -> None:
    plain, drawn = (frames.large_picture(dataset, 0, marks) for marks in ([], ["points"]))
    factor = plain.shape[0] / dataset.image(0).shape[0]
    ys, xs = np.nonzero((plain != drawn).any(axis=2))
    low, high = (dataset.keypoints[0].min(0) + 0.5) * factor, (dataset.keypoints[0].max(0) + 0.5) * factor
    assert [xs.min(), ys.min()] == pytest.approx(low, abs=8)
    assert [xs.max(), ys.max()] == pytest.approx(high, abs=8)


@pytest.mark.usefixtures("on_sample")
def test_the_first_page_is_drawn_ahead(few_faces: SyntheticFaces) -> None:
    fresh = SyntheticFaces(12, model=few_faces.store.model)
    frames.draw_first_page(fresh)
    assert len(fresh.store._images) == 24


@pytest.mark.real_data
def test_every_official_test_frame_of_the_real_data_leaks(real_dataset: FacialKeypointsDataset) -> None:
    for row in Selection("official", "test").rows(real_dataset)[::77]:
        parts = [frames.part_of(real_dataset, "official", other) for other in frames.other_frames(real_dataset, row)]
        assert parts == ["train"] * 3
