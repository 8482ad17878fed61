"""Feature maps: the kernels of a network, and the feature maps that they compute from a face."""

import gradio as gr

from kp.ui.context import AppContext
from kp.ui.events import Action
from kp.ui.inspect.handlers import InsideHandlers
from kp.ui.inspect.parts import InsideParts, inside_parts
from kp.ui.inspect.viewer import NetworkViewer
from kp.ui.static import read_static

LEAD = (
    "A kernel is a small pattern of trained weights. Click one to see its numbers and its response to a face; "
    "then follow the feature maps, stage by stage, to the 68 points."
)


def build(app: AppContext) -> None:
    """The tab's content."""
    viewer = NetworkViewer(app.models, app.data)
    gr.Markdown(LEAD, elem_classes="kp-lead")
    parts = inside_parts(0 if viewer.data.problem else len(viewer.people))
    parts.face.upload.limit(app.settings.max_megapixels)
    with gr.Accordion("What is going on here?", open=False):
        gr.Markdown(read_static("inside_lesson.md"))
    wire(app, parts, InsideHandlers(viewer, parts))


def wire(app: AppContext, parts: InsideParts, handlers: InsideHandlers) -> None:
    """Connect the components' events with the handlers."""
    face = parts.face
    choices = [
        app.picker,
        parts.kind,
        parts.layer,
        parts.channel,
        parts.page,
        parts.applied,
        parts.shared,
        face.frame,
        face.photo,
        parts.chosen,
    ]
    controls = [parts.layer, parts.channel, parts.page, parts.applied, parts.shared]
    pictures = [parts.summary, parts.grid, parts.detail, face.crop, parts.chosen]
    draw = Action(handlers.draw, inputs=choices, outputs=pictures)
    Action(handlers.draw_layer, inputs=choices, outputs=[*controls, *pictures], latest=True).on(
        *app.fills, app.picker.change, parts.kind.input, parts.layer.input
    )
    draw.with_latest().on(parts.channel.input, parts.applied.input, parts.shared.input)
    Action(handlers.draw_page, inputs=choices, outputs=pictures, latest=True).on(parts.page.input)
    enlarge = Action(handlers.on_grid, inputs=choices, outputs=[parts.detail, parts.chosen], latest=True)
    Action(js=read_static("scroll_to_detail.js")).after(enlarge.on(parts.grid.select))
    wire_input(app, parts, handlers, draw)


def wire_input(app: AppContext, parts: InsideParts, handlers: InsideHandlers, draw: Action) -> None:
    """A face is chosen by a click, by its number or by a photo; the last one counts, and is drawn."""
    face = parts.face
    shown = [face.page, face.frame]
    Action(handlers.offer_faces, inputs=shown, outputs=[face.faces, face.others, face.frame]).on(*app.fills)
    Action(handlers.next_faces, inputs=shown, outputs=[face.page, face.faces]).on(face.others.click)
    pick_face = Action(handlers.on_face, inputs=face.page, outputs=[face.frame, face.upload, face.photo], latest=True)
    pick_frame = Action(handlers.pick_frame, inputs=shown, outputs=[face.upload, face.photo, face.faces], latest=True)
    read_photo = Action(handlers.read_photo, inputs=[app.picker, face.upload], outputs=face.photo, latest=True)
    draw.after(pick_face.on(face.faces.select))
    draw.after(pick_frame.on(face.frame.input))
    draw.after(read_photo.on(face.upload.input))
