"""Where a person ends and the background begins (Rother et al., "GrabCut", 2004, started from the keypoints)."""

import cv2
import numpy as np
from cv2 import GC_BGD, GC_FGD, GC_PR_BGD, GC_PR_FGD

ROUNDS = 4
FARTHEST = 1000.0  # pixels


def cut_out(image: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """Bool (H, W): the person with these keypoints (68, 2) in a portrait uint8 (H, W, 3)."""
    labels = _guess(image.shape[:2], keypoints)
    cv2.setRNGSeed(0)  # its colour clusters start at random
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), labels, None, *models, ROUNDS, cv2.GC_INIT_WITH_MASK)
    return (labels == GC_FGD) | (labels == GC_PR_FGD)


def _guess(size: tuple[int, int], keypoints: np.ndarray) -> np.ndarray:
    """GrabCut's initial labels: face and neck foreground, an oval and shoulders probable, top corners background."""
    height, width = size
    labels = np.full(size, GC_PR_BGD, np.uint8)
    side = np.ptp(keypoints, axis=0).max()
    chin, brows = keypoints[8], keypoints[17:27].mean(axis=0)
    crown = chin + (brows - chin) * 1.75
    middle = (crown + chin) / 2
    y, x = np.mgrid[:height, :width]
    labels[(y < chin[1] - 0.2 * side) & (np.abs(x - middle[0]) > 1.05 * side)] = GC_BGD
    oval = (0.62 * side, 0.525 * float(np.linalg.norm(crown - chin)))
    cv2.ellipse(labels, _whole(middle), _whole(oval), 0, 0, 360, GC_PR_FGD, -1)
    for halves, label in (((0.3, -0.1), (1.1, 0.55), (1.15, 9)), GC_PR_FGD), (((0.15, 0), (0.25, 9)), GC_FGD):
        right = np.array(halves) * side
        outline = np.concatenate([right, right[::-1] * (-1, 1)]) + chin
        cv2.fillPoly(labels, [np.minimum(outline, 4 * height).astype(np.int32)], label)
    forehead = chin + (keypoints[17:27] - chin) * 1.15
    face = np.concatenate([keypoints[:17], forehead]).astype(np.int32)
    cv2.fillConvexPoly(labels, cv2.convexHull(face), GC_FGD)
    return labels


def _whole(pair: np.ndarray | tuple[float, float]) -> tuple[int, int]:
    return round(float(pair[0])), round(float(pair[1]))


def signed_distance(mask: np.ndarray) -> np.ndarray:
    """Pixels to the outline, float32 (H, W): positive inside."""
    inside, outside = (
        cv2.distanceTransform(part.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5) for part in (mask, ~mask)
    )
    return np.clip(inside - outside, -FARTHEST, FARTHEST)  # OpenCV gives huge numbers without an edge


def fill_in(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The image with the colours of `mask` extended over the rest; uint8 (H, W, 3)."""
    weight = mask.astype(np.float32)
    levels = [(image.astype(np.float32) * weight[..., None], weight)]
    while levels[-1][1].size > 1:
        colours, weight = levels[-1]
        levels.append((_halved(colours), _halved(weight)))
    filled = levels[-1][0][:1, :1]
    for colours, weight in reversed(levels):
        size = weight.shape[1], weight.shape[0]
        here = np.minimum(weight, 1)[..., None]
        known = colours / np.maximum(weight, 1e-4)[..., None]
        below = known if weight.size == 1 else cv2.resize(filled, size, interpolation=cv2.INTER_LINEAR)
        filled = known * here + below * (1 - here)
    return np.clip(filled, 0, 255).astype(np.uint8)


def _halved(values: np.ndarray) -> np.ndarray:
    """Sums over 2 x 2 pixels or so, at half the size."""
    size = -(-values.shape[1] // 2), -(-values.shape[0] // 2)
    return 4 * cv2.resize(values, size, interpolation=cv2.INTER_AREA)
