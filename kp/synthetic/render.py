"""Painting a portrait from the appearance model: bent to its shape, cut out, before a background, with grain."""

from dataclasses import dataclass, field
from functools import lru_cache

import cv2
import numpy as np

from kp.hardware import one_thread_each
from kp.synthetic.appearance import (
    REACH,
    SIDE,
    AppearanceModel,
    Layer,
    Portrait,
    border_points,
    limited,
    plane_places,
    to_picture,
)
from kp.synthetic.backgrounds import background
from kp.synthetic.clothes import Clothes
from kp.synthetic.props import Glasses, Microphone
from kp.thin_plate_spline import GRID, ThinPlate, spread_out

SHARPER, SHARPER_SIGMA = 0.8, 1.2  # what an unsharp mask adds to the picture, and its width in picture pixels
EDGE = 0.018  # face heights over which the person's edge is soft
WISPS = 0.008  # face heights by which hair leaves its edge
HAIRLINE = 0.015  # by which it is drawn back, where it is uncertain that there is any
HAIR_EDGE, COLLAR_EDGE = 0.07, 0.03  # face heights over which they are soft
DRESSED = 0.8  # of videos: the others wear what the model makes
GLASSES, MICROPHONES = 0.15, 0.1  # of videos
BLURRED = 200  # height of the frame that a blur is told for
ARMS = 1.15  # face heights to both sides of the middle
SHOULDERS = (0.38, 0.64)  # farther out and lower than this, in face heights, is cloth
LONG_HAIR = 0.76  # lower than this it ends
CROWN = (-0.72, 0.4)  # higher than this there is hair (on the bald, of the colour of skin): how surely
HAIR_LUMA, HAIR_CHROMA = 0.8, 0.55  # shares of a hair's brightness and colour that are kept
LEAST_SLOPE = 0.35  # of an edge that may be made steeper


@dataclass(frozen=True)
class View:
    """Where the face stands in the image, in pixels. size: height of the mean shape; centre: xy of its middle."""

    height: int
    width: int
    centre: tuple[float, float]
    size: float

    def place(self, shape: np.ndarray) -> np.ndarray:
        """Points of a shape, in face heights about its middle, as pixels float32."""
        return (shape * self.size + self.centre).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Look:
    """What the frames of a video have in common. seed: of background and fine detail.

    light: how much brighter the face is to the right and to the top, as logarithms a face height. gain: of each
    colour. detail: how much of what the components leave out. blur: pixels of a frame BLURRED high. grain: grey levels.
    wall: its grey level where there is nothing else behind.
    """

    seed: int
    light: tuple[float, float]
    gamma: float
    gain: np.ndarray
    detail: float
    blur: float
    grain: float
    wall: float | None
    clothes: Clothes | None
    glasses: Glasses | None
    microphone: Microphone | None

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Look":
        return cls(
            seed=int(rng.integers(2**31)),
            light=(float(rng.normal(0, 0.28)), float(rng.normal(0, 0.2))),
            gamma=float(np.exp(rng.normal(0, 0.15))),
            gain=np.exp(rng.normal(0, 0.1) + rng.normal(0, 0.03, 3)).astype(np.float32),
            detail=float(rng.uniform(0.5, 1.1)),
            blur=float(min(rng.gamma(1.1, 0.4), 1.8)),
            grain=float(min(rng.gamma(2.0, 0.6), 4.0)),
            wall=None,
            clothes=Clothes.draw(rng) if rng.random() < DRESSED else None,
            glasses=Glasses.draw(rng) if rng.random() < GLASSES else None,
            microphone=Microphone.draw(rng) if rng.random() < MICROPHONES else None,
        )

    @classmethod
    def plain(cls) -> "Look":
        """Nothing added: no grain, no glasses, even light, a grey wall."""
        return cls(
            seed=0,
            light=(0.0, 0.0),
            gamma=1.0,
            gain=np.ones(3, np.float32),
            detail=0.0,
            blur=0.0,
            grain=0.0,
            wall=150.0,
            clothes=None,
            glasses=None,
            microphone=None,
        )


