"""The networks that visitors can choose, and the data that all share."""

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from builders import app_context, tiny_checkpoint

import kp.ui.services.model_store
from kp.checkpoint import list_checkpoints, load_checkpoint, save_checkpoint
from kp.errors import CheckpointError, KpError
from kp.ui.context import DataSource
from kp.ui.services.model_store import KEPT, ModelStore


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with shipped/, three small networks of which one was never measured, and runs/ with two."""
    folder = tmp_path_factory.mktemp("networks")
    for name, error in (("good", 5.0), ("fair", 9.0), ("a_new_one", None)):
        metrics = {"people, true-box": {"nme_mean": error}} if error else {}
        save_checkpoint(replace(tiny_checkpoint(), metrics=metrics), folder / "shipped" / f"{name}.safetensors")
    for name in ("aaa111", "bbb222"):
        save_checkpoint(tiny_checkpoint(), folder / "runs" / f"{name}.safetensors")
    return folder


@pytest.fixture
def runs(networks: Path) -> Path:
    return networks / "runs"


@pytest.fixture
def store(networks: Path, runs: Path, monkeypatch: pytest.MonkeyPatch) -> ModelStore:
    monkeypatch.setattr(kp.ui.services.model_store, "list_checkpoints", lambda: list_checkpoints(networks / "shipped"))
    return ModelStore(runs)


def test_names_lead_to_files(store: ModelStore, networks: Path, runs: Path) -> None:
    assert store.path("good") == networks / "shipped" / "good.safetensors"
    assert store.path("run:aaa111") == runs / "aaa111.safetensors"
    assert store.card("run:aaa111").parameters == store.card("good").parameters > 0


@pytest.mark.parametrize(
    "name",
    [
        "",
        "nothing",
        "../runs/aaa111",
        "good.safetensors",
        "shipped/good",
        "/etc/passwd",
        "aaa111",
        "run:",
        "run:..",
        "run:../shipped/good",
        "run:../runs/aaa111",
        "run:aaa111/",
        "run:aaa111.safetensors",
        "run:./aaa111",
        "run:*",
        "run:aaa111\0",
        "run:run:aaa111",
        "RUN:aaa111",
    ],
)
def test_anything_else_is_refused(store: ModelStore, name: str) -> None:
    for ask in (store.path, store.card, store.checkpoint, store.predictor):
        with pytest.raises(CheckpointError, match=r"no model '.*Choose one of: a_new_one, fair, good"):
            ask(name)


def test_a_file_of_the_server_is_no_name(store: ModelStore, runs: Path) -> None:
    path = runs / "aaa111.safetensors"
    assert load_checkpoint(path)  # it is one, but nobody may ask for it so
    for name in (str(path), str(path.with_suffix("")), f"run:{path}"):
        with pytest.raises(CheckpointError, match="no model"):
            store.path(name)


def test_a_run_that_made_room_says_so(store: ModelStore) -> None:
    with pytest.raises(CheckpointError, match="network is gone.*Train it again"):
        store.predictor("run:ccc333")


def test_networks_are_loaded_once_and_shared(store: ModelStore) -> None:
    assert store.checkpoint("good") is store.checkpoint("good")
    assert store.predictor("good") is store.predictor("good")
    assert store.predictor("good").checkpoint is store.checkpoint("good")
    assert store.predictor("good") is not store.predictor("fair")


def test_visitors_with_other_settings_get_another_predictor(store: ModelStore) -> None:
    plain = store.predictor("good")
    margin = plain.preprocessing.margin
    wide = store.predictor("good", "whole-image", margin=2.0)
    assert wide is not plain and wide.preprocessing.margin == 2.0
    assert store.predictor("good") is plain and plain.preprocessing.margin == margin


def test_a_file_that_changed_is_read_anew(tmp_path: Path) -> None:
    store, path = ModelStore(tmp_path), tmp_path / "aaa111.safetensors"
    save_checkpoint(tiny_checkpoint(), path)
    before = store.predictor("run:aaa111")
    save_checkpoint(tiny_checkpoint(seed=5), path)
    after = store.predictor("run:aaa111")
    assert after is not before
    name, weights = next(iter(after.checkpoint.weights.items()))
    assert (weights != before.checkpoint.weights[name]).any()


def test_memory_holds_only_so_many(store: ModelStore) -> None:
    first = store.predictor("good")
    for step in range(KEPT):
        store.predictor("good", margin=1.0 + step / 10)
    assert len(store._predictors) == KEPT
    assert store.predictor("good") is not first


def test_two_visitors_at_once_load_one_network(store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []

    def slow(path: Path):
        loaded.append(path)
        time.sleep(0.1)
        return load_checkpoint(path)

    monkeypatch.setattr(kp.ui.services.model_store, "load_checkpoint", slow)
    got = []
    visitors = [threading.Thread(target=lambda: got.append(store.predictor("fair"))) for _ in range(4)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    assert len(loaded) == 1 and len(got) == 4 and len(set(map(id, got))) == 1


def test_settings_that_cannot_be_are_the_library_s_errors(store: ModelStore) -> None:
    for settings in ({"detector": "eyes"}, {"threshold": 99.0}, {"margin": -1.0}):
        with pytest.raises(KpError):
            store.predictor("good", **settings)


def test_the_best_comes_first_and_the_unmeasured_last(store: ModelStore) -> None:
    assert store.names() == ["good", "fair", "a_new_one"]
    assert store.choices() == [(name, name) for name in store.names()]


def test_runs_are_offered_where_they_exist_newest_first(store: ModelStore) -> None:
    offered = [value for _, value in store.choices(["aaa111", "ccc333", "../shipped/good", "", "bbb222"])]
    assert offered == ["run:bbb222", "run:aaa111", "good", "fair", "a_new_one"]


@pytest.mark.parametrize(
    ("owned", "chosen", "now"),
    [
        (["aaa111"], "run:aaa111", "run:aaa111"),
        ([], "run:aaa111", "good"),
        ([], "fair", "fair"),
        ([], None, "good"),
        (["aaa111"], "run:bbb222", "good"),
    ],
)
def test_the_picker_keeps_a_choice_that_is_still_offered(
    store: ModelStore, owned: list[str], chosen: str | None, now: str
) -> None:
    picker = app_context(models=store).offer_models({"ids": owned}, chosen)
    assert picker.value == now and now in [value for _, value in picker.choices]


def test_an_app_that_ships_nothing_offers_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kp.ui.services.model_store, "list_checkpoints", dict)
    picker = app_context(models=ModelStore(tmp_path)).offer_models({"ids": ["gone"]}, "good")
    assert (picker.choices, picker.value) == ([], None)


def test_the_data_is_opened_once(data_root: Path) -> None:
    source = DataSource(str(data_root))
    assert source.open() is source.open() and source.problem is None
