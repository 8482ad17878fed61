"""Fitting the appearance model to frames with keypoints, for `python -m kp appearance`."""

from collections.abc import Callable

import cv2
import numpy as np

from kp.data.dataset import FacialKeypointsDataset
from kp.synthetic.appearance import PARTS, SIDE, WINDOW, AppearanceModel, planes
from kp.synthetic.matting import SKIN
from kp.synthetic.pca import Coefficients, FittedComponents, fit_pca, fold, principal
from kp.synthetic.sampling import measure
from kp.synthetic.straighten import Pictures, mirrored, normalised, straighten

# Components kept, even and odd.
COUNTS = {"shape": (18, 14), "skin": (130, 90), "hair": (24, 14), "clothes": (12, 6), "edges": (34, 22)}
# Weights of the parts in the distance between kinds of people.
SIMILAR = {"shape": 0.0, "skin": 1.0, "hair": 0.8, "clothes": 0.2, "edges": 0.8}
# Factors of the standard deviations within a kind; hair with its full variation is no longer recognisable.
VARIETY = {"shape": 1.0, "skin": 0.65, "hair": 0.5, "clothes": 0.8, "edges": 0.55}
MOST_MOVED = 0.65  # face heights from the median position of a point; only corrupt labels are farther
BEHIND = 0.25  # weight of pixels that never belong to the layer
CHROMA = 1.4  # weight of a chroma pixel, which covers four
DETAIL_EVERY = 5  # every so many frames, fine detail is measured
MOST_DETAIL = 1.2  # times the median of all pixels: residuals at edges are larger, but no detail
DETAIL_WIDTH = 2.0  # pixels: sigma of the low-pass filter that separates detail


def fit_appearance(
    faces: FacialKeypointsDataset, progress: Callable[[int, int], None] | None = None
) -> AppearanceModel:
    """The model of these frames; `progress(done, total)` counts frames. Corrupt labels are left out."""
    shapes = normalised(faces.keypoints)[2]
    farthest = np.linalg.norm(shapes - np.median(shapes, axis=0), axis=2).max(axis=1)
    faces = faces.subset(np.flatnonzero(farthest < MOST_MOVED))
    centres, sizes, shapes = normalised(faces.keypoints)
    mean = (shapes + mirrored(shapes)).mean(axis=0) / 2
    pictures = Pictures(len(faces), mean)
    for index in range(len(faces)):
        pictures.put(
            index, *straighten(faces.image(index), shapes[index], mean, centre=centres[index], size=sizes[index])
        )
        if progress:
            progress(index + 1, len(faces))
    people = np.unique([frame.person for frame in faces.frames], return_inverse=True)[1]
    videos = np.unique([frame.video_name for frame in faces.frames], return_inverse=True)[1]
    return fit_components(mean, shapes, pictures, people=people, videos=videos)


def inside(pictures: np.ndarray, side: int) -> np.ndarray:
    """The middle `side` x `side` pixels of (n, h, w, ...), a view."""
    rim = (pictures.shape[1] - side) // 2
    return pictures[:, rim : rim + side, rim : rim + side]


