"""The source of the app's faces: the real dataset, or synthetic faces until it is there, and the notice about them."""

import shutil
from pathlib import Path

import pytest

from kp.data import find_data
from kp.errors import CheckpointError
from kp.synthetic.dataset import SYNTHETIC, SyntheticFaces
from kp.ui import context
from kp.ui.context import DataSource
from kp.ui.predict.examples import FRAMES, Examples, scenes
from kp.ui.settings import Settings
from kp.ui.widgets.synthetic_notice import CONSEQUENCES, line_html

pytestmark = pytest.mark.usefixtures("on_sample")


def test_sample_faces_stand_in_until_the_dataset_comes(
    few_faces: SyntheticFaces, data_root: Path, tmp_path: Path
) -> None:
    data = DataSource(None, fallback=tmp_path / "home" / "data")
    assert data.missing and data.open() is few_faces and data.problem is data.fault is None
    shutil.copytree(data_root, tmp_path / "home" / "data")
    assert not data.missing and not data.open().synthetic and len(data.open()) == 36
    shutil.rmtree(tmp_path / "home")
    assert len(data.open()) == 36  # what was read stays


def test_a_folder_named_data_is_found_when_it_appears(
    data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kp.ui.context.find_data", find_data)  # the fixture of an app without data looks elsewhere
    data = DataSource(None)
    assert data.open().synthetic
    (tmp_path / "data").symlink_to(data_root)
    assert not data.open().synthetic


@pytest.mark.parametrize("by_variable", [False, True])
def test_sample_faces_can_be_asked_for(by_variable: bool, data_root: Path, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "data").symlink_to(data_root)
    if by_variable:
        monkeypatch.setenv("KP_DATA", SYNTHETIC)
    data = DataSource(None if by_variable else SYNTHETIC)
    assert data.open().synthetic and not data.missing and data.fault is None
    assert "They were chosen in place" in line_html(data, "train")


def test_a_named_folder_without_data_is_told(tmp_path: Path) -> None:
    data = DataSource(str(tmp_path))
    assert data.open().synthetic and data.missing
    assert "holds no training_frames_keypoints.csv" in data.fault and str(tmp_path) in line_html(data, "dataset")


def broken(root: Path, how: str) -> None:
    """Make a dataset unusable."""
    csv = root / "training_frames_keypoints.csv"
    match how:
        case "columns":
            csv.write_text("name,x\na.jpg,1\n")
        case "pictures":
            shutil.rmtree(root / "training")
        case "bytes":
            csv.write_bytes(b"\xff\xfe\x00")


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("columns", "has 1 columns of coordinates; 136 are needed"),
        ("pictures", "is missing. Put the image there"),
        ("bytes", "is not a text table"),
    ],
)
def test_a_broken_dataset_is_told_and_taken_when_it_is_mended(
    how: str, says: str, data_root: Path, tmp_path: Path, monkeypatch
) -> None:
    root = shutil.copytree(data_root, tmp_path / "<b>")
    broken(root, how)
    data = DataSource(str(root))
    assert data.open().synthetic and not data.missing and says in data.fault
    assert "cannot be used" in line_html(data, "evaluate") and "<b>/" not in line_html(data, "evaluate")
    shutil.rmtree(root)
    shutil.copytree(data_root, root)
    assert data.open().synthetic  # it was looked at a moment ago
    monkeypatch.setattr(context, "RETRY", 0.0)
    data._again = 0.0
    assert not data.open().synthetic and data.fault is None and line_html(data, "train") == ""


def test_a_folder_that_may_not_be_read_is_told(data_root: Path, monkeypatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    data = DataSource(str(data_root))
    monkeypatch.setattr("os.listdir", refuse)
    assert data.open().synthetic and "cannot be read (Permission denied)" in data.fault
    monkeypatch.setattr(Path, "is_file", refuse)
    assert DataSource(str(data_root)).open().synthetic


def test_a_run_s_dataset_is_found_again(few_faces: SyntheticFaces, data_root: Path) -> None:
    data = DataSource(None)
    assert data.at(Path(SYNTHETIC)) is few_faces and data.at(data_root) is None
    data.fallback = data_root
    assert data.at(data_root).root == data_root and data.at(Path(SYNTHETIC)) is few_faces


@pytest.mark.usefixtures("on_nothing")
def test_where_no_sample_can_be_made_the_real_data_still_works(data_root: Path) -> None:
    with pytest.raises(CheckpointError, match="no appearance model"):
        DataSource(None).open()
    assert line_html(DataSource(None), "train") == ""
    assert DataSource(str(data_root)).problem is None


def test_the_line_says_who_these_are_and_why(data_root: Path) -> None:
    data = DataSource(None)
    lines = {tab: line_html(data, tab) for tab in CONSEQUENCES}
    assert all("Synthetic faces: nobody real." in line and "not on this machine" in line for line in lines.values())
    assert "the Dataset tab fetches it" in lines["train"] and "the Dataset tab" not in lines["dataset"]
    assert line_html(DataSource(str(data_root)), "dataset") == ""


def test_examples_are_scenes_and_with_real_data_its_test_people_too(data_root: Path) -> None:
    data = DataSource(None)
    examples = Examples(data)
    drawn = [item["caption"] for item in examples.items]
    assert drawn == [scene.title for scene in scenes()] and len(drawn) >= 5
    assert examples.all() is examples.all()
    data.fallback = data_root
    assert [item["alt"] for item in examples.items[:2]] == ["Example: Ben Hart", "Example: Cleo Brook"]
    assert [item["caption"] for item in examples.items[2:]] == drawn
    assert len(examples.all()) <= FRAMES + len(drawn)


def test_a_damaged_frame_is_no_example(data_root: Path, tmp_path: Path) -> None:
    root = shutil.copytree(data_root, tmp_path / "damaged")
    (root / "training" / "Ben_Hart_00.jpg").write_bytes(b"no picture")
    assert Examples(DataSource(str(root))).items[0]["alt"] == "Example: Cleo Brook"


@pytest.mark.usefixtures("on_nothing")
def test_without_the_model_there_are_no_scenes(data_root: Path, monkeypatch) -> None:
    def fail() -> None:
        raise CheckpointError("gone")

    monkeypatch.setattr("kp.ui.predict.examples.scenes", fail)
    assert Examples(DataSource(None)).items == []
    assert len(Examples(DataSource(str(data_root))).items) == 2


def test_the_sample_is_no_reason_to_fetch(tmp_path: Path) -> None:
    assert DataSource(Settings(data=SYNTHETIC, home=tmp_path).data).missing is False
