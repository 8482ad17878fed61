"""The Train tab: what it draws and answers, with played runs; and real training on a page in a browser."""

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from builders import app_context, drawn_face
from running import run_async

from kp.__main__ import build_parser
from kp.commands.train import config_of
from kp.data import FacialKeypointsDataset
from kp.errors import CheckpointError, ConfigError
from kp.synthetic.dataset import SYNTHETIC
from kp.training import PRESETS, TrainConfig
from kp.ui.context import DataSource
from kp.ui.services.model_store import ModelStore
from kp.ui.services.training_runs import Run, RunManager, command_of
from kp.ui.settings import Settings
from kp.ui.train.handlers import TrainHandlers
from kp.ui.train.parts import Page, train_parts
from kp.ui.train.previews import previews_html
from kp.ui.train.run_view import charts_html, status_html

NOBODY = {"ids": []}


def step(number: int, **values: Any) -> dict:
    return {
        "event": "StepDone",
        "step": number,
        "steps": 40,
        "epoch": 1 + number // 20,
        "loss": 1 / number,
        "learning_rate": 1e-3,
        "images_per_second": 123.4,
        "seconds": number / 2,
        "seconds_left": 20 - number / 2,
        **values,
    }


def events(epochs: int = 2) -> list[dict]:
    """As `python -m kp train --json` tells them."""
    told = [
        {"event": "Decoding", "done": 9, "total": 36},
        {
            "event": "RunStarted",
            "parameters": 1234567,
            "train_images": 24,
            "validation_images": 12,
            "steps": 40,
            "precision": "float32",
            "threads": 2,
            "watched": [0, 3],
            "config": {},
        },
    ]
    for epoch in range(1, epochs + 1):
        told.append(step(20 * epoch - 1))
        faces = [(drawn_face(seed)[1] + epoch).tolist() for seed in (0, 3)]
        told.append(
            {
                "event": "EpochDone",
                "epoch": epoch,
                "epochs": epochs,
                "train_loss": 0.5,
                "faces": faces,
                "validation_loss": 0.8 / epoch,
                "nme": 30.0 / epoch,
                "seconds": 10.0 * epoch,
            }
        )
    return told


FINISHED = {
    "event": "RunEnded",
    "reason": "finished",
    "message": "Finished after 40 steps.",
    "seconds": 20.0,
    "nme": 15.0,
}
STOPPED = {"event": "RunEnded", "reason": "stopped", "message": "Stopped after step 39.", "seconds": 20.0, "nme": 15.0}


def script(told: Sequence[dict], *, goes_on: bool = False) -> str:
    """A process that tells these events and leaves a network, at once or when it is asked to stop."""
    lines = "".join(json.dumps(event) + "\n" for event in told)
    wait = f"try: time.sleep(600)\nexcept KeyboardInterrupt: print({json.dumps(STOPPED)!r})" if goes_on else ""
    return (
        f"import pathlib, sys, time\nsys.stdout.write({lines!r})\nsys.stdout.flush()\n{wait}\n"
        "pathlib.Path(sys.argv[1]).touch()"
    )


def run_of(*told: dict, number: int = 1, **settings: Any) -> Run:
    run = Run("5ec2e7", number, TrainConfig(**settings), Path(), Path())
    for event in told:
        run.take(event)
    return run


@pytest.mark.parametrize(
    ("run", "says", "share"),
    [
        (run_of(), "<b>Starting</b> the training process is starting", 0),
        (run_of(*events()[:1]), "<b>Reading the images</b> 9 of 36, once for all epochs", 25),
        (run_of(*events()[:2]), "<b>Training</b> the training process is starting", 0),
        (
            run_of(*events()[:2], step(10)),
            "<b>Training</b> epoch 1 of 3 · step 10 of 40 · 123 images/s · 15 s left",
            25,
        ),
        (run_of(*events()[:4], step(30, seconds_left=600)), "10 min left · NME 30.0 %", 2.4),
        (run_of(*events(), FINISHED), "<b>Finished</b> Finished after 40 steps. · NME 15.0 %", 100),
        (
            run_of({"event": "RunEnded", "reason": "diverged", "message": "The loss became <nan>."}),
            "<b>Diverged</b> The loss became &lt;nan&gt;.",
            0,
        ),
    ],
)
def test_the_status_says_where_a_run_is(run: Run, says: str, share: float) -> None:
    html = status_html(run)
    assert says in html and 'role="status"' in html
    assert float(re.search(r"width:([\d.]+)%", html).group(1)) == pytest.approx(share, abs=0.1)


