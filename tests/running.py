"""What tests share to run things: the project's folder, the app on a free port, coroutines."""

import asyncio
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kp.ui.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
SUMMARY_KEYS = [
    "model",
    "split",
    "setting",
    "images",
    "missed",
    "nme_mean",
    "nme_median",
    "nme_p95",
    "fr8",
    "fr10",
    "auc8",
    "regions",
]
# Of `kp train`: two epochs of six images.
QUICK_OPTIONS = [
    "--architecture",
    "naimishnet",
    "--crop-size",
    "32",
    "--max-train-images",
    "6",
    "--batch-size",
    "3",
    "--epochs",
    "2",
    "--precision",
    "float32",
]


def launch_app(settings: "Settings") -> Iterator[str]:
    """The address of an app with these settings, until the generator is closed."""
    from kp.ui.app import build_app, launch_options, stay_offline  # here: most tests need no gradio

    stay_offline()
    page = build_app(settings)
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **launch_options(settings))
    yield url
    page.close()


def run_async(work: Coroutine) -> object:
    """What `work` returns, in a thread of its own: the browser's driver keeps a loop running in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()
