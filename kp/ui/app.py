"""The page: a head with the model picker, and the tabs."""

import os
import threading
from typing import Any

import gradio as gr

from kp.model_card import ModelCard
from kp.ui.context import AppContext, DataSource
from kp.ui.dataset import tab as dataset_tab
from kp.ui.dataset.frames import draw_first_page
from kp.ui.evaluate import tab as evaluate_tab
from kp.ui.events import Action
from kp.ui.inspect import tab as inspect_tab
from kp.ui.predict import tab as predict_tab
from kp.ui.services.downloads import DownloadManager
from kp.ui.services.model_store import ModelStore
from kp.ui.services.training_runs import RunManager
from kp.ui.settings import Settings
from kp.ui.static import render
from kp.ui.theme import CSS, THEME
from kp.ui.train import tab as train_tab

TABS = {
    "Dataset": dataset_tab,
    "Train": train_tab,
    "Evaluate": evaluate_tab,
    "Predict": predict_tab,
    "Feature maps": inspect_tab,
}
HEAD = """# Keypoint Lab
68 points on a face, and how a network learns to find them."""


def card_html(card: ModelCard) -> str:
    """A network's title, error on people never seen, architecture, size and training data, in one line."""
    return render(
        "model_card.html",
        title=card.title,
        nme=card.nme,
        architecture=card.architecture,
        millions=card.parameters / 1e6,
        megabytes=card.megabytes,
        trained_on=card.trained_on,
    )


def build_app(settings: Settings) -> gr.Blocks:
    """The page with all tabs, not launched yet."""
    runs = RunManager(settings)
    data = DataSource(settings.data, fallback=settings.downloaded_data)
    downloads = DownloadManager(settings.download_folder, settings.sources)
    if settings.fetch_data and data.missing:
        downloads.start()
    draw_ahead(data)
    models = ModelStore(runs.folder)
    with gr.Blocks(title="Keypoint Lab", analytics_enabled=False, delete_cache=(3600, 3600)) as page:
        run_ids = gr.BrowserState({"ids": []}, storage_key="keypoint-lab-runs", secret="not a secret")
        arrived = gr.State(0)
        picker, card = _head(models)
        with gr.Tabs(elem_id="kp-tabs") as tabs:
            app = AppContext(settings, data, downloads, models, runs, page, picker, tabs, run_ids, arrived)
            for title, tab in TABS.items():
                with gr.Tab(title, id=title):
                    tab.build(app)

        def show_card(name: str | None) -> str:
            return card_html(models.card(name)) if name else '<div class="kp-card">No checkpoint is shipped yet.</div>'

        Action(app.offer_models, [run_ids, picker], picker).on(page.load, run_ids.change)
        Action(show_card, picker, card).on(page.load, picker.change)
    page.queue(api_open=False, max_size=settings.max_queue)
    return page


def _head(models: ModelStore) -> tuple[gr.Dropdown, gr.HTML]:
    """The app's name, the model picker and the model's card. To be called inside a gr.Blocks context."""
    with gr.Row(elem_id="kp-top"):
        with gr.Column(scale=2, min_width=280):
            gr.Markdown(HEAD, elem_id="kp-head")
        with gr.Column(scale=3, min_width=280):
            picker = gr.Dropdown(
                models.choices(),
                value=next(iter(models.names()), None),
                elem_id="kp-picker",
                label="Model: the network that the tabs use",
                container=False,
            )
            card = gr.HTML(elem_id="kp-card")
    return picker, card


def draw_ahead(data: DataSource) -> None:
    """Render the first page of the synthetic faces in a thread, so that the first visitor need not wait for it."""
    if not data.problem and (dataset := data.open()).synthetic:
        threading.Thread(target=draw_first_page, args=(dataset,), daemon=True, name="first-page").start()


def launch_options(settings: Settings) -> dict[str, Any]:
    """Arguments of `page.launch`: theme, limits, and no logging or monitoring of visitors."""
    return {
        "theme": THEME,
        "css": CSS,
        "max_file_size": f"{settings.max_upload_mb}mb",
        "run_history": False,
        "enable_monitoring": False,
        "show_error": False,
        "footer_links": ["api"],
        "ssr_mode": False,
        "state_session_capacity": settings.visitors,
    }


def stay_offline() -> None:
    """Turn off gradio's analytics, and proxies for this machine's own addresses. To be called before the launch."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    for name in ("NO_PROXY", "no_proxy"):
        hosts = [host for host in os.environ.get(name, "").split(",") if host]
        os.environ[name] = ",".join(dict.fromkeys([*hosts, "localhost", "127.0.0.1", "0.0.0.0"]))