@one_thread_each()
def paint(
    portrait: Portrait, model: AppearanceModel, view: View, *, look: Look, rng: np.random.Generator
) -> np.ndarray:
    """A portrait uint8 (height, width, 3), RGB; its keypoints are `view.place(portrait.shape)`. rng: of the grain."""
    texture, image = _of_video(look, view.height, view.width)
    layers = flatten(portrait, model, look, texture)
    return finish(stand(image, model, portrait.shape, layers, view=view, look=look), look, view, rng)


@dataclass(frozen=True)
class Texture:
    """What is drawn once for a video.

    grain, strands: noise on skin and in hair, float32 (SIDE, SIDE), standard deviation 1. wisps: the strands at half
    the size. clothes: None where the model's own are worn.
    """

    grain: np.ndarray = field(repr=False)
    strands: np.ndarray = field(repr=False)
    wisps: np.ndarray = field(repr=False)
    clothes: Layer | None = field(repr=False)

    @classmethod
    def draw(cls, look: Look, rng: np.random.Generator) -> "Texture":
        noise = rng.standard_normal((2, SIDE, SIDE), np.float32)
        grain = cv2.GaussianBlur(noise[0], (0, 0), 0.7) * 2.4  # the factor keeps its standard deviation at 1
        strands = cv2.GaussianBlur(noise[1], (0, 0), 0.7, sigmaY=2.0) * 4.0
        wisps = cv2.resize(strands, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        clothes = None
        if look.clothes:
            picture = look.clothes.picture(plane_places(SIDE))
            small = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            clothes = Layer(picture[..., 0], small[..., 1:])
        return cls(grain, strands, wisps, clothes)


@lru_cache(maxsize=4)
def _of_video(look: Look, height: int, width: int) -> tuple[Texture, np.ndarray]:
    """Texture, and what stands behind the person, float32 (height, width, 3): the same in all frames of a video."""
    rng = np.random.default_rng(look.seed)
    texture = Texture.draw(look, rng)
    if look.wall is None:
        return texture, background((height, width), rng)
    return texture, np.full((height, width, 3), look.wall, np.float32)


def stand(
    image: np.ndarray,
    model: AppearanceModel,
    shape: np.ndarray,
    layers: tuple[np.ndarray, np.ndarray],
    *,
    view: View,
    look: Look,
) -> np.ndarray:
    """A picture float32 (height, width, 3) with a person before all that is in it. layers: of `flatten`."""
    seen, cover = bend(*layers, to_mean(model, shape), view)
    seen -= image
    seen *= cv2.merge([cover] * 3)
    image = cv2.add(image, seen)
    points = view.place(shape)
    if look.glasses:
        image = look.glasses.put_on(image, points, view.size)
    if look.microphone:
        image = look.microphone.hold(image, points[8], view.size)
    return image


def flatten(portrait: Portrait, model: AppearanceModel, look: Look, texture: Texture) -> tuple[np.ndarray, np.ndarray]:
    """The layers on each other: luma (SIDE, SIDE), and at half the size red, blue and the outline (.., .., 3).

    What the components leave out is put back as noise of the right size: grain on skin, strands in hair.
    """
    amount, place = look.detail, plane_places(SIDE)
    grain, strands, wisps = texture.grain, texture.strands, texture.wisps
    outline, hairline, collar = (steep(edge) for edge in portrait.edges)
    hairline = hairline - HAIRLINE + WISPS * wisps
    outline = outline + WISPS * wisps * np.clip(hairline * 20 + 1, 0, 1)
    clothes, low = texture.clothes or portrait.clothes, plane_places(len(collar)).astype(np.float32)
    shoulders = np.minimum(low[:, None] - SHOULDERS[1], np.abs(low) - SHOULDERS[0])
    collar = np.maximum(collar, np.minimum(shoulders, 0.2))
    hairline += CROWN[1] * np.clip(CROWN[0] - low[:, None], 0, 0.2) - np.maximum(low[:, None] - LONG_HAIR, 0)
    luma, chroma = portrait.skin.luma, portrait.skin.chroma
    luma = cv2.addWeighted(luma, 1 + SHARPER, cv2.GaussianBlur(luma, (0, 0), SHARPER_SIGMA), -SHARPER, 0)
    luma += amount * model.detail[0] * grain
    for layer, edge, softness, fine in (
        (clothes, collar, COLLAR_EDGE, 0.5 * model.detail[2] * grain),
        (dyed(portrait.hair), hairline, HAIR_EDGE, model.detail[1] * strands),
    ):
        cover = np.clip(edge / softness + 0.5, 0, 1)
        chroma = chroma + cv2.merge([cover, cover]) * (layer.chroma - chroma)
        wide = cv2.resize(np.clip(edge, -0.2, 0.2), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        wide /= softness
        wide += 0.5
        fine *= amount
        fine += layer.luma
        fine -= luma
        fine *= np.clip(wide, 0, 1, out=wide)
        luma += fine
    across, down = (np.exp(slope * place).astype(np.float32) for slope in (look.light[0], -look.light[1]))
    luma *= across
    luma *= down[:, None]
    return luma, cv2.merge([chroma, limited(outline)])


def dyed(hair: Layer) -> Layer:
    """Hair a little darker and duller than its mean: means of hair and of bald heads have the colour of skin."""
    return Layer(HAIR_LUMA * hair.luma, 128 + HAIR_CHROMA * (hair.chroma - 128))


def steep(edge: np.ndarray) -> np.ndarray:
    """Distances to an edge, where sums of such distances have made them too small."""
    smooth = cv2.GaussianBlur(edge, (0, 0), 1.0)
    down, across = np.gradient(smooth, 2 * REACH / len(edge))
    slope = cv2.magnitude(across, down)
    return edge / np.clip(slope, LEAST_SLOPE, 1.0, out=slope)


def bend(luma: np.ndarray, small: np.ndarray, plate: ThinPlate, view: View) -> tuple[np.ndarray, np.ndarray]:
    """The person float32 (height, width, 3) RGB 0..255, and how much of each pixel he covers (height, width)."""
    across, down = np.linspace(0, view.width - 1, GRID), np.linspace(0, view.height - 1, GRID)
    knots = (np.stack(np.meshgrid(across, down), axis=-1) - view.centre) / view.size
    plane = plate(knots)
    # Nobody is beyond the picture's top, nor farther to the sides than his arms.
    beyond = np.maximum(-REACH - plane[..., 1:], 0) + np.maximum(np.abs(plane[..., :1]) - ARMS, 0)
    across, down, beyond = spread_out(np.dstack([to_picture(plane), beyond]), (view.height, view.width))
    place = cv2.merge([across, down])  # -1..1
    red, blue, outline = cv2.split(_look_up(small, place))
    colours = cv2.merge([_look_up(luma, place), red - 128, blue - 128])
    softness = max(EDGE, 1.2 / view.size)
    return cv2.transform(colours, YCRCB_TO_RGB.T), np.clip((outline - 2 * beyond) / softness + 0.5, 0, 1)


def to_mean(model: AppearanceModel, shape: np.ndarray) -> ThinPlate:
    """From the plane of a face to the plane of the mean shape."""
    border = border_points()
    return ThinPlate(np.concatenate([shape, border]), np.concatenate([model.mean_shape, border]))


YCRCB_TO_RGB = np.array([[1, 1, 1], [1.403, -0.714, 0], [0, -0.344, 1.773]], np.float32)  # ITU-R BT.601


def _look_up(values: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Values (n, n[, c]) at places -1..1 (h, w, 2)."""
    side = len(values)
    at = (place + 1) * (side / 2) - 0.5
    return cv2.remap(
        values, at, None, cv2.INTER_CUBIC if side == SIDE else cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def finish(image: np.ndarray, look: Look, view: View, rng: np.random.Generator) -> np.ndarray:
    """Exposure, focus and film grain: uint8 from float32 (h, w, 3)."""
    image = cv2.multiply(image, (*(look.gain / 255).tolist(), 0.0))
    np.clip(image, 0, 1, out=image)
    image = cv2.pow(image, look.gamma)
    image *= 255
    blur = look.blur * view.height / BLURRED
    if blur > 0.3:
        image = cv2.GaussianBlur(image, (0, 0), blur)
    grain = cv2.GaussianBlur(rng.standard_normal(image.shape[:2], np.float32), (0, 0), 0.6)
    image += cv2.merge([(look.grain * 2) * grain] * 3)
    return np.clip(image, 0, 255, out=image).astype(np.uint8)
