"""Learning the appearance model from frames with keypoints; `python -m kp appearance` does it."""

from collections.abc import Callable

import cv2
import numpy as np

from kp.data.dataset import FacialKeypointsDataset
from kp.landmarks import MIRROR
from kp.synthetic.appearance import (
    PARTS,
    REACH,
    SIDE,
    WINDOW,
    AppearanceModel,
    border_points,
    limited,
    plane_places,
    planes,
)
from kp.synthetic.matting import CLOTHES, HAIR, SKIN, Layers
from kp.synthetic.matting import SIDE as LAYER_SIDE
from kp.synthetic.pca import Coefficients, Learnt, fold, learn, principal
from kp.synthetic.sampling import measure
from kp.synthetic.segmentation import cut_out, fill_in, signed_distance
from kp.thin_plate_spline import GRID, ThinPlate, spread_out

# Components kept, even and odd.
COUNTS = {"shape": (18, 14), "skin": (130, 90), "hair": (24, 14), "clothes": (12, 6), "edges": (34, 22)}
# What counts in telling kinds of people apart.
SIMILAR = {"shape": 0.0, "skin": 1.0, "hair": 0.8, "clothes": 0.2, "edges": 0.8}
# How far they stray from their kind, as a share of how far they really do: hair that strays far is no hair any more.
VARIETY = {"shape": 1.0, "skin": 0.65, "hair": 0.5, "clothes": 0.8, "edges": 0.55}
MOST_MOVED = 0.65  # face heights from where the median face has a point; only corrupt labels are farther
CANVAS = 160  # pixels; what the person is cut out of
FACE_SIDE = 100  # pixels of a face that a picture is read from, if it has as many
STIFFNESS = 1e-4  # of the bending, so that noise in the points does not fold the picture
INSET = 0.02  # face heights: pixels so near an edge are not trusted
FARTHEST = 0.4  # face heights from an edge, as far as it is told
BEHIND = 0.25  # weight of a picture's pixels where its layer never is
CHROMA = 1.4  # weight of a colour pixel, which stands for four
DETAIL_EVERY = 5  # frames, of which one is looked at for fine detail
MOST_DETAIL = 1.2  # times the median of all places: at edges more is left out, which is no detail
DETAIL_WIDTH = 2.0  # pixels; what is finer is detail
FEW = 60  # pixels; a layer of fewer is taken from all of the person


def fit_appearance(
    faces: FacialKeypointsDataset, progress: Callable[[int, int], None] | None = None
) -> AppearanceModel:
    """The model of these frames; `progress(done, total)` counts the frames read. Corrupt labels are left out."""
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


