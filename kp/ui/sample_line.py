"""Where there is no real dataset: one line that says whose faces these are, and why."""

from html import escape

import gradio as gr

from kp.ui.context import AppContext, DataSource

WHO = "<b>Sample faces: these people do not exist.</b> A statistical model draws them and knows their 68 points."
AFTER = {  # what that means for a tab
    "dataset": "",
    "train": "What learns from them is tested on others of them, and its error there is not its error on real people.",
    "evaluate": "Run measures on them; the figures that are stored with a network are of real people.",
}


def line_html(data: DataSource, tab: str) -> str:
    """The line of a tab, and what is wrong with the dataset that was named; nothing where the faces are real."""
    if data.problem or not data.open().invented:
        return ""
    if data.fault:
        why = f"They stand in because the dataset cannot be used: {escape(data.fault)}"
    elif data.missing:
        where = "" if tab == "dataset" else "; the Dataset tab fetches it"
        why = f"They stand in for the dataset of real people, which is not on this machine{where}."
    else:
        why = "They were asked for in place of the dataset of real people."
    return f'<div class="kp-notice">{" ".join(filter(None, [WHO, why, AFTER[tab]]))}</div>'


def sample_line(app: AppContext, tab: str) -> None:
    """The line as a component, made where it is called; it goes when the real dataset comes."""
    def show() -> gr.HTML:
        text = line_html(app.data, tab)
        return gr.HTML(text, visible=bool(text))

    text = line_html(app.data, tab)
    line = gr.HTML(text, visible=bool(text), elem_id=f"{tab}-sample")
    gr.on(app.fills, show, None, line, show_progress="hidden", api_visibility="private")
