"""CSS, JavaScript and HTML templates: files in `static/`, read once."""

import functools
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

FOLDER = Path(__file__).resolve().parent / "static"


@functools.cache
def read_static(name: str) -> str:
    """The text of a file in `static/`, such as "evaluate.css"."""
    return (FOLDER / name).read_text(encoding="utf-8")


@functools.cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


def render(template: str, **values: Any) -> Markup:
    """HTML from a template in `static/`, such as "facts.html". Values are escaped, unless they are Markup already;
    a value that the template names and is not given raises jinja2.UndefinedError.
    """
    return Markup(_environment().get_template(template).render(**values))
