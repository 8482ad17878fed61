"""The appearance model: what it keeps, what it must not keep, and that it can be learnt again."""

import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from builders import drawn_face

from kp.__main__ import main
from kp.checkpoint import list_checkpoints
from kp.data import FacialKeypointsDataset
from kp.errors import CheckpointError, ConfigError
from kp.landmarks import MIRROR
from kp.synthetic.appearance import FILE, LIDS, SIDE, AppearanceModel, load_appearance, save_appearance
from kp.synthetic.dataset import MOST_TURNED
from kp.synthetic.matting import CLOTHES, HAIR, SKIN, Layers
from kp.synthetic.mean_plane import limit_outline, plane_places, to_picture, to_plane
from kp.synthetic.pca import Components, fit_pca, fold, principal, unfold
from kp.synthetic.sampling import KIND_PEOPLE, find_kinds, group_means, measure
from kp.synthetic.segmentation import fill_in, signed_distance
from kp.synthetic.shape_modes import FARTHEST, MODES, PICTURE_MODES, SHAPE_MODES, FaceSpace, Mode
from kp.synthetic.straighten import mirrored, normalised, straighten
from kp.thin_plate_spline import ThinPlate, interpolate_knots


@pytest.fixture(scope="module")
def model() -> AppearanceModel:
    return load_appearance()


@pytest.fixture(scope="module")
def space(model: AppearanceModel) -> FaceSpace:
    return FaceSpace(model)


# What is in the file


def test_the_file_is_small_and_no_network() -> None:
    assert FILE.stat().st_size < 8_000_000
    assert FILE.stem not in list_checkpoints()
    assert FILE not in list_checkpoints().values()


def test_the_file_comes_back_as_it_was(model: AppearanceModel, tmp_path: Path) -> None:
    save_appearance(model, tmp_path / "again.appearance")
    assert (tmp_path / "again.appearance").stat().st_size == FILE.stat().st_size
    again = load_appearance(tmp_path / "again.appearance")
    numbers = np.linspace(-1, 1, len(model.statistics))
    assert (again.shape(numbers) == model.shape(numbers)).all()
    assert (again.portraits(numbers[None])[0].hair.luma == model.portraits(numbers[None])[0].hair.luma).all()


@pytest.mark.parametrize("content", [None, b"", b"no model", b"\x02\x00\x00\x00\x00\x00\x00\x00{}"])
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.appearance"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match="kp appearance"):
        load_appearance(path)


def test_no_row_in_the_file_belongs_to_one_person(model: AppearanceModel) -> None:
    """Nothing is as long as the list of frames, of videos or of people; kinds are means of four videos or more."""
    arrays = {
        **{name: value for name, value in vars(model).items() if isinstance(value, np.ndarray)},
        **{f"spreads.{name}": value for name, value in vars(model.statistics).items()},
    }
    frames, videos, people = 3423, 934, 282
    for array in arrays.values():
        assert not {frames, frames - 2, videos, people} & set(array.shape)
    assert len(model.statistics.kinds) * KIND_PEOPLE <= videos


def test_kinds_are_of_four_different_people_and_share_nobody_twice() -> None:
    rng = np.random.default_rng(0)
    rows, owner = rng.normal(size=(120, 5)), rng.integers(0, 30, 120)
    groups = find_kinds(rows, owner)
    members = [row for group in groups for row in group]
    assert len(members) == len(set(members))
    assert all(len(group) == KIND_PEOPLE == len(set(owner[group])) for group in groups)


def test_no_kind_where_there_are_too_few_people() -> None:
    assert find_kinds(np.zeros((9, 2)), np.zeros(9, int)) == []


# The parts of learning


def test_the_plane_and_the_picture_are_inverse() -> None:
    place = np.linspace(-1, 1, 33)
    assert to_picture(to_plane(place)) == pytest.approx(place, abs=1e-6)
    assert (to_picture(np.array([-9.0, 9.0])) == [-1, 1]).all()


def test_a_thin_plate_goes_through_its_points() -> None:
    rng = np.random.default_rng(1)
    source = rng.uniform(-1, 1, (30, 2))
    target = source * 1.3 + rng.normal(0, 0.05, (30, 2))
    assert ThinPlate(source, target)(source) == pytest.approx(target, abs=1e-8)
    straight = ThinPlate(source, source @ [[0, 2], [-1, 0]] + 3)
    far = np.array([[5.0, -7.0]])
    assert straight(far) == pytest.approx(far @ [[0, 2], [-1, 0]] + 3, abs=1e-6)


def test_interpolate_knots_keeps_straight_maps_straight() -> None:
    x, y = np.meshgrid(np.linspace(0, 9, 5), np.linspace(0, 19, 7))
    spread = interpolate_knots(np.stack([x, y], axis=-1), (20, 10))
    assert spread[0] == pytest.approx(np.tile(np.arange(10), (20, 1)), abs=1e-4)
    assert spread[1] == pytest.approx(np.tile(np.arange(20)[:, None], 10), abs=1e-4)


