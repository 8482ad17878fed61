"""Tables of labels as people make them: what is understood, what is said about it, and what is refused."""

import logging
import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from kp.__main__ import main
from kp.data import FacialKeypointsDataset
from kp.data.readers.plausibility import UNLIKE, find_suspects, shape_distances
from kp.data.readers.table import read_table
from kp.errors import DataError
from kp.evaluation import measurable
from kp.metrics import nme, point_errors, region_means
from kp.training.losses import LOSSES

CSV = "training_frames_keypoints.csv"
POINTS = np.random.default_rng(0).integers(10, 200, (3, 68, 2)).astype(np.float32)
NAMES = ["a.jpg", "b.jpg", "c.jpg"]
PAIRS = [f"{axis}{index}" for index in range(68) for axis in "xy"]


@pytest.fixture
def own_root(data_root: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(data_root, tmp_path / "own"))


def frame(columns: list[str] | None = None) -> pd.DataFrame:
    return pd.DataFrame(POINTS.reshape(3, -1), columns=columns or [str(number) for number in range(136)], index=NAMES)


def by_axis(first: int = 0, form: str = "{axis}_{index}") -> pd.DataFrame:
    """All x, then all y."""
    names = [form.format(axis=axis, index=index + first) for axis in "xy" for index in range(68)]
    return pd.DataFrame(np.concatenate([POINTS[..., 0], POINTS[..., 1]], axis=1), columns=names, index=NAMES)


TABLES: dict[str, Callable[[Path], None]] = {
    "published": lambda path: frame().to_csv(path),
    "x_0..x_67,y_0..y_67": lambda path: by_axis().to_csv(path, index_label="name"),
    "counted from 1": lambda path: by_axis(1, "{axis}{index}").to_csv(path, index_label="image"),
    "0_x": lambda path: by_axis(form="{index}_{axis}").to_csv(path, index_label="file"),
    "landmark_x_0": lambda path: by_axis(form="landmark_{axis}_{index}").to_csv(path, index_label="file"),
    "any order": lambda path: frame(PAIRS)[sorted(PAIRS)].to_csv(path, index_label="filename"),
    "no header": lambda path: frame().to_csv(path, header=False),
    "semicolons, decimal commas": lambda path: frame().to_csv(path, sep=";", decimal=","),
    "semicolons, decimal commas, no header": lambda path: (
        (frame() + 0.5)
        .sub(0.5)
        .map("{:.1f}".format)
        .map(lambda cell: cell.replace(".", ","))
        .to_csv(path, sep=";", header=False)
    ),
    "quoted decimal commas": lambda path: (
        frame().map("{:.1f}".format).map(lambda cell: cell.replace(".", ",")).to_csv(path)
    ),
    "spaces": lambda path: frame().to_csv(path, sep=" ", header=False),
    "tabs": lambda path: frame(PAIRS).to_csv(path, sep="\t", index_label="name"),
    "utf-16": lambda path: frame().to_csv(path, encoding="utf-16"),
    "utf-8 with a mark": lambda path: frame().to_csv(path, encoding="utf-8-sig"),
    "extra columns": lambda path: by_axis().assign(confidence=0.5, source="hand").to_csv(path, index_label="name"),
    "numbered rows": lambda path: frame(PAIRS).reset_index(names="name").to_csv(path),
}


@pytest.mark.parametrize("how", TABLES)
def test_a_table_is_understood_by_its_header(how: str, tmp_path: Path) -> None:
    TABLES[how](tmp_path / CSV)
    table = read_table(tmp_path / CSV)
    assert table.names == NAMES
    assert np.array_equal(table.keypoints, POINTS)
    assert table.lines == ([1, 2, 3] if "no header" in how or how == "spaces" else [2, 3, 4])
    assert bool(table.notes) == (how in NOTED)


NOTED = ("no header", "extra columns", "numbered rows", "semicolons, decimal commas, no header", "spaces")


