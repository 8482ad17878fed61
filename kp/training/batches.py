"""Training batches, crops and keypoints with augmentation drawn anew in every epoch, and validation crops."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from kp.data import FacialKeypointsDataset, Sample
from kp.data.preprocessing import FRAME_RATIO, Preprocessing
from kp.geometry import Box
from kp.training.config import TrainConfig
from kp.training.distributed import SINGLE_PROCESS, ProcessGroup
from kp.transforms.base import Compose, Transform
from kp.transforms.face_deformation import RandomHeadTurn, RandomMouth
from kp.transforms.geometric import (
    FaceCrop,
    RandomCrop,
    RandomHorizontalFlip,
    RandomRotate,
    Rescale,
)
from kp.transforms.head_shape import Head, fit_head
from kp.transforms.photometric import RandomBlur, RandomBrightnessContrast, RandomNoise, RandomOcclusion

# Jitter of the face crop: FaceCrop's scale, shift and angle in degrees. Wide enough to cover the boxes of detectors;
# wider for long runs.
WIDE = ((-0.25, 0.3), 0.06, 18.0)
JITTER = {"geometry": ((-0.15, 0.2), 0.04, 12.0), "full": WIDE, "3d": WIDE}


def crop_transform(config: TrainConfig, rng: np.random.Generator, head: Head | None = None) -> Transform:
    """From a whole frame to a crop of the network's size, with the config's augmentation.

    head: the mean head that the augmentation "3d" turns.
    """
    varied = config.augmentation != "none"
    scale, shift, turn = JITTER.get(config.augmentation, ((0.0, 0.0), 0.0, 0.0))
    steps: list[Transform] = [RandomMouth(head, rng=rng), RandomHeadTurn(head, rng=rng)] if head else []
    if config.crop == "frame":
        steps += [Rescale(round(config.input_size * FRAME_RATIO)), RandomCrop(config.input_size, rng=rng)]
        steps += [RandomRotate(turn, rng=rng)] if varied else []
    else:
        steps.append(FaceCrop(config.input_size, config.margin, scale=scale, shift=shift, turn=turn, rng=rng))
    if varied:
        steps.append(RandomHorizontalFlip(rng=rng))
    if config.augmentation in ("full", "3d"):
        steps += [
            RandomBrightnessContrast(rng=rng),
            RandomBlur(0.3, rng=rng),
            RandomNoise(0.3, rng=rng),
            RandomOcclusion(0.3, rng=rng),
        ]
    return Compose(steps)


def to_batch(samples: list[Sample], preprocessing: Preprocessing) -> tuple[Tensor, Tensor]:
    """Inputs float32 (n, channels, size, size) and targets float32 (n, 68, 2), in the network's units."""
    keypoints = np.stack([sample.points() for sample in samples])
    crops = preprocessing.to_tensor([sample.pixels() for sample in samples])
    return crops.contiguous(memory_format=torch.channels_last), torch.from_numpy(preprocessing.encode(keypoints))


class TrainingBatches:
    """The batches of an epoch; a process of a group gets its shard of each.

    The augmentation of an image depends on (seed, epoch, its row) alone, not on the order of threads. ahead: a thread
    prepares each batch during the step before, which pays only where a core is idle.
    """

    def __init__(
        self,
        dataset: FacialKeypointsDataset,
        config: TrainConfig,
        group: ProcessGroup = SINGLE_PROCESS,
        *,
        ahead: bool = False,
    ) -> None:
        self.dataset, self.config, self.preprocessing, self.group = dataset, config, config.preprocessing, group
        self.ahead = ahead
        self.grey = self.preprocessing.channels == 1
        self.head = fit_head(dataset.keypoints) if config.augmentation == "3d" else None

    def __len__(self) -> int:
        return -(-len(self.dataset) // self.config.batch_size)

    def epoch(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Each batch of epoch `number`, as inputs and targets of `to_batch`, in an order drawn by the seed."""
        order = np.random.default_rng((self.config.seed, number)).permutation(len(self.dataset))
        chunks = np.array_split(order, range(self.config.batch_size, len(order), self.config.batch_size))
        if not self.ahead:
            yield from (self._batch(number, chunk) for chunk in chunks)
            return
        with ThreadPoolExecutor(1) as pool:
            coming = pool.submit(self._batch, number, chunks[0])
            for chunk in [*chunks[1:], None]:
                batch = coming.result()
                if chunk is not None:
                    coming = pool.submit(self._batch, number, chunk)
                yield batch

    def _batch(self, epoch: int, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        samples = []
        for row in self.group.shard(rows):
            rng = np.random.default_rng((self.config.seed, epoch, int(row)))
            samples.append(crop_transform(self.config, rng, self.head)(self.dataset.sample(int(row), grey=self.grey)))
        return to_batch(samples, self.preprocessing)


def validation_crops(dataset: FacialKeypointsDataset, config: TrainConfig) -> list[Sample]:
    """A crop of every face without augmentation: about its true box, or the middle of the frame."""
    preprocessing, crops = config.preprocessing, []
    for index in range(len(dataset)):
        sample = dataset.sample(index, grey=preprocessing.channels == 1)
        crop = (
            preprocessing.frame_transform(*sample.pixels().shape[:2])
            if config.crop == "frame"
            else preprocessing.crop_transform(Box.from_points(sample.points()))
        )
        crops.append(sample.moved(crop.warp(sample.pixels()), crop.matrix))
    return crops
