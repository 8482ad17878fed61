"""The Predict tab's components, grouped by what they are for."""

from dataclasses import dataclass

import gradio as gr

from kp.ui.predict.live import LivePanel
from kp.ui.predict.panels import BoxPanel, ComparePanel, FilesPanel, TestPanel
from kp.ui.widgets.safe_image import SafeImage

TTA_HERE = 4  # crops of a face: a better mean, and low confidence without a face; three times the time of one crop


@dataclass(frozen=True)
class Controls:
    """The inputs of a prediction."""

    photo: SafeImage
    detector: gr.Radio
    threshold: gr.Slider
    margin: gr.Slider
    tta: gr.Slider
    find: gr.Button
    offer: gr.Column
    examples: gr.HTML


@dataclass(frozen=True)
class Result:
    """The components that show a prediction. `analysis` is this visitor's own."""

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
    def inspected(self) -> list[gr.blocks.Block]:
        return [self.picture, self.png, self.about, self.steps, self.table]

    @property
    def shown(self) -> list[gr.blocks.Block]:
        return [
            self.analysis,
            self.status,
            self.notice,
            self.whole,
            self.face,
            *self.inspected,
            self.csv,
            self.json,
            self.details,
        ]

    @property
    def chosen(self) -> list[gr.blocks.Block]:
        """The inputs of handlers that draw the chosen face."""
        return [self.analysis, self.face, self.marks]


@dataclass(frozen=True)
class PredictParts:
    """All components of the tab that a handler reads or writes."""

    controls: Controls
    result: Result

    @property
    def opening(self) -> list[gr.blocks.Block]:
        """The outputs of the first example."""
        controls = self.controls
        return [controls.photo, controls.offer, controls.examples, *self.result.shown]