def test_the_status_invites_where_there_is_no_run() -> None:
    assert "Press Start" in status_html(None)


def labels(html: str) -> list[str]:
    return re.findall(r'aria-label="([^"]*)"', html)


def test_the_charts_end_where_the_run_is() -> None:
    loss, error = labels(charts_html(run_of(*events())))
    assert loss == "Loss (mse): training 0.0499 at 19.5; validation 0.4 at 20 (seconds)"
    assert error == "Mean error, % of the eye distance (NME): people never seen 15 % at 20 (seconds)"
    assert "nothing yet" in charts_html(run_of(*events()[:2]))
    assert "test frames 15 %" in charts_html(run_of(*events(), split="official"))


def test_another_run_is_laid_over_and_an_epoch_is_marked() -> None:
    run, other = run_of(*events()), run_of(*events(3), number=2)
    loss, error = labels(charts_html(run, other))
    assert "run 1 15 % at 20; run 2 10 % at 30" in error and "run 2: validation 0.267 at 30" in loss
    assert charts_html(run, run) == charts_html(run).replace("people never seen", "run 1")
    assert charts_html(run, epoch=1).count("V226") == 2 and "V226" not in charts_html(run)


def test_long_runs_are_told_in_minutes() -> None:
    late = step(39, seconds=3000.0)
    assert "at 50;" in charts_html(run_of(*events()[:2], late, events()[3])) and "minutes" in charts_html(run_of(late))


def test_the_validation_previews_are_drawn_with_their_errors(dataset: FacialKeypointsDataset) -> None:
    run = run_of(*events())
    html = previews_html(run, dataset)
    assert "after epoch 2 (20 s)" in html and "after epoch 1 (10 s)" in previews_html(run, dataset, 1)
    captions = [float(error) for error in re.findall(r"<figcaption>([\d.]+) %</figcaption>", html)]
    truth, predicted = dataset.keypoints[[0, 3]], run.epochs[1]["faces"]
    eyes = np.linalg.norm(truth[:, 45] - truth[:, 36], axis=1)
    expected = np.linalg.norm(predicted - truth, axis=2).mean(axis=1) / eyes * 100
    assert captions == pytest.approx(expected, abs=0.06)
    assert html.count('alt="Ben Hart, error') == 2
    assert previews_html(run_of(), dataset) == previews_html(None, dataset) == previews_html(run, None) == ""


@pytest.fixture
def answers(data_root: Path, tmp_path: Path) -> TrainHandlers:
    settings = Settings(home=tmp_path)
    runs = RunManager(settings)
    with gr.Blocks():
        parts = train_parts()
        shared = {"run_ids": gr.BrowserState({"ids": []}), "picker": gr.Dropdown(), "tabs": gr.Tabs()}
    app = app_context(
        settings=settings, data=DataSource(str(data_root)), models=ModelStore(runs.folder), runs=runs, **shared
    )
    yield TrainHandlers(app, parts)
    runs.close()


def values(**changes: Any) -> list[Any]:
    return list((PRESETS["reference"].to_dict() | changes).values())


def started(answers: TrainHandlers, page: Page, owned: dict, **changes: Any) -> tuple[Page, dict]:
    """The page and the visitor's runs after a press on Start."""
    updates = answers.begin(page, owned, *values(**changes))
    return updates[answers.parts.page], updates.get(answers.app.run_ids, owned)


def buttons(answers: TrainHandlers, page: Page, owned: dict) -> tuple:
    """start, stop, use, run, other, epoch."""
    parts, updates = answers.parts, answers.buttons(page, owned)
    return tuple(
        updates[part] for part in (parts.form.start, parts.form.stop, parts.use, parts.run, parts.other, parts.epoch)
    )


def watched(answers: TrainHandlers, page: Page, owned: dict, until: Callable[[dict], None] | None = None) -> list:
    """All updates until the watching ends; `until` sees each."""

    async def look() -> list:
        shown = []
        async for news in answers.watch(page, owned):
            shown.append(news)
            if until:
                until(news)
        return shown

    return run_async(asyncio.wait_for(look(), 60))


