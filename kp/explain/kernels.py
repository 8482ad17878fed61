"""The kernels of a network's convolutions as arrays, and the result of one on an image."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from kp.errors import choose
from kp.models.base import StagedModel


def convolutions(model: nn.Module) -> dict[str, nn.Conv2d]:
    """The convolutions by name, in the order the model defines them, which is that of its forward pass."""
    return {name: module for name, module in model.named_modules() if isinstance(module, nn.Conv2d)}


def kernels(model: nn.Module, name: str) -> np.ndarray:
    """float32 (out, in, kh, kw): a kernel for each pair of output map and input channel.

    Raises ConfigError for a name that is not among `convolutions`.
    """
    return choose("convolution", name, convolutions(model)).weight.detach().float().cpu().numpy()


def input_channel(convolution: nn.Conv2d, out: int, channel: int) -> int:
    """Index of the input channel that the kernel [out, channel] reads; differs from `channel` in grouped ones."""
    group = out // (convolution.out_channels // convolution.groups)
    return group * (convolution.in_channels // convolution.groups) + channel


def filter_image(grey: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """float32 (H, W): an image (H, W), uint8 or float, correlated with a kernel (kh, kw), as torch's conv2d does.

    Pixel (x, y) is the sum over the kernel's cells (i, j) of kernel[j, i] * grey[y + j - kh // 2, x + i - kw // 2].
    Beyond the edge the image is mirrored about its outermost pixels (cv2.BORDER_REFLECT_101).
    """
    return cv2.filter2D(
        np.asarray(grey, np.float32), cv2.CV_32F, np.asarray(kernel, np.float32), borderType=cv2.BORDER_REFLECT_101
    )


class _ConvInputs(TorchFunctionMode):
    """A context that records each convolution's input, in this thread only and without hooks on the model."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.names = {id(module.weight): name for name, module in convolutions(model).items()}
        self.inputs: dict[str, Tensor] = {}

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if func is torch.conv2d and id(args[1]) in self.names:
            self.inputs[self.names[id(args[1])]] = args[0].detach()
        return func(*args, **(kwargs or {}))


def convolution_inputs(model: StagedModel, x: Tensor) -> dict[str, Tensor]:
    """Each convolution's input (n, in, h, w) for x (n, channels, size, size), in order of execution."""
    with torch.no_grad(), _ConvInputs(model) as mode:
        for _ in model.stages(x):
            pass
    return mode.inputs


@dataclass(frozen=True)
class KernelShape:
    """Shares, 0..1, of a kernel's energy (its sum of squares) that are its mean (even) and a linear slope.

    direction: in which the slope rises, degrees clockwise from the right: 0 right, 90 down.
    """

    even: float
    slope: float
    direction: float


def kernel_shape(kernel: np.ndarray) -> KernelShape:
    """The least-squares plane of a kernel (kh, kw); all values 0 for a kernel of zeros."""
    values = np.asarray(kernel, np.float64)
    energy = float((values**2).sum())
    if energy == 0:
        return KernelShape(0.0, 0.0, 0.0)
    y, x = np.indices(values.shape, np.float64)
    x, y = x - x.mean(), y - y.mean()  # the three patterns 1, x and y are orthogonal
    along_x, along_y = (_share(values, pattern) for pattern in (x, y))
    even = values.sum() ** 2 / values.size
    return KernelShape(
        even=float(even / energy),
        slope=float((along_x**2 + along_y**2) / energy),
        direction=float(np.degrees(np.arctan2(along_y, along_x)) % 360),
    )


def _share(values: np.ndarray, pattern: np.ndarray) -> float:
    """The component of `values` along `pattern`."""
    length = float(np.sqrt((pattern**2).sum()))
    return float((values * pattern).sum()) / length if length else 0.0
