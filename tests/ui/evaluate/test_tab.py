"""The Evaluate tab: its handlers as plain functions, jobs and their results, and the whole of it in a browser."""

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest
from builders import tiny_checkpoint
from running import launch_app, run_async

from kp.checkpoint import list_checkpoints, save_checkpoint
from kp.data import FacialKeypointsDataset
from kp.errors import CheckpointError, ConfigError, DataError
from kp.ui.context import DataSource
from kp.ui.evaluate import html, worst_faces
from kp.ui.evaluate.charts import charts_html, error_sentence
from kp.ui.evaluate.handlers import EvaluateHandlers
from kp.ui.evaluate.parts import build_parts
from kp.ui.services.measurements import Measurements
from kp.ui.services.model_store import ModelStore
from kp.ui.services.results import HERE, HERE_ON_SYNTHETIC, STORED, Conditions, Job, label_of

pytestmark = pytest.mark.slow

PLACE = ("people", "true-box", "yunet")
LEARNT = {"config": {"split": "people"}, "data": {"split": "people", "images": 24, "people": 4}}
FIGURES = {
    "images": 809,
    "missed": 0,
    "nme_mean": 6.5,
    "nme_median": 6.0,
    "nme_p95": 11.0,
    "fr8": 20.0,
    "fr10": 9.0,
    "auc8": 0.3,
    "regions": {"jaw": 8.0, "brows": 7.0, "nose": 5.0, "eyes": 6.0, "mouth": 6.5},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shipped networks: `first` with figures as older checkpoints have them, `second` without any."""
    place = tmp_path_factory.mktemp("checkpoints")
    stored = {"people, true-box": FIGURES, "people, detected-box, haar": FIGURES | {"missed": 13, "nme_mean": 8.5}}
    save_checkpoint(replace(tiny_checkpoint(), **LEARNT, metrics=stored), place / "first.safetensors")
    save_checkpoint(tiny_checkpoint(1), place / "second.safetensors")
    return place


@pytest.fixture(scope="module")
def shipping(folder: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kp.ui.services.model_store.list_checkpoints", lambda: list_checkpoints(folder))
        yield


@pytest.fixture
def models(shipping: None, tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path)


def handlers_of(data: DataSource, models: ModelStore) -> EvaluateHandlers:
    with gr.Blocks():
        parts = build_parts()
    return EvaluateHandlers(SimpleNamespace(data=data, models=models), parts)


def shown(handlers: EvaluateHandlers, names: list[str], *place: str, worst_of: str | None = None) -> SimpleNamespace:
    """What `show` puts into the table, the plots and so on."""
    parts, result = handlers.parts, handlers.show(names, *place, worst_of)
    return SimpleNamespace(
        detector=result[parts.controls.detector],
        table=result[parts.table],
        plots=result[parts.plots],
        model=result[parts.worst.model],
        leak=result[parts.leak.figures],
    )


@pytest.fixture
def handlers(models: ModelStore, data_root: Path) -> EvaluateHandlers:
    return handlers_of(DataSource(str(data_root)), models)


@pytest.fixture
def without_data(models: ModelStore, on_nothing: None) -> EvaluateHandlers:
    return handlers_of(DataSource(None), models)


@pytest.fixture
def with_sample(models: ModelStore, on_sample: None) -> EvaluateHandlers:
    return handlers_of(DataSource(None), models)


def measured(handlers: EvaluateHandlers, *names: str, place: tuple[str, str, str] = PLACE) -> Job:
    """The job, when it has ended."""
    job = handlers.measurements.start(names, Conditions(*place))
    handlers.measurements._thread.join(60)
    assert not job.active
    return job


def keep(handlers: EvaluateHandlers, place: tuple[str, str, str], record: dict) -> None:
    """As if this had been measured of the network `first`."""
    measurements = handlers.measurements
    measurements._results[measurements._key("first", Conditions(*place), handlers.app.data.open())] = record


def test_the_first_screen_shows_the_best_shipped_model(handlers: EvaluateHandlers) -> None:
    controls, result = handlers.parts.controls, handlers.start({"ids": []}, [])
    assert result[controls.models].value == ["first"]
    assert result[controls.run].interactive and result[controls.job] is None
    assert "Run measures" in result[controls.status]
    seen = shown(handlers, ["first"], *PLACE)
    assert not seen.detector.visible
    for words in ("809 images of people never seen", "6.50 %", "11.00 %", "20.0 %", "0.300", STORED):
        assert words in seen.table
    assert "Error by region" in seen.plots and "only summary figures are stored" in seen.plots
    assert "Share of faces" not in seen.plots
    assert (seen.model.value, seen.model.visible) == ("first", False)
    assert "6.50 %" in seen.leak and "not measured yet; choose the split <i>as published</i>" in seen.leak


def test_chosen_models_stay_chosen_while_they_are_there(handlers: EvaluateHandlers) -> None:
    assert handlers.offer({"ids": []}, ["second", "run:gone"]).value == ["second"]
    assert handlers.offer({"ids": ["gone"]}, ["run:gone"]).value == ["first"]


def test_without_any_face_stored_figures_are_shown_and_run_says_why_not(without_data: EvaluateHandlers) -> None:
    parts, result = without_data.parts, without_data.start({"ids": []}, [])
    assert not result[parts.controls.run].interactive
    assert "Run is off. appearance.safetensors is no appearance model" in result[parts.controls.status]
    seen = shown(without_data, ["first", "second"], *PLACE)
    assert "6.50 %" in seen.table and "not measured yet; that needs the dataset" in seen.table
    assert "Error by region" in seen.plots and "most of the published test images" in seen.leak
    assert "With the dataset" in without_data.show_worst(["first"], *PLACE, "first")[parts.worst.note]
    assert without_data.next_example(0)[parts.leak.siblings] == ""
    with pytest.raises(CheckpointError, match="no appearance model"):
        without_data.run(["first"], *PLACE)


def test_sample_faces_are_measured_and_kept_apart_from_real_ones(
    with_sample: EvaluateHandlers, data_root: Path
) -> None:
    parts, result = with_sample.parts, with_sample.start({"ids": []}, [])
    assert result[parts.controls.run].interactive and "on the synthetic faces" in result[parts.controls.status]
    seen = shown(with_sample, ["first"], *PLACE)
    assert "809 images of people never seen" in seen.table and "synthetic" not in seen.table
    assert "most of the published test images" in seen.leak  # nothing synthetic
    assert "Press Run to see" in with_sample.show_worst(["first"], *PLACE, "first")[parts.worst.note]
    measured(with_sample, "second")
    seen = shown(with_sample, ["first", "second"], *PLACE)
    assert "809 images of people never seen in training; 36 synthetic faces of identities never seen" in seen.table
    assert HERE_ON_SYNTHETIC in seen.table and STORED in seen.table and "second (synthetic faces)" in seen.plots
    worst = with_sample.show_worst(["first", "second"], *PLACE, "second")
    assert worst[parts.worst.predictions][0].frame.person.startswith("Sample_Person")
    assert "aligner" not in worst[parts.worst.note]
    assert "on synthetic faces" in shown(with_sample, ["second"], *PLACE).leak
    assert with_sample.next_example(0)[parts.leak.siblings].count('class="training"') == 5

    with_sample.app.data.fallback = data_root  # the dataset arrives
    assert with_sample.measurements.find("second", Conditions(*PLACE)) is None
    assert "on the dataset that is here" in with_sample.start({"ids": []}, [])[parts.controls.status]


def test_a_network_that_learnt_from_samples_has_learnt_from_no_real_image(folder: Path, handlers, with_sample) -> None:
    learnt = {"config": {"split": "people"}, "data": {"name": "sample", "split": "people", "images": 108, "people": 9}}
    save_checkpoint(replace(tiny_checkpoint(3), **learnt), folder / "third.safetensors")
    try:
        for answering, images in ((handlers, 0), (with_sample, 18)):
            measured(answering, "third", place=("official", "true-box", "yunet"))
            found = answering.measurements.find("third", Conditions("official", "true-box", "yunet"))
            assert found.seen == images
    finally:
        (folder / "third.safetensors").unlink()


def test_figures_belong_to_their_conditions(handlers: EvaluateHandlers) -> None:
    table = shown(handlers, ["first"], "people", "detected-box", "haar").table
    assert "8.50 %" in table and "<td>13</td>" in table
    for place in (("people", "detected-box", "yunet"), ("official", "true-box", "haar")):
        seen = shown(handlers, ["first"], *place)
        assert seen.detector.visible == (place[1] == "detected-box")
        assert "not measured yet; press Run" in seen.table and seen.plots == "" and seen.model.value is None
    assert Conditions(*PLACE).key == Conditions("people", "true-box", "haar").key


def test_nothing_chosen_is_said(handlers: EvaluateHandlers) -> None:
    seen = shown(handlers, [], *PLACE)
    assert "No model is chosen" in seen.table and seen.plots == seen.leak == ""
    assert handlers.show_worst([], *PLACE, None)[handlers.parts.worst.predictions] is None
    with pytest.raises(ConfigError, match="No model is chosen"):
        handlers.run([], *PLACE)


def test_a_run_measures_and_its_result_comes_before_the_stored_one(handlers: EvaluateHandlers) -> None:
    job = measured(handlers, "first", "second")
    assert (job.state, job.measured, job.share) == ("finished", 2, 1)
    found = handlers.measurements.find("first", Conditions(*PLACE))
    assert (found.source, len(found.errors), found.record["images"], found.seen) == (HERE, 12, 12, 0)
    seen = shown(handlers, ["second", "first"], *PLACE)
    assert "12 images" in seen.table and seen.table.count(HERE) == 2
    assert all(title in seen.plots for title in ("Share of faces", "by region", "turned", "by size"))
    assert [value for _, value in seen.model.choices] == ["second", "first"] and seen.model.visible
    assert shown(handlers, ["second", "first"], *PLACE, worst_of="first").model.value == "first"


def test_the_unmeasured_come_last_so_that_colours_agree(handlers: EvaluateHandlers) -> None:
    seen = shown(handlers, ["second", "first"], *PLACE)
    table, plots = seen.table, seen.plots
    assert table.index("first") < table.index("second")
    assert "#0072B2" in table[: table.index("first")] and "#0072B2" in plots


def test_a_new_file_or_other_data_is_measured_anew(handlers: EvaluateHandlers, folder: Path, tmp_path: Path) -> None:
    measured(handlers, "first")
    path = folder / "first.safetensors"
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 10**9))
    assert handlers.measurements.find("first", Conditions(*PLACE)).source == STORED
    measured(handlers, "first")
    handlers.measurements.data = SimpleNamespace(
        problem=None, open=lambda: SimpleNamespace(root=tmp_path, part=lambda *_: [], synthetic=False)
    )
    assert handlers.measurements.find("first", Conditions(*PLACE)).source == STORED


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Evaluations go on, a batch after another, until they are stopped or this event is set."""
    enough = threading.Event()

    def evaluate(*_, progress, **__) -> None:
        while not enough.wait(0.01):
            progress(3, 12)
        raise DataError("The disk is gone. Mount it.")

    monkeypatch.setattr("kp.ui.services.measurements.evaluate", evaluate)
    return enough


def test_one_job_at_a_time_and_it_can_be_stopped(handlers: EvaluateHandlers, slow: threading.Event) -> None:
    controls, result = handlers.parts.controls, handlers.run(["second"], *PLACE)
    number = result[controls.job]
    assert "Measuring" in result[controls.status]
    assert not result[controls.run].interactive and result[controls.stop].visible
    with pytest.raises(ConfigError, match="being measured on this machine.*Press Run again"):
        handlers.run(["first"], *PLACE)
    other_page = handlers.start({"ids": []}, [])
    assert other_page[controls.run].interactive is False and other_page[controls.job] == number
    assert not handlers.stop(number + 1).interactive
    assert handlers.measurements.active.state == "running"  # another number stops nothing
    handlers.stop(number)
    handlers.measurements._thread.join(10)
    assert handlers.measurements.job(number).state == "stopped"
    assert handlers.measurements.find("second", Conditions(*PLACE)) is None
    assert handlers.finish()[controls.run].interactive


def test_a_failed_job_says_why(handlers: EvaluateHandlers, slow: threading.Event) -> None:
    slow.set()
    job = measured(handlers, "second")
    assert (job.state, job.message) == ("failed", "The disk is gone. Mount it.")
    assert "<b>Failed.</b> The disk is gone." in html.status_html(job)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_nobody_waits_for_a_job_that_broke(handlers: EvaluateHandlers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kp.ui.services.measurements.evaluate", lambda *_, **__: 1 / 0)
    assert measured(handlers, "second").state == "failed"
    assert handlers.measurements.active is None


def test_watching_ends_with_the_job(handlers: EvaluateHandlers, slow: threading.Event) -> None:
    controls = handlers.parts.controls
    number = handlers.run(["first", "second"], *PLACE)[controls.job]
    threading.Timer(0.5, handlers.stop, [number]).start()

    async def watch(job: int | None) -> list:
        return [update[controls.status] async for update in handlers.follow(job)]

    seen = run_async(watch(number))
    assert "first (1 of 2 models) · 3 of 12 images" in seen[1]
    assert "s left" in seen[1] and "<b>Stopped.</b> 0 of 2" in seen[-1]
    assert len(run_async(watch(None))) == 1


def test_a_closing_program_ends_its_job(handlers: EvaluateHandlers, slow: threading.Event) -> None:
    handlers.run(["first"], *PLACE)
    handlers.measurements.close()
    assert handlers.measurements.active is None
    Measurements(handlers.app.data, handlers.app.models).close()  # nothing to end


def test_time_left_follows_the_speed() -> None:
    job = Job(1, ["a", "b"], Conditions(), measured=1, name="b", done=25, total=100)
    job.begun = time.monotonic() - 5
    assert job.share == pytest.approx(0.625)
    assert job.seconds_left == pytest.approx(15, abs=0.5)
    job.state = "stopping"
    assert "Stopping after this batch" in html.status_html(job)


def test_worst_faces_come_worst_first_and_the_missed_not_at_all() -> None:
    assert worst_faces.worst_indices([3.0, None, 9.0, 4.0, 9.5]) == [4, 2, 3, 0]
    assert len(worst_faces.worst_indices([1.0] * 50)) == worst_faces.COUNT


def test_the_worst_faces_are_those_of_the_record(handlers: EvaluateHandlers) -> None:
    measured(handlers, "first")
    result = handlers.measurements.find("first", Conditions(*PLACE))
    worst = handlers.parts.worst
    shows = handlers.show_worst(["first"], *PLACE, "first")
    answers, items, facts = shows[worst.predictions], shows[worst.grid], shows[worst.facts]
    assert shows[worst.body].visible and "12 largest errors of first" in shows[worst.note]
    assert [answer.nme for answer in answers] == pytest.approx(sorted(result.errors, reverse=True), abs=0.01)
    assert [item["chosen"] for item in items] == [True] + [False] * 11
    assert items[0]["caption"] == f"{answers[0].nme:.1f} %"
    names = [frame.name for frame in handlers.app.data.open().part("people", "test").frames]
    assert answers[0].frame.name == names[result.errors.index(max(result.errors))]
    assert answers[0].frame.name in facts and f"<b>{answers[0].nme:.1f} %</b>" in facts
    picked = handlers.pick(answers, SimpleNamespace(index=3))
    assert answers[3].frame.name in picked[worst.facts]
    assert f"{answers[3].nme:.1f} %" in picked[worst.picture].alt_text
    assert handlers.pick(answers, SimpleNamespace(index=99)) == {worst.picture: gr.skip()}


def test_names_are_escaped(handlers: EvaluateHandlers) -> None:
    measured(handlers, "first")
    result = replace(handlers.measurements.find("first", Conditions(*PLACE)), name="run:<b>x")
    pages = [
        html.table_html({"run:<b>x": result, "run:<b>y": None}, "people", "true-box", can_run=True),
        html.leak_html("<b>x", {"people": result, "official": None}, "<b>x"),
        charts_html([result, replace(result, name="run:<b>y", record=FIGURES)], can_run=True),
        html.siblings_html([html.Sibling("data:,", "test", "<b>x, frame 1")]),
        html.status_html(Job(1, ["run:<b>x"], Conditions(), name="run:<b>x")),
        html.status_html(None, "<b>x"),
        error_sentence("<b>x", {"expected": [1], "measured": [1], "rank_correlation": 1}),
    ]
    for page in pages:
        assert "&lt;b&gt;" in page and "<b>x" not in page and "<b>y" not in page
    (face, *_) = handlers.show_worst(["first"], *PLACE, "first")[handlers.parts.worst.predictions]
    facts = worst_faces.prediction_html(replace(face, frame=replace(face.frame, person="<b>x", folder="<b>x")))
    assert facts.count("&lt;b&gt;x") >= 3 and "<b>x" not in facts


def test_stored_errors_of_other_images_show_no_faces(handlers: EvaluateHandlers, folder: Path) -> None:
    record = FIGURES | {"errors": [5.0] * 809}
    save_checkpoint(replace(tiny_checkpoint(2), metrics={"people, true-box": record}), folder / "third.safetensors")
    try:
        assert "another set of images" in handlers.show_worst(["third"], *PLACE, "third")[handlers.parts.worst.note]
        assert "Share of faces" in shown(handlers, ["third"], *PLACE).plots
    finally:
        (folder / "third.safetensors").unlink()


def test_missed_faces_are_counted_in_the_note(handlers: EvaluateHandlers) -> None:
    place = ("people", "detected-box", "whole-image")
    found = {"errors": [None] * 11 + [7.0], "missed": 11, "images": 12, "regions": {}, "learnt": 0}
    keep(handlers, place, found)
    worst, shows = handlers.parts.worst, handlers.show_worst(["first"], *place, "first")
    (answer,), items, note = shows[worst.predictions], shows[worst.grid], shows[worst.note]
    assert answer.frame == handlers.app.data.open().part("people", "test").frames[11]
    assert len(items) == 1 and "The detector missed 11 other faces" in note


def test_where_images_were_learnt_from_it_is_said(handlers: EvaluateHandlers) -> None:
    place = ("official", "true-box", "yunet")
    measured(handlers, "first", place=place)
    seen = shown(handlers, ["first"], *place)
    assert "was trained on <b>8 of these 12 images</b>" in seen.table
    assert "8 of 12" in seen.leak and "8 of the 12 published test images" in seen.leak
    assert "<td>not known</td>" in seen.leak
    assert "was trained on" not in shown(handlers, ["first"], *PLACE).table


@pytest.mark.parametrize(
    ("trained_on", "learnt", "words"),
    [
        ("people", 621, "holds 621 of the 770 published"),
        ("people", None, "holds most of the published"),
        ("official", 0, "other images of the same videos"),
        ("people", 0, ""),
        ("", None, ""),
    ],
)
def test_what_a_network_knows_of_the_published_part(trained_on: str, learnt: int | None, words: str) -> None:
    sentence = html.seen_sentence("m", trained_on, learnt, 770)
    assert words in sentence and bool(sentence) == bool(words)


def test_a_test_face_stands_beside_its_training_frames(handlers: EvaluateHandlers) -> None:
    leak, shows = handlers.parts.leak, handlers.next_example(0)
    pictures, number = shows[leak.siblings], shows[leak.number]
    assert (pictures.count('class="test"'), pictures.count('class="training"'), number) == (1, 2, 1)
    assert shows[leak.another].visible and handlers.next_example(1)[leak.siblings] != pictures


@pytest.mark.parametrize(
    ("measured_errors", "words"),
    [
        ([2.0, 4.0], "about as large"),
        ([4.0, 8.0], "2.0 times the predicted ones: it is overconfident"),
        ([1.0, 2.0], "0.5 times the predicted ones: it is underconfident"),
    ],
)
def test_expected_errors_are_put_into_words(handlers, measured_errors: list[float], words: str) -> None:
    spread = {
        "rank_correlation": 0.456,
        "in_pixels": 0.567,
        "by_size": 0.345,
        "expected": [2.0, 4.0],
        "measured": measured_errors,
    }
    keep(handlers, PLACE, FIGURES | {"learnt": 0, "errors": [2.0, 4.0], "spread": spread})
    plots = shown(handlers, ["first", "second"], *PLACE).plots
    assert words in plots and "Measured error of a point" in plots
    assert "<b>0.57</b> in pixels (the face's size alone gives 0.34), and <b>0.46</b> with both as shares" in plots


def test_networks_that_are_not_there_are_an_error(handlers: EvaluateHandlers) -> None:
    for name in ("nobody", "run:gone", "../first"):
        with pytest.raises(CheckpointError):
            handlers.show([name], *PLACE, None)
    assert label_of("run:abc") == "your run abc"
    assert label_of("first") == "first"


@pytest.fixture(scope="module")
def two_models_url(shipping: None, data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app's address, with two quick networks."""
    from kp.ui.settings import Settings

    yield from launch_app(Settings(data=str(data_root), home=tmp_path_factory.mktemp("home")))


@pytest.mark.browser
def test_the_tab_in_a_browser(two_models_url: str, dataset: FacialKeypointsDataset, chromium) -> None:
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.goto(two_models_url)
    page.get_by_role("tab", name="Evaluate").click()
    page.wait_for_selector("#evaluate-table tbody th:has-text('first')")
    page.wait_for_selector("#evaluate-siblings .test img")
    assert page.locator("#evaluate-worst button").count() == 0

    page.click("#evaluate-models input")
    page.click("[role=option]:has-text('second')")
    page.wait_for_selector("#evaluate-table td:has-text('not measured yet; press Run')")
    page.keyboard.press("Escape")
    page.click("#evaluate-run")
    page.wait_for_selector("#evaluate-status:has-text('2 models are measured')")
    page.wait_for_selector("#evaluate-plots svg[aria-label^='Share of faces']")
    assert page.locator("#evaluate-table tbody tr").count() == 2
    assert page.locator("#evaluate-table .none").count() == 0
    assert page.locator("#evaluate-run").is_enabled() and not page.locator("#evaluate-stop").is_visible()

    page.wait_for_selector("#evaluate-worst button:nth-child(12)")
    page.click("#evaluate-whose label:has-text('second')")
    page.wait_for_selector("#evaluate-worst-note:has-text('errors of second')")
    cell = page.locator("#evaluate-worst button").nth(2)
    title, error = cell.get_attribute("aria-label").split(", error ")
    cell.click()
    page.wait_for_selector(f"#evaluate-facts b:has-text('{title}')")
    page.wait_for_selector(f"#evaluate-picture img[alt^='{title}']")
    assert title.split(",")[0] in {frame.person.replace("_", " ") for frame in dataset.part("people", "test").frames}
    assert float(error.removesuffix(" %")) > 0

    page.click("#evaluate-split label:has-text('as published')")
    page.wait_for_selector("#evaluate-table td:has-text('not measured yet')")
    page.click("#evaluate-run")
    page.wait_for_selector("#evaluate-table .flatters:has-text('first was trained on 8 of these 12 images')")
    page.close()