class Pictures:
    """The layers of all frames: lumas uint8 (3, n, SIDE, SIDE), chromas (3, n, SIDE/2, SIDE/2, 2),

    edges float16 (n, 3, SIDE/2, SIDE/2).
    """

    def __init__(self, count: int, mean: np.ndarray) -> None:
        self.lumas = np.zeros((3, count, SIDE, SIDE), np.uint8)
        self.chromas = np.zeros((3, count, SIDE // 2, SIDE // 2, 2), np.uint8)
        self.edges = np.zeros((count, 3, SIDE // 2, SIDE // 2), np.float16)
        self.layers = Layers(mean, plane_places(LAYER_SIDE))

    def put(self, index: int, picture: np.ndarray, outline: np.ndarray) -> None:
        """Keep a straightened picture uint8 (SIDE, SIDE, 3) RGB with its outline (SIDE, SIDE), in layers."""
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

    The size is the points' spread about the centre, in the unit that makes the median shape 1 high.
    """
    points = keypoints.astype(np.float64)
    centres = points.mean(axis=1)
    spread = np.sqrt(((points - centres[:, None]) ** 2).sum(axis=2).mean(axis=1))
    shapes = (points - centres[:, None]) / spread[:, None, None]
    height = np.ptp(np.median(np.concatenate([shapes, mirrored(shapes)]), axis=0)[:, 1])
    return centres, spread * height, shapes / height


def mirrored(shapes: np.ndarray) -> np.ndarray:
    """Shapes (n, 68, 2) about their middle, left and right swapped."""
    return (shapes * (-1, 1))[:, MIRROR]


def straighten(
    image: np.ndarray, shape: np.ndarray, mean: np.ndarray, *, centre: np.ndarray, size: float
) -> tuple[np.ndarray, np.ndarray]:
    """A frame bent to the mean shape, uint8 (SIDE, SIDE, 3), and the outline (SIDE, SIDE) in face heights."""
    zoom = CANVAS / (2 * REACH * size)
    offset = CANVAS / 2 - 0.5 - zoom * centre
    matrix = np.array([[zoom, 0, offset[0]], [0, zoom, offset[1]]])
    smooth = cv2.GaussianBlur(image, (0, 0), 0.4 / zoom) if zoom < 0.6 else image
    canvas = cv2.warpAffine(smooth, matrix, (CANVAS, CANVAS), borderMode=cv2.BORDER_REPLICATE)
    unit = CANVAS / (2 * REACH)
    person = cut_out(canvas, (shape * unit + CANVAS / 2 - 0.5).astype(np.float32))
    outline = np.clip(signed_distance(person) / unit, -FARTHEST, FARTHEST).astype(np.float32)

    border = border_points()
    bend = ThinPlate(np.concatenate([mean, border]), np.concatenate([shape, border]), stiffness=STIFFNESS)
    place = plane_places(GRID, SIDE)
    seen = np.dstack(list(spread_out(bend(np.stack(np.meshgrid(place, place), axis=-1)), (SIDE, SIDE))))
    outline = limited(_look_up(outline, seen * unit + CANVAS / 2 - 0.5))
    shrink = min(1.0, FACE_SIDE / size)
    if shrink < 1:
        image = cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    picture = _look_up(image, (seen * size + centre + 0.5) * shrink - 0.5)
    return picture, outline


def _look_up(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    return cv2.remap(values, places.astype(np.float32), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def inside(pictures: np.ndarray, side: int) -> np.ndarray:
    """The middle `side` x `side` pixels of (n, h, w, ...), a view."""
    rim = (pictures.shape[1] - side) // 2
    return pictures[:, rim : rim + side, rim : rim + side]


def fit_components(
    mean: np.ndarray, shapes: np.ndarray, pictures: Pictures, *, people: np.ndarray, videos: np.ndarray
) -> AppearanceModel:
    """The model from shapes (n, 68, 2), straightened pictures, and the number of each one's person and video."""
    modes, shape = _learn_shapes(mean, shapes)
    learnt: dict[str, Learnt] = {}
    details = []
    outline, *others = pictures.edges.transpose(1, 0, 2, 3) > 0
    seen = [outline & ~others[0] & ~others[1], *others]
    for layer, name in enumerate(("skin", "hair", "clothes")):
        side = WINDOW if layer == SKIN else SIDE
        channels = inside(pictures.lumas[layer], side), inside(pictures.chromas[layer], side // 2)
        share = inside(seen[layer], side // 2).mean(axis=0, dtype=np.float32)
        weight = (share + share[:, ::-1]) * (1 - BEHIND) / 2 + BEHIND
        learnt[name] = _learn_pictures(*channels, COUNTS[name], weight)
        details.append(_detail(learnt[name], channels[0], inside(seen[layer], side // 2)))
    learnt["edges"] = learn(lambda sign: fold_edges(pictures.edges, sign), COUNTS["edges"])
    found: dict[str, Coefficients] = {"shape": shape, **learnt}
    statistics = measure(
        np.concatenate([part.coefficients for part in found.values()], axis=1).astype(np.float64),
        np.concatenate([part.parity for part in found.values()]),
        people=people,
        videos=videos,
        similar=np.concatenate([part.spread * SIMILAR[name] for name, part in found.items()]),
        variety=np.concatenate([np.full(len(part.parity), VARIETY[name]) for name, part in found.items()]),
    )
    return AppearanceModel(
        mean,
        modes,
        **{name: learnt[name].components for name in PARTS},
        detail=np.stack(details),
        statistics=statistics,
    )


def fold_edges(edges: np.ndarray, sign: int) -> np.ndarray:
    """Even or odd halves of (n, 3, h, w), float32 (n, size)."""
    return np.concatenate([fold(edges[:, layer], sign) for layer in range(edges.shape[1])], axis=1)


def _learn_shapes(mean: np.ndarray, shapes: np.ndarray) -> tuple[np.ndarray, Coefficients]:
    """Modes (n, 68, 2) a standard deviation long, the largest first; the first one turns the head."""
    away = shapes - mean
    parts = [(away + sign * mirrored(away)).reshape(len(shapes), -1) / 2 for sign in (1, -1)]
    found = [principal(part.astype(np.float32), count) for part, count in zip(parts, COUNTS["shape"], strict=True)]
    spread = np.concatenate([spread for _, _, spread in found])
    order = np.argsort(-spread, kind="stable")
    modes = np.concatenate([rows for rows, _, _ in found]) * spread[:, None]
    coefficients = np.concatenate([values for _, values, _ in found], axis=1)
    parity = np.repeat([1, -1], COUNTS["shape"])
    return modes[order].reshape(-1, *mean.shape).astype(np.float32), Coefficients(
        coefficients[:, order], parity[order], spread[order] / np.linalg.norm(spread)
    )


def _learn_pictures(luma: np.ndarray, chroma: np.ndarray, counts: tuple[int, int], weight: np.ndarray) -> Learnt:
    """Components of luma (n, s, s) and colours (n, s/2, s/2, 2); weight: (s/2, s/2), of each pixel."""
    large = cv2.resize(weight, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    flat = np.concatenate([fold(part[None], 1)[0] for part in (large, weight * CHROMA, weight * CHROMA)])
    channels = luma, chroma[..., 0], chroma[..., 1]
    return learn(lambda sign: np.concatenate([fold(channel, sign) for channel in channels], axis=1), counts, flat)


def _detail(learnt: Learnt, luma: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """The median size of the fine detail that components leave out at each pixel where their layer is seen.

    Grey levels, float16 (SIDE, SIDE), the same on both sides.
    """
    half = luma.shape[1] // 2
    sizes = np.full((len(luma[::DETAIL_EVERY]), half, half), np.nan, np.float32)
    for index in range(len(sizes)):
        row = index * DETAIL_EVERY
        left_out = luma[row] - planes(*learnt.components.halves(learnt.coefficients[row]))[0]
        fine = np.abs(left_out - cv2.GaussianBlur(left_out, (0, 0), DETAIL_WIDTH))
        sizes[index][seen[row]] = cv2.resize(fine, (half, half), interpolation=cv2.INTER_AREA)[seen[row]]
    known = np.isfinite(sizes).sum(axis=0) > len(sizes) / 50
    middle = np.full((half, half), np.nanmedian(sizes), np.float32)
    middle[known] = np.minimum(np.nanmedian(sizes[:, known], axis=0), MOST_DETAIL * middle[known])
    middle = cv2.resize((middle + middle[:, ::-1]) / 2, luma.shape[1:])
    rim = (SIDE - len(middle)) // 2
    return np.pad(cv2.GaussianBlur(middle, (0, 0), 1.5) * 1.48, rim, "edge").astype(np.float16)
