"""Kernels and feature maps against torch's own results."""

from dataclasses import astuple

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from kp.errors import ConfigError
from kp.explain.feature_maps import MapGeometry, feature_maps, map_geometry
from kp.explain.kernels import (
    convolution_inputs,
    convolutions,
    filter_image,
    input_channel,
    kernel_shape,
    kernels,
)
from kp.models import MODELS, create_model
from kp.models.base import StagedModel


class ColourHeatmaps(StagedModel):
    """Three channels, groups of stages with a way round, padding, kernels of 7x7 to 1x1, 68 heatmaps."""

    input_size = 64

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 7, 2, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.group = nn.ModuleList([nn.Conv2d(8, 8, 5, padding=2), nn.Conv2d(8, 8, 3, padding=1, groups=2)])
        self.heatmaps = nn.Conv2d(8, 68, 1)

    def stages(self, x):
        x = self.stem(x)
        yield "stem", x
        x = x + self.group[1](torch.relu(self.group[0](x)))
        yield "group", x
        x = self.heatmaps(x)
        yield "heatmaps", x
        yield "keypoints", torch.stack([x.mean((2, 3)), x.amax((2, 3))], 2)


def crop_for(model: StagedModel, count: int = 1) -> torch.Tensor:
    channels = next(iter(convolutions(model).values())).in_channels
    return torch.rand(count, channels, model.input_size, model.input_size, generator=torch.Generator().manual_seed(1))


@pytest.fixture(params=[*MODELS, "custom"])
def model(request: pytest.FixtureRequest) -> StagedModel:
    torch.manual_seed(0)
    return (ColourHeatmaps() if request.param == "custom" else create_model(request.param)).eval()


def test_the_convolutions_come_in_the_order_of_the_forward_pass(model: StagedModel) -> None:
    assert list(convolution_inputs(model, crop_for(model))) == list(convolutions(model))


def test_kernels_are_the_weights(model: StagedModel) -> None:
    for name, convolution in convolutions(model).items():
        values = kernels(model, name)
        assert values.dtype == np.float32
        assert np.array_equal(values, convolution.weight.detach().numpy())


