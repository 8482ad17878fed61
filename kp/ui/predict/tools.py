"""Predict's tools: a box drawn by hand, the box test, comparison with another network, output files."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from gradio.blocks import Block

from kp.drawing.faces import draw_cross, draw_square
from kp.drawing.overlay import data_uri, draw_errors, draw_face
from kp.errors import ConfigError, ImageError
from kp.files import write_file
from kp.formats.coco import COCO, COCO_FILE, CocoPhoto, coco_bytes
from kp.formats.writer import FORMATS, png_bytes, write_outputs
from kp.geometry import Box, CropTransform
from kp.prediction.predictor import Predictor
from kp.ui.predict.html import box_test_html, compare_html, map_html
from kp.ui.predict.movement import FACE_BOX, SHIFTS, mean_movement, shift_of_box
from kp.ui.predict.panels import CORNERS
from kp.ui.predict.parts import Result
from kp.ui.predict.pipeline import PATCH_SIDE, PATCHES, Analysis
from kp.ui.predict.status import WHOLE, shown_name
from kp.ui.services.model_store import ModelStore
from kp.ui.widgets.served_files import save_served

CLOSE_UP = 1.7  # side of what is compared, in sides of the face box
FIRST_CORNER = "First corner set. Now click the opposite one."
TOO_MANY = f"The tools work on the first {PATCHES} faces. Choose one of them."


class PredictTools:
    """Each result depends on the visitor's Analysis and the picker's network alone; no state is kept here."""

    def __init__(self, models: ModelStore, result: Result) -> None:
        self.models = models
        self.result = result

    def corner(
        self, analysis: Analysis | None, first: Sequence[float] | None, event: gr.SelectData
    ) -> dict[Block, Any]:
        """A click while a box is drawn: first corner, the box in the photo's pixels, a note, the picture."""
        box = self.result.box
        if analysis is None:
            return {box.first: None, box.given: None, box.note: CORNERS}
        x, y = (float(value) for value in event.index)
        if first is None:
            picture = png_bytes(draw_cross(analysis.picture, (x, y)))
            path = save_served(picture, "corner.png")
            return {box.first: [x, y], box.given: None, box.note: FIRST_CORNER, self.result.picture: gr.Image(path)}
        sides = np.array([min(x, first[0]), min(y, first[1]), max(x, first[0]), max(y, first[1])])
        if min(sides[2] - sides[0], sides[3] - sides[1]) < 2:
            return {box.first: None, box.given: None, box.note: f"The two corners are too close together. {CORNERS}"}
        given = (sides + 0.5) / analysis.factor - 0.5
        return {box.first: None, box.given: [round(float(side), 1) for side in given], box.note: CORNERS}

    def box_test(
        self,
        opened: bool,
        model: str | None,
        margin: float,
        tta: int,
        analysis: Analysis | None,
        chosen: int | None,
        right: float,
        down: float,
        scale: float,
        rotation: float,
    ) -> str:
        """The points before and after the box is moved and scaled (percent of its side) and turned (degrees); HTML."""
        patch = self._patch(analysis, chosen)
        if not opened or patch is None or not model:
            return ""
        predictor = self._predictor(model, margin, tta)
        side, (x, y) = FACE_BOX.side, FACE_BOX.centre
        box = Box.square((x + right / 100 * side, y + down / 100 * side), side * scale / 100)
        maps = [
            predictor.preprocessing.crop_transform(FACE_BOX),
            predictor.preprocessing.crop_transform(box, roll=rotation),
        ]
        before, after = predictor.predict_crops([(patch, crop) for crop in maps]).keypoints
        size = maps[1].size
        corners = maps[1].to_image(np.array([[0, 0], [size, 0], [size, size], [0, size]]) - 0.5)
        picture = draw_errors(draw_square(patch, corners), before, after)
        box_moved = shift_of_box(before, (right, down), side)
        return box_test_html(data_uri(picture, quality=92), mean_movement(before, after), box_moved)

    def shift_map(
        self, opened: bool, model: str | None, margin: float, analysis: Analysis | None, chosen: int | None
    ) -> str:
        """How far the points move on average for each of SHIFTS down and right; HTML."""
        patch = self._patch(analysis, chosen)
        if not opened or patch is None or not model:
            return ""
        predictor = self._predictor(model, margin, 1)
        side, (x, y) = FACE_BOX.side, FACE_BOX.centre
        places = [(x, y), *((x + right * side, y + down * side) for down in SHIFTS for right in SHIFTS)]
        maps = [predictor.preprocessing.crop_transform(Box.square(place, side)) for place in places]
        before, *after = predictor.predict_crops([(patch, crop) for crop in maps]).keypoints
        movement = np.array([mean_movement(before, points) for points in after]).reshape(len(SHIFTS), len(SHIFTS))
        return map_html(movement, SHIFTS)

    def compare(
        self,
        opened: bool,
        model: str | None,
        margin: float,
        tta: int,
        analysis: Analysis | None,
        chosen: int | None,
        other: str | None,
        how: str,
    ) -> str:
        """Two networks' points on the same box of the same face, beside or over each other; HTML."""
        patch = self._patch(analysis, chosen)
        if not opened or patch is None or not model or not other:
            return ""
        first, second = (
            self._predictor(name, margin if name == model else 0, tta).predict(patch, [FACE_BOX])[0]
            for name in (model, other)
        )
        names = shown_name(model), shown_name(other)
        view = CropTransform.from_box(Box.square(FACE_BOX.centre, FACE_BOX.side * CLOSE_UP), PATCH_SIDE)
        close, points = view.warp(patch), [view.to_crop(face.keypoints) for face in (first, second)]
        if how == "side by side":
            pictures = [
                draw_face(close, place, hollow=face.uncertain_points)
                for place, face in zip(points, (first, second), strict=True)
            ]
        else:
            pictures = [draw_errors(close, *points)]
        return compare_html([data_uri(picture, quality=92) for picture in pictures], names, first, second)

    def files(self, photo: np.ndarray | None, analysis: Analysis | None, formats: Sequence[str], size: int) -> gr.File:
        """The files of these formats for all faces; "aligned" adds crops of `size` pixels with the eyes level.

        "coco" equals the command line's output for a folder with one photo.
        """
        if photo is None or analysis is None or not analysis.faces:
            raise ImageError("There is no face to save. Choose a photo with a face first.")
        if not formats:
            raise ConfigError("No format is chosen. Tick at least one.")
        with tempfile.TemporaryDirectory() as folder:
            align = int(size) if "aligned" in formats else None
            paths = write_outputs(
                folder,
                "photo",
                photo,
                analysis.faces,
                align=align,
                formats=[name for name in FORMATS if name in formats],
            ).files
            if COCO in formats:
                height, width = photo.shape[:2]
                paths.append(Path(folder) / COCO_FILE)
                write_file(paths[-1], coco_bytes([CocoPhoto("photo", width, height, analysis.faces)]))
            kept = [save_served(path.read_bytes(), path.name) for path in paths]
        return gr.File(kept, visible=True)

    def others(self, model: str | None, other: str | None, owned: dict) -> gr.Dropdown:
        """The networks to compare with the picker's: the visitor's own and the shipped."""
        offered = [(label, name) for label, name in self.models.choices(owned["ids"]) if name != model]
        names = [name for _, name in offered]
        return gr.Dropdown(offered, value=other if other in names else next(iter(names), None))

    def _predictor(self, model: str, margin: float, tta: int) -> Predictor:
        return self.models.predictor(model, WHOLE, margin=margin or None, tta=int(tta))

    def typed_box(
        self, left: float | None, top: float | None, right: float | None, bottom: float | None
    ) -> list[float]:
        """The box of four numbers. Raises ConfigError where they are no box."""
        sides = (left, top, right, bottom)
        if left is None or top is None or right is None or bottom is None or left >= right or top >= bottom:
            raise ConfigError(
                "A box needs four numbers in pixels of the photo, left < right and top < bottom; these "
                f"are {', '.join('empty' if side is None else f'{side:g}' for side in sides)}."
            )
        return [float(left), float(top), float(right), float(bottom)]

    def show_sides(self, given: Sequence[float] | None) -> dict[Block, Any]:
        """A box that was drawn, as the four numbers."""
        return dict(zip(self.result.box.sides, given or [gr.skip()] * 4, strict=True))

    def reset_sliders(self) -> dict[Block, Any]:
        """The initial positions of the box test's sliders."""
        return dict(zip(self.result.test.sliders, [0, 0, 100, 0], strict=True))

    @staticmethod
    def _patch(analysis: Analysis | None, chosen: int | None) -> np.ndarray | None:
        if analysis is None or not analysis.faces:
            return None
        if (chosen or 0) >= len(analysis.patches):
            raise ConfigError(TOO_MANY)
        return analysis.patches[chosen or 0]
