"""The Predict tab: the 68 points on any photo, and the steps from photo to points."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.context import LocalContext

from kp.data.views import VIEWS
from kp.detectors import DETECTORS
from kp.ui.context import AppContext
from kp.ui.feedback import show_errors
from kp.ui.frame_html import FACTS_CSS, TABLE_CSS, legend_html
from kp.ui.grid import image_grid
from kp.ui.live import EVERY, LIMIT, LiveHandlers, LivePanel, live_panel
from kp.ui.pipeline import Analysis
from kp.ui.predict_handlers import VIEWS_HERE, PredictHandlers
from kp.ui.predict_html import CSS as FACE_CSS
from kp.ui.predict_panels import (
    BoxPanel,
    ComparePanel,
    FilesPanel,
    TestPanel,
    box_panel,
    compare_panel,
    files_panel,
    test_panel,
)
from kp.ui.predict_tools import CORNERS, PredictTools
from kp.ui.safe_image import SafeImage
from kp.ui.stage_cards import CSS as STAGES_CSS

LEAD = """Find the 68 points on any photo. A detector finds each face; the network sees nothing but a small crop
of it. Click a face to follow its way."""
EXAMPLES = """Or click an example. The people in drawn scenes do not exist; those in frames of the dataset, where it is
here, no shipped network has seen."""
MARKS = ["points", "contours", "numbers", "boxes", "ellipses", ("colours by region", "colours")]
PICTURE_HEIGHT = "min(440px, 90vw)"  # no empty bands above and below on a phone
AT_ONCE = 2  # programs whose photos are worked on at a time; the others wait
LEGEND_CSS = ".legend {margin: 9px 0 0}"  # level with the boxes to tick beside it
QUIET = {"show_progress": "hidden", "api_visibility": "private"}
LESSON = """A *detector* looks over the whole photo and gives a box for each face. A square about the box is cut out and
resized, because the network takes pictures of one size only. It answers with 136 numbers, two for each point, near
zero because such numbers are learnt best; times a scale plus a mean they are pixels of the crop. The crop was made by
a matrix, and the matrix of the way back puts the points into the photo. A network that learnt from crops of faces is
lost where the box is wrong: many bad answers begin there. Each face is shown to the network in a few slightly
different crops, some of them mirrored: where their answers lie apart, as on a wall, it is not sure.

**Try this:** open the box test, move the box off the face step by step, and find out when the points let go of it.
Then compare with another network."""


@dataclass(frozen=True)
class Controls:
    """What a prediction is made from."""

    photo: SafeImage
    detector: gr.Radio
    threshold: gr.Slider
    margin: gr.Slider
    views: gr.Slider
    find: gr.Button
    offer: gr.Column
    examples: gr.HTML


@dataclass(frozen=True)
class Result:
    """What shows it. `analysis` is this visitor's own."""

    analysis: gr.State
    status: gr.Markdown
    notice: gr.HTML
    whole: gr.Button
    face: gr.Radio
    picture: gr.Image
    png: gr.DownloadButton
    about: gr.HTML
    steps: gr.HTML
    table: gr.HTML
    csv: gr.DownloadButton
    json: gr.DownloadButton
    details: gr.Column
    marks: gr.CheckboxGroup
    box: BoxPanel
    test: TestPanel
    compare: ComparePanel
    files: FilesPanel
    live: LivePanel

    @property
    def inspected(self) -> list[gr.components.Component]:
        return [self.picture, self.png, self.about, self.steps, self.table]

    @property
    def shown(self) -> list[gr.components.Component]:
        return [self.analysis, self.status, self.notice, self.whole, self.face, *self.inspected, self.csv, self.json,
                self.details]


def build(app: AppContext) -> None:
    """The tab's content."""
    handlers, tools = PredictHandlers(app.data, app.models), PredictTools(app.models)
    with gr.Column(elem_id="predict-body"):
        gr.Markdown(LEAD, elem_classes="kp-lead")
        with gr.Row():
            with gr.Column(scale=1, min_width=240):
                controls = _controls(app.settings.max_megapixels)
            with gr.Column(scale=3, min_width=320):
                result = _result(app.settings.max_megapixels)
        with gr.Accordion("What is going on here?", open=False):
            gr.Markdown(LESSON)
    _wire(app, handlers, controls, result)
    _wire_box(app, handlers, tools, controls=controls, result=result)
    _wire_tools(app, tools, controls=controls, result=result)
    _wire_live(app, controls, result)
    _publish(app, handlers)