def test_folding_and_unfolding() -> None:
    pictures = np.random.default_rng(2).normal(size=(3, 4, 6)).astype(np.float32)
    halves = [fold(pictures, sign).reshape(3, 4, 3) for sign in (1, -1)]
    assert unfold(*halves) == pytest.approx(pictures, abs=1e-6)
    flipped = [fold(pictures[:, :, ::-1], sign).reshape(3, 4, 3) for sign in (1, -1)]
    assert flipped[0] == pytest.approx(halves[0])
    assert flipped[1] == pytest.approx(-halves[1])


def test_components_are_those_of_the_covariance() -> None:
    rng = np.random.default_rng(3)
    turn = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    rows = (rng.normal(size=(400, 6)) * [9, 5, 3, 1, 1, 1] @ turn).astype(np.float32)
    rows -= rows.mean(axis=0)
    components, coefficients, deviations = principal(rows, 3)
    values = np.linalg.eigvalsh(rows.T.astype(float) @ rows / 400)[::-1]
    assert deviations**2 == pytest.approx(values[:3], rel=1e-3)
    assert components @ components.T == pytest.approx(np.eye(3), abs=1e-4)
    assert (coefficients**2).mean(axis=0) == pytest.approx(np.ones(3), rel=1e-3)


def test_learnt_components_rebuild_what_they_are_learnt_from() -> None:
    rng = np.random.default_rng(4)
    basis = rng.normal(size=(5, 8, 8))
    pictures = (np.tensordot(rng.normal(size=(60, 5)), basis, 1) + 20).astype(np.float32)
    learnt = fit_pca(lambda sign: fold(pictures, sign), (6, 6))
    assert isinstance(learnt.components, Components)
    even, odd = learnt.components.halves(learnt.coefficients)
    rebuilt = unfold(even.reshape(60, 8, 4), odd.reshape(60, 8, 4))
    assert np.abs(rebuilt - pictures).max() < 0.15  # eight bits
    assert learnt.parity.tolist() == [1] * 6 + [-1] * 6


def test_statistics_recover_those_of_the_data() -> None:
    """Three levels of known size, and a trend with the turn."""
    rng = np.random.default_rng(5)
    people, videos = np.repeat(np.arange(60), 20), np.repeat(np.arange(240), 5)
    turn = rng.normal(0, 1, 1200)
    values = np.stack(
        [turn, turn**2 + 2 * rng.normal(size=60)[people] + rng.normal(size=240)[videos] + 0.5 * rng.normal(size=1200)],
        axis=1,
    )
    statistics = measure(
        values, np.array([-1, 1]), people=people, videos=videos, similar=np.zeros(2), variety=np.ones(2)
    )
    at = [statistics.mean(yaw)[1] for yaw in (-1.5, 0.0, 1.5)]
    assert at[0] == pytest.approx(at[2], abs=0.01)
    assert at[2] - at[1] == pytest.approx(2.25, abs=0.4)
    person, video, frame = (float(np.abs(root[0][1, 1])) for root in statistics.roots)
    assert person > video > frame
    assert frame == pytest.approx(0.5, abs=0.1)


def test_group_means() -> None:
    means, weight = group_means(np.array([[1.0], [3.0], [5.0]]), np.array([0, 0, 1]), np.array([1.0, 3.0, 2.0]))
    assert means.ravel().tolist() == [2.5, 5.0]
    assert weight.tolist() == [4.0, 2.0]


def test_filling_in_keeps_what_is_known_and_invents_no_colour() -> None:
    image = np.zeros((40, 40, 3), np.uint8)
    mask = np.zeros((40, 40), bool)
    image[30:38, 5:9], mask[30:38, 5:9] = (200, 100, 50), True
    filled = fill_in(image, mask)
    assert (filled[mask] == (200, 100, 50)).all()
    assert np.abs(filled.astype(int) - (200, 100, 50)).max() <= 2


def test_signed_distance_is_positive_inside() -> None:
    mask = np.zeros((9, 9), bool)
    mask[3:6, 3:6] = True
    distance = signed_distance(mask)
    assert distance[4, 4] > 1
    assert distance[0, 0] < -3
    assert np.isfinite(signed_distance(np.ones((4, 4), bool))).all()


def test_no_hair_above_the_oval_and_shoulders_at_the_bottom() -> None:
    nobody, everybody = (limit_outline(np.full((80, 80), value, np.float32)) for value in (-0.4, 0.4))
    assert nobody[-1, 40] > 0
    assert nobody[0].max() < 0
    assert everybody[0].max() < 0
    assert everybody[40, 40] > 0