def fit_components(
    mean: np.ndarray, shapes: np.ndarray, pictures: Pictures, *, people: np.ndarray, videos: np.ndarray
) -> AppearanceModel:
    """The model of shapes (n, 68, 2) and warped pictures; people, videos: a number for each frame."""
    modes, shape = _fit_shapes(mean, shapes)
    fitted: dict[str, FittedComponents] = {}
    details = []
    outline, *others = pictures.edges.transpose(1, 0, 2, 3) > 0
    visible = [outline & ~others[0] & ~others[1], *others]
    for layer, name in enumerate(("skin", "hair", "clothes")):
        side = WINDOW if layer == SKIN else SIDE
        channels = inside(pictures.lumas[layer], side), inside(pictures.chromas[layer], side // 2)
        share = inside(visible[layer], side // 2).mean(axis=0, dtype=np.float32)
        weight = (share + share[:, ::-1]) * (1 - BEHIND) / 2 + BEHIND
        fitted[name] = _fit_pictures(*channels, COUNTS[name], weight)
        details.append(_detail(fitted[name], channels[0], inside(visible[layer], side // 2)))
    fitted["edges"] = fit_pca(lambda sign: fold_edges(pictures.edges, sign), COUNTS["edges"])
    found: dict[str, Coefficients] = {"shape": shape, **fitted}
    statistics = measure(
        np.concatenate([part.coefficients for part in found.values()], axis=1).astype(np.float64),
        np.concatenate([part.parity for part in found.values()]),
        people=people,
        videos=videos,
        similar=np.concatenate([part.share * SIMILAR[name] for name, part in found.items()]),
        variety=np.concatenate([np.full(len(part.parity), VARIETY[name]) for name, part in found.items()]),
    )
    return AppearanceModel(
        mean,
        modes,
        **{name: fitted[name].components for name in PARTS},
        detail=np.stack(details),
        statistics=statistics,
    )


def fold_edges(edges: np.ndarray, sign: int) -> np.ndarray:
    """Even or odd halves of (n, 3, h, w), float32 (n, size)."""
    return np.concatenate([fold(edges[:, layer], sign) for layer in range(edges.shape[1])], axis=1)


def _fit_shapes(mean: np.ndarray, shapes: np.ndarray) -> tuple[np.ndarray, Coefficients]:
    """Modes (n, 68, 2), one standard deviation each, the largest first; the first one is the head's yaw."""
    away = shapes - mean
    parts = [(away + sign * mirrored(away)).reshape(len(shapes), -1) / 2 for sign in (1, -1)]
    found = [principal(part.astype(np.float32), count) for part, count in zip(parts, COUNTS["shape"], strict=True)]
    deviations = np.concatenate([part for _, _, part in found])
    order = np.argsort(-deviations, kind="stable")
    modes = np.concatenate([rows for rows, _, _ in found]) * deviations[:, None]
    coefficients = np.concatenate([values for _, values, _ in found], axis=1)
    parity = np.repeat([1, -1], COUNTS["shape"])
    return modes[order].reshape(-1, *mean.shape).astype(np.float32), Coefficients(
        coefficients[:, order], parity[order], deviations[order] / np.linalg.norm(deviations)
    )


def _fit_pictures(
    luma: np.ndarray, chroma: np.ndarray, counts: tuple[int, int], weight: np.ndarray
) -> FittedComponents:
    """Components of luma (n, s, s) and colours (n, s/2, s/2, 2); weight: (s/2, s/2), of each pixel."""
    large = cv2.resize(weight, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    flat = np.concatenate([fold(part[None], 1)[0] for part in (large, weight * CHROMA, weight * CHROMA)])
    channels = luma, chroma[..., 0], chroma[..., 1]
    return fit_pca(lambda sign: np.concatenate([fold(channel, sign) for channel in channels], axis=1), counts, flat)


def _detail(fitted: FittedComponents, luma: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """The median amplitude of the fine detail that the components omit, at each pixel of their layer.

    Grey levels, float16 (SIDE, SIDE), the same on both sides.
    """
    half = luma.shape[1] // 2
    sizes = np.full((len(luma[::DETAIL_EVERY]), half, half), np.nan, np.float32)
    for index in range(len(sizes)):
        row = index * DETAIL_EVERY
        residual = luma[row] - planes(*fitted.components.halves(fitted.coefficients[row]))[0]
        fine = np.abs(residual - cv2.GaussianBlur(residual, (0, 0), DETAIL_WIDTH))
        sizes[index][visible[row]] = cv2.resize(fine, (half, half), interpolation=cv2.INTER_AREA)[visible[row]]
    known = np.isfinite(sizes).sum(axis=0) > len(sizes) / 50
    middle = np.full((half, half), np.nanmedian(sizes), np.float32)
    middle[known] = np.minimum(np.nanmedian(sizes[:, known], axis=0), MOST_DETAIL * middle[known])
    middle = cv2.resize((middle + middle[:, ::-1]) / 2, luma.shape[1:])
    rim = (SIDE - len(middle)) // 2
    return np.pad(cv2.GaussianBlur(middle, (0, 0), 1.5) * 1.48, rim, "edge").astype(np.float16)
