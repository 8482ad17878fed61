"""The layers of a portrait (skin, hair, clothes) composited in the plane of the mean shape, with fine detail."""

from dataclasses import dataclass, field

import cv2
import numpy as np

from kp.synthetic.appearance import SIDE, AppearanceModel, Layer, Portrait
from kp.synthetic.mean_plane import REACH, limit_outline, plane_places
from kp.synthetic.settings import Appearance

SHARPENING, SHARPENING_SIGMA = 0.8, 1.2  # amount and width (picture pixels) of the unsharp mask
WISPS = 0.008  # face heights by which strands of hair shift its edge
HAIRLINE = 0.015  # face heights by which the hairline recedes, where hair is uncertain
HAIR_EDGE, COLLAR_EDGE = 0.07, 0.03  # face heights over which these edges are soft
SHOULDERS = (0.38, 0.64)  # all that is farther out and lower than this, in face heights, is cloth
LONG_HAIR = 0.76  # face heights below the middle at which hair ends
CROWN = (-0.72, 0.4)  # height above which there is hair (of the colour of skin on bald heads), and its weight
HAIR_LUMA, HAIR_CHROMA = 0.8, 0.55  # factors of the hair's brightness and colour
LEAST_SLOPE = 0.35  # of an edge distance; flatter ones are not corrected further


@dataclass(frozen=True)
class Texture:
    """Noise and clothes that are drawn once for a video.

    grain, strands: noise on skin and in hair, float32 (SIDE, SIDE), standard deviation 1. wisps: the strands at half
    the size. clothes: None for those of the model.
    """

    grain: np.ndarray = field(repr=False)
    strands: np.ndarray = field(repr=False)
    wisps: np.ndarray = field(repr=False)
    clothes: Layer | None = field(repr=False)

    @classmethod
    def draw(cls, appearance: Appearance, rng: np.random.Generator) -> "Texture":
        noise = rng.standard_normal((2, SIDE, SIDE), np.float32)
        grain = cv2.GaussianBlur(noise[0], (0, 0), 0.7) * 2.4  # the factor keeps its standard deviation at 1
        strands = cv2.GaussianBlur(noise[1], (0, 0), 0.7, sigmaY=2.0) * 4.0
        wisps = cv2.resize(strands, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        clothes = None
        if appearance.clothes:
            picture = appearance.clothes.picture(plane_places(SIDE))
            small = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            clothes = Layer(picture[..., 0], small[..., 1:])
        return cls(grain, strands, wisps, clothes)


def flatten(
    portrait: Portrait, model: AppearanceModel, appearance: Appearance, texture: Texture
) -> tuple[np.ndarray, np.ndarray]:
    """Luma (SIDE, SIDE) of the composited layers, and at half the size Cr, Cb and the outline (SIDE/2, SIDE/2, 3).

    Detail beyond the components is added as noise of the measured amplitude: grain on skin, strands in hair.
    """
    amount, place = appearance.detail, plane_places(SIDE)
    grain, strands, wisps = texture.grain, texture.strands, texture.wisps
    outline, hairline, collar = (rescale_distances(edge) for edge in portrait.edges)
    hairline = hairline - HAIRLINE + WISPS * wisps
    outline = outline + WISPS * wisps * np.clip(hairline * 20 + 1, 0, 1)
    clothes, low = texture.clothes or portrait.clothes, plane_places(len(collar)).astype(np.float32)
    shoulders = np.minimum(low[:, None] - SHOULDERS[1], np.abs(low) - SHOULDERS[0])
    collar = np.maximum(collar, np.minimum(shoulders, 0.2))
    hairline += CROWN[1] * np.clip(CROWN[0] - low[:, None], 0, 0.2) - np.maximum(low[:, None] - LONG_HAIR, 0)
    luma, chroma = portrait.skin.luma, portrait.skin.chroma
    luma = cv2.addWeighted(luma, 1 + SHARPENING, cv2.GaussianBlur(luma, (0, 0), SHARPENING_SIGMA), -SHARPENING, 0)
    luma += amount * model.detail[0] * grain
    for layer, edge, softness, fine in (
        (clothes, collar, COLLAR_EDGE, 0.5 * model.detail[2] * grain),
        (darken_hair(portrait.hair), hairline, HAIR_EDGE, model.detail[1] * strands),
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
    across, down = (np.exp(slope * place).astype(np.float32) for slope in (appearance.light[0], -appearance.light[1]))
    luma *= across
    luma *= down[:, None]
    return luma, cv2.merge([chroma, limit_outline(outline)])


def darken_hair(hair: Layer) -> Layer:
    """Hair darker and less saturated than its mean: a mean over hair and bald heads has the colour of skin."""
    return Layer(HAIR_LUMA * hair.luma, 128 + HAIR_CHROMA * (hair.chroma - 128))


def rescale_distances(edge: np.ndarray) -> np.ndarray:
    """Distances to an edge, rescaled to a slope of 1: sums of distance maps are too flat."""
    smooth = cv2.GaussianBlur(edge, (0, 0), 1.0)
    down, across = np.gradient(smooth, 2 * REACH / len(edge))
    slope = cv2.magnitude(across, down)
    return edge / np.clip(slope, LEAST_SLOPE, 1.0, out=slope)
