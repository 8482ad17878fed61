"""The Predict tab: the 68 points on any photo, and the steps from photo to points."""

import gradio as gr

from kp.ui.context import AppContext
from kp.ui.events import Action
from kp.ui.predict.api import publish
from kp.ui.predict.handlers import PredictHandlers, Updates
from kp.ui.predict.layout import build_parts
from kp.ui.predict.live import EVERY, LIMIT, LiveHandlers
from kp.ui.predict.panels import CORNERS
from kp.ui.predict.parts import PredictParts
from kp.ui.predict.pipeline import Analysis
from kp.ui.predict.tools import PredictTools
from kp.ui.widgets.feedback import show_errors

LEAD = """Find the 68 points on any photo. A detector finds each face; the network gets nothing but a small crop
of it. Click a face to see its steps."""
LESSON = """A *detector* searches the whole photo and returns a box for each face. A square about the box is cut out and
resized, because the network takes pictures of one size only. Its output is 136 numbers, two for each point, near
zero because such numbers are easiest to train on; times a scale plus a mean they are pixels of the crop. The crop was
made by a matrix, and its inverse puts the points into the photo. A network that was trained on crops of faces
fails where the box is wrong: many errors begin there. With test-time augmentation it predicts on a few slightly
different crops of each face, some of them mirrored: where these predictions disagree, its confidence is low.

**Try this:** open the box test, move the box off the face step by step, and find out when the points leave it.
Then compare with another network."""


def build(app: AppContext) -> None:
    """The tab's content."""
    with gr.Column(elem_id="predict-body"):
        gr.Markdown(LEAD, elem_classes="kp-lead")
        parts = build_parts(app.settings.max_megapixels)
        with gr.Accordion("What is going on here?", open=False):
            gr.Markdown(LESSON)
    handlers, tools = PredictHandlers(app.data, app.models, parts), PredictTools(app.models, parts.result)
    _wire(app, parts, handlers)
    _wire_box(app, parts, handlers, tools)
    _wire_tools(app, parts, tools)
    _wire_live(app, parts, LiveHandlers(app.models, parts.result.live))
    publish(app)


def _wire(app: AppContext, parts: PredictParts, handlers: PredictHandlers) -> None:
    controls, result = parts.controls, parts.result
    settings = [app.picker, controls.detector, controls.threshold, controls.margin, controls.tta, result.marks]
    run = Action(handlers.run, [controls.photo, *settings], result.shown, progress="minimal", progress_on=result.status)
    adjust = Action(handlers.adjust, controls.detector, controls.threshold)
    take_whole = Action(handlers.take_whole, None, [controls.detector, controls.threshold])
    example = Action(handlers.example, None, controls.photo, latest=True)
    inspect = Action(handlers.inspect, result.chosen, result.inspected, latest=True)
    draw = Action(handlers.draw, result.chosen, [result.picture, result.png], latest=True)
    start = Action(handlers.start, [app.picker, result.marks], parts.opening)
    arrive = Action(handlers.arrive, [result.analysis, app.picker, result.marks], parts.opening)

    # change, not input and clear: those come before the page knows the new picture
    run.with_latest().on(
        controls.find.click,
        controls.photo.change,
        controls.threshold.release,
        controls.margin.release,
        controls.tta.release,
        app.picker.change,
    )
    run.after(adjust.on(controls.detector.input), whatever_came=True)
    run.after(take_whole.on(result.whole.click), whatever_came=True)
    example.on(controls.examples.select)
    inspect.on(result.face.input)
    draw.on(result.marks.input)
    start.on(app.page.load)
    arrive.on(app.arrived.change)


def _wire_box(app: AppContext, parts: PredictParts, handlers: PredictHandlers, tools: PredictTools) -> None:
    """Clicks in the picture choose a face, or are corners of a box while one is drawn."""
    controls, result, box = parts.controls, parts.result, parts.result.box

    def clicked(
        drawing: bool,
        first: list[float] | None,
        analysis: Analysis | None,
        chosen: int | None,
        marks: list[str],
        event: gr.SelectData,
    ) -> Updates:
        return tools.corner(analysis, first, event) if drawing else handlers.click(analysis, chosen, marks, event)

    click = Action(
        clicked,
        [box.drawing, box.first, *result.chosen],
        [box.first, box.given, box.note, result.face, *result.inspected],
    )
    toggle = Action(
        lambda on: {box.note: gr.Markdown(CORNERS, visible=on), box.first: None}, box.drawing, [box.note, box.first]
    )
    forget_corner = Action(lambda: None, None, box.first)
    use_typed = Action(tools.typed_box, box.sides, box.given)
    show_sides = Action(tools.show_sides, box.given, box.sides)
    run_box = Action(
        handlers.run_box,
        [controls.photo, box.given, app.picker, controls.margin, controls.tta, result.marks],
        result.shown,
    )

    click.on(result.picture.select)
    toggle.on(box.drawing.input)
    forget_corner.on(controls.photo.change)
    use_typed.on(box.use.click)
    run_box.after(show_sides.on(box.given.change), whatever_came=True)


def _wire_tools(app: AppContext, parts: PredictParts, tools: PredictTools) -> None:
    """Each tool follows the face and the settings while its accordion is open."""
    controls, result = parts.controls, parts.result
    test, compare, files = result.test, result.compare, result.files
    setting, face = [app.picker, controls.margin], [result.analysis, result.face]
    box_test = Action(tools.box_test, [test.opened, *setting, controls.tta, *face, *test.sliders], test.picture)
    shift_map = Action(tools.shift_map, [test.opened, *setting, *face], test.map)
    compared = Action(
        tools.compare, [compare.opened, *setting, controls.tta, *face, compare.other, compare.how], compare.view
    )
    reset = Action(tools.reset_sliders, None, test.sliders)
    others = Action(tools.others, [app.picker, compare.other, app.run_ids], compare.other)
    make_files = Action(
        tools.files, [controls.photo, result.analysis, files.formats, files.size], files.files, progress="minimal"
    )

    test_opened = _opened(True, test.opened).on(test.accordion.expand)
    shift_map.after(box_test.after(test_opened, whatever_came=True), whatever_came=True)
    _opened(False, test.opened).on(test.accordion.collapse)
    box_test.with_latest().on(*(slider.release for slider in test.sliders))
    box_test.after(reset.on(test.back.click), whatever_came=True)
    compare_opened = _opened(True, compare.opened).on(compare.accordion.expand)
    compared.after(others.after(compare_opened, whatever_came=True), whatever_came=True)
    _opened(False, compare.opened).on(compare.accordion.collapse)
    compared.with_latest().on(compare.other.input, compare.how.input)
    tested = box_test.on(result.steps.change)  # another face, or another prediction
    compared.after(shift_map.after(tested, whatever_came=True), whatever_came=True)
    make_files.on(files.make.click)


def _opened(value: bool, state: gr.State) -> Action:
    """Notes whether an accordion is open."""
    return Action(lambda: value, None, state)


def _wire_live(app: AppContext, parts: PredictParts, handlers: LiveHandlers) -> None:
    """Each visitor's stream has its own state; the network predicts one frame after another."""
    live = parts.result.live
    live.camera.stream(
        show_errors(handlers.frame),
        [live.camera, live.state, app.picker, parts.result.marks, live.still],
        [live.view, live.state],
        stream_every=EVERY,
        time_limit=LIMIT,
        concurrency_limit=2,
        show_progress="hidden",
        api_visibility="private",
    )
    Action(handlers.snapshot, live.state, parts.controls.photo).on(live.take.click)
