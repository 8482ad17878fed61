"""The shape space in the Dataset tab: the mean face, and a slider for each of the model's first components."""

import random
from collections.abc import Sequence
from typing import Any

import gradio as gr
from gradio.blocks import Block

from kp.drawing.overlay import data_uri, draw_face
from kp.errors import KpError
from kp.synthetic.shape_modes import MODES, PICTURE_MODES, SHAPE_MODES, FaceSpace, Mode, face_space
from kp.ui.events import Action
from kp.ui.static import read_static, render

PEOPLE = 1_000_000  # seeds of synthetic people
INTRODUCTION = """The statistical model of the synthetic faces makes each of them from a mean face and {numbers}
numbers. These are the first {modes} of its shape and the first {modes} of its picture, those with the most variance, in
standard deviations: 0 is the mean, and few people are beyond 2."""
CSS = read_static("face_space.css")


def build_face_space() -> None:
    """The accordion with the sliders; nothing where the model is damaged. To be called inside a gr.Blocks context."""
    try:
        space = face_space()
        first = picture_html(space, None, False, [0.0] * 2 * MODES)
    except KpError:
        return
    introduction = INTRODUCTION.format(numbers=len(space.model.statistics), modes=MODES)
    with gr.Accordion("Shape space: a face in ten sliders", open=False, elem_id="dataset-space"):
        gr.Markdown(introduction, elem_classes="kp-note")
        person = gr.State(None)
        with gr.Row():
            with gr.Column(scale=2, min_width=260):
                picture = gr.HTML(first, css_template=CSS, elem_id="space-picture")
                with gr.Row():
                    new = gr.Button("Random face", min_width=120, elem_id="space-new")
                    reset = gr.Button("The mean face", min_width=120, elem_id="space-reset")
                keypoints = gr.Checkbox(False, label="Draw the keypoints", container=False, elem_id="space-keypoints")
            sliders = [*_sliders("Shape", SHAPE_MODES), *_sliders("Picture", PICTURE_MODES)]

    def draw(person: int | None, drawn: bool, *numbers: float) -> str:
        return picture_html(space, person, drawn, numbers)

    def start(number: int | None, drawn: bool) -> dict[Block, Any]:
        """Another face, with all sliders at 0."""
        zeros = [0.0] * len(sliders)
        return {person: number, **dict.fromkeys(sliders, 0.0), picture: picture_html(space, number, drawn, zeros)}

    outputs = [person, *sliders, picture]
    Action(lambda drawn: start(random.randrange(PEOPLE), drawn), inputs=keypoints, outputs=outputs).on(new.click)
    Action(lambda drawn: start(None, drawn), inputs=keypoints, outputs=outputs).on(reset.click)
    Action(draw, inputs=[person, keypoints, *sliders], outputs=picture, latest=True, queue=False).on(
        keypoints.input, *[slider.input for slider in sliders]
    )  # without the queue four times as fast


def picture_html(space: FaceSpace, person: int | None, drawn: bool, numbers: Sequence[float]) -> str:
    """The face with these coefficients, MODES of the shape and as many of the picture; with keypoints if `drawn`.

    person: the seed of the synthetic face that the sliders change; None for the mean face.
    """
    image, points = space.render(numbers[:MODES], numbers[MODES:], person=person)
    if drawn:
        image = draw_face(image, points, truth=True)
    name = "The mean face" if person is None else f"Synthetic person {person}"
    return render("face_space.html", name=name, changes=slider_text(numbers), source=data_uri(image, quality=90))


def slider_text(numbers: Sequence[float]) -> str:
    """The sliders that are not at 0: ", turning: to the left (1.5), mouth: open (2)"."""
    pairs = [(mode, number) for mode, number in zip((*SHAPE_MODES, *PICTURE_MODES), numbers, strict=True) if number]
    return "".join(
        f", {mode.name.lower()}: {mode.high if number > 0 else mode.low} ({abs(number):g})" for mode, number in pairs
    )


def _sliders(title: str, modes: Sequence[Mode]) -> list[gr.Slider]:
    """A column with a slider for each mode."""
    with gr.Column(scale=2, min_width=240):
        gr.Markdown(f"**{title}**")
        return [
            gr.Slider(
                mode.least,
                mode.most,
                value=0,
                step=0.1,
                label=mode.name,
                info=f"{mode.low} – {mode.high}",
                elem_id=f"space-{title.lower()}-{number}",
            )
            for number, mode in enumerate(modes, start=1)
        ]
