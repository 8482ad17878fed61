"""Files that the app serves: written once and atomically, never replaced while they are sent.

Gradio's own `save_bytes_to_cache` rewrites a file of the same content each time, so that one of two simultaneous
visitors may receive a part of it.
"""

import os
from pathlib import Path

from gradio.utils import get_upload_folder

from kp.files import digest_of, write_file


def save_served(content: bytes, name: str, folder: str | None = None) -> str:
    """The path of a file with this content and name in Gradio's cache (or `folder`), which deletes it when it is old.

    Equal content shares a file.
    """
    path = Path(folder or get_upload_folder(), digest_of(content), name).resolve()
    try:
        os.utime(path)  # gradio deletes by age
    except FileNotFoundError:
        write_file(path, content)
    return str(path)
