"""Transforms: one matrix moves pixels and points, and leads back."""

import cv2
import numpy as np
import pytest
import torch
from builders import drawn_face, face_shape

from kp.data import Sample
from kp.errors import TransformError
from kp.landmarks import MIRROR
from kp.transforms.base import Compose, Transform
from kp.transforms.geometric import (
    FaceCrop,
    Normalize,
    RandomCrop,
    RandomHorizontalFlip,
    RandomRotate,
    Rescale,
    ToTensor,
)
from kp.transforms.photometric import RandomBlur, RandomBrightnessContrast, RandomNoise, RandomOcclusion

GEOMETRY = {
    "rescale": lambda rng: Rescale(180),
    "rescale to a shape": lambda rng: Rescale((220, 130)),
    "shrink": lambda rng: Rescale(60),
    "crop": lambda rng: RandomCrop((90, 110), rng=rng),
    "face crop": lambda rng: FaceCrop(128, rng=rng),
    "jittered face crop": lambda rng: FaceCrop(96, scale=(-0.25, 0.3), shift=0.06, turn=18, rng=rng),
    "rotate": lambda rng: RandomRotate(40, rng=rng),
    "mirror": lambda rng: RandomHorizontalFlip(1.0, rng=rng),
    "nothing": lambda rng: Compose([]),
}
PIXELS = {
    "light": lambda rng: RandomBrightnessContrast(1.0, rng=rng),
    "blur": lambda rng: RandomBlur(1.0, rng=rng),
    "noise": lambda rng: RandomNoise(1.0, rng=rng),
    "occlusion": lambda rng: RandomOcclusion(1.0, rng=rng),
}
LAST = {
    "normalize": lambda rng: Normalize(),
    "normalize in colour": lambda rng: Normalize(grey=False),
    "tensor": lambda rng: ToTensor(),
}
ALL = GEOMETRY | PIXELS | LAST


def face(seed: int = 0) -> Sample:
    image, points = drawn_face(seed)
    return Sample(image, points, name=f"face {seed}")


def dotted(point: int) -> Sample:
    """A large face, black but for a soft white dot on one of its points."""
    points = (face_shape() * 150 + (75, 50)).astype(np.float32)
    image = np.zeros((250, 300, 3), np.uint8)
    cv2.circle(image, [int(round(float(value))) for value in points[point]], 6, (255, 255, 255), -1)
    points[point] = points[point].round()
    return Sample(image, points)


def dot_in(image: np.ndarray) -> np.ndarray:
    """Centre xy of the bright part of a picture (H, W) or (H, W, 3)."""
    grey = image.astype(float).reshape(*image.shape[:2], -1).mean(axis=2)
    ys, xs = np.indices(grey.shape)
    return np.array([(xs * grey).sum(), (ys * grey).sum()]) / grey.sum()


@pytest.mark.parametrize("name", ALL)
def test_each_works_alone_and_leaves_its_input_alone(name: str) -> None:
    sample = face()
    image, points = sample.image.copy(), sample.keypoints.copy()
    moved = ALL[name](0)(sample)
    assert moved.keypoints.shape == (68, 2)
    assert np.isfinite(np.asarray(moved.keypoints)).all()
    assert (sample.image == image).all()
    assert (sample.keypoints == points).all()
    assert moved.name == sample.name


@pytest.mark.parametrize("name", ALL)
def test_each_takes_a_read_only_picture(name: str) -> None:
    sample = face()
    sample.image.setflags(write=False)
    sample.keypoints.setflags(write=False)
    ALL[name](0)(sample)


@pytest.mark.parametrize("name", ALL)
def test_each_leads_back_alone(name: str) -> None:
    sample = face()
    moved = ALL[name](1)(sample)
    assert np.abs(moved.to_original(moved.keypoints) - sample.keypoints).max() < 0.01


