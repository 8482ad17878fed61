"""Files that the app serves: written once and atomically, never replaced while they are sent.

Gradio's own `save_bytes_to_cache` rewrites a file of the same content each time, so that one of two simultaneous
visitors may receive a part of it.
"""

import hashlib
import os
import tempfile
from pathlib import Path

from gradio.utils import get_upload_folder


def save_served(content: bytes, name: str, folder: str | None = None) -> str:
    """The path of a file with this content and name in Gradio's cache (or `folder`), which deletes it when it is old.

    Equal content shares a file.
    """
    path = Path(folder or get_upload_folder(), hashlib.sha256(content).hexdigest(), name).resolve()
    try:
        os.utime(path)  # gradio deletes by age
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, staged = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            os.replace(staged, path)
        finally:
            Path(staged).unlink(missing_ok=True)  # left where the disk is full
    return str(path)