def test_layers_of_a_drawn_head(model: AppearanceModel) -> None:
    """A dark cap of hair, a skin-coloured face, blue cloth below."""
    places = plane_places(80)
    x, y = np.meshgrid(places, places)
    picture = np.full((80, 80, 3), (150, 150, 110), np.uint8)
    picture[y < -0.55] = (30, 130, 125)
    picture[y > 0.7] = (90, 100, 180)
    labels = Layers(model.mean_shape, places).label(picture, np.full((80, 80), 0.3, np.float32))
    row = {height: int(np.abs(places - height).argmin()) for height in (-0.9, 0.0, 1.1)}
    assert [labels[row[height], 40] for height in row] == [HAIR, SKIN, CLOTHES]


def test_a_straightened_face_has_its_points_at_the_mean_shape(model: AppearanceModel) -> None:
    """A white spot on the nose tip of a drawn face lands where the mean shape has its nose tip."""
    image, points = drawn_face(3, height=260, width=240)
    for point in (30, 8, 36):
        spotted = image.copy()
        cv2.circle(spotted, tuple(points[point].astype(int).tolist()), 3, (255, 255, 255), -1)
        centres, sizes, shapes = normalised(points[None])
        plain, _ = straighten(image, shapes[0], model.mean_shape, centre=centres[0], size=sizes[0])
        marked, _ = straighten(spotted, shapes[0], model.mean_shape, centre=centres[0], size=sizes[0])
        weight = np.abs(marked.astype(float) - plain).sum(axis=2)
        y, x = np.array([(weight.sum(axis=1 - axis) * np.arange(SIDE)).sum() for axis in (0, 1)]) / weight.sum()
        expected = np.interp(model.mean_shape[point], plane_places(SIDE), range(SIDE))
        assert (x, y) == pytest.approx(tuple(expected), abs=2.5)


def test_normalised_shapes_are_mirrored_by_the_permutation() -> None:
    _, points = drawn_face(1)
    shape = normalised(points[None])[2]
    assert mirrored(mirrored(shape)) == pytest.approx(shape)
    assert mirrored(shape)[0, 0] == pytest.approx(shape[0, MIRROR[0]] * (-1, 1))


# Sliders


def test_the_mean_face_is_the_same_on_both_sides(space: FaceSpace) -> None:
    _, points = space.render()
    middle = points[27:31, 0].mean()
    assert points[MIRROR] * (-1, 1) + (2 * middle, 0) == pytest.approx(points, abs=0.6)


@pytest.mark.parametrize("mode", range(MODES))
def test_shape_sliders_move_points_and_picture_sliders_do_not(space: FaceSpace, mode: int) -> None:
    numbers = [0.0] * MODES
    numbers[mode] = 1.8
    mean_image, mean_points = space.render()
    assert np.abs(space.render(numbers)[1] - mean_points).max() > 1.5
    image, points = space.render((), numbers)
    assert np.abs(points - mean_points).max() < 3
    assert np.abs(image.astype(int) - mean_image).mean() > 0.5


def test_the_names_say_what_the_modes_do(space: FaceSpace) -> None:
    """Each name's two ends, measured on the keypoints: a number that is larger at the upper end."""
    assert len(SHAPE_MODES) == len(PICTURE_MODES) == MODES
    eyes, size = (slice(36, 42), slice(42, 48)), lambda points: np.ptp(points, axis=0)
    measures = {
        "Turning": lambda p: p[30, 0] - p[[0, 16], 0].mean(),  # the nose's tip between the ears
        "Tilting": lambda p: (p[eyes[1]] - p[eyes[0]]).mean(axis=0)[1],  # the right eye below the left one
        "Nodding": lambda p: p[[0, 16], 1].mean() - p[30, 1],  # the nose's tip above the ears
        "Width": lambda p: size(p)[0] / size(p)[1],
        "Mouth": lambda p: p[66, 1] - p[62, 1],
    }
    for mode, (row, least, most) in enumerate(ends(SHAPE_MODES)):
        low, high = (measures[SHAPE_MODES[mode].name](space.render(row * end)[1]) for end in (least, most))
        middle = measures[SHAPE_MODES[mode].name](space.render()[1])
        assert low < middle < high, SHAPE_MODES[mode].name


def ends(modes: Sequence[Mode]) -> list[tuple[np.ndarray, float, float]]:
    """A slider alone, and how far it goes to both sides."""
    return [(row, mode.least, mode.most) for row, mode in zip(np.eye(MODES), modes, strict=True)]


