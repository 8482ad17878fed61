"""The networks: shapes, sizes, and stages."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from kp.errors import ConfigError
from kp.models import MODELS, count_parameters, create_model, stage_outputs
from kp.models.five_conv import FiveConvNet
from kp.models.heatmap_net import HeatmapNet, cell_centres
from kp.models.naimishnet import NaimishNet


def made(name: str) -> tuple[nn.Module, torch.Tensor]:
    """A network in evaluation mode, and two crops of its size."""
    torch.manual_seed(0)
    size = MODELS[name].input_size
    return create_model(name, **MODELS[name].arguments_for(size)).eval(), torch.rand(2, 1, size, size)


@pytest.mark.parametrize("name", MODELS)
def test_crops_become_68_points(name: str) -> None:
    model, x = made(name)
    with torch.inference_mode():
        keypoints = model(x)
    assert tuple(keypoints.shape) == (2, 68, 2)
    assert keypoints.isfinite().all()
    assert not torch.equal(keypoints[0], keypoints[1])


@pytest.mark.parametrize("name", MODELS)
def test_the_last_stage_is_the_output(name: str) -> None:
    model, x = made(name)
    stages = stage_outputs(model, x)
    assert list(stages)[-1] == "keypoints"
    assert torch.allclose(stages["keypoints"], model(x).detach())
    assert all(len(output) == 2 for output in stages.values())


@pytest.mark.parametrize("name", MODELS)
def test_faces_of_a_batch_are_independent(name: str) -> None:
    model, x = made(name)
    with torch.inference_mode():
        assert torch.allclose(model(x)[1], model(x[1:])[0], atol=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_every_parameter_learns(name: str) -> None:
    model, x = made(name)
    sum(output.float().square().sum() for _, output in model.stages(x)).backward()
    silent = [key for key, value in model.named_parameters() if value.grad is None]
    assert not silent


@pytest.mark.parametrize("name", MODELS)
def test_the_same_seed_makes_the_same_network(name: str) -> None:
    (first, _), (second, _) = made(name), made(name)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_five_conv_stage_by_stage() -> None:
    model, x = made("five_conv")
    assert {name: tuple(output.shape[1:]) for name, output in stage_outputs(model, x).items()} == {
        "conv1": (16, 109, 109),
        "conv2": (32, 52, 52),
        "conv3": (64, 25, 25),
        "conv4": (128, 11, 11),
        "conv5": (512, 4, 4),
        "fc1": (1024,),
        "keypoints": (68, 2),
    }
    assert [tuple(getattr(model, f"conv{number}").kernel_size) for number in range(1, 6)] == [
        (7, 7),
        (5, 5),
        (3, 3),
        (3, 3),
        (3, 3),
    ]
    assert model.fc1.in_features == 8192


def test_five_conv_has_its_published_number_of_parameters() -> None:
    assert count_parameters(FiveConvNet()) == 9_225_352


def test_naimishnet_has_the_paper_s_number_of_parameters() -> None:
    assert count_parameters(NaimishNet(input_size=96, num_keypoints=1)) == 7_488_962


def test_naimishnet_stage_by_stage() -> None:
    model, x = made("naimishnet")
    assert {name: tuple(output.shape[1:]) for name, output in stage_outputs(model, x).items()} == {
        "conv1": (32, 46, 46),
        "conv2": (64, 22, 22),
        "conv3": (128, 10, 10),
        "conv4": (256, 5, 5),
        "fc1": (1000,),
        "fc2": (1000,),
        "keypoints": (68, 2),
    }


@pytest.mark.parametrize("size", [27, 32, 64])
def test_naimishnet_takes_other_sizes(size: int) -> None:
    model = NaimishNet(input_size=size).eval()
    assert tuple(model(torch.zeros(1, 1, size, size)).shape) == (1, 68, 2)


@pytest.mark.parametrize("activation", [torch.relu, F.elu])
def test_pooling_before_the_activation_gives_the_same_numbers(activation) -> None:
    x = torch.randn(3, 5, 21, 30, generator=torch.Generator().manual_seed(1))
    assert torch.equal(activation(F.max_pool2d(x, 2)), F.max_pool2d(activation(x), 2))


def test_five_conv_is_the_network_as_published() -> None:
    """Activation first, then pooling, in plain functions."""
    model, x = made("five_conv")
    y = x
    for number in range(1, 6):
        y = F.max_pool2d(F.relu(getattr(model, f"conv{number}")(y)), 2)
    y = model.fc2(F.relu(model.fc1(y.flatten(1)))).reshape(-1, 68, 2)
    assert torch.allclose(model(x), y, atol=1e-5)


@pytest.mark.parametrize("name", ["five_conv", "naimishnet"])
def test_dropout_is_for_training_alone(name: str) -> None:
    model, x = made(name)
    with torch.inference_mode():
        assert torch.equal(model(x), model(x))
        model.train()
        assert not torch.equal(model(x), model(x))


@pytest.mark.parametrize("size", [32, 64, 128])
def test_heatmaps_have_a_quarter_of_the_size(size: int) -> None:
    stages = stage_outputs(HeatmapNet(width=8).eval(), torch.rand(1, 1, size, size))
    assert tuple(stages["heatmaps"].shape) == (1, 68, size // 4, size // 4)
    assert tuple(stages["sigma"].shape) == (1, 68)
    assert (stages["sigma"] > 0).all()


def test_a_sharp_heatmap_s_mean_is_its_peak() -> None:
    """The mean of a heatmap is taken over cell centres, with -1..1 from border to border."""
    model = HeatmapNet(width=8).eval()
    nn.init.zeros_(model.heatmaps.weight)
    nn.init.zeros_(model.heatmaps.bias)
    with torch.inference_mode():
        assert torch.allclose(model(torch.rand(1, 1, 64, 64)), torch.zeros(1, 68, 2), atol=1e-5)  # flat: the middle
    assert cell_centres(4, torch.device("cpu")).tolist() == [-0.75, -0.25, 0.25, 0.75]


def test_naimishnet_needs_27_pixels() -> None:
    with pytest.raises(ConfigError, match="at least 27"):
        NaimishNet(input_size=26)


def test_an_unknown_network_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="'six_conv'.*five_conv, naimishnet"):
        create_model("six_conv")


@pytest.mark.parametrize("name", MODELS)
def test_an_unknown_argument_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} cannot be made with.*wings"):
        create_model(name, wings=2)


@pytest.mark.parametrize(("name", "size"), [("five_conv", 96), ("heatmap_net", 100)])
def test_a_size_that_a_network_cannot_take(name: str, size: int) -> None:
    with pytest.raises(ConfigError, match=f"{name} takes crops.*{size}"):
        MODELS[name].arguments_for(size)


@pytest.mark.parametrize("name", MODELS)
def test_folding_the_norms_keeps_the_outputs(name: str) -> None:
    torch.manual_seed(0)
    model = create_model(name, **MODELS[name].arguments_for(MODELS[name].input_size)).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
    x = torch.rand(2, 1, model.input_size, model.input_size)
    folded = model.folded()
    with torch.inference_mode():
        torch.testing.assert_close(folded(x), model(x), atol=1e-5, rtol=1e-5)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())
