"""A statistical model of how faces look, after Cootes, Edwards and Taylor, "Active Appearance Models" (1998).

A portrait is a shape (68 points), pictures of skin, hair and clothes bent to the mean shape, and where each of them
ends; all are a mean plus some components (PCA), the face in most detail. What stands in the file are these means and
components, and of the numbers that multiply them only means over four people or more and statistics over 282. No number
of any one person or picture is kept, so none can be made from it again.
"""

from dataclasses import dataclass, field
from functools import lru_cache
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
SIDE = 160  # pixels of the bent picture; colours and edges have half of it
WINDOW = 132  # pixels in its middle that the skin's components cover
REACH = 1.25  # from the face's middle to the picture's border, in heights of the mean shape
MIDDLE = 0.6  # how wide a step is in the picture's middle, where the face is, against the mean step
# What a cut-out may show, in face heights about the face's middle: no hair outside an oval, a neck and shoulders at
# least. GrabCut errs where hair and wall are of one colour, and where a suit is as dark as the studio.
OVAL = (0.0, -0.25), (0.88, 0.95), 0.45  # centre, half axes, and the height from which all may be person
TORSO = ((0.22, 0.4), (0.3, 0.75), (0.45, 0.9), (0.85, 1.08), (1.15, 1.3))
# Points of the inner lips and of the eyelids that lie above each other, and how near they may come, in face heights.
LIDS = np.array([(61, 67), (62, 66), (63, 65), (37, 41), (38, 40), (43, 47), (44, 46)])
NARROWEST = 0.004
BORDER = 7  # points on each side of the border that stay where they are


def to_plane(place: np.ndarray) -> np.ndarray:
    """From the picture's -1..1 to the plane of the mean shape: the middle is drawn larger than the rim."""
    return REACH * (MIDDLE * place + (1 - MIDDLE) * place**3)


@lru_cache
def _table() -> tuple[np.ndarray, np.ndarray]:
    place = np.linspace(-1, 1, 4001)
    return to_plane(place), place


def to_picture(plane: np.ndarray) -> np.ndarray:
    """The way back, -1..1; what lies beyond the border is put on it."""
    return np.interp(plane, *_table())


@lru_cache
def plane_places(count: int, pixels: int | None = None) -> np.ndarray:
    """Where in the plane `count` rows of a picture lie, from the first pixel's centre to the last one's; read-only."""
    return _kept(to_plane(np.linspace(-1, 1, count) * (1 - 1 / (pixels or count))))


@lru_cache
def border_points() -> np.ndarray:
    """Points about the picture, float64 (n, 2), in the plane of the mean shape; read-only."""
    edge = np.linspace(-REACH, REACH, BORDER)
    sides = [
        np.stack(np.broadcast_arrays(*pair), axis=1) for at in (-REACH, REACH) for pair in ((edge, at), (at, edge))
    ]
    return _kept(np.unique(np.concatenate(sides), axis=0))


def _kept(values: np.ndarray) -> np.ndarray:
    values.setflags(write=False)
    return values


def limited(outline: np.ndarray) -> np.ndarray:
    """A straightened outline (n, n) without what cannot be: hair beyond the oval, no shoulders."""
    least, most = _limits(len(outline))
    return np.minimum(np.maximum(outline, least), most)


@lru_cache
def _limits(side: int) -> tuple[np.ndarray, np.ndarray]:
    place = plane_places(side)
    x, y = np.meshgrid(place, place)
    (_, middle), (half_width, half_height), below = OVAL
    oval = (1 - np.hypot(x / half_width, (y - middle) / half_height)) * half_width
    most = np.where(y < middle, oval, np.maximum(oval, (y - below) * 0.5))
    right = np.array(TORSO)
    outline = np.concatenate([right, right[::-1] * (-1, 1)]).astype(np.float32)
    least = [cv2.pointPolygonTest(outline, (float(u), float(v)), True) for u, v in zip(x.flat, y.flat, strict=True)]
    return np.reshape(least, x.shape).astype(np.float32), most.astype(np.float32)


@dataclass(frozen=True)
class Layer:
    """A bent picture. luma: float32 (SIDE, SIDE); chroma: (SIDE/2, SIDE/2, 2); both 0..255 (YCrCb)."""

    luma: np.ndarray
    chroma: np.ndarray


@dataclass(frozen=True)
class Portrait:
    """Points (68, 2), in heights of the mean shape about its middle, and what is bent onto them.

    Bent are pictures of skin, hair and clothes, and the distance to the edge of the person, of hair and of clothes:
    float32 (3, SIDE/2, SIDE/2), in face heights, positive inside.
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
    """Means, components, and how their coefficients are spread. A coefficient counts standard deviations.

    Coefficients (n,) are those of the shape's modes, then of each of PARTS; the first one turns the head.
    detail: (3, SIDE, SIDE), grey levels that the components of skin, hair, clothes leave out, one standard deviation.
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
        """Where each part's coefficients stand."""
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
        """Those of rows of coefficients (faces, n)."""
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
        fields: dict[str, type] = dict.fromkeys(PARTS, Components) | {"statistics": CoefficientStatistics}
        parts: dict[str, Any] = {
            name: kind(**_pop(arrays, f"{TENSOR_PREFIXES.get(name, name)}.")) for name, kind in fields.items()
        }
        return AppearanceModel(**arrays, **parts)
    except (OSError, SafetensorError, TypeError) as error:
        raise CheckpointError(
            f"{path} is no appearance model ({error}). Fit one with `python -m kp appearance`, or copy the file again."
        ) from None


def _pop(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """Remove the arrays whose names have a prefix; returns them by the rest of their names."""
    return {name.removeprefix(prefix): arrays.pop(name) for name in list(arrays) if name.startswith(prefix)}