def test_what_was_assumed_is_said(tmp_path: Path) -> None:
    TABLES["no header"](tmp_path / CSV)
    assert "no header" in read_table(tmp_path / CSV).notes[0]
    TABLES["extra columns"](tmp_path / CSV)
    assert "confidence, source" in read_table(tmp_path / CSV).notes[0]


def test_latin_1_is_read_and_said(tmp_path: Path) -> None:
    frame().rename(index={"a.jpg": "José.jpg"}).to_csv(tmp_path / CSV, encoding="latin-1")
    table = read_table(tmp_path / CSV)
    assert table.names[0] == "José.jpg" and "Latin-1" in table.notes[0]


@pytest.mark.parametrize("missing", ["", "nan", "-1", "0"])
def test_points_that_are_not_labelled_are_nan(missing: str, tmp_path: Path) -> None:
    labels = frame(PAIRS).astype(str)
    labels.loc["b.jpg", ["x5", "y5"]] = missing
    labels.to_csv(tmp_path / CSV, index_label="name")
    keypoints = read_table(tmp_path / CSV).keypoints
    assert np.argwhere(np.isnan(keypoints[..., 0])).tolist() == [[1, 5]]
    assert np.isnan(keypoints[1, 5, 1])


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (frame().iloc[:, :100], "has 100 columns of coordinates; 136 are needed.*separated by semicolons"),
        (by_axis().iloc[:, 1:], "has 135 columns of coordinates.*Name the columns x_0"),
    ],
)
def test_too_few_columns_are_counted_and_named(table: pd.DataFrame, says: str, tmp_path: Path) -> None:
    table.to_csv(tmp_path / CSV, sep=";")
    with pytest.raises(DataError, match=says):
        read_table(tmp_path / CSV)


def test_a_spreadsheet_is_called_one(tmp_path: Path) -> None:
    (tmp_path / CSV).write_bytes(b"PK\x03\x04 and so on")
    with pytest.raises(DataError, match="spreadsheet.*Save it as CSV"):
        read_table(tmp_path / CSV)


# Labels that cannot be


def change_labels(root: Path, change: Callable[[np.ndarray], np.ndarray], rows: slice = slice(None)) -> None:
    """Replace some labels of the training table (n, 68, 2), counted from 1 as they are published."""
    table = pd.read_csv(root / CSV, index_col=0).astype(np.float64)
    labels = table.to_numpy().reshape(-1, 68, 2).copy()
    labels[rows] = change(labels[rows])
    pd.DataFrame(labels.reshape(len(labels), -1), index=table.index).to_csv(root / CSV)


WRONG = {
    "all points lie in one place": (lambda labels: np.full_like(labels, 40.0), True),
    "all points lie in 0..1": (lambda labels: labels / 1000, True),
    "68 of 68 points lie outside the image": (lambda labels: labels + 1000, False),
    "do not have the shape of a face": (lambda labels: labels + 40 * (np.arange(68) % 2)[:, None], False),
    "left and right are swapped": (lambda labels: labels[..., ::-1], False),
    "no point is labelled": (lambda labels: np.full_like(labels, -1.0), True),
}


@pytest.mark.parametrize("reason", WRONG)
def test_labels_that_cannot_be_are_named_and_counted(reason: str, own_root: Path, caplog) -> None:
    change, useless = WRONG[reason]
    whole = FacialKeypointsDataset(own_root)
    change_labels(own_root, change, slice(2, 4))
    with caplog.at_level(logging.WARNING):
        dataset = FacialKeypointsDataset(own_root)
    (problem,) = dataset.problems
    assert problem in caplog.text
    assert f"2 of {len(whole)} labels look wrong; the first is {CSV}, line 4" in problem and reason in problem
    assert len(dataset) == len(whole) - 2 * useless
    with pytest.raises(DataError, match=r"line 4.*leave --strict out"):
        FacialKeypointsDataset(own_root, strict=True)


def test_drawn_labels_are_not_suspected(dataset: FacialKeypointsDataset, few_faces: FacialKeypointsDataset) -> None:
    assert not dataset.problems
    assert shape_distances(few_faces.keypoints.astype(float)).max() < UNLIKE


