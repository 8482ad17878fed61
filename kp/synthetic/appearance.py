"""A statistical model of the appearance of faces, after Cootes, Edwards and Taylor, "Active Appearance Models" (1998).

A portrait is a shape (68 points), pictures of skin, hair and clothes warped to the mean shape, and their outlines;
each is a mean plus principal components. The file holds these means and components, and statistics of their
coefficients: means over at least four people and covariances over 282. It holds no coefficient of a single person or
image, so that none can be reconstructed.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from kp.errors import CheckpointError
from kp.files import atomic_write
from kp.hardware import one_thread_each
from kp.synthetic.pca import Components, unfold
from kp.synthetic.sampling import CoefficientStatistics

FILE = Path(__file__).resolve().parent.parent.parent / "checkpoints" / "appearance.safetensors"
SIDE = 160  # pixels of the warped picture; colours and edges have half of it
WINDOW = 132  # pixels in its middle that the components of the skin cover
# Pairs of points of the inner lips and the eyelids, upper and lower, and their least distance in face heights.
LIDS = np.array([(61, 67), (62, 66), (63, 65), (37, 41), (38, 40), (43, 47), (44, 46)])
NARROWEST = 0.004


@dataclass(frozen=True)
class Layer:
    """A picture warped to the mean shape. luma: float32 (SIDE, SIDE); chroma: (SIDE/2, SIDE/2, 2); 0..255 (YCrCb)."""

    luma: np.ndarray
    chroma: np.ndarray


@dataclass(frozen=True)
class Portrait:
    """Points (68, 2), in heights of the mean shape about its middle, and the layers to warp to them.

    edges: distances to the outlines of person, hair and clothes, float32 (3, SIDE/2, SIDE/2), face heights, positive
    inside.
    """

    shape: np.ndarray
    skin: Layer
    hair: Layer
    clothes: Layer
    edges: np.ndarray


PARTS = ("skin", "hair", "clothes", "edges")
TENSOR_PREFIXES = {"statistics": "spreads"}  # names in the file that differ from the field's


@dataclass(frozen=True)
class AppearanceModel:
    """Means, components, and statistics of their coefficients, which are in standard deviations.

    Coefficients (n,) are those of the shape's modes, then of each of PARTS; the first one turns the head.
    detail: (3, SIDE, SIDE), standard deviation in grey levels of what the components of skin, hair and clothes omit.
    """

    mean_shape: np.ndarray  # (68, 2), face heights about the middle
    modes: np.ndarray = field(repr=False)  # (modes, 68, 2), one standard deviation each
    skin: Components = field(repr=False)
    hair: Components = field(repr=False)
    clothes: Components = field(repr=False)
    edges: Components = field(repr=False)
    detail: np.ndarray = field(repr=False)
    statistics: CoefficientStatistics = field(repr=False)

    @property
    def parts(self) -> dict[str, slice]:
        """The slice of each part's coefficients."""
        counts = [len(self.modes), *(len(getattr(self, name)) for name in PARTS)]
        ends = np.cumsum(counts)
        return {
            name: slice(int(end - count), int(end))
            for name, end, count in zip(("shape", *PARTS), ends, counts, strict=True)
        }

    @one_thread_each()
    def shape(self, coefficients: np.ndarray) -> np.ndarray:
        """Points float64 (68, 2), in heights of the mean shape about its middle."""
        points = self.mean_shape + np.tensordot(coefficients[: len(self.modes)], self.modes.astype(np.float64), 1)
        upper, lower = LIDS[:, 0], LIDS[:, 1]
        crossed = np.maximum(NARROWEST - (points[lower, 1] - points[upper, 1]), 0) / 2
        points[upper, 1] -= crossed
        points[lower, 1] += crossed
        return points

    @one_thread_each()
    def portraits(self, coefficients: np.ndarray) -> list[Portrait]:
        """The portraits of coefficients (faces, n)."""
        halves = {name: getattr(self, name).halves(coefficients[:, self.parts[name]]) for name in PARTS}
        return [
            self._portrait(row, {name: (even[at], odd[at]) for name, (even, odd) in halves.items()})
            for at, row in enumerate(coefficients)
        ]

    def _portrait(self, coefficients: np.ndarray, halves: dict[str, tuple[np.ndarray, np.ndarray]]) -> Portrait:
        layers = {name: Layer(*planes(*halves[name])) for name in ("hair", "clothes")}
        rim = (SIDE - WINDOW) // 2
        half = rim // 2
        luma, chroma = planes(*halves["skin"])
        skin = Layer(
            cv2.copyMakeBorder(luma, rim, rim, rim, rim, cv2.BORDER_REPLICATE),
            cv2.copyMakeBorder(chroma, half, half, half, half, cv2.BORDER_REPLICATE),
        )
        even, odd = (half.reshape(3, SIDE // 2, SIDE // 4) for half in halves["edges"])
        return Portrait(self.shape(coefficients), skin, layers["hair"], layers["clothes"], unfold(even, odd))


def planes(even: np.ndarray, odd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Luma (side, side) and chroma (side/2, side/2, 2) from flat left halves: luma's, then red's, then blue's."""
    half = round((len(even) / 3) ** 0.5)  # side^2 / 2 of luma and as much again halved twice
    cuts = (2 * half * half, 2 * half * half + half * half // 2)
    shapes = (2 * half, half), (half, half // 2), (half, half // 2)
    pairs = zip(np.split(even, cuts), np.split(odd, cuts), shapes, strict=True)
    first, *colours = (unfold(left.reshape(shape), right.reshape(shape)) for left, right, shape in pairs)
    return first, np.dstack(colours)


def save_appearance(model: AppearanceModel, path: Path | str) -> None:
    """Write the model as safetensors. Raises CheckpointError where the file cannot be written."""
    arrays: dict[str, np.ndarray] = {}
    for name, value in vars(model).items():
        if isinstance(value, np.ndarray):
            arrays[name] = np.ascontiguousarray(value)
        else:
            tensors = {key: part for key, part in vars(value).items() if isinstance(part, np.ndarray)}
            prefix = TENSOR_PREFIXES.get(name, name)
            arrays |= {f"{prefix}.{key}": np.ascontiguousarray(tensor) for key, tensor in tensors.items()}
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, save(arrays, {"kind": "appearance model"}))
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be written ({error.strerror or error}). Free some space or name another file."
        ) from None


def load_appearance(path: Path | str = FILE) -> AppearanceModel:
    """The model in a file. Raises CheckpointError where it holds none."""
    try:
        arrays: dict[str, np.ndarray] = load(Path(path).read_bytes())
        kinds: dict[str, type] = dict.fromkeys(PARTS, Components) | {"statistics": CoefficientStatistics}
        fields: dict[str, Any] = {
            name: kind(**_pop(arrays, f"{TENSOR_PREFIXES.get(name, name)}.")) for name, kind in kinds.items()
        }
        return AppearanceModel(**(fields | arrays))
    except (OSError, SafetensorError, TypeError) as error:
        raise CheckpointError(
            f"{path} is no appearance model ({error}). Fit one with `python -m kp appearance`, or copy the file again."
        ) from None


def _pop(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """Remove the arrays whose names have a prefix; returns them by the rest of their names."""
    return {name.removeprefix(prefix): arrays.pop(name) for name in list(arrays) if name.startswith(prefix)}
