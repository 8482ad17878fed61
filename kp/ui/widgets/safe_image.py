"""gr.Image decoded by kp.data.images: upright uint8 RGB from any upload, or an ImageError that says what to do.

gr.Image turns 16-bit images white, reads GIFs as palette indexes, needs gigabytes for some crafted small files and
reads files of the server that were not uploaded.
"""

import base64
import binascii
import io
import os
from pathlib import Path
from typing import Self

import gradio as gr
import numpy as np
from gradio.data_classes import Base64ImageData, ImageData
from PIL.Image import Image as PILImage

from kp.data.images import MAX_PIXELS, read_reduced
from kp.errors import ImageError
from kp.formats.writer import png_bytes
from kp.ui.widgets.feedback import as_toast
from kp.ui.widgets.served_files import save_served


class ServedImage(gr.Image):
    """Shows an image as gr.Image does, but writes a PNG once, atomically and in a tenth of the time."""

    is_template = True

    def get_block_name(self) -> str:
        return "image"  # the front-end component

    def postprocess(self, value: np.ndarray | PILImage | str | Path | None) -> ImageData | Base64ImageData | None:
        if isinstance(value, np.ndarray) and self.format == "png":
            value = save_served(png_bytes(value), "image.png", self.GRADIO_CACHE)
        return super().postprocess(value)


class SafeImage(ServedImage):
    """Passes uint8 (H, W, 3) RGB to its listeners, or None without an image."""

    is_template = True
    max_pixels = MAX_PIXELS

    def limit(self, megapixels: int) -> Self:
        """Set the largest accepted size; returns self. Not a constructor argument, as gradio inspects its signature."""
        self.max_pixels = megapixels * 1_000_000
        return self

    def preprocess(self, payload: ImageData | None) -> np.ndarray | None:
        if payload is None:
            return None
        try:
            image, reduction, (width, height) = read_reduced(self._source(payload), max_pixels=self.max_pixels)
        except ImageError as error:
            raise as_toast(error) from error
        if reduction > 1:
            gr.Info(
                f"The photo has {width} x {height} pixels and is read at 1/{reduction} of its size; points "
                f"count in pixels of the smaller picture, {image.shape[1]} x {image.shape[0]}."
            )
        return image

    def _source(self, payload: ImageData) -> str | io.BytesIO:
        """The uploaded file, or the bytes of a data: address. Nothing else is opened."""
        if payload.url and payload.url.startswith("data:"):
            try:
                return io.BytesIO(base64.b64decode(payload.url.partition(",")[2], validate=True))
            except binascii.Error:
                raise ImageError("The picture's data: address is damaged. Upload it as a file.") from None
        cache, path = os.path.realpath(self.GRADIO_CACHE), os.path.realpath(payload.path or "")
        if not path.startswith(cache + os.sep):
            raise ImageError("That file was not uploaded here. Upload it first.")
        return path