@pytest.mark.parametrize("seed", range(40))
def test_random_chains_lead_back(seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = rng.choice([name for name in ALL if name not in LAST and name != "crop"], rng.integers(1, 6))
    chain = Compose(
        [
            Rescale(200),
            *(ALL[name](rng) for name in names),
            *([Normalize(grey=bool(rng.integers(2)))] if rng.random() < 0.7 else []),
            ToTensor(),
        ]
    )
    sample = face(seed)
    moved = chain(sample)
    assert np.abs(moved.to_original(moved.keypoints) - sample.keypoints).max() < 0.01, chain


@pytest.mark.parametrize("name", GEOMETRY)
@pytest.mark.parametrize("point", [0, 30, 45, 57])
def test_pixels_and_points_move_together(name: str, point: int) -> None:
    transform = GEOMETRY[name](3)
    for _ in range(30):
        moved = transform(dotted(point))
        expected = moved.keypoints[MIRROR[point] if moved.mirrored else point]
        if (expected < 10).any() or (expected > np.array(moved.image.shape[1::-1]) - 10).any():
            continue  # the dot is cut off
        assert np.abs(dot_in(moved.image) - expected).max() < 0.15
        break
    else:
        pytest.fail("the dot was cut off each time")


@pytest.mark.parametrize(
    ("transform", "shown"),
    [
        (Rescale(250), "Rescale(size=250)"),
        (Rescale((20, 30)), "Rescale(size=(20, 30))"),
        (RandomCrop(224), "RandomCrop(size=(224, 224))"),
        (RandomRotate(15.0), "RandomRotate(degrees=15.0)"),
        (RandomHorizontalFlip(0.25), "RandomHorizontalFlip(probability=0.25)"),
        (ToTensor(), "ToTensor()"),
        (Normalize(90.0, 40.0), "Normalize(mean=90.0, scale=40.0, grey=True)"),
        (RandomNoise(0.3), "RandomNoise(probability=0.3)"),
        (FaceCrop(64, 1.5), "FaceCrop(size=64, margin=1.5, scale=(0.0, 0.0), shift=0.0, turn=0.0)"),
        (Compose([Rescale(9), ToTensor()]), "Compose([Rescale(size=9), ToTensor()])"),
    ],
)
def test_repr_shows_the_settings(transform: Transform, shown: str) -> None:
    assert repr(transform) == shown


@pytest.mark.parametrize("name", [name for name in ALL if name not in LAST and "rescale" not in name])
def test_the_same_seed_gives_the_same_result(name: str) -> None:
    first, second = (ALL[name](11)(face()) for _ in range(2))
    assert (first.image == second.image).all()
    assert (first.keypoints == second.keypoints).all()


@pytest.mark.parametrize("name", ["crop", "jittered face crop", "rotate", *PIXELS])
def test_another_seed_gives_another_result(name: str) -> None:
    results = {ALL[name](seed)(face()).image.tobytes() for seed in range(4)}
    assert len(results) > 1


def test_the_reference_chain() -> None:
    chain = Compose([Rescale(250), RandomCrop(224, rng=0), Normalize(), ToTensor()])
    sample = chain(face())
    assert tuple(sample.image.shape) == (1, 224, 224)
    assert sample.image.dtype == sample.keypoints.dtype == torch.float32
    assert 0 <= float(sample.image.min()) < float(sample.image.max()) <= 1
    assert tuple(sample.keypoints.shape) == (68, 2)
    assert -2.5 < float(sample.keypoints.min()) < 0 < float(sample.keypoints.max()) < 2.5


@pytest.mark.real_data
def test_the_reference_chain_on_real_frames(real_dataset) -> None:
    chain = Compose([Rescale(250), RandomCrop(224, rng=0), Normalize(), ToTensor()])
    keypoints = torch.stack([chain(real_dataset.sample(index)).keypoints for index in range(0, 3000, 50)])
    assert float(keypoints.abs().quantile(0.99)) < 2.5
    assert float(keypoints.mean().abs()) < 0.5


def test_rescale_keeps_the_aspect_for_one_number() -> None:
    assert Rescale(250)(face()).image.shape == (268, 250, 3)  # 150 x 140
    assert Rescale((60, 250))(face()).image.shape == (60, 250, 3)


@pytest.mark.parametrize("size", [70, (50, 70), (50, 200), (200, 50), (149, 139)])
def test_rescale_does_not_alias(size: int | tuple[int, int]) -> None:
    """Fine stripes along a side that shrinks to half or less become grey; skipped pixels would leave them."""
    image = np.zeros((150, 140, 3), np.uint8)
    tall, wide = Rescale(size)(face()).image.shape[:2]
    if tall * 2 <= 150:
        image[::2] = 255
        assert Rescale(size)(Sample(image, face().keypoints)).image.std() < 45
    if wide * 2 <= 140:
        image[:] = 0
        image[:, ::2] = 255
        assert Rescale(size)(Sample(image, face().keypoints)).image.std() < 45


def test_face_crop_shows_the_whole_face() -> None:
    for seed in range(5):
        points = FaceCrop(100, 1.35)(face(seed)).keypoints
        assert points.min() == pytest.approx(100 * (1 - 1 / 1.35) / 2, abs=1.5)
        assert points.max() == pytest.approx(100 * (1 + 1 / 1.35) / 2, abs=1.5)


def test_jitter_has_the_spread_asked_for() -> None:
    crop = FaceCrop(100, 1.0, shift=0.1, rng=0)
    sample = face()
    centres = np.array([crop(sample).keypoints.mean(axis=0) for _ in range(300)])
    assert centres.std(axis=0) == pytest.approx([10, 10], rel=0.15)


def test_mirroring_makes_the_left_eye_the_right_one() -> None:
    sample = face()
    moved = RandomHorizontalFlip(1.0)(sample)
    assert moved.mirrored
    assert moved.keypoints[36, 0] < moved.keypoints[45, 0]  # the numbers stay with their side of the image
    assert moved.keypoints[36].tolist() == [139 - sample.keypoints[45, 0], sample.keypoints[45, 1]]
    twice = RandomHorizontalFlip(1.0)(moved)
    assert not twice.mirrored
    assert (twice.image == sample.image).all()
    assert np.allclose(twice.keypoints, sample.keypoints)


def test_mirroring_with_half_the_probability_happens_half_the_time() -> None:
    mirror = RandomHorizontalFlip(0.5, rng=0)
    assert 70 < sum(mirror(face()).mirrored for _ in range(200)) < 130
    assert not RandomHorizontalFlip(0.0)(face()).mirrored


def test_normalize_by_hand() -> None:
    image = np.full((4, 5, 3), 51, np.uint8)
    points = np.full((68, 2), 150, np.float32)
    normal = Normalize()(Sample(image, points))
    assert normal.image.shape == (4, 5)
    assert normal.image.dtype == np.float32
    assert normal.image == pytest.approx(0.2)
    assert (normal.keypoints == 1).all()
    assert Normalize(grey=False)(Sample(image, points)).image.shape == (4, 5, 3)


@pytest.mark.parametrize(
    ("chain", "advice"),
    [
        ([Normalize(), Normalize()], "before Normalize"),
        ([Normalize(), Rescale(50)], "before Normalize"),
        ([Normalize(), RandomRotate()], "before Normalize"),
        ([Normalize(), FaceCrop()], "before Normalize"),
        ([Normalize(), RandomBrightnessContrast(1.0)], "before Normalize"),
        ([ToTensor(), RandomHorizontalFlip(1.0)], "before Normalize and ToTensor"),
        ([ToTensor(), Normalize()], "a tensor"),
        ([ToTensor(), ToTensor()], "once, at the end"),
        ([Rescale(100), RandomCrop(224)], "Rescale to something larger"),
        ([RandomCrop((151, 10))], "larger than the picture"),
    ],
)
def test_an_impossible_order_is_refused_with_advice(chain: list[Transform], advice: str) -> None:
    with pytest.raises(TransformError, match=advice):
        Compose(chain)(face())


@pytest.mark.parametrize("make", [Rescale, RandomCrop])
@pytest.mark.parametrize("size", [0, -5, 2.5, (10,), (10, 0), (1, 2, 3), (), "large", (10.0, 20)])
def test_impossible_sizes_are_refused(make: type, size: object) -> None:
    with pytest.raises(TransformError, match=f"{make.__name__} needs a positive whole number"):
        make(size)


@pytest.mark.parametrize("make", [lambda: FaceCrop(0), lambda: FaceCrop(64, -1), lambda: Normalize(scale=0)])
def test_other_impossible_settings_are_refused(make) -> None:
    with pytest.raises(TransformError, match="positive"):
        make()


def test_a_crop_of_the_whole_picture_is_the_picture() -> None:
    sample = face()
    moved = RandomCrop((150, 140))(sample)
    assert (moved.image == sample.image).all()
    assert (moved.keypoints == sample.keypoints).all()
