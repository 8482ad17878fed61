"""Where there is no dataset: a button that downloads it, the progress, and a way to cancel."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.blocks import Block

from kp.ui.context import AppContext
from kp.ui.events import Action
from kp.ui.services.downloads import Download, status_html
from kp.ui.static import render

POLL_SECONDS = 0.3

Updates = dict[Block, Any]  # new values by component; a component that is not in it stays as it is


@dataclass(frozen=True)
class DownloadParts:
    """box: the buttons, hidden where there is a dataset. start: begins the download, or joins one in progress."""

    box: gr.Column
    start: gr.Button
    cancel: gr.Button
    status: gr.HTML


def download_parts(app: AppContext) -> DownloadParts:
    """Lay out the components. To be called inside a gr.Blocks context."""
    source = app.downloads.sources[0]
    with gr.Column(visible=False) as box:
        with gr.Row(equal_height=True):
            start = gr.Button(
                f"Download the dataset ({source.megabytes} MB, from {source.name})",
                scale=2,
                size="md",
                variant="primary",
                min_width=320,
                elem_id="dataset-download",
            )
            cancel = gr.Button(
                "Cancel", visible=False, scale=0, min_width=140, size="md", elem_id="dataset-download-cancel"
            )
            with gr.Column(scale=3, min_width=300):
                gr.HTML(render("dataset_download.html", url=source.url), elem_classes="kp-note")
        status = gr.HTML(elem_id="dataset-download-status")
    return DownloadParts(box, start, cancel, status)


class DownloadHandlers:
    """All visitors share one download; each page polls its progress."""

    def __init__(self, app: AppContext, parts: DownloadParts) -> None:
        self.app, self.parts = app, parts

    def start(self) -> gr.Button:
        """Start the download, or join the one in progress; the button, hidden."""
        self.app.downloads.start()
        return gr.Button(visible=False)

    def cancel(self) -> gr.Button:
        """Cancel the download for all visitors; the button, disabled."""
        self.app.downloads.cancel()
        return gr.Button(interactive=False)

    async def attach(self, arrived: int) -> AsyncIterator[Updates]:
        """The same as `watch`, for a page that opens; no change where there is a dataset."""
        if not self.app.data.missing:
            yield {self.parts.status: gr.skip()}
            return
        async for updates in self.watch(arrived):
            yield updates

    async def watch(self, arrived: int) -> AsyncIterator[Updates]:
        """Buttons and status until the download ends; then, if there is a dataset, `app.arrived` plus one."""
        state, seen = self.app.downloads.current, None
        while state and state.active:
            if (text := status_html(state)) != seen:
                seen = text
                yield self._progress(state, text)
            await asyncio.sleep(POLL_SECONDS)
        parts, missing = self.parts, self.app.data.missing
        yield {
            parts.box: gr.Column(visible=missing),
            parts.start: gr.Button(visible=True),
            parts.cancel: gr.Button(visible=False),
            parts.status: status_html(state),
            self.app.arrived: gr.skip() if missing else arrived + 1,
        }

    def _progress(self, state: Download, text: str) -> Updates:
        """A download in progress; one that the app started by itself cannot be cancelled."""
        parts, can_cancel = self.parts, not self.app.settings.fetch_data
        return {
            parts.box: gr.Column(visible=True),
            parts.start: gr.Button(visible=False),
            parts.cancel: gr.Button(visible=can_cancel, interactive=not state.cancel.is_set()),
            parts.status: text,
        }


def build_download_notice(app: AppContext) -> None:
    """The components with their events. When the dataset is there, `app.arrived` changes and the tabs fill."""
    parts = download_parts(app)
    handlers = DownloadHandlers(app, parts)
    outputs = [parts.box, parts.start, parts.cancel, parts.status, app.arrived]
    watch = Action(handlers.watch, app.arrived, outputs, concurrency=None)
    Action(handlers.attach, app.arrived, outputs, concurrency=None).on(app.page.load)
    watch.after(Action(handlers.start, None, parts.start).on(parts.start.click), whatever_came=True)
    Action(handlers.cancel, None, parts.cancel, queue=False).on(parts.cancel.click)
