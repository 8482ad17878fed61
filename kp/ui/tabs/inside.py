"""Placeholder."""

from kp.ui.context import AppContext


def build(app: AppContext) -> None:
    """The tab's content."""