def _controls(max_megapixels: int) -> Controls:
    photo = SafeImage(label="Photo", sources=["upload", "webcam", "clipboard"], format="png", height=260, buttons=[],
                      webcam_options=gr.WebcamOptions(mirror=False), elem_id="predict-photo").limit(max_megapixels)
    detector = gr.Radio([(kind.title, name) for name, kind in DETECTORS.items()], value="yunet", label="Face detector",
                        elem_id="predict-detector")
    with gr.Accordion("Advanced", open=False, elem_id="predict-advanced"):
        kind = DETECTORS["yunet"]
        threshold = gr.Slider(*kind.threshold_range, value=kind.default_threshold, step=0.05, label="Threshold",
                              info=kind.threshold_help, elem_id="predict-threshold")
        margin = gr.Slider(0, 3, value=0, step=0.05, label="Crop margin", elem_id="predict-margin",
                           info="side of the crop in sides of the face box, 1 to 2 is sensible; 0: the network's own")
        views = gr.Slider(1, len(VIEWS), value=VIEWS_HERE, step=1, label="Views of each face", elem_id="predict-views",
                          info="slightly different crops; the answer is their mean, their spread tells how sure it is. "
                               "Each takes the time of a face")
    find = gr.Button("Find keypoints", variant="primary", elem_id="predict-find")
    with gr.Column(visible=False) as offer:
        gr.Markdown(EXAMPLES, elem_classes="kp-note")
        examples = image_grid(elem_id="predict-examples", label="Examples: people never seen in training", cell=84)
    return Controls(photo, detector, threshold, margin, views, find, offer, examples)


def _result(max_megapixels: int) -> Result:
    analysis = gr.State(None, time_to_live=3600)
    status = gr.Markdown(elem_id="predict-status")
    notice = gr.HTML(visible=False, elem_id="predict-notice")
    whole = gr.Button("Take the whole photo as one face", visible=False, size="md", elem_id="predict-whole")
    picture = SafeImage(label="Result", show_label=False, interactive=False, format="png", height=PICTURE_HEIGHT,
                        buttons=["fullscreen"], elem_id="predict-picture").limit(max_megapixels)
    box = box_panel()  # near the picture that is clicked
    with gr.Column(elem_id="predict-details") as details:
        with gr.Row(equal_height=True):
            marks = gr.CheckboxGroup(MARKS, value=["points", "boxes", "colours"], label="Draw", show_label=False,
                                     container=False, elem_id="predict-marks", min_width=300)
            with gr.Column(min_width=280):
                gr.HTML(legend_html(), css_template=FACTS_CSS + LEGEND_CSS)
        face = gr.Radio([], label="Face: click it in the picture, or choose its number", visible=False,
                        elem_id="predict-face")
        about = gr.HTML(css_template=FACE_CSS, elem_id="predict-about")
        gr.Markdown("### From photo to points", elem_id="predict-steps-head")
        steps = gr.HTML(css_template=STAGES_CSS, elem_id="predict-steps")
        with gr.Row():
            csv, json, png = (gr.DownloadButton(f"Download {what}", size="md", interactive=False, min_width=90,
                                                elem_id=f"predict-{name}")
                              for what, name in (("CSV", "csv"), ("JSON", "json"), ("picture", "png")))
        with gr.Accordion("Coordinates of the 68 points, in pixels of the photo", open=False, elem_id="predict-table"):
            table = gr.HTML(css_template=TABLE_CSS)
        test, compare, files = test_panel(), compare_panel(), files_panel()
    return Result(analysis, status, notice, whole, face, picture, png, about, steps, table, csv, json, details, marks,
                  box, test, compare, files, live_panel(max_megapixels))


def _wire(app: AppContext, handlers: PredictHandlers, controls: Controls, result: Result) -> None:
    settings = [app.picker, controls.detector, controls.threshold, controls.margin, controls.views, result.marks]
    run = {"fn": show_errors(handlers.run), "inputs": [controls.photo, *settings], "outputs": result.shown,
           "show_progress": "minimal", "show_progress_on": result.status, "api_visibility": "private"}
    # change, not input and clear: those come before the page knows the new picture
    gr.on([controls.find.click, controls.photo.change, controls.threshold.release,
           controls.margin.release, controls.views.release, app.picker.change], trigger_mode="always_last", **run)
    controls.detector.input(handlers.adjust, controls.detector, controls.threshold, **QUIET).then(**run)
    result.whole.click(lambda: ("whole-image", handlers.adjust("whole-image")), None,
                       [controls.detector, controls.threshold], **QUIET).then(**run)
    controls.examples.select(show_errors(handlers.example), None, controls.photo, trigger_mode="always_last", **QUIET)
    looked = [result.analysis, result.face, result.marks]
    result.face.input(show_errors(handlers.inspect), looked, result.inspected, trigger_mode="always_last", **QUIET)
    result.marks.input(show_errors(handlers.draw), looked, [result.picture, result.png], trigger_mode="always_last",
                       **QUIET)
    shown = [controls.photo, controls.offer, controls.examples, *result.shown]
    app.page.load(show_errors(handlers.start), [app.picker, result.marks], shown, **QUIET)
    app.arrived.change(show_errors(handlers.arrive), [result.analysis, app.picker, result.marks], shown, **QUIET)


