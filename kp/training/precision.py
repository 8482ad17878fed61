"""The forward pass in float32 or bfloat16, and which of them is faster."""

import copy
import math
import time
from dataclasses import dataclass

import torch
from torch import Tensor

from kp.landmarks import NUM_KEYPOINTS
from kp.models.base import StagedModel
from kp.training.config import TrainConfig
from kp.training.distributed import ProcessGroup
from kp.training.losses import LOSSES, Loss, Stages

BFLOAT16_GAIN = 1.15  # bfloat16 is taken where it is at least this much faster
TIMED_STEPS = 4  # of each; the fastest counts


@dataclass(frozen=True)
class Forward:
    """The forward pass on a device: (n, channels, size, size) to the network's stages, keypoints in float32."""

    device: torch.device
    bfloat16: bool

    @property
    def dtype(self) -> torch.dtype:
        return torch.bfloat16 if self.bfloat16 else torch.float32

    def __call__(self, model: StagedModel, inputs: Tensor) -> Stages:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            stages = dict(model.stages(inputs.to(self.device, non_blocking=True)))
        return stages | {"keypoints": stages["keypoints"].float()}


def choose_forward(
    config: TrainConfig, model: StagedModel, device: torch.device, group: ProcessGroup, *, batch_size: int
) -> Forward:
    """The forward pass in the config's precision; for "auto" in bfloat16 where any process of the group is faster."""
    if config.precision != "auto":
        return Forward(device, config.precision == "bfloat16")
    inputs = torch.zeros(batch_size, config.preprocessing.channels, config.input_size, config.input_size)
    return Forward(device, group.any(bfloat16_is_faster(model, LOSSES[config.loss], device, inputs)))


def bfloat16_is_faster(model: StagedModel, loss: Loss, device: torch.device, inputs: Tensor) -> bool:
    """Whether training steps on such inputs (n, channels, size, size) are faster in bfloat16, timed on a copy.

    On a GPU: whether it computes in bfloat16. The random generator is left as it was.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    inputs = inputs.contiguous(memory_format=torch.channels_last)
    targets = torch.zeros(len(inputs), NUM_KEYPOINTS, 2)
    model, times = copy.deepcopy(model), {False: math.inf, True: math.inf}
    with torch.random.fork_rng():
        for bfloat16 in times:
            forward = Forward(device, bfloat16)
            for _ in range(TIMED_STEPS):
                begun = time.perf_counter()
                loss(forward(model, inputs), targets).backward()
                times[bfloat16] = min(time.perf_counter() - begun, times[bfloat16])
    return times[True] * BFLOAT16_GAIN < times[False]
