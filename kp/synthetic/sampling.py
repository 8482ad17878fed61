"""Statistics of the coefficients of faces: by the head's yaw, between kinds of people, and within them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from kp.hardware import one_thread_each

YAWS = (0.0, 1.5)  # at which statistics are measured, in standard deviations of the yaw
YAW_WIDTH = 0.5  # sigma of the window about each of YAWS, same unit
FARTHEST = 2.2  # same unit; there are few faces beyond
KIND_PEOPLE = 4  # people in a kind: the mean of one video each, for hair, clothes and light
# Factors of even and odd coefficients of kinds: averaging reduces contrast, and left-right differences are due to pose
# and light rather than to the kind of person.
KIND_CONTRAST = (1.2, 0.5)
KINDS_KEPT = 0.8  # share of kinds, the most homogeneous ones
LIMIT = 2.3  # of random numbers, in standard deviations


@dataclass(frozen=True)
class CoefficientStatistics:
    """Statistics of coefficients (n,) in standard deviations; the first one is the yaw.

    parity: 1 or -1 for each, its factor under a horizontal flip. trend: (4, n), the mean as a polynomial of the yaw.
    kinds: (kinds, n), offsets of groups of similar people. turns: (levels,), the yaw's standard deviation between
    people, between a person's videos, and between a video's frames. roots: (levels, yaws, n, n), square roots of
    covariances.
    """

    parity: np.ndarray = field(repr=False)
    trend: np.ndarray = field(repr=False)
    kinds: np.ndarray = field(repr=False)
    turns: np.ndarray
    roots: np.ndarray = field(repr=False)

    def __len__(self) -> int:
        return len(self.parity)

    @one_thread_each()
    def coefficients(self, turn: float, kind: int, draws: np.ndarray, *, first: int | None = None) -> np.ndarray:
        """The coefficients of a face. draws: standard normal numbers (levels, n). first: how many; None for all.

        kind: 0 to 2 * len(kinds) - 1; the second half are the mirrored kinds.
        """
        flip = self.parity if turn < 0 else np.ones_like(self.parity)
        place = float(np.interp(abs(turn), YAWS, range(len(YAWS))))
        low = min(int(place), len(YAWS) - 2)
        draws = (np.clip(draws, -LIMIT, LIMIT) * flip).astype(np.float32)
        deviation = sum(
            share * sum(row @ root[at, :, :first] for row, root in zip(draws, self._roots, strict=True))
            for at, share in ((low, low + 1 - place), (low + 1, place - low))
        )
        values = self.mean(turn)[:first] + self._kind(kind)[:first] + deviation * flip[:first]
        values[0] = turn
        return values

    @cached_property
    def _roots(self) -> np.ndarray:
        return self.roots.astype(np.float32)

    @one_thread_each()
    def mean(self, turn: float) -> np.ndarray:
        """Coefficients of the mean face at this yaw."""
        values = powers(np.float64(turn).clip(-FARTHEST, FARTHEST)) @ self.trend
        values[0] = turn
        return values

    def _kind(self, number: int) -> np.ndarray:
        return self.kinds[number] if number < len(self.kinds) else self.kinds[number - len(self.kinds)] * self.parity


def powers(turns: np.ndarray) -> np.ndarray:
    """Powers 0 to 3, (..., 4)."""
    return np.stack([turns**power for power in range(4)], axis=-1)


def measure(
    coefficients: np.ndarray,
    parity: np.ndarray,
    *,
    people: np.ndarray,
    videos: np.ndarray,
    similar: np.ndarray,
    variety: np.ndarray,
) -> CoefficientStatistics:
    """The statistics of coefficients (frames, n). people, videos: a number for each frame.

    similar: weights of the coefficients in the distance between kinds of people. variety: factors of their standard
    deviations within a kind.
    """
    both = np.concatenate([coefficients, coefficients * parity])  # mirrored people count as other people
    levels = [np.concatenate([group, group + group.max() + 1]) for group in (people, videos)]
    turns = both[:, 0].clip(-FARTHEST, FARTHEST)
    trend = np.linalg.lstsq(powers(turns), both, rcond=None)[0]
    left = both - powers(turns) @ trend
    means, _ = group_means(left, levels[1])
    owner = np.zeros(videos.max() + 1, int)
    owner[videos] = people
    groups = find_kinds(means[: len(owner)] * similar, owner)
    kinds = np.stack([means[group].mean(axis=0) for group in groups])
    kinds *= np.where(parity > 0, *KIND_CONTRAST)
    kinds[:, 0] = 0
    every = np.concatenate([kinds, kinds * parity])
    left -= every[_nearest(means * similar, every * similar)][levels[1]]
    left[:, 0] = 0
    roots = np.array(
        [
            [_root(*part) for part in _parts(left, levels, np.exp(-0.5 * ((turns - yaw) / YAW_WIDTH) ** 2))]
            for yaw in YAWS
        ]
    )
    yaw_deviations = [
        np.sqrt((weight * part[:, 0] ** 2).sum() / weight.sum())
        for part, weight in _parts(both[:, :1], levels, np.ones(len(both)))
    ]
    return CoefficientStatistics(
        parity.astype(np.int8),
        trend.astype(np.float32),
        kinds.astype(np.float32),
        np.array(yaw_deviations, np.float32),
        (roots.swapaxes(0, 1) * variety).astype(np.float16),
    )


def group_means(
    rows: np.ndarray, groups: np.ndarray, weight: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Means of rows (n, size) by group number, and each group's weight."""
    weight = np.ones(len(rows)) if weight is None else weight
    total = np.bincount(groups, weight)
    sums = np.zeros((len(total), rows.shape[1]))
    np.add.at(sums, groups, rows * weight[:, None])
    return sums / np.maximum(total, 1e-12)[:, None], total


def _parts(rows: np.ndarray, levels: Sequence[np.ndarray], weight: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows as a sum of the group means of each level and a residual, each with weights."""
    parts, left = [], rows
    for groups in levels:
        parts.append(group_means(left, groups, weight))
        left = left - parts[-1][0][groups]
    return [*parts, (left, weight)]


def _root(rows: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The symmetric root of the rows' weighted covariance."""
    values, vectors = np.linalg.eigh((rows * weight[:, None]).T @ rows / weight.sum())
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T


def find_kinds(rows: np.ndarray, owner: np.ndarray) -> list[list[int]]:
    """Disjoint groups of KIND_PEOPLE similar rows with different owners, the most similar groups first."""
    free, groups, widths = set(range(len(rows))), [], []
    for start in np.random.default_rng(0).permutation(len(rows)).tolist():
        if start not in free:
            continue
        near = np.argsort(((rows - rows[start]) ** 2).sum(axis=1)).tolist()
        group: list[int] = []
        for row in near:
            if row in free and owner[row] not in owner[group] and len(group) < KIND_PEOPLE:
                group.append(row)
        if len(group) == KIND_PEOPLE:
            free -= set(group)
            groups.append(group)
            widths.append(((rows[group] - rows[group].mean(axis=0)) ** 2).sum())
    order = np.argsort(widths, kind="stable")[: max(1, round(KINDS_KEPT * len(groups)))]
    return [groups[index] for index in order]


def _nearest(rows: np.ndarray, centres: np.ndarray) -> np.ndarray:
    return ((centres**2).sum(axis=1) - 2 * rows @ centres.T).argmin(axis=1)
