"""What the Dataset tab answers: plain values in, values for its components out. No visitor's state is kept here."""

from collections.abc import Sequence
from threading import Thread
from typing import Any

import gradio as gr

from kp.data import FacialKeypointsDataset
from kp.drawing.stages import CHAINS, describe_stages
from kp.ui.context import DataSource
from kp.ui.dataset import frames
from kp.ui.dataset.frame_html import coordinates_html, facts_html, notice_html
from kp.ui.dataset.frames import EVERYBODY, PART_NAMES, Selection
from kp.ui.widgets.image_grid import GridItem
from kp.ui.widgets.stage_cards import stages_html


class FrameHandlers:
    """The data is opened anew for each answer, since it may be switched. Rows are rows of the whole dataset."""

    def __init__(self, data: DataSource) -> None:
        self.data = data

    def start(self, split: str, part: str) -> list[Any]:
        """The notice, the body's visibility, and a first selection; only the notice where there is no data."""
        problem = self.data.problem
        if problem:
            return [gr.HTML(notice_html(problem), visible=True), gr.Column(visible=False), *[gr.skip()] * 6]
        return [gr.HTML(visible=False), gr.Column(visible=True), *self.select(split, part, EVERYBODY, None)]

    def select(self, split: str, part: str, person: str, chosen: int | None) -> list[Any]:
        """The person filter; the grid, its summary, the page's number, "of 34"; the chosen row.

        The chosen frame stays if the selection has it, and its page is opened; else the first one is chosen.
        """
        dataset = self.data.open()
        everybody = Selection(split, part).rows(dataset)
        names = frames.people_in(dataset, everybody)
        person = person if person in names else EVERYBODY
        choices = [(f"everybody ({len(names)})", EVERYBODY)]
        choices += [(name.replace("_", " "), name) for name in names]
        rows = Selection(split, part, person).rows(dataset)
        if chosen not in rows:
            chosen = frames.first_readable(dataset, rows)
        page = rows.index(chosen) // frames.PAGE + 1 if chosen is not None else 1
        return [gr.Dropdown(choices, value=person), *self._page(dataset, rows, person, page, chosen), chosen]

    def previous(self, split: str, part: str, person: str, page: float | None, chosen: int | None) -> list[Any]:
        """The grid, its summary, the page's number and "of 34", one page back if there is one."""
        return self._turned(split, part, person, page, chosen, step=-1)

    def next(self, split: str, part: str, person: str, page: float | None, chosen: int | None) -> list[Any]:
        """The same, one page on."""
        return self._turned(split, part, person, page, chosen, step=1)

    def jump(self, split: str, part: str, person: str, page: float | None, chosen: int | None) -> list[Any]:
        """The grid and its summary at a page that is being typed: the number itself is left alone."""
        return self._turned(split, part, person, page, chosen, step=0)[:2]

    def pick(
        self, split: str, part: str, person: str, page: float | None, marks: Sequence[str], event: gr.EventData
    ) -> list[Any]:
        """The row that was clicked in the grid, and its detail."""
        dataset = self.data.open()
        rows = Selection(split, part, person).rows(dataset)
        shown = frames.page_rows(rows, frames.existing_page(rows, page))
        return self._picked(dataset, split, shown, marks, event)

    def pick_other(
        self,
        split: str,
        part: str,
        person: str,
        page: float | None,
        marks: Sequence[str],
        chosen: int | None,
        event: gr.EventData,
    ) -> list[Any]:
        """The row that was clicked among the other frames of its video, its detail, and the grid where it is marked."""
        dataset = self.data.open()
        shown = frames.other_frames(dataset, self._row(dataset, chosen))
        picked = self._picked(dataset, split, shown, marks, event)
        return [*picked, self._turned(split, part, person, page, picked[0], step=0)[0]]

    def detail(self, split: str, chosen: int | None, marks: Sequence[str]) -> list[Any]:
        """The large picture, its facts, the sentence on leaks, the other frames of the video, the coordinates."""
        if chosen is None:
            return [gr.skip()] * 5
        dataset = self.data.open()
        row = self._row(dataset, chosen)
        others = frames.other_frames(dataset, row)
        parts = [frames.part_of(dataset, split, other) for other in others]
        items = [
            frames.face_item(dataset, other, PART_NAMES[part], remark=PART_NAMES[part])
            for other, part in zip(others, parts, strict=True)
        ]
        sentence = frames.leak_sentence(frames.part_of(dataset, split, row), parts)
        return [
            self.picture(row, marks),
            facts_html(dataset, row),
            sentence,
            items,
            coordinates_html(dataset.keypoints[row]),
        ]

    def picture(self, chosen: int | None, marks: Sequence[str]) -> Any:
        """The large picture alone."""
        if chosen is None:
            return gr.skip()
        dataset = self.data.open()
        row = self._row(dataset, chosen)
        title = frames.frame_title(dataset.frames[row])
        return gr.update(
            value=frames.large_picture(dataset, row, marks),
            alt_text=f"{title}, with {', '.join(marks) or 'nothing'} drawn on the face",
        )

    def stages(self, chosen: int | None, chain: str, seed: int) -> Any:
        """The cards of a chain of transforms, for one draw of what is random in it."""
        if chosen is None:
            return gr.skip()
        dataset = self.data.open()
        row = self._row(dataset, chosen)
        described = describe_stages(dataset.sample(row), CHAINS[chain](seed), code=f"dataset.sample({row})")
        return stages_html(described, seed)

    def roll(self, chosen: int | None, chain: str, seed: int) -> list[Any]:
        """A new seed, and the cards of its draw."""
        return [seed + 1, self.stages(chosen, chain, seed + 1)]

    def _turned(
        self, split: str, part: str, person: str, page: float | None, chosen: int | None, *, step: int
    ) -> list[Any]:
        dataset = self.data.open()
        rows = Selection(split, part, person).rows(dataset)
        return self._page(dataset, rows, person, frames.existing_page(rows, page) + step, chosen)

    def _page(
        self, dataset: FacialKeypointsDataset, rows: Sequence[int], person: str, page: float, chosen: int | None
    ) -> list[Any]:
        page = frames.existing_page(rows, page)
        if (
            dataset.synthetic
        ):  # they take time to paint, so that the next page's are painted while this one is looked at
            frames.draw_page(dataset, rows, page)
            Thread(target=frames.draw_page, args=(dataset, rows, page + 1), daemon=True, name="next-page").start()
        items: list[GridItem] = []
        for row in frames.page_rows(rows, page):
            frame = dataset.frames[row]
            caption = f"video {frame.video}" if person else ""
            items.append(frames.face_item(dataset, row, caption, chosen=row == chosen))
        return [items, frames.summary(dataset, rows), page, f"of {frames.page_count(rows)}"]

    def _picked(
        self,
        dataset: FacialKeypointsDataset,
        split: str,
        shown: Sequence[int],
        marks: Sequence[str],
        event: gr.EventData,
    ) -> list[Any]:
        index = int(event.index)
        if not 0 <= index < len(shown):
            return [gr.skip()] * 6
        return [shown[index], *self.detail(split, shown[index], marks)]

    def _row(self, dataset: FacialKeypointsDataset, chosen: int | None) -> int:
        """The chosen row; the first one where the data was switched for a smaller set."""
        return chosen if chosen is not None and chosen < len(dataset) else 0
