"""Principal components of pictures and their mirror images.

Where a picture and its mirror image are equally likely, each component is symmetric (even) or antisymmetric (odd), so
that its left half is stored.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

EXTRA, ROUNDS = 20, 2  # of the randomised search for components (Halko, Martinsson and Tropp, 2011)


@dataclass(frozen=True)
class Components:
    """Even and odd components, int8 left halves, each with its scale, and their mean.

    A coefficient of 1 is one standard deviation.
    """

    mean: np.ndarray = field(repr=False)  # float32 (size,)
    even: np.ndarray = field(repr=False)  # int8 (n, size)
    odd: np.ndarray = field(repr=False)  # int8 (m, size)
    scale: np.ndarray = field(repr=False)  # float32 (n + m,)

    def __len__(self) -> int:
        return len(self.scale)

    @cached_property
    def _matrices(self) -> tuple[np.ndarray, np.ndarray]:
        return self.even.astype(np.float32), self.odd.astype(np.float32)

    def halves(self, coefficients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The even and the odd part of the sum, flat left halves, float32; of one row of coefficients or several."""
        scaled = (coefficients * self.scale).astype(np.float32)
        even, odd = self._matrices
        if scaled.ndim == 1:
            return self.mean + scaled[: len(even)] @ even, scaled[len(even) :] @ odd
        # Row by row: a matrix product rounds differently, and a face would depend on the others of its batch.
        return (
            self.mean + np.stack([row[: len(even)] @ even for row in scaled]),
            np.stack([row[len(even) :] @ odd for row in scaled]),
        )


@dataclass(frozen=True)
class Coefficients:
    """Coefficients (n, count) of the n fitted faces, in standard deviations.

    parity: 1 for an even one, -1 for an odd one. share: standard deviations of all, scaled to the norm 1.
    """

    coefficients: np.ndarray
    parity: np.ndarray
    share: np.ndarray


@dataclass(frozen=True)
class FittedComponents(Coefficients):
    """Coefficients of pictures, with their components."""

    components: Components


def fit_pca(
    halves: Callable[[int], np.ndarray], counts: tuple[int, int], weight: np.ndarray | float = 1.0
) -> FittedComponents:
    """Components of pictures; `halves(sign)` returns their folded parts. weight: of each pixel."""
    rows, coefficients, deviations, mean = [], [], [], np.empty(0)
    for sign, count in zip((1, -1), counts, strict=True):
        part = halves(sign)
        if sign == 1:
            mean = part.mean(axis=0)
            part -= mean
        part *= weight
        found, values, deviation = principal(part, count)
        rows.append(found * deviation[:, None] / weight)
        coefficients.append(values)
        deviations.append(deviation)
    scales = [np.abs(part).max(axis=1) / 127 for part in rows]
    even, odd = (np.round(part / scale[:, None]).astype(np.int8) for part, scale in zip(rows, scales, strict=True))
    share = np.concatenate(deviations)
    return FittedComponents(
        np.concatenate(coefficients, axis=1),
        np.repeat([1, -1], counts),
        share / np.linalg.norm(share),
        Components(mean, even, odd, np.concatenate(scales).astype(np.float32)),
    )


def fold(pictures: np.ndarray, sign: int) -> np.ndarray:
    """Even (sign 1) or odd (-1) parts of pictures (n, h, w, ...): flat left halves, float32 (n, size)."""
    half = pictures.shape[2] // 2
    left = pictures[:, :, :half].astype(np.float32)
    right = pictures[:, :, : half - 1 : -1].astype(np.float32)
    return ((left + sign * right) / 2).reshape(len(pictures), -1)


def unfold(even: np.ndarray, odd: np.ndarray) -> np.ndarray:
    """Left halves (..., h, w) of an even and an odd picture to the whole of their sum (..., h, 2w)."""
    return np.concatenate([even + odd, (even - odd)[..., ::-1]], axis=-1)


def principal(rows: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Components (count, size), coefficients (n, count) and standard deviations (count,) of centred rows (n, size).

    Components are orthonormal, the largest first; coefficients are divided by their standard deviations.
    """
    rng = np.random.default_rng(0)
    start = rng.standard_normal((rows.shape[1], min(count + EXTRA, *rows.shape)), np.float32)
    basis = np.linalg.qr(rows @ start)[0]
    for _ in range(ROUNDS):
        basis = np.linalg.qr(rows @ np.linalg.qr(rows.T @ basis)[0])[0]
    small = basis.T @ rows  # (count + EXTRA, size)
    values, vectors = np.linalg.eigh((small @ small.T).astype(np.float64))
    order = np.argsort(-values)[:count]
    components = (vectors[:, order].T @ small) / np.sqrt(values[order])[:, None]
    coefficients = rows @ components.T.astype(np.float32)
    deviations = np.sqrt((coefficients**2).mean(axis=0, dtype=np.float64))
    return components.astype(np.float32), coefficients / deviations, deviations
