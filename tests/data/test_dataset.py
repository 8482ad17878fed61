"""Reading the dataset in its original layout, and saying what is wrong with it."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from builders import TEST_PEOPLE, TRAINING_PEOPLE, drawn_face, make_dataset

from kp.data import FacialKeypointsDataset, find_data
from kp.data.dataset import FrameInfo
from kp.data.readers.table import read_table
from kp.errors import DataError, ImageError

CSV = "training_frames_keypoints.csv"
FIRST = f"{TEST_PEOPLE[0]}_00.jpg"  # the first frame that make_dataset draws, with seed 0


@pytest.fixture
def own_root(data_root: Path, tmp_path: Path) -> Path:
    """A copy of the drawn dataset, to break."""
    return Path(shutil.copytree(data_root, tmp_path / "own"))


def edit_line(csv: Path, number: int, change) -> None:
    """Replace a line, counted from 1, by `change(line)`."""
    lines = csv.read_text().splitlines()
    lines[number - 1] = change(lines[number - 1])
    csv.write_text("\n".join(lines) + "\n")


def test_all_labelled_frames_are_read(dataset: FacialKeypointsDataset) -> None:
    assert len(dataset) == 6 * 2 * 3
    assert {frame.person for frame in dataset.frames} == {*TEST_PEOPLE, *TRAINING_PEOPLE}
    assert sum(frame.folder == "test" for frame in dataset.frames) == 6 * 2
    assert dataset.keypoints.shape == (36, 68, 2)
    assert dataset.keypoints.dtype == np.float32


def test_labels_lose_one_pixel_once(dataset: FacialKeypointsDataset) -> None:
    image, points = drawn_face(0)
    index = [frame.name for frame in dataset.frames].index(FIRST)
    for read in (dataset.keypoints[index], dataset[index].keypoints, dataset.subset([index]).subset([0])[0].keypoints):
        assert (read == points).all()
    assert (dataset[index].image == image).all()


def test_the_keypoints_lie_on_what_was_drawn(dataset: FacialKeypointsDataset) -> None:
    """The nose bridge is a dark upright line: it is darkest where the labels say, not a pixel beside it."""
    columns = np.zeros(5)
    for index in range(len(dataset)):
        xs, ys = dataset[index].keypoints[27:31].astype(int).T
        columns += [dataset[index].image[ys, xs + shift].mean() for shift in (-2, -1, 0, 1, 2)]
    assert columns.argmin() == 2


def test_png_with_alpha_in_a_jpg_file(dataset: FacialKeypointsDataset) -> None:
    path = dataset.store.paths[0]
    assert path.suffix == ".jpg"
    assert path.read_bytes().startswith(b"\x89PNG")
    assert cv2.imread(str(path), cv2.IMREAD_UNCHANGED).shape[2] == 4
    assert dataset.image(0).shape == (150, 140, 3)


@pytest.mark.parametrize("unlabelled", [0, 3])
def test_unlabelled_test_images_are_counted_and_left_alone(tmp_path: Path, unlabelled: int) -> None:
    root = make_dataset(tmp_path, unlabelled=unlabelled)
    (root / "test" / ".DS_Store").write_bytes(b"litter")
    dataset = FacialKeypointsDataset(root)
    assert dataset.unlabelled == unlabelled
    assert dataset.part("people", "test").unlabelled == unlabelled
    assert len(dataset) == 36


def test_a_leading_data_folder_is_found(own_root: Path, tmp_path: Path) -> None:
    (tmp_path / "outer").mkdir()
    own_root.rename(tmp_path / "outer" / "data")
    assert FacialKeypointsDataset(tmp_path / "outer").root == tmp_path / "outer" / "data"


def test_find_data_takes_the_argument_before_the_environment(data_root, own_root, monkeypatch) -> None:
    monkeypatch.setenv("KP_DATA", str(own_root))
    assert find_data(data_root) == data_root
    assert find_data() == own_root


def test_find_data_looks_into_the_folder_data_last(data_root: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv("KP_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    assert find_data() is None
    (tmp_path / "data").symlink_to(data_root)
    assert find_data() == Path("data")


@pytest.mark.parametrize("how", ["argument", "environment"])
def test_a_named_folder_that_is_no_dataset_is_an_error(tmp_path: Path, monkeypatch, how: str) -> None:
    monkeypatch.setenv("KP_DATA", str(tmp_path))
    with pytest.raises(DataError, match=f"{tmp_path}.*Name the folder"):
        find_data(tmp_path if how == "argument" else None)


def test_the_dataset_of_no_folder_is_an_error(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv("KP_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="Name the folder"):
        FacialKeypointsDataset("")


@pytest.mark.parametrize("csv", [CSV, "test_frames_keypoints.csv"])
def test_one_table_is_a_dataset_divided_by_person(own_root: Path, csv: str) -> None:
    (own_root / csv).unlink()
    dataset = FacialKeypointsDataset(own_root)
    assert {frame.folder for frame in dataset.frames} == {"test" if csv == CSV else "training"}
    train, test = (dataset.part("people", part) for part in ("train", "test"))
    assert len(train) and len(test) and len(train) + len(test) == len(dataset)


def test_a_missing_image_is_named_with_its_line(own_root: Path) -> None:
    (own_root / "training" / FIRST).unlink()
    with pytest.raises(DataError, match=rf"{CSV}, line 2: .*{FIRST} is missing"):
        FacialKeypointsDataset(own_root)


def test_a_missing_image_folder_is_an_error(own_root: Path) -> None:
    shutil.rmtree(own_root / "training")
    with pytest.raises(DataError, match="line 2.*missing"):
        FacialKeypointsDataset(own_root)


def test_an_image_may_lie_elsewhere(own_root: Path) -> None:
    shutil.copy(own_root / "training" / FIRST, own_root.parent / "elsewhere.jpg")
    edit_line(own_root / CSV, 3, lambda line: line.replace(line.split(",")[0], "../../elsewhere.jpg"))
    assert (FacialKeypointsDataset(own_root).image(1) == FacialKeypointsDataset(own_root).image(0)).all()


@pytest.mark.parametrize("columns", [1, 69, 136, 138])
def test_wrong_columns_are_counted(own_root: Path, columns: int) -> None:
    table = pd.read_csv(own_root / CSV)
    table = pd.concat([table, table.iloc[:, 1]], axis=1)
    table.iloc[:, :columns].to_csv(own_root / CSV, index=False)
    with pytest.raises(DataError, match=f"{CSV} has {columns - 1} columns of coordinates; 136"):
        FacialKeypointsDataset(own_root)


@pytest.mark.parametrize("value", ["wide", "inf", "1e999", "0x10", "1;2"])
def test_what_is_no_number_is_named_with_its_line(own_root: Path, value: str) -> None:
    def change(line: str) -> str:
        cells = line.split(",")
        return ",".join([*cells[:5], value, *cells[6:]])

    edit_line(own_root / CSV, 4, change)
    with pytest.raises(DataError, match=rf"{CSV}, line 4, column 6: '{value}' is not a number"):
        FacialKeypointsDataset(own_root)


@pytest.mark.parametrize("change", [lambda line: line[:40], lambda line: line + ",7,7,7"], ids=["short", "long"])
def test_a_line_of_another_length_is_an_error(own_root: Path, change) -> None:
    edit_line(own_root / CSV, 5, change)
    with pytest.raises(DataError, match=f"{CSV}.*(line 5)"):
        FacialKeypointsDataset(own_root)


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n\xff\xfe\x00", b"\n\n\n"])
def test_what_is_no_csv_is_an_error(own_root: Path, content: bytes) -> None:
    (own_root / CSV).write_bytes(content)
    with pytest.raises(DataError, match=CSV):
        FacialKeypointsDataset(own_root)


def test_a_csv_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").mkdir()  # as good as a file that one may not read, which root always may
    with pytest.raises(DataError, match="labels.csv cannot be opened .Is a directory.. Check its permissions."):
        read_table(tmp_path / "labels.csv")


def test_a_csv_without_rows_gives_no_frames(own_root: Path) -> None:
    csv = own_root / CSV
    csv.write_text(csv.read_text().splitlines()[0] + "\n")
    dataset = FacialKeypointsDataset(own_root)
    assert len(dataset) == 12
    assert len(dataset.part("official", "train")) == 0


@pytest.mark.parametrize("content", [b"", b"not a picture", None], ids=["empty", "text", "cut short"])
def test_an_image_that_cannot_be_read_is_named(own_root: Path, content: bytes | None) -> None:
    path = own_root / "training" / FIRST
    path.write_bytes(path.read_bytes()[:25] if content is None else content)
    dataset = FacialKeypointsDataset(own_root)
    with pytest.raises(ImageError, match=FIRST):
        dataset[0]
    with pytest.raises(ImageError, match=FIRST):
        dataset.preload()


def test_an_image_is_decoded_once(data_root: Path, monkeypatch) -> None:
    dataset = FacialKeypointsDataset(data_root)
    first = dataset.image(3)
    monkeypatch.setattr("kp.data.store.read_frame", lambda path: pytest.fail(f"{path} was decoded again"))
    assert dataset.image(3) is first
    assert dataset[3].image is first
    assert dataset.subset([3]).image(0) is first  # parts share the decoded images
    assert not first.flags.writeable


def test_preload_decodes_a_part_and_tells_how_far_it_is(data_root: Path, monkeypatch) -> None:
    dataset = FacialKeypointsDataset(data_root)
    part = dataset.part("people", "test")
    news = []
    part.preload(lambda done, total: news.append((done, total)))
    assert news[-1] == (12, 12)
    monkeypatch.setattr("kp.data.store.read_frame", lambda path: pytest.fail("decoded again"))
    assert all(part.image(index) is not None for index in range(len(part)))


def test_a_transform_is_applied_on_reading(data_root: Path) -> None:
    dataset = FacialKeypointsDataset(data_root, transform=lambda sample: sample.name)
    assert dataset[0] == FIRST
    assert dataset.part("people", "train")[0] == dataset.part("people", "train").frames[0].name
    assert dataset.sample(0).name == FIRST


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Ada_Stone_12.jpg", ("Ada_Stone", "1", "2")),
        ("Al_Gore_50.jpg", ("Al_Gore", "5", "0")),
        ("Jean-Luc_de_la_Tour_03.jpg", ("Jean-Luc_de_la_Tour", "0", "3")),
        ("nobody.jpg", ("nobody", "", "")),
        ("_12.jpg", ("_12", "", "")),
        ("Ada_Stone_1.jpg", ("Ada_Stone_1", "", "")),
        ("IMG_0012.jpg", ("IMG_0012", "", "")),
        ("day 1/IMG_0012.jpg", ("day 1/IMG_0012", "", "")),
    ],
)
def test_a_file_name_tells_person_video_and_frame(name: str, expected: tuple[str, str, str]) -> None:
    info = FrameInfo.parse(name, "training")
    assert (info.person, info.video, info.frame) == expected


def test_a_sample_knows_where_it_comes_from(dataset: FacialKeypointsDataset) -> None:
    sample = dataset[[frame.name for frame in dataset.frames].index("Ada_Stone_15.jpg")]
    assert (sample.name, sample.person, sample.video, sample.frame) == ("Ada_Stone_15.jpg", "Ada_Stone", "1", "5")
    assert dataset.frames[0].video_name == f"{TEST_PEOPLE[0]}_0"


def test_a_subset_keeps_the_order_asked_for(dataset: FacialKeypointsDataset) -> None:
    part = dataset.subset([5, 2, 9])
    assert [frame.name for frame in part.frames] == [dataset.frames[index].name for index in (5, 2, 9)]
    assert (part.keypoints == dataset.keypoints[[5, 2, 9]]).all()
    assert (part.image(1) == dataset.image(2)).all()
    assert len(dataset.subset([])) == 0


@pytest.mark.real_data
def test_the_real_data_is_as_described(real_dataset: FacialKeypointsDataset) -> None:
    assert len(real_dataset) == 3462 + 770
    assert len({frame.person for frame in real_dataset.frames}) == 347
    assert all(len(frame.video) == len(frame.frame) == 1 for frame in real_dataset.frames)
    assert real_dataset.keypoints.min() >= -24  # published: -23
    outside = (real_dataset.keypoints[:3462] < -1).any(axis=(1, 2)).sum()
    assert 0 < outside <= 6


@pytest.mark.real_data
def test_the_real_labels_count_from_zero(real_root: Path, real_dataset: FacialKeypointsDataset) -> None:
    published = pd.read_csv(real_root / CSV).iloc[:, 1:].to_numpy(np.float32).reshape(-1, 68, 2)
    assert (real_dataset.keypoints[: len(published)] == published - 1).all()


@pytest.mark.real_data
def test_real_images_are_rgb(real_dataset: FacialKeypointsDataset) -> None:
    """Skin is redder than blue: swapped channels would turn that round."""
    redder = 0
    for index in range(0, 400, 10):
        image, points = real_dataset.image(index), real_dataset.keypoints[index]
        x, y = np.clip(points[30].astype(int), 0, (image.shape[1] - 1, image.shape[0] - 1))
        redder += int(image[y, x, 0]) > int(image[y, x, 2])
    assert redder >= 30
