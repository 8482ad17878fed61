"""Where there is no dataset: a button that fetches it, how far that is, and a way to cancel."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import gradio as gr

from kp.ui.context import AppContext
from kp.ui.services.downloads import status_html

POLL = 0.3  # seconds between two looks at a download
OTHERWISE = """or run <code>python -m kp download</code>, or unpack <a href="{url}" target="_blank" rel="noopener"
style="padding: 0; color: inherit">train-test-data.zip</a> so that
<code>data/training_frames_keypoints.csv</code> exists"""
QUIET = {"show_progress": "hidden", "api_visibility": "private"}


class DownloadNotice:
    """The components, made where it is called. When the data is there, `app.arrived` changes and the tabs fill."""

    def __init__(self, app: AppContext) -> None:
        self.app = app
        source = app.downloads.sources[0]
        with gr.Column(visible=False) as self.box:
            with gr.Row(equal_height=True):
                self.button = gr.Button(
                    f"Download the dataset ({source.megabytes} MB, from {source.name})",
                    scale=2,
                    size="md",
                    variant="primary",
                    min_width=320,
                    elem_id="dataset-download",
                )
                self.cancel = gr.Button(
                    "Cancel", visible=False, scale=0, min_width=140, size="md", elem_id="dataset-download-cancel"
                )
                with gr.Column(scale=3, min_width=300):
                    gr.HTML(OTHERWISE.format(url=source.url), elem_classes="kp-note")
            self.status = gr.HTML(elem_id="dataset-download-status")
        shown = {
            "inputs": app.arrived,
            "outputs": [self.box, self.button, self.cancel, self.status, app.arrived],
            "concurrency_limit": None,
            **QUIET,
        }
        app.page.load(self.attach, **shown)
        self.button.click(self.start, None, self.button, **QUIET).then(self.watch, **shown)
        self.cancel.click(self.ask_to_cancel, None, self.cancel, queue=False, api_visibility="private")

    def start(self) -> gr.Button:
        """Begin, or take part in what another visitor has begun."""
        self.app.downloads.start()
        return gr.Button(visible=False)

    def ask_to_cancel(self) -> gr.Button:
        self.app.downloads.cancel()
        return gr.Button(interactive=False)

    async def attach(self, arrived: int) -> AsyncIterator[tuple[Any, ...]]:
        """The same as `watch`, for a page that opens; nothing where there is data."""
        if not self.app.data.missing:
            yield (gr.skip(),) * 5
            return
        async for answer in self.watch(arrived):
            yield answer

    async def watch(self, arrived: int) -> AsyncIterator[tuple[Any, ...]]:
        """The box, its buttons and status until the download ends; `arrived` plus one when there is data then."""
        state, seen = self.app.downloads.current, None
        while state and state.active:
            if (text := status_html(state)) != seen:
                seen = text
                cancel = gr.Button(visible=not self.app.settings.fetch_data, interactive=not state.cancel.is_set())
                yield gr.Column(visible=True), gr.Button(visible=False), cancel, text, gr.skip()
            await asyncio.sleep(POLL)
        missing = self.app.data.missing
        yield (
            gr.Column(visible=missing),
            gr.Button(visible=True),
            gr.Button(visible=False),
            status_html(state),
            gr.skip() if missing else arrived + 1,
        )
