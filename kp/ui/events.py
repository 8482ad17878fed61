"""What an event of a component does: one typed object in place of the keyword arguments of Gradio's listeners."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import gradio as gr
from gradio.blocks import Block
from gradio.events import Dependency

from kp.ui.widgets.feedback import show_errors

Components = Block | Sequence[Block] | None


@dataclass(frozen=True)
class Action:
    """A handler with the components that it reads and writes.

    handler: plain values in; a dict keyed by component, or one value for one output, out. None where only `js` runs.
    js: JavaScript that runs in the browser before the handler. progress: what `progress_on`, else the outputs, show
    meanwhile. latest: of events that come while it runs only the last counts, else all of them do.
    queue: whether it waits for its turn; False for what must get through at once, such as Stop.
    concurrency: how many may run at a time; None for any number.
    KpErrors of the handler become messages on the page. No action is part of the public API.

        show = Action(handlers.show, inputs=[controls.model], outputs=[parts.table])
        show.after(save.on(controls.save.click))
    """

    handler: Callable[..., Any] | None = None
    inputs: Components = None
    outputs: Components = None
    js: str | None = None
    progress: Literal["full", "minimal", "hidden"] = "hidden"
    progress_on: Block | None = None
    latest: bool = False
    queue: bool = True
    concurrency: int | None | Literal["default"] = "default"

    def on(self, *triggers: Any) -> Dependency:
        """Run it at any of these events, such as `button.click`."""
        return gr.on(list(triggers), trigger_mode="always_last" if self.latest else None, **self._options())

    def after(self, event: Dependency, *, whatever_came: bool = False) -> Dependency:
        """Run it when the event's own action has ended well, or `whatever_came` of it."""
        return (event.then if whatever_came else event.success)(**self._options())

    def _options(self) -> dict[str, Any]:
        return {
            "fn": show_errors(self.handler) if self.handler else None,
            "inputs": _listed(self.inputs),
            "outputs": _listed(self.outputs),
            "js": self.js,
            "show_progress": self.progress,
            "show_progress_on": self.progress_on,
            "queue": self.queue,
            "concurrency_limit": self.concurrency,
            "api_visibility": "private",
        }

    def with_latest(self) -> "Action":
        """The same, of which only the last counts."""
        return replace(self, latest=True)


def _listed(components: Components) -> list[Block] | None:
    if components is None or isinstance(components, Block):
        return None if components is None else [components]
    return list(components)