def test_a_run_is_its_starter_s_and_is_watched_to_its_end(answers: TrainHandlers, play) -> None:
    play(script([*events(), FINISHED]))
    page, owned = started(answers, Page(), NOBODY)
    assert owned["ids"] == [answers.app.runs.active.id] and page.number == 1 and NOBODY == {"ids": []}
    parts, shown = answers.parts, watched(answers, page, owned)
    assert "Finished after 40 steps" in shown[-1][parts.status] and "15 % at 20" in shown[-1][parts.charts]
    assert [news[parts.previews].count("<figure>") for news in shown if parts.previews in news][-1] == 2
    assert shown[-1][parts.caption] == (
        "Run 1: five_conv, 1,234,567 parameters; trained on 24 images, tested on 12 "
        "(people split, test part); float32, 2 threads."
    )
    start, stop, use, show, other, epoch = buttons(answers, page, owned)
    assert (start.interactive, stop.visible, use.visible, show.value) == (True, False, True, 1)
    assert (other.visible, epoch.visible, epoch.maximum, epoch.value) == (False, True, 2, 2)


def test_watchers_see_a_run_but_do_not_own_it(answers: TrainHandlers, play) -> None:
    play(script(events(), goes_on=True))
    page, owned = started(answers, Page(), NOBODY)
    run = answers.app.runs.active
    other_page = answers.on_load(NOBODY)[answers.parts.page]
    assert other_page.number == 1 and other_page is not page
    seen = []

    def stop_when_seen(news: dict) -> None:
        seen.append(news)
        if len(run.epochs) == 2 and run.state == "training":
            assert answers.stop(other_page, NOBODY).interactive is False
            assert run.state == "training"
            answers.stop(page, owned)
            assert run.state in ("stopping", "stopped")

    watched(answers, other_page, NOBODY, stop_when_seen)
    parts = answers.parts
    assert "run is shown; yours can start when it ends" in seen[0][parts.caption]
    assert "Stopped after step 39." in seen[-1][parts.status] and "yours can start" not in seen[-1][parts.caption]
    start, stop, use, *_ = buttons(answers, other_page, NOBODY)
    assert (start.interactive, stop.visible, use.visible) == (True, False, False)
    assert answers.use_network(other_page, NOBODY) == {answers.app.picker: gr.skip()}
    controls = [control.get_config() for control in buttons(answers, other_page, NOBODY)]
    told = repr([[list(news.values()) for news in seen], controls])
    assert run.id not in told


def test_buttons_while_a_run_goes_on(answers: TrainHandlers, play) -> None:
    play(script(events(), goes_on=True))
    page, owned = started(answers, Page(), NOBODY)
    start, stop, use, _, _, epoch = buttons(answers, page, owned)
    assert (start.interactive, stop.visible, use.visible, epoch.visible) == (False, True, False, False)
    start, stop, *_ = buttons(answers, Page(), NOBODY)
    assert (start.interactive, stop.visible) == (False, False)


def test_who_starts_while_a_run_goes_on_is_shown_that_one(answers: TrainHandlers, play) -> None:
    play(script(events(), goes_on=True))
    started(answers, Page(), NOBODY)
    with pytest.warns(UserWarning, match="trained on this machine already"):
        page, owned = started(answers, Page(), NOBODY)
    assert (page.number, owned, len(answers.app.runs.history())) == (1, NOBODY, 1)


def test_a_page_that_turns_to_another_run_stops_watching_the_first(answers: TrainHandlers, play) -> None:
    play(script([*events(3), FINISHED]))
    page, owned = started(answers, Page(), NOBODY)
    watched(answers, page, owned)
    play(script(events(), goes_on=True))
    page, owned = started(answers, page, owned, crop="face")
    shown = watched(answers, page, owned, lambda _: answers.show_run(page, 1))
    assert answers.app.runs.active.number == 2 and len(shown) == 1
    (news,) = watched(answers, page, owned)
    assert "Finished" in news[answers.parts.status]
    _, _, _, show, other, _ = buttons(answers, page, owned)
    assert [number for _, number in show.choices] == [2, 1] and show.value == 1
    assert [number for _, number in other.choices] == [0, 2] and other.visible


