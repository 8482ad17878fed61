"""Images of one or several synthetic people, as input of a detector: large, with faces of all sizes.

They are rendered from the appearance model; the same plan gives the same image.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from kp.hardware import one_thread_each
from kp.synthetic.appearance import AppearanceModel
from kp.synthetic.backgrounds import background
from kp.synthetic.clothes import Clothes
from kp.synthetic.dataset import Face, draw_person
from kp.synthetic.layers import Texture, flatten
from kp.synthetic.render import apply_camera, composite
from kp.synthetic.settings import Appearance, FacePlacement

ROOM = (1.45, 1.7)  # face heights from a face's middle to the sides and to the top of the rendered person
DESK_EDGE = 0.012  # its lit edge, in heights of the picture


@dataclass(frozen=True)
class Spot:
    """The place of a synthetic person: xy of the face's middle and its height, in image heights.

    person: the number of `draw_person`. turn: yaw, standard deviations.
    """

    person: int
    x: float
    y: float
    size: float
    turn: float = 0.0


@dataclass(frozen=True)
class Plan:
    """The content of a scene, the farthest person first. desk: its height in the image, a share; 0 for none."""

    title: str
    height: int
    width: int
    people: tuple[Spot, ...]
    seed: int
    desk: float = 0.0


@dataclass(frozen=True)
class Scene:
    """A picture uint8 (height, width, 3) RGB and the keypoints of its faces float32 (faces, 68, 2)."""

    title: str
    image: np.ndarray = field(repr=False)
    keypoints: np.ndarray = field(repr=False)


PLANS = (
    Plan("one face", 480, 430, (Spot(29, 0.45, 0.52, 0.42, 0.3),), seed=3),
    Plan("two faces", 480, 640, (Spot(44, 0.4, 0.44, 0.3, 0.5), Spot(64, 0.95, 0.52, 0.32, -0.6)), seed=2),
    Plan(
        "four faces",
        480,
        800,
        (
            Spot(50, 0.25, 0.48, 0.23, 0.6),
            Spot(36, 0.64, 0.44, 0.24, 0.1),
            Spot(54, 1.04, 0.42, 0.23, -0.2),
            Spot(71, 1.43, 0.45, 0.24, -0.7),
        ),
        seed=9,
        desk=0.24,
    ),
    Plan("turned left", 480, 430, (Spot(22, 0.46, 0.52, 0.4, -1.6),), seed=4),
    Plan("turned right", 480, 720, (Spot(11, 0.6, 0.6, 0.2, 1.6),), seed=5),
    Plan(
        "six faces",
        480,
        720,
        (
            Spot(52, 0.46, 0.3, 0.12, 0.4),
            Spot(59, 0.78, 0.27, 0.12),
            Spot(40, 1.03, 0.3, 0.13, -0.6),
            Spot(25, 0.18, 0.42, 0.2, 0.9),
            Spot(17, 0.7, 0.58, 0.24, -0.3),
            Spot(42, 1.22, 0.66, 0.33, -0.9),
        ),
        seed=6,
    ),
)


@one_thread_each()
def draw_scene(model: AppearanceModel, plan: Plan) -> Scene:
    """Render the scene of a plan."""
    rng = np.random.default_rng(plan.seed)
    image = background((plan.height, plan.width), rng)
    keypoints = [_add_person(image, model, spot) for spot in plan.people]
    if plan.desk:
        _add_desk(image, plan.desk, rng)
    whole = FacePlacement(plan.height, plan.width, (0.0, 0.0), 1.0)
    camera = replace(Appearance.plain(), blur=0.35, grain=0.8)
    return Scene(plan.title, apply_camera(image, camera, whole, rng), np.stack(keypoints))


def _add_person(image: np.ndarray, model: AppearanceModel, spot: Spot) -> np.ndarray:
    """Composite a person over an image float32 (h, w, 3), in place; returns the keypoints (68, 2)."""
    face: Face = replace(draw_person(model, spot.person, videos=1, frames=1)[0], turn=spot.turn)
    same = np.random.default_rng(face.appearance.seed)
    appearance = replace(face.appearance, clothes=face.appearance.clothes or Clothes.draw(same))
    portrait = model.portraits(face.coefficients(model)[None])[0]
    layers = flatten(portrait, model, appearance, Texture.draw(appearance, same))
    height, width = image.shape[:2]
    size, x, y = (value * height for value in (spot.size, spot.x, spot.y))
    left, top = max(0, round(x - ROOM[0] * size)), max(0, round(y - ROOM[1] * size))
    right = min(width, round(x + ROOM[0] * size))
    part = FacePlacement(height - top, right - left, (x - left, y - top), size)
    image[top:, left:right] = composite(
        image[top:, left:right], model, portrait.shape, layers, placement=part, appearance=appearance
    )
    return FacePlacement(height, width, (x, y), size).place(portrait.shape)


def _add_desk(image: np.ndarray, share: float, rng: np.random.Generator) -> None:
    """Draw a desk over an image, in place. share: of the image's height."""
    height, top = len(image), round(len(image) * (1 - share))
    colour = np.array([rng.uniform(60, 120), rng.uniform(45, 80), rng.uniform(30, 60)], np.float32)
    darker = np.linspace(1.0, 0.75, height - top, dtype=np.float32)[:, None, None]
    image[top:] = colour * darker
    image[top : top + max(2, round(DESK_EDGE * height))] = colour * 1.5
