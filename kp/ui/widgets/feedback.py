"""Errors as messages on the page: the library's own sentence, without a stack trace."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import gradio as gr

from kp.errors import KpError


def show_errors(handler: Callable[..., Any]) -> Callable[..., Any]:
    """A handler whose KpErrors become toasts. Works for functions, generators and async generators."""

    if inspect.isasyncgenfunction(handler):

        @functools.wraps(handler)
        async def shown(*args: Any) -> Any:
            try:
                async for value in handler(*args):
                    yield value
            except KpError as error:
                raise as_toast(error) from error
    elif inspect.isgeneratorfunction(handler):

        @functools.wraps(handler)
        def shown(*args: Any) -> Any:
            try:
                yield from handler(*args)
            except KpError as error:
                raise as_toast(error) from error
    else:

        @functools.wraps(handler)
        def shown(*args: Any) -> Any:
            try:
                return handler(*args)
            except KpError as error:
                raise as_toast(error) from error

    return shown


def as_toast(error: KpError) -> gr.Error:
    return gr.Error(str(error), title="That did not work", print_exception=False)