def test_earlier_evaluations_are_shown_again(answers: TrainHandlers, play) -> None:
    play(script([*events(3), FINISHED]))
    page, owned = started(answers, Page(), NOBODY)
    watched(answers, page, owned)
    run = answers.app.runs.find(1)
    for asked, epoch in ((0, 1), (2, 2), (99, 3)):
        updates = answers.show_epoch(page, asked, 0)
        assert f"after epoch {epoch} " in updates[answers.parts.previews]
        assert updates[answers.parts.charts] == charts_html(run, epoch=epoch)
    assert answers.show_epoch(Page(), 1, 0) == {answers.parts.charts: gr.skip()}


def test_bad_settings_start_nothing(answers: TrainHandlers, play, tmp_path: Path) -> None:
    processes = play("")
    with pytest.raises(ConfigError, match="learning_rate is -1.0"):
        started(answers, Page(), NOBODY, learning_rate=-1)
    assert not processes


@pytest.mark.usefixtures("on_nothing")
def test_without_any_face_there_is_a_notice_and_no_start(answers: TrainHandlers) -> None:
    answers.app.data.__init__(None)
    updates = answers.on_load(NOBODY)
    notice, page = updates[answers.parts.notice], updates[answers.parts.page]
    assert notice.visible and "no appearance model" in notice.value and page.number is None
    assert buttons(answers, page, NOBODY)[0].interactive is False
    with pytest.raises(CheckpointError, match="no appearance model"):
        started(answers, Page(), NOBODY)


@pytest.mark.usefixtures("on_sample")
def test_runs_on_sample_faces_say_so_also_when_the_dataset_has_come(
    answers: TrainHandlers, play, data_root: Path
) -> None:
    answers.app.data.__init__(None)
    updates = answers.on_load(NOBODY)
    notice, page = updates[answers.parts.notice], updates[answers.parts.page]
    assert not notice.visible and buttons(answers, page, NOBODY)[0].interactive
    play(script([*events(), FINISHED]))
    page, owned = started(answers, page, NOBODY)
    run = answers.app.runs.find(page.number)
    assert run.synthetic and "--data=synthetic" in command_of(run)
    assert "trained on 24 synthetic faces" in watched(answers, page, owned)[-1][answers.parts.caption]
    answers.app.data.fallback = data_root
    updates = answers.show_epoch(page, 2, 0)
    charts, faces = updates[answers.parts.charts], updates[answers.parts.previews]
    assert faces.count('alt="Sample Person') == 2
    assert "synthetic people never seen 15 %" in charts and "mean shape" not in charts
    play(script([*events(), FINISHED]))
    page, owned = started(answers, page, owned)
    assert f"--data={data_root}" in command_of(answers.app.runs.find(page.number))


def test_the_sample_faces_are_drawn_and_not_read() -> None:
    run = Run("5ec2e7", 1, TrainConfig(), Path(SYNTHETIC), Path())
    run.take(events()[0])
    assert "<b>Rendering the synthetic faces</b> 9 of 36" in status_html(run)
    assert config_of(build_parser().parse_args(command_of(run)[3:])) == run.config


def test_a_page_opens_on_the_visitor_s_last_run_or_a_shipped_curve(
    answers: TrainHandlers, play, shipped: list[str]
) -> None:
    play(script([*events(), FINISHED]))
    owned = NOBODY
    for _ in range(2):
        page, owned = started(answers, Page(), owned)
        watched(answers, page, owned)
    assert answers.on_load({"ids": [*owned["ids"], "gone"]})[answers.parts.page].number == 2
    assert answers.on_load({"ids": owned["ids"][:1]})[answers.parts.page].number == 1
    updates, parts = answers.on_load(NOBODY), answers.parts
    assert updates[parts.page].number is None
    if shipped:
        assert "people never seen" in updates[parts.charts] and "trained on" in updates[parts.caption]


def test_text_in_a_status_is_escaped() -> None:
    run = run_of({"event": "RunEnded", "reason": "failed", "message": "<b>name</b>"})
    assert "&lt;b&gt;name&lt;/b&gt;" in status_html(run)


# In a browser, with real training.


def open_train(context, url: str):
    """A page of this visitor at the Train tab."""
    page = context.new_page()
    page.goto(url)
    page.locator("[role=tab]:visible", has_text="Train").click()
    page.wait_for_selector("#kp-train-charts svg")
    return page


def toast(page):
    return page.get_by_test_id("toast-body")


