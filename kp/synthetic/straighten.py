"""Frames normalised for the appearance model: shapes without position and size, and images warped to the mean shape."""

import cv2
import numpy as np

from kp.landmarks import MIRROR
from kp.synthetic.appearance import SIDE
from kp.synthetic.matting import CLOTHES, HAIR, SKIN, Layers
from kp.synthetic.matting import SIDE as LAYER_SIDE
from kp.synthetic.mean_plane import REACH, border_points, limit_outline, plane_places
from kp.synthetic.segmentation import cut_out, fill_in, signed_distance
from kp.thin_plate_spline import GRID, ThinPlate, interpolate_knots

CANVAS = 160  # pixels a side in which the person is segmented
FACE_SIDE = 100  # pixels: larger faces are reduced to this size
STIFFNESS = 1e-4  # of the spline, so that noise in the points does not fold the picture
INSET = 0.02  # face heights from an edge within which pixels are not used
FARTHEST = 0.4  # face heights: largest edge distance
FEW = 60  # pixels; a smaller layer takes its colours from the whole person


class Pictures:
    """The layers (skin, hair, clothes) of n frames, warped to the mean shape.

    lumas: uint8 (3, n, SIDE, SIDE). chromas: uint8 (3, n, SIDE/2, SIDE/2, 2). edges: float16 (n, 3, SIDE/2, SIDE/2).
    """

    def __init__(self, count: int, mean: np.ndarray) -> None:
        self.lumas = np.zeros((3, count, SIDE, SIDE), np.uint8)
        self.chromas = np.zeros((3, count, SIDE // 2, SIDE // 2, 2), np.uint8)
        self.edges = np.zeros((count, 3, SIDE // 2, SIDE // 2), np.float16)
        self.layers = Layers(mean, plane_places(LAYER_SIDE))

    def put(self, index: int, picture: np.ndarray, outline: np.ndarray) -> None:
        """Store the layers of a warped picture uint8 (SIDE, SIDE, 3) RGB with edge distances (SIDE, SIDE)."""
        colours = cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb)
        half = SIDE // 2, SIDE // 2
        small = cv2.resize(outline, half, interpolation=cv2.INTER_AREA)
        labels = self.layers.label(cv2.resize(colours, half, interpolation=cv2.INTER_AREA), small)
        unit = 2 * REACH / len(small)
        for layer in (SKIN, HAIR, CLOTHES):
            edge = signed_distance(labels == layer) * unit
            here = (cv2.resize(edge.clip(-FARTHEST, FARTHEST), (SIDE, SIDE)) > INSET / 2) & (outline > INSET)
            filled = fill_in(colours, here if here.sum() >= FEW else outline > FARTHEST / 4)
            self.lumas[layer, index] = filled[..., 0]
            self.chromas[layer, index] = cv2.resize(filled[..., 1:], half, interpolation=cv2.INTER_AREA)
            self.edges[index, layer] = edge.clip(-FARTHEST, FARTHEST) if layer else small


def normalised(keypoints: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centres (n, 2), sizes (n,) in pixels, and shapes (n, 68, 2) about the centre in these sizes.

    The size is the points' standard deviation about the centre, scaled so that the median shape has the height 1.
    """
    points = keypoints.astype(np.float64)
    centres = points.mean(axis=1)
    deviations = np.sqrt(((points - centres[:, None]) ** 2).sum(axis=2).mean(axis=1))
    shapes = (points - centres[:, None]) / deviations[:, None, None]
    height = np.ptp(np.median(np.concatenate([shapes, mirrored(shapes)]), axis=0)[:, 1])
    return centres, deviations * height, shapes / height


def mirrored(shapes: np.ndarray) -> np.ndarray:
    """Shapes (n, 68, 2) about their middle, flipped horizontally."""
    return (shapes * (-1, 1))[:, MIRROR]


def straighten(
    image: np.ndarray, shape: np.ndarray, mean: np.ndarray, *, centre: np.ndarray, size: float
) -> tuple[np.ndarray, np.ndarray]:
    """A frame warped to the mean shape, uint8 (SIDE, SIDE, 3), and the person's edge distances (SIDE, SIDE)."""
    zoom = CANVAS / (2 * REACH * size)
    offset = CANVAS / 2 - 0.5 - zoom * centre
    matrix = np.array([[zoom, 0, offset[0]], [0, zoom, offset[1]]])
    smooth = cv2.GaussianBlur(image, (0, 0), 0.4 / zoom) if zoom < 0.6 else image
    canvas = cv2.warpAffine(smooth, matrix, (CANVAS, CANVAS), borderMode=cv2.BORDER_REPLICATE)
    unit = CANVAS / (2 * REACH)
    person = cut_out(canvas, (shape * unit + CANVAS / 2 - 0.5).astype(np.float32))
    outline = np.clip(signed_distance(person) / unit, -FARTHEST, FARTHEST).astype(np.float32)

    border = border_points()
    spline = ThinPlate(np.concatenate([mean, border]), np.concatenate([shape, border]), stiffness=STIFFNESS)
    place = plane_places(GRID, SIDE)
    source = np.dstack(list(interpolate_knots(spline(np.stack(np.meshgrid(place, place), axis=-1)), (SIDE, SIDE))))
    outline = limit_outline(_sample(outline, source * unit + CANVAS / 2 - 0.5))
    shrink = min(1.0, FACE_SIDE / size)
    if shrink < 1:
        image = cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    picture = _sample(image, (source * size + centre + 0.5) * shrink - 0.5)
    return picture, outline


def _sample(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    return cv2.remap(values, places.astype(np.float32), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