@pytest.mark.real_data
def test_of_the_real_labels_the_two_corrupt_ones_are_suspected(real_dataset: FacialKeypointsDataset) -> None:
    suspects = find_suspects(real_dataset.keypoints, [None] * len(real_dataset))
    assert {real_dataset.frames[suspect.row].name for suspect in suspects} == {
        "Chris_Cirino_30.jpg",
        "Marieta_Chrousala_12.jpg",
    }


def test_strict_is_an_option_of_the_commands(own_root: Path, tmp_path: Path, capsys) -> None:
    change_labels(own_root, lambda labels: labels + 1000)
    assert main(["train", "--data", str(own_root), "--strict", "--out", str(tmp_path / "x.safetensors")]) == 1
    assert "labels look wrong" in capsys.readouterr().err


# Files that are called nearly so


@pytest.mark.parametrize(
    "change",
    [
        lambda name, root: f"training/{name}",
        lambda name, root: f".\\{name}",
        lambda name, root: f"training\\{name}",
        lambda name, root: str(root / "training" / name),
        lambda name, root: name.upper(),
        lambda name, root: f"C:\\photos\\{name}",
        lambda name, root: f"/no/such/folder/{name}",
    ],
    ids=["folder", "backslash", "folder and backslash", "absolute", "case", "another system's path", "moved"],
)
def test_a_file_is_found_however_the_table_writes_it(change, own_root: Path) -> None:
    table = pd.read_csv(own_root / CSV, index_col=0)
    paths = FacialKeypointsDataset(own_root).store.paths
    table.rename(index=lambda name: change(name, own_root)).to_csv(own_root / CSV)
    assert [path.resolve() for path in FacialKeypointsDataset(own_root).store.paths] == [
        path.resolve() for path in paths
    ]


def test_composed_and_decomposed_accents_are_the_same_name(own_root: Path) -> None:
    table = pd.read_csv(own_root / CSV, index_col=0)
    first = own_root / "training" / table.index[0]
    first.rename(first.with_name(unicodedata.normalize("NFD", "Zoé_Aé_00.jpg")))
    table.rename(index={table.index[0]: unicodedata.normalize("NFC", "Zoé_Aé_00.jpg")}).to_csv(own_root / CSV)
    assert FacialKeypointsDataset(own_root).image(0).ndim == 3


def test_images_in_sub_folders_are_found(own_root: Path) -> None:
    table = pd.read_csv(own_root / CSV, index_col=0)
    folder = own_root / "training" / "day 1"
    folder.mkdir()
    (own_root / "training" / table.index[0]).rename(folder / "x.jpg")
    table.rename(index={table.index[0]: "day 1/x.jpg"}).to_csv(own_root / CSV)
    dataset = FacialKeypointsDataset(own_root)
    assert dataset.image(0).ndim == 3 and dataset.frames[0].person == "day 1/x"


# Who is on an image


def rename_all(root: Path, names: list[str], people: list[str] | None = None) -> None:
    """The training images and their rows under other names; the test table goes."""
    (root / "test_frames_keypoints.csv").unlink()
    table = pd.read_csv(root / CSV, index_col=0).iloc[: len(names)]
    for old, new in zip(table.index, names, strict=True):
        (root / "training" / old).rename(root / "training" / new)
    table.index = names
    if people:
        table.insert(0, "person", people)
    table.to_csv(root / CSV, index_label="name")


def test_files_that_are_not_person_vf_are_people_of_their_own(own_root: Path, caplog) -> None:
    rename_all(own_root, [f"IMG_{number:04}.jpg" for number in range(1, 13)])
    with caplog.at_level(logging.WARNING):
        dataset = FacialKeypointsDataset(own_root)
    assert len({frame.person for frame in dataset.frames}) == 12
    assert caplog.text.count("12 of 12 file names are not PERSON_VF.jpg, such as IMG_0001.jpg") == 1
    assert len(dataset.part("people", "train")) and len(dataset.part("people", "test"))