def test_an_unknown_convolution_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ConfigError, match="conv1, conv2"):
        kernels(create_model("naimishnet"), "conv9")


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 3), (4, 4), (5, 3), (7, 7)])
def test_filter_image_is_conv2d_away_from_the_border(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    grey, kernel = rng.integers(0, 256, (31, 29), np.uint8), rng.normal(size=size).astype(np.float32)
    filtered = filter_image(grey, kernel)
    assert filtered.dtype == np.float32 and filtered.shape == grey.shape
    expected = F.conv2d(torch.from_numpy(grey).float()[None, None], torch.from_numpy(kernel)[None, None])[0, 0].numpy()
    top, left = size[0] // 2, size[1] // 2
    inside = filtered[top : top + expected.shape[0], left : left + expected.shape[1]]
    np.testing.assert_allclose(inside, expected, atol=2e-3)


def test_the_sum_of_a_convolutions_kernels_at_work_is_its_output(model: StagedModel) -> None:
    x = crop_for(model)
    for name, convolution in convolutions(model).items():
        read = convolution_inputs(model, x)[name]
        with torch.inference_mode():
            expected = convolution(read)[0, 1].numpy()
        values, padding, stride = kernels(model, name), convolution.padding[0], convolution.stride[0]
        planes = [
            np.pad(read[0, input_channel(convolution, 1, channel)].numpy(), padding)
            for channel in range(values.shape[1])
        ]
        total = sum(filter_image(plane, values[1, channel]) for channel, plane in enumerate(planes))
        seen = slice(values.shape[2] // 2, values.shape[2] // 2 + len(expected) * stride, stride)
        bias = 0 if convolution.bias is None else float(convolution.bias.detach()[1])
        np.testing.assert_allclose(total[seen, seen] + bias, expected, atol=1e-3, rtol=1e-3)


def test_recording_inputs_leaves_the_model_as_it_is(model: StagedModel) -> None:
    x = crop_for(model)
    with torch.inference_mode():
        before = model(x)
        convolution_inputs(model, x)
        assert torch.equal(model(x), before)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_feature_maps_are_the_modules_own_outputs() -> None:
    model = create_model("five_conv").eval()
    x = crop_for(model)
    maps = feature_maps(model, x)
    with torch.inference_mode():
        first = torch.max_pool2d(torch.relu(model.conv1(x)), 2)
        second = torch.max_pool2d(torch.relu(model.conv2(first)), 2)
    np.testing.assert_allclose(maps["conv2"], second[0].numpy(), atol=1e-6)
    assert maps["fc1"].shape == (1024,) and maps["keypoints"].shape == (68, 2)


def test_feature_maps_of_every_model_are_float32_and_end_in_the_keypoints(model: StagedModel) -> None:
    x = crop_for(model)
    maps = feature_maps(model, x)
    assert all(output.dtype == np.float32 and output.ndim in (1, 2, 3) for output in maps.values())
    with torch.inference_mode():
        np.testing.assert_array_equal(list(maps.values())[-1], model(x)[0].numpy())


@pytest.mark.parametrize(
    "stage, step, sees",
    [
        ("conv1", 2, 8),
        ("conv2", 4, 18),
        ("conv3", 8, 30),
        ("conv4", 16, 54),
        ("conv5", 32, 102),
    ],
)
def test_where_the_maps_of_five_conv_lie(stage: str, step: int, sees: int) -> None:
    """By hand: a convolution adds kernel - 1 steps to what is seen; a pooling adds one, then doubles the step."""
    model = create_model("five_conv").eval()
    geometry = map_geometry(model, stage, crop_for(model))
    assert geometry == MapGeometry((sees - 1) / 2, step, sees, True)


def test_a_pixel_depends_on_its_receptive_field_alone() -> None:
    model = create_model("naimishnet").eval()
    x = crop_for(model)
    box = map_geometry(model, "conv3", x).field(4, 6)
    inside, outside = x.clone(), torch.rand(x.shape)
    left, top, right, bottom = (round(side + 0.5) for side in astuple(box))
    field = (..., slice(top, bottom), slice(left, right))
    outside[field] = x[field]
    inside[field] = 1 - x[field]
    pixel, same, other = (feature_maps(model, crop)["conv3"][:, 6, 4] for crop in (x, outside, inside))
    np.testing.assert_allclose(same, pixel, atol=1e-5)
    assert np.abs(other - pixel).max() > 1e-3


def test_maps_of_a_network_that_pads_are_stretched_over_the_crop() -> None:
    model = ColourHeatmaps().eval()
    geometry = map_geometry(model, "heatmaps", crop_for(model))
    assert (geometry.start, geometry.step, geometry.exact) == (0.5, 2.0, False)
    assert geometry.sees == 7 + 2 * (4 + 2)


def test_a_stage_without_maps_has_no_geometry() -> None:
    model = create_model("naimishnet").eval()
    with pytest.raises(ConfigError, match="fc1"):
        map_geometry(model, "fc1", crop_for(model))


@pytest.mark.parametrize("slope, direction", [((1, 0), 0), ((0, 1), 90), ((-1, 0), 180), ((1, -1), 315)])
def test_the_direction_of_a_slope(slope: tuple[int, int], direction: float) -> None:
    y, x = np.indices((5, 5)) - 2
    shape = kernel_shape(slope[0] * x + slope[1] * y)
    assert shape.slope == pytest.approx(1) and shape.even == pytest.approx(0)
    assert shape.direction == pytest.approx(direction)
    ramp = 128 + 5 * (slope[0] * np.arange(20)[None] + slope[1] * np.arange(20)[:, None])
    assert filter_image(ramp, slope[0] * x + slope[1] * y)[10, 10] > 0  # it responds to brightness rising that way


def test_the_shape_of_even_and_of_empty_kernels() -> None:
    assert kernel_shape(np.full((3, 3), -2.0)).even == pytest.approx(1)
    assert kernel_shape(np.zeros((3, 3))).slope == 0 == kernel_shape(np.zeros((3, 3))).even
    assert kernel_shape(np.ones((1, 1))).slope == 0
