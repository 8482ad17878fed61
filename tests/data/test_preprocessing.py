"""From a face box to the network's input, and back."""

import numpy as np
import pytest
from builders import drawn_face

from kp.data import Preprocessing
from kp.data.preprocessing import FRAME_MARGIN
from kp.errors import ConfigError
from kp.geometry import Box

POINTS = np.random.default_rng(2).uniform(0, 224, (68, 2)).astype(np.float32)


@pytest.mark.parametrize("preprocessing", [Preprocessing(), Preprocessing.centred(96), Preprocessing.centred(64, 2.0)])
def test_encoding_there_and_back(preprocessing: Preprocessing) -> None:
    back = preprocessing.decode(preprocessing.encode(POINTS))
    assert np.abs(back - POINTS).max() < 0.01
    assert preprocessing.encode(POINTS).dtype == np.float32


def test_the_reference_s_units() -> None:
    assert Preprocessing().encode(np.array([[100, 150], [0, 50]])).tolist() == [[0, 1], [-2, -1]]


def test_centred_units_span_the_crop() -> None:
    borders = np.array([[-0.5, 95.5], [47.5, 47.5]])
    assert Preprocessing.centred(96).encode(borders) == pytest.approx(np.array([[-1, 1], [0, 0]]))


def test_the_crop_is_the_box_times_the_margin() -> None:
    crop = Preprocessing(size=100, margin=2.0).crop_transform(Box(40, 30, 80, 60))  # side 40: the crop's is 80
    assert crop.to_crop(np.array([[60, 45]])) == pytest.approx(np.array([[49.5, 49.5]]))
    assert crop.to_image(np.array([[-0.5, -0.5]])) == pytest.approx(np.array([[20, 5]]))


@pytest.mark.parametrize(("height", "width"), [(250, 250), (150, 140), (478, 200)])
def test_the_middle_of_a_frame(height: int, width: int) -> None:
    """As the reference recipe: the short side becomes 250, of which 224 are cut."""
    crop = Preprocessing().frame_transform(height, width)
    middle = np.array([[(width - 1) / 2, (height - 1) / 2]])
    assert crop.to_crop(middle) == pytest.approx(np.array([[111.5, 111.5]]), abs=1e-3)
    shown = np.ptp(crop.to_image(np.array([[0, 0], [224, 224]])), axis=0)
    assert shown == pytest.approx([224 / 250 * min(height, width)] * 2)


@pytest.mark.real_data
def test_the_frame_s_margin_shows_faces_in_the_size_that_frames_do(real_dataset) -> None:
    """A crop about the face's box is as large, for the middle one of the training faces, as the middle of its frame."""
    train, preprocessing = real_dataset.part("people", "train"), Preprocessing(margin=FRAME_MARGIN)
    ratios = []
    for index in range(0, len(train), 20):
        face = preprocessing.crop_transform(Box.from_points(train.keypoints[index]))
        frame = preprocessing.frame_transform(*train.image(index).shape[:2])
        ratios.append(face.matrix[0, 0] / frame.matrix[0, 0])
    assert np.median(ratios) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("channels", [1, 3])
def test_crops_become_a_tensor_from_0_to_1(channels: int) -> None:
    crops = [np.full((32, 32, 3), value, np.uint8) for value in (0, 51, 255)]
    tensor = Preprocessing(size=32, channels=channels).to_tensor(crops)
    assert tuple(tensor.shape) == (3, channels, 32, 32)
    assert str(tensor.dtype) == "torch.float32"
    assert [float(face.mean()) for face in tensor] == pytest.approx([0, 0.2, 1])


def test_grey_weighs_colours_as_television_does() -> None:
    red, green, blue = (np.zeros((16, 16, 3), np.uint8) for _ in range(3))
    red[..., 0] = green[..., 1] = blue[..., 2] = 255
    tensor = Preprocessing(size=16).to_tensor([red, green, blue])
    assert [float(face.mean()) for face in tensor] == pytest.approx([0.299, 0.587, 0.114], abs=0.003)


def test_colours_keep_their_order() -> None:
    image, _ = drawn_face(0)
    tensor = Preprocessing(size=32, channels=3).to_tensor([image[:32, :32]])
    assert np.allclose(tensor[0].permute(1, 2, 0).numpy() * 255, image[:32, :32], atol=1e-3)


@pytest.mark.parametrize(
    "bad",
    [
        {"size": 8},
        {"size": 4096},
        {"size": 64.5},
        {"margin": 0},
        {"margin": float("nan")},
        {"margin": 11},
        {"channels": 2},
        {"scale": 0},
        {"scale": -1},
        {"mean": float("inf")},
    ],
)
def test_impossible_numbers_are_refused(bad: dict) -> None:
    with pytest.raises(ConfigError, match=next(iter(bad))):
        Preprocessing(**bad)
