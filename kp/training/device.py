"""The device that a network is trained on."""

import torch

from kp.errors import ConfigError, choose

DEVICES = {
    "auto": "a GPU where there is one, else the processor",
    "cpu": "the processor",
    "cuda": "an NVIDIA GPU",
}


def find_device(name: str, number: int = 0) -> torch.device:
    """The device by its name in DEVICES, GPU `number` of this machine. Raises ConfigError where there is none."""
    choose("device", name, DEVICES)
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise ConfigError(
            "--device is cuda, and PyTorch finds no GPU here. Take --device cpu, or install a PyTorch "
            "that fits the GPU."
        )
    return torch.device("cuda", number) if available and name != "cpu" else torch.device("cpu")