def test_the_names_say_what_the_picture_modes_do(space: FaceSpace) -> None:
    """The same, measured on the picture about the keypoints of the mean face."""
    _, points = space.render()
    places = {
        "left cheek": points[[1, 2, 3, 31, 48]],
        "right cheek": points[[15, 14, 13, 35, 54]],
        "forehead": points[17:27] - (0, 30),
        "skin": points[27:36],
        "chin": points[6:11] - (0, 12),
        "temples": points[[0, 16]] - ((-6, 0), (6, 0)),
    }

    def grey(image: np.ndarray, *names: str) -> list[float]:
        found = []
        for name in names:
            (left, top), (right, bottom) = places[name].min(axis=0).astype(int), places[name].max(axis=0).astype(int)
            found.append(float(image[top : bottom + 1, left : right + 1].mean()))
        return found

    def difference(image: np.ndarray, first: str, second: str) -> float:
        a, b = grey(image, first, second)
        return a - b

    measures = {
        "Brightness of the skin": lambda i: grey(i, "skin")[0],
        "Light from the side": lambda i: difference(i, "right cheek", "left cheek"),
        "Hair and beard": lambda i: difference(i, "chin", "temples"),
        "Forehead": lambda i: difference(i, "forehead", "chin"),
        "Colour of the light": lambda i: float(i[150:300, 100:250, 0].mean() - i[150:300, 100:250, 2].mean()),
    }
    for mode, (row, least, most) in enumerate(ends(PICTURE_MODES)):
        low, high = (
            measures[PICTURE_MODES[mode].name](space.render((), row * end)[0].astype(np.float32))
            for end in (least, most)
        )
        assert low < high, PICTURE_MODES[mode].name


def test_rendering_is_quick(space: FaceSpace) -> None:
    space.render()
    begun = time.perf_counter()
    space.render([1.0], [1.0])
    assert time.perf_counter() - begun < 1.0  # 0.04 s on an idle core


@pytest.mark.parametrize("numbers", [[0] * 6, [MOST_TURNED + 0.1], [0, FARTHEST + 0.1], [float("nan")], [float("inf")]])
def test_sliders_beyond_their_ends(space: FaceSpace, numbers: list[float]) -> None:
    with pytest.raises(ConfigError, match="at most 5 numbers"):
        space.render(numbers)


def test_somebody_new_is_another_one_each_time(space: FaceSpace) -> None:
    (first, points), (second, _) = space.render(person=1), space.render(person=2)
    assert points.shape == (68, 2)
    assert (first != second).any() and (first != space.render()[0]).any()
    assert (space.render(person=1)[0] == first).all()
    opened = space.render([0, 0, 0, 0, 2.5], person=1)[1]
    assert opened[66, 1] - opened[62, 1] > points[66, 1] - points[62, 1] + 5  # the sliders move him


def test_lids_and_lips_never_cross(model: AppearanceModel) -> None:
    rng = np.random.default_rng(6)
    for _ in range(50):
        points = model.shape(rng.normal(0, 2.5, len(model.statistics)))
        assert (points[LIDS[:, 1], 1] > points[LIDS[:, 0], 1]).all()


# The command


def test_the_command_refuses_what_it_cannot_learn_from(data_root: Path, tmp_path: Path, capsys) -> None:
    assert main(["appearance", "--data", str(data_root), "--out", str(tmp_path / "x.appearance")]) == 1
    assert "at least 400" in capsys.readouterr().err


def test_no_sample_looks_like_a_real_face(real_dataset: FacialKeypointsDataset) -> None:
    """Synthetic faces and training people, both warped to the mean shape: no nearer than two people are."""
    from kp.synthetic.dataset import synthetic_faces

    faces = synthetic_faces()
    model, training = faces.store.model, real_dataset.part("people", "train")
    firsts = {frame.person: index for index, frame in enumerate(training.frames)}
    rows = list(firsts.values())[::7]
    centres, sizes, shapes = normalised(training.keypoints)
    middle = slice(SIDE // 2 - 36, SIDE // 2 + 36)

    def face(luma: np.ndarray) -> np.ndarray:
        inner = cv2.resize(luma[middle, middle].astype(np.float32), (36, 36), interpolation=cv2.INTER_AREA)
        return ((inner - inner.mean()) / inner.std()).ravel() / 36

    real = np.stack(
        [
            face(
                cv2.cvtColor(
                    straighten(
                        training.image(row), shapes[row], model.mean_shape, centre=centres[row], size=sizes[row]
                    )[0],
                    cv2.COLOR_RGB2GRAY,
                )
            )
            for row in rows
        ]
    )
    made = np.stack(
        [face(model.portraits(one.coefficients(model)[None])[0].skin.luma) for one in faces.store.faces[::30]]
    )
    among = real @ real.T - 2 * np.eye(len(real))
    assert (made @ real.T).max() < max(0.97, among.max())
    assert np.median((made @ real.T).max(axis=1)) < np.median(among.max(axis=1)) + 0.1
