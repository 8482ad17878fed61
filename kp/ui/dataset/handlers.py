"""The Dataset tab's handlers: plain values in, a dict keyed by component out. No visitor's state is kept here."""

from collections.abc import Sequence
from threading import Thread
from typing import Any

import gradio as gr
from gradio.blocks import Block

from kp.data import FacialKeypointsDataset
from kp.drawing.stages import CHAINS, describe_stages
from kp.ui.context import DataSource
from kp.ui.dataset import frames
from kp.ui.dataset.frame_html import coordinates_html, facts_html, notice_html
from kp.ui.dataset.frames import EVERYBODY, PART_NAMES, Selection
from kp.ui.dataset.parts import DatasetParts
from kp.ui.widgets.image_grid import GridItem
from kp.ui.widgets.stage_cards import stages_html

Updates = dict[Block, Any]  # new values by component; a component that is not in it stays as it is


class FrameHandlers:
    """Each handler opens the data anew, since it may be switched. chosen: a row of the whole dataset."""

    def __init__(self, data: DataSource, parts: DatasetParts) -> None:
        self.data, self.parts = data, parts

    def start(self, split: str, part: str) -> Updates:
        """The body with a first selection; where there is no data, a notice in place of it."""
        notice, body = self.parts.notice, self.parts.body
        if problem := self.data.problem:
            return {notice: gr.HTML(notice_html(problem), visible=True), body: gr.Column(visible=False)}
        return {
            notice: gr.HTML(visible=False),
            body: gr.Column(visible=True),
            **self.select(split, part, EVERYBODY, None),
        }

    def select(self, split: str, part: str, person: str, chosen: int | None) -> Updates:
        """The person filter's choices, a page of the grid, the chosen frame.

        That frame stays if the selection has it, and its page is opened; else the first readable one is chosen.
        """
        dataset = self.data.open()
        names = frames.people_in(dataset, Selection(split, part).rows(dataset))
        person = person if person in names else EVERYBODY
        choices = [(f"everybody ({len(names)})", EVERYBODY), *((name.replace("_", " "), name) for name in names)]
        rows = Selection(split, part, person).rows(dataset)
        if chosen not in rows:
            chosen = frames.first_readable(dataset, rows)
        page = rows.index(chosen) // frames.PAGE + 1 if chosen is not None else 1
        return {
            self.parts.filters.person: gr.Dropdown(choices, value=person),
            self.parts.browser.chosen: chosen,
            **self._page(dataset, rows, person, page, chosen),
        }

    def previous(self, split: str, part: str, person: str, page: float | None, chosen: int | None) -> Updates:
        """The page before this one, if there is one."""
        return self._turn(Selection(split, part, person), page, chosen, step=-1)

    def next(self, split: str, part: str, person: str, page: float | None, chosen: int | None) -> Updates:
        """The page after this one, if there is one."""
        return self._turn(Selection(split, part, person), page, chosen, step=1)

    def jump(self, split: str, part: str, person: str, page: float | None, chosen: int | None) -> Updates:
        """The grid and its summary at a page number that is being typed; the number itself stays as it is."""
        browser = self.parts.browser
        updates = self._turn(Selection(split, part, person), page, chosen)
        return {component: updates[component] for component in (browser.grid, browser.summary)}

    def pick(
        self, split: str, part: str, person: str, page: float | None, marks: Sequence[str], event: gr.EventData
    ) -> Updates:
        """The frame that was clicked in the grid, in detail."""
        rows, browser = Selection(split, part, person).rows(self.data.open()), self.parts.browser
        row = _clicked(frames.page_rows(rows, frames.existing_page(rows, page)), event)
        return {browser.chosen: gr.skip()} if row is None else {browser.chosen: row, **self.detail(split, row, marks)}

    def pick_other(
        self,
        split: str,
        part: str,
        person: str,
        page: float | None,
        chosen: int | None,
        marks: Sequence[str],
        event: gr.EventData,
    ) -> Updates:
        """The frame that was clicked among those of the same video, in detail, and marked in the grid."""
        browser, dataset = self.parts.browser, self.data.open()
        row = _clicked(frames.other_frames(dataset, _row(dataset, chosen)), event)
        if row is None:
            return {browser.chosen: gr.skip()}
        grid = self._turn(Selection(split, part, person), page, row)[browser.grid]
        return {browser.chosen: row, **self.detail(split, row, marks), browser.grid: grid}

    def detail(self, split: str, chosen: int | None, marks: Sequence[str]) -> Updates:
        """The chosen frame large, its facts, the sentence on leaks, the other frames of its video, the coordinates."""
        detail = self.parts.detail
        if chosen is None:
            return {detail.facts: gr.skip()}
        dataset = self.data.open()
        row = _row(dataset, chosen)
        others = frames.other_frames(dataset, row)
        parts = [frames.part_of(dataset, split, other) for other in others]
        return {
            **self.draw(row, marks),
            detail.facts: facts_html(dataset, row),
            detail.leak: frames.leak_sentence(frames.part_of(dataset, split, row), parts),
            detail.others: [
                frames.face_item(dataset, other, PART_NAMES[part], remark=PART_NAMES[part])
                for other, part in zip(others, parts, strict=True)
            ],
            detail.coordinates: coordinates_html(dataset.keypoints[row]),
        }

    def draw(self, chosen: int | None, marks: Sequence[str]) -> Updates:
        """The chosen frame large, with these marks."""
        picture = self.parts.detail.picture
        if chosen is None:
            return {picture: gr.skip()}
        dataset = self.data.open()
        row = _row(dataset, chosen)
        title = frames.frame_title(dataset.frames[row])
        return {
            picture: gr.update(
                value=frames.large_picture(dataset, row, marks),
                alt_text=f"{title}, with {', '.join(marks) or 'nothing'} drawn on the face",
            )
        }

    def show_stages(self, chosen: int | None, chain: str, seed: int) -> Updates:
        """The cards of a chain of transforms; their random parameters come from `seed`."""
        cards = self.parts.stages.cards
        if chosen is None:
            return {cards: gr.skip()}
        dataset = self.data.open()
        row = _row(dataset, chosen)
        stages = describe_stages(dataset.sample(row), CHAINS[chain](seed), code=f"dataset.sample({row})")
        return {cards: stages_html(stages, seed)}

    def roll(self, chosen: int | None, chain: str, seed: int) -> Updates:
        """The next seed, and the cards with its random parameters."""
        return {self.parts.stages.seed: seed + 1, **self.show_stages(chosen, chain, seed + 1)}

    def _turn(self, selection: Selection, page: float | None, chosen: int | None, *, step: int = 0) -> Updates:
        dataset = self.data.open()
        rows = selection.rows(dataset)
        return self._page(dataset, rows, selection.person, frames.existing_page(rows, page) + step, chosen)

    def _page(
        self, dataset: FacialKeypointsDataset, rows: Sequence[int], person: str, page: float, chosen: int | None
    ) -> Updates:
        """The grid's cells, its summary, the page's number and "of 34", at the page nearest to `page`."""
        page = frames.existing_page(rows, page)
        if dataset.synthetic:  # they take time to render: the next page is rendered while the visitor sees this one
            frames.draw_page(dataset, rows, page)
            Thread(target=frames.draw_page, args=(dataset, rows, page + 1), daemon=True, name="next-page").start()
        items: list[GridItem] = []
        for row in frames.page_rows(rows, page):
            caption = f"video {dataset.frames[row].video}" if person else ""
            items.append(frames.face_item(dataset, row, caption, chosen=row == chosen))
        browser = self.parts.browser
        return {
            browser.grid: items,
            browser.summary: frames.summary(dataset, rows),
            browser.page: page,
            browser.count: f"of {frames.page_count(rows)}",
        }


def _clicked(rows: Sequence[int], event: gr.EventData) -> int | None:
    """The row in the clicked cell; None where the data was switched and there is no such cell any more."""
    index = int(event.index)
    return rows[index] if 0 <= index < len(rows) else None


def _row(dataset: FacialKeypointsDataset, chosen: int | None) -> int:
    """The chosen row; the first one where the data was switched for a smaller set."""
    return chosen if chosen is not None and chosen < len(dataset) else 0
