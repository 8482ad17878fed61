"""Several processes that train one network: `torchrun --nproc-per-node 2 -m kp train ...`.

Each takes its shard of every batch, and all make the same step with the mean of their gradients. A run equals that of
one process except for rounding, for dropout, and for batch norm, whose statistics are those of a shard.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, distributed, nn

from kp.errors import ConfigError, KpError
from kp.hardware import idle_cores

VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")  # set by torchrun in each process
RENDEZVOUS = ("MASTER_ADDR", "MASTER_PORT")  # set by torchrun, too


@dataclass(frozen=True)
class ProcessGroup:
    """The processes of a run; this one is number `rank` of `size`, and `local_rank` of `local_size` on this machine."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @classmethod
    def from_environment(cls) -> "ProcessGroup":
        """The group that torchrun describes, or a single process. Raises ConfigError where variables are missing."""
        if os.environ.get("WORLD_SIZE", "1") == "1":
            return cls()
        missing = [name for name in (*VARIABLES, *RENDEZVOUS) if not os.environ.get(name)]
        if missing:
            raise ConfigError(
                f"WORLD_SIZE is {os.environ['WORLD_SIZE']}, but {', '.join(missing)} is not set. Start "
                "several processes with torchrun --nproc-per-node N -m kp train, or unset WORLD_SIZE."
            )
        return cls(*(int(os.environ[name]) for name in VARIABLES))

    def shard(self, rows: np.ndarray) -> np.ndarray:
        """This process's rows of a batch; the first row where there are fewer rows than processes."""
        own = rows[self.rank :: self.size]
        return own if len(own) else rows[:1]

    def sum(self, *values: float) -> list[float]:
        """The sums over the group, the same in each process."""
        numbers = torch.tensor(values, dtype=torch.float64)
        self.add(numbers)
        return numbers.tolist()

    def add(self, tensor: Tensor) -> None:
        """Replace a tensor by its sum over the group. Raises KpError where another process has ended."""
        if self.size > 1:
            try:
                distributed.all_reduce(tensor)
            except RuntimeError as error:
                raise KpError(
                    "Another process of this run has ended, so this one ends too; what was saved last is "
                    "kept. The other's message names the cause."
                ) from error

    def any(self, flag: bool) -> bool:
        """Whether it is true in any process, the same in each: all end together, so that none waits for another."""
        return self.sum(float(flag))[0] > 0

    @torch.no_grad()
    def average(self, tensors: Iterable[Tensor], weight: float) -> None:
        """Replace each tensor by its weighted mean over the group; the weights of all processes add up to 1."""
        if self.size == 1:
            return
        tensors = list(tensors)
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors]) * weight  # one message in place of many
        self.add(flat)
        for tensor, mean in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(mean.view(tensor.shape))

    def average_gradients(self, model: nn.Module, weight: float) -> None:
        """Replace gradients and batch norm's running statistics by their means over the whole batch."""
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        self.average([*gradients, *_running(model)], weight)

    def broadcast(self, model: nn.Module) -> None:
        """Copy the weights of the first process to all others."""
        self.average([*model.parameters(), *_running(model)], float(self.rank == 0))


def _running(model: nn.Module) -> list[Tensor]:
    return [buffer for buffer in model.buffers() if buffer.is_floating_point()]


SINGLE_PROCESS = ProcessGroup()


@contextmanager
def join_process_group() -> Iterator[ProcessGroup]:
    """The group that torchrun started, connected; or a single process."""
    group = ProcessGroup.from_environment()
    if group.size == 1:
        yield group
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(group.local_rank % torch.cuda.device_count())
    distributed.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield group
    finally:
        distributed.destroy_process_group()


def free_threads(group: ProcessGroup) -> int:
    """Processor threads for this process: its part of the idle cores; for a single process at most PyTorch's number."""
    if group.size == 1:
        return min(idle_cores(), torch.get_num_threads())  # follows OMP_NUM_THREADS
    return max(1, idle_cores() // group.local_size)  # OMP_NUM_THREADS is 1 under torchrun