def test_a_column_says_who_it_is(own_root: Path, caplog) -> None:
    rename_all(own_root, [f"IMG_{number:04}.jpg" for number in range(1, 13)], ["Ada"] * 6 + ["Ben"] * 6)
    dataset = FacialKeypointsDataset(own_root)
    assert [frame.person for frame in dataset.frames] == ["Ada"] * 6 + ["Ben"] * 6
    assert "PERSON_VF" not in caplog.text
    assert {len(dataset.part("people", part)) for part in ("train", "test")} == {6}


def test_of_one_person_training_says_what_a_split_needs(own_root: Path, tmp_path: Path, capsys) -> None:
    rename_all(own_root, [f"IMG_{number:04}.jpg" for number in range(1, 13)], ["Ada"] * 12)
    assert main(["train", "--data", str(own_root), "--out", str(tmp_path / "x.safetensors")]) == 1
    assert "holds 12 frames of 1 person. Labels of more people are needed" in capsys.readouterr().err


# Points that are not labelled have no part in what is learnt and measured


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_that_of_the_labelled_points(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    truth = torch.rand(4, 68, 2, generator=generator) - 0.5
    stages = {
        "keypoints": (truth + torch.randn(4, 68, 2, generator=generator) / 50).requires_grad_(),
        "heatmaps": torch.randn(4, 68, 16, 16, generator=generator).requires_grad_(),
        "sigma": torch.full((4, 68), 0.1),
    }
    hidden = truth.clone()
    hidden[:, 17:30] = torch.nan
    loss = LOSSES[name](stages, hidden)
    loss.backward()
    gradient = stages["keypoints"].grad
    assert torch.isfinite(loss) and torch.isfinite(gradient).all()
    assert not gradient[:, 17:30].any() and gradient[:, 30:].any()
    moved = dict(stages, keypoints=stages["keypoints"].detach().clone())
    moved["keypoints"][:, 17:30] += 5
    assert torch.equal(LOSSES[name](moved, hidden), loss)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("value", [0.0, torch.nan], ids=["one place", "none"])
def test_no_label_makes_a_loss_infinite(name: str, value: float) -> None:
    stages = {
        "keypoints": torch.rand(2, 68, 2, requires_grad=True),
        "heatmaps": torch.randn(2, 68, 16, 16),
        "sigma": torch.full((2, 68), 0.1),
    }
    loss = LOSSES[name](stages, torch.full((2, 68, 2), value))
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(stages["keypoints"].grad).all()


def test_metrics_leave_out_what_is_not_labelled() -> None:
    truth = POINTS.copy()
    predicted = truth + 3
    truth[0, 48:] = np.nan
    errors = point_errors(predicted, truth)
    assert nme(predicted, truth)[0] == pytest.approx(np.nanmean(errors[0]))
    assert np.isfinite(list(region_means(errors).values())).all()


def test_faces_without_eye_corners_are_not_measured(own_root: Path, caplog) -> None:
    change_labels(own_root, lambda labels: np.where(np.arange(68)[:, None] == 36, -1.0, labels), slice(0, 1))
    dataset = FacialKeypointsDataset(own_root)
    assert len(measurable(dataset)) == len(dataset) - 1
    assert "no label at an outer eye corner" in caplog.text


def test_a_network_learns_from_faces_with_missing_points(own_root: Path, tmp_path: Path, capsys) -> None:
    change_labels(own_root, lambda labels: np.where(np.arange(68)[:, None] > 59, -1.0, labels))
    out = tmp_path / "x.safetensors"
    assert (
        main(
            [
                "train",
                "--data",
                str(own_root),
                "--preset",
                "minute",
                "--epochs",
                "1",
                "--augmentation",
                "full",
                "--out",
                str(out),
            ]
        )
        == 0
    )
    assert out.is_file() and "diverged" not in capsys.readouterr().out
    assert main(["evaluate", str(out), "--data", str(own_root)]) == 0
    assert "nan" not in capsys.readouterr().out.lower()