def start_until_told(page, text: str) -> None:
    """Press Start until the page says this; gradio drops a click that comes before the last one's answer is there."""
    told = toast(page).filter(has_text=text)
    for moment in range(150):
        if moment % 30 == 0:
            page.click("#kp-train-start")
        page.wait_for_timeout(200)
        if told.count():
            return
    pytest.fail(f"The page did not say {text!r}.")


@pytest.mark.browser
def test_training_in_a_browser(app_url: str, chromium) -> None:
    owner, visitor = chromium.new_context(viewport={"width": 1280, "height": 900}), chromium.new_context()
    mine, other = open_train(owner, app_url), open_train(visitor, app_url)
    other.wait_for_selector("#kp-train-start:not([disabled])")

    mine.fill("#kp-train-epochs input", "0")
    mine.click("#kp-train-start")
    toast(mine).filter(has_text="epochs is 0; it must be from 1 to 10000").wait_for()
    mine.fill("#kp-train-epochs input", "9000")
    mine.click("#kp-train-advanced > button")
    mine.wait_for_timeout(2000)  # the fields in it are made when it opens, and take their values then
    mine.fill("#kp-train-learning-rate input", "-1")
    mine.press("#kp-train-learning-rate input", "Tab")
    start_until_told(mine, "learning_rate is -1")
    mine.fill("#kp-train-learning-rate input", "0.004")
    mine.fill("#kp-train-max-seconds input", "0")

    mine.click("#kp-train-start")
    mine.wait_for_selector("#kp-train-stop:not([disabled])")
    other.click("#kp-train-start")  # at once: soon his page knows of the run, and offers no start
    toast(other).filter(has_text="trained on this machine already").wait_for()
    check_watcher(other)
    mine.wait_for_selector("#kp-train-status:has-text('Training')", timeout=120_000)
    mine.wait_for_selector("#kp-train-charts svg[aria-label*='training ']")
    mine.wait_for_selector("#kp-train-charts svg[aria-label*='people never seen']")
    mine.locator("#kp-train-charts polyline").nth(1).wait_for()
    assert mine.locator("#kp-train-faces figure").count() == 9
    first = mine.inner_text("#kp-train-status")
    mine.wait_for_function("before => document.querySelector('#kp-train-status').innerText != before", arg=first)

    mine.reload()
    mine.locator("[role=tab]:visible", has_text="Train").click()
    mine.wait_for_selector("#kp-train-status:has-text('Training')", timeout=120_000)
    mine.wait_for_selector("#kp-train-charts svg[aria-label*='people never seen']")
    mine.wait_for_selector("#kp-train-stop:not([disabled])")

    other.reload()
    other.locator("[role=tab]:visible", has_text="Train").click()
    check_watcher(other)

    mine.click("#kp-train-stop")
    mine.wait_for_selector("#kp-train-status:has-text('the network so far is kept')", timeout=60_000)
    mine.wait_for_selector("#kp-train-use")
    other.wait_for_selector("#kp-train-status:has-text('Stopped')")
    other.wait_for_selector("#kp-train-start:not([disabled])")
    assert other.locator("#kp-train-use").count() == 0

    shipped, choices = offered(other), offered(mine)
    assert choices[0].startswith("your run ") and choices[1:] == shipped

    mine.click("#kp-train-use")
    mine.locator("[role=tab][aria-selected=true]:visible", has_text="Predict").wait_for()
    mine.wait_for_selector("#predict-find")
    assert mine.locator("#kp-picker input").input_value().startswith("your run")
    mine.wait_for_selector("#kp-card:has-text('heatmap_net')")
    owner.close()
    visitor.close()


def check_watcher(page) -> None:
    """The page of somebody else shows the run, says whose it is, and offers neither Start nor Stop."""
    page.wait_for_selector("#kp-train-status:has-text('Training')")
    page.wait_for_selector("#kp-train-caption:has-text('Another visitor')")
    page.wait_for_selector("#kp-train-charts svg[aria-label*='people never seen']")
    assert page.locator("#kp-train-stop").count() == 0 and page.locator("#kp-train-start").is_disabled()


def offered(page) -> list[str]:
    """The picker's choices."""
    page.click("#kp-picker input")
    page.wait_for_selector("#kp-picker [role=option], [role=listbox] [role=option]")
    names = page.locator("[role=listbox] [role=option]").all_inner_texts()
    page.keyboard.press("Escape")
    return [name.strip().lstrip("✓").strip() for name in names]
