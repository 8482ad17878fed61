"""Rendering a portrait of the appearance model: layers warped to its shape, before a background, with film grain."""

from functools import lru_cache

import cv2
import numpy as np

from kp.hardware import one_thread_each
from kp.synthetic.appearance import SIDE, AppearanceModel, Portrait
from kp.synthetic.backgrounds import background
from kp.synthetic.layers import Texture, flatten
from kp.synthetic.mean_plane import REACH, border_points, to_picture
from kp.synthetic.settings import Appearance, FacePlacement
from kp.thin_plate_spline import GRID, ThinPlate, interpolate_knots

EDGE = 0.018  # face heights over which the person's edge is soft
BLURRED = 200  # pixels: the frame height that an appearance's blur refers to
ARMS = 1.15  # face heights: half the width of a person
YCRCB_TO_RGB = np.array([[1, 1, 1], [1.403, -0.714, 0], [0, -0.344, 1.773]], np.float32)  # ITU-R BT.601


@one_thread_each()
def render(
    portrait: Portrait,
    model: AppearanceModel,
    placement: FacePlacement,
    *,
    appearance: Appearance,
    rng: np.random.Generator,
) -> np.ndarray:
    """The frame, uint8 (height, width, 3) RGB; keypoints: `placement.place(portrait.shape)`. rng: of the grain."""
    texture, image = _video_texture(appearance, placement.height, placement.width)
    layers = flatten(portrait, model, appearance, texture)
    image = composite(image, model, portrait.shape, layers, placement=placement, appearance=appearance)
    return apply_camera(image, appearance, placement, rng)


@lru_cache(maxsize=4)
def _video_texture(appearance: Appearance, height: int, width: int) -> tuple[Texture, np.ndarray]:
    """Texture and background, float32 (height, width, 3): the same in all frames of a video."""
    rng = np.random.default_rng(appearance.seed)
    texture = Texture.draw(appearance, rng)
    if appearance.wall is None:
        return texture, background((height, width), rng)
    return texture, np.full((height, width, 3), appearance.wall, np.float32)


def composite(
    image: np.ndarray,
    model: AppearanceModel,
    shape: np.ndarray,
    layers: tuple[np.ndarray, np.ndarray],
    *,
    placement: FacePlacement,
    appearance: Appearance,
) -> np.ndarray:
    """An image float32 (height, width, 3) with a person in front of its content. layers: of `flatten`."""
    person, alpha = warp_person(*layers, spline_to_mean(model, shape), placement)
    person -= image
    person *= cv2.merge([alpha] * 3)
    image = cv2.add(image, person)
    points = placement.place(shape)
    if appearance.glasses:
        image = appearance.glasses.draw_on(image, points, placement.size)
    if appearance.microphone:
        image = appearance.microphone.draw_on(image, points[8], placement.size)
    return image


def warp_person(
    luma: np.ndarray, small: np.ndarray, plate: ThinPlate, placement: FacePlacement
) -> tuple[np.ndarray, np.ndarray]:
    """The person, float32 (height, width, 3) RGB 0..255, and the alpha mask (height, width), 0..1."""
    across, down = np.linspace(0, placement.width - 1, GRID), np.linspace(0, placement.height - 1, GRID)
    knots = (np.stack(np.meshgrid(across, down), axis=-1) - placement.centre) / placement.size
    plane = plate(knots)
    # The person ends at the picture's top, and at the arms on both sides.
    beyond = np.maximum(-REACH - plane[..., 1:], 0) + np.maximum(np.abs(plane[..., :1]) - ARMS, 0)
    across, down, beyond = interpolate_knots(
        np.dstack([to_picture(plane), beyond]), (placement.height, placement.width)
    )
    place = cv2.merge([across, down])  # -1..1
    red, blue, outline = cv2.split(_interpolate(small, place))
    colours = cv2.merge([_interpolate(luma, place), red - 128, blue - 128])
    softness = max(EDGE, 1.2 / placement.size)
    return cv2.transform(colours, YCRCB_TO_RGB.T), np.clip((outline - 2 * beyond) / softness + 0.5, 0, 1)


def spline_to_mean(model: AppearanceModel, shape: np.ndarray) -> ThinPlate:
    """The spline from the plane of a face to the plane of the mean shape."""
    border = border_points()
    return ThinPlate(np.concatenate([shape, border]), np.concatenate([model.mean_shape, border]))


def _interpolate(values: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Values (n, n[, c]) interpolated at positions -1..1 (h, w, 2)."""
    side = len(values)
    at = (place + 1) * (side / 2) - 0.5
    return cv2.remap(
        values, at, None, cv2.INTER_CUBIC if side == SIDE else cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def apply_camera(
    image: np.ndarray, appearance: Appearance, placement: FacePlacement, rng: np.random.Generator
) -> np.ndarray:
    """Exposure, focus and film grain: uint8 from float32 (h, w, 3)."""
    image = cv2.multiply(image, (*(appearance.gain / 255).tolist(), 0.0))
    np.clip(image, 0, 1, out=image)
    image = cv2.pow(image, appearance.gamma)
    image *= 255
    blur = appearance.blur * placement.height / BLURRED
    if blur > 0.3:
        image = cv2.GaussianBlur(image, (0, 0), blur)
    grain = cv2.GaussianBlur(rng.standard_normal(image.shape[:2], np.float32), (0, 0), 0.6)
    image += cv2.merge([(appearance.grain * 2) * grain] * 3)
    return np.clip(image, 0, 255, out=image).astype(np.uint8)
