"""Changes of the pixels that leave the points where they are."""

import numpy as np
import pytest
from builders import drawn_face

from kp.data import Sample
from kp.transforms.photometric import PixelTransform, RandomBlur, RandomBrightnessContrast, RandomNoise, RandomOcclusion

CHANGES: list[type[PixelTransform]] = [RandomBrightnessContrast, RandomBlur, RandomNoise, RandomOcclusion]


def face(*, grey: bool = False) -> Sample:
    image, points = drawn_face(4)
    return Sample(np.ascontiguousarray(image[..., 0]) if grey else image, points)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("grey", [False, True])
def test_points_shape_and_kind_stay(change: type[PixelTransform], grey: bool) -> None:
    sample, transform = face(grey=grey), change(1.0, rng=0)
    for _ in range(20):
        moved = transform(sample)
        assert moved.image.shape == sample.image.shape
        assert moved.image.dtype == np.uint8
        assert (moved.keypoints == sample.keypoints).all()
        assert (moved.matrix == np.eye(2, 3)).all()


@pytest.mark.parametrize("change", CHANGES)
def test_the_pixels_change_as_often_as_asked(change: type[PixelTransform]) -> None:
    sample, transform = face(), change(0.25, rng=0)
    changed = sum(bool((transform(sample).image != sample.image).any()) for _ in range(200))
    assert 30 < changed < 70
    assert (change(0.0)(sample).image == sample.image).all()


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("shape", [(16, 16, 3), (32, 20, 3), (224, 224, 3)])
def test_small_and_large_pictures(change: type[PixelTransform], shape: tuple[int, ...]) -> None:
    transform = change(1.0, rng=1)
    sample = Sample(np.full(shape, 128, np.uint8), np.zeros((68, 2), np.float32))
    for _ in range(20):
        assert transform(sample).image.shape == shape


def test_noise_is_as_strong_as_said_and_hits_all_colours_alike() -> None:
    image = np.full((200, 200, 3), 128, np.uint8)
    transform = RandomNoise(1.0, rng=0)
    for _ in range(10):
        noise = transform(Sample(image, np.zeros((68, 2)))).image.astype(float) - 128
        assert 1 < noise.std() < 13
        assert abs(noise.mean()) < 0.75
        assert (noise[..., 0] == noise[..., 2]).all()


def test_blur_takes_detail_away_and_keeps_the_light() -> None:
    board = (np.indices((96, 96)).sum(axis=0) % 2 * 255).astype(np.uint8)
    blurred = RandomBlur(1.0, rng=0)(Sample(board, np.zeros((68, 2)))).image
    assert blurred.std() < 0.7 * board.std()
    assert blurred.mean() == pytest.approx(board.mean(), abs=3)


def test_light_keeps_the_order_of_grey_levels() -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None], 4, axis=0)
    even = 0
    for seed in range(20):
        lit = RandomBrightnessContrast(1.0, rng=seed)(Sample(ramp, np.zeros((68, 2)))).image.astype(int)
        assert lit.max() > lit.min()
        if (lit[0] == lit[-1]).all():  # no shadow across it
            even += 1
            assert (np.diff(lit[0]) >= 0).all()
    assert 8 <= even <= 19


def test_an_occlusion_covers_a_part_and_not_all() -> None:
    sample, transform = face(), RandomOcclusion(1.0, rng=0)
    shares = [float((transform(sample).image != sample.image).any(axis=2).mean()) for _ in range(50)]
    assert 0.005 < np.mean(shares) < 0.3
    assert max(shares) < 0.4
