"""A line that marks faces as synthetic where the real dataset is missing, with the reason."""

from html import escape

import gradio as gr

from kp.ui.context import AppContext, DataSource
from kp.ui.events import Action

WHO = "<b>Synthetic faces: nobody real.</b> A statistical model draws them and knows their 68 keypoints."
CONSEQUENCES = {  # for the figures of each tab
    "dataset": "",
    "train": "A network trained on them is tested on others of them; that error is not its error on real people.",
    "evaluate": "Run measures on them; the figures that are stored with a network are of real people.",
}


def line_html(data: DataSource, tab: str) -> str:
    """The line of a tab, with the fault of a dataset that was named; empty where the faces are real."""
    if data.problem or not data.open().synthetic:
        return ""
    if data.fault:
        why = f"They stand in because the dataset cannot be used: {escape(data.fault)}"
    elif data.missing:
        where = "" if tab == "dataset" else "; the Dataset tab fetches it"
        why = f"They stand in for the dataset of real people, which is not on this machine{where}."
    else:
        why = "They were chosen in place of the dataset of real people."
    return f'<div class="kp-notice">{" ".join(filter(None, [WHO, why, CONSEQUENCES[tab]]))}</div>'


def sample_line(app: AppContext, tab: str) -> None:
    """The line as a component, made where it is called; it disappears when the real dataset arrives."""

    def show() -> gr.HTML:
        text = line_html(app.data, tab)
        return gr.HTML(text, visible=bool(text))

    text = line_html(app.data, tab)
    line = gr.HTML(text, visible=bool(text), elem_id=f"{tab}-sample")
    Action(show, None, line).on(*app.fills)