def _wire_box(app: AppContext, handlers: PredictHandlers, tools: PredictTools, *, controls: Controls,
              result: Result) -> None:
    """Clicks in the picture choose a face, or are corners of a box while one is drawn."""
    box, looked = result.box, [result.analysis, result.face, result.marks]

    def clicked(drawing: bool, first: list[float] | None, analysis: Analysis | None, chosen: int | None,
                marks: list[str], event: gr.SelectData) -> list[Any]:
        if not drawing:
            return [gr.skip()] * 3 + handlers.click(analysis, chosen, marks, event)
        *answers, picture = tools.corner(analysis, first, event)
        return [*answers, gr.skip(), picture, *[gr.skip()] * (len(result.inspected) - 1)]

    result.picture.select(show_errors(clicked), [box.drawing, box.first, *looked],
                          [box.first, box.given, box.note, result.face, *result.inspected], **QUIET)
    box.drawing.input(lambda on: (gr.Markdown(CORNERS, visible=on), None), box.drawing, [box.note, box.first], **QUIET)
    controls.photo.change(lambda: None, None, box.first, **QUIET)
    box.use.click(show_errors(tools.typed_box), box.sides, box.given, **QUIET)
    box.given.change(lambda given: given or [gr.skip()] * 4, box.given, box.sides, **QUIET).then(
        show_errors(handlers.run_box), [controls.photo, box.given, app.picker, controls.margin, controls.views,
                                        result.marks], result.shown, **QUIET)


def _wire_tools(app: AppContext, tools: PredictTools, *, controls: Controls, result: Result) -> None:
    """Each tool follows the face and the settings while its accordion is open."""
    test, compare, files = result.test, result.compare, result.files
    setting, face = [app.picker, controls.margin], [result.analysis, result.face]
    tried = {"fn": show_errors(tools.box_test), "outputs": test.picture, **QUIET,
             "inputs": [test.opened, *setting, controls.views, *face, *test.sliders]}
    mapped = {"fn": show_errors(tools.shift_map), "outputs": test.map, **QUIET,
              "inputs": [test.opened, *setting, *face]}
    compared = {"fn": show_errors(tools.compare), "outputs": compare.view, **QUIET,
                "inputs": [compare.opened, *setting, controls.views, *face, compare.other, compare.how]}
    test.accordion.expand(lambda: True, None, test.opened, **QUIET).then(**tried).then(**mapped)
    test.accordion.collapse(lambda: False, None, test.opened, **QUIET)
    gr.on([slider.release for slider in test.sliders], trigger_mode="always_last", **tried)
    test.back.click(lambda: [0, 0, 100, 0], None, test.sliders, **QUIET).then(**tried)
    compare.accordion.expand(lambda: True, None, compare.opened, **QUIET).then(
        tools.others, [app.picker, compare.other, app.run_ids], compare.other, **QUIET).then(**compared)
    compare.accordion.collapse(lambda: False, None, compare.opened, **QUIET)
    gr.on([compare.other.input, compare.how.input], trigger_mode="always_last", **compared)
    result.steps.change(**tried).then(**mapped).then(**compared)  # another face, or another answer
    files.make.click(show_errors(tools.files), [controls.photo, result.analysis, files.formats, files.size],
                     files.files, show_progress="minimal", api_visibility="private")


def _wire_live(app: AppContext, controls: Controls, result: Result) -> None:
    """Each visitor's stream is his own; the network answers one frame after another."""
    live, handlers = result.live, LiveHandlers(app.models)
    live.camera.stream(show_errors(handlers.frame), [live.camera, live.state, app.picker, result.marks, live.still],
                       [live.view, live.state], stream_every=EVERY, time_limit=LIMIT, concurrency_limit=2, **QUIET)
    live.take.click(show_errors(handlers.snapshot), live.state, controls.photo, **QUIET)


def _publish(app: AppContext, handlers: PredictHandlers) -> None:
    """The public API "/predict": its own hidden components, so that what a visitor does on the page plays no part."""
    with gr.Column(visible=False):
        image = SafeImage(label="image").limit(app.settings.max_megapixels)
        model = gr.Textbox(next(iter(app.models.names()), "five_conv"), label="model")
        detector = gr.Textbox("yunet", label="detector")
        threshold, margin = gr.Number(None, label="threshold"), gr.Number(None, label="margin")
        drawn = SafeImage(label="picture", format="png").limit(app.settings.max_megapixels)
        faces = gr.JSON(label="faces")
        gr.Button().click(show_errors(_forgotten(app.page, handlers.predict)),
                          [image, model, detector, threshold, margin], [drawn, faces],
                          api_name="predict", concurrency_limit=AT_ONCE)


def _forgotten(page: gr.Blocks, answer: Callable[..., Any]) -> Callable[..., Any]:
    """A program's call leaves nothing behind. Gradio takes each for a visitor, and remembers so many of them."""

    @functools.wraps(answer)
    def called(*values: Any) -> Any:
        try:
            return answer(*values)
        finally:
            page.state_holder.session_data.pop(LocalContext.request.get().session_hash, None)

    return called
