"""The download in the app: shared by its visitors, cancelled, failing, and the page filling when the data is there."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from archives import FaultyServer, Page, checksums_of, faulty_server, zip_of
from running import launch_app

from kp.download import http
from kp.download.progress import Progress
from kp.download.sources import Source
from kp.ui.context import DataSource
from kp.ui.services.downloads import Download, DownloadManager, status_html
from kp.ui.settings import Settings


@dataclass(frozen=True)
class Remote:
    """A server with the archive, and the source that the app is given."""

    server: FaultyServer
    page: Page
    source: Source


@pytest.fixture
def remote(data_root: Path) -> Iterator[Remote]:
    with faulty_server() as server:
        page = Page(zip_of(data_root), pause=0.03)  # 40 pieces: over a second
        yield Remote(server, page, replace(server.source("here", page, checksums_of(data_root)), name="this machine"))


def finished(state: Download) -> Download:
    end = time.monotonic() + 10
    while state.active and time.monotonic() < end:
        time.sleep(0.01)
    return state


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (None, ""),
        (Download(state="done"), ""),
        (Download(), "<b>Connecting</b> <"),
        (
            Download(progress=Progress("downloading", "A & B", 40_000_000, 340_000_000, 400.0)),
            "<b>Downloading</b> 40 of 340 MB · 7 min left · from A &amp; B<",
        ),
        (Download(progress=Progress("downloading", "A", 40_000_000, None)), "40 MB so far · from A<"),
        (
            Download(progress=Progress("unpacking", "A", 1, 340_000_000, 12.0)),
            "<b>Unpacking</b> 0 of 340 MB · 12 s left<",
        ),
        (Download(state="failed", message="A <b> failed."), "<b>That did not work.</b> A &lt;b&gt; failed."),
    ],
)
def test_the_status_shows_step_and_progress(state: Download | None, text: str) -> None:
    html = status_html(state)
    assert text in html if text else html == ""


def test_two_visitors_share_a_download(remote: Remote, tmp_path: Path) -> None:
    manager = DownloadManager(tmp_path / "home" / "data", [remote.source])
    data = DataSource(str(tmp_path / "home"))
    assert data.missing
    first = manager.start()
    assert manager.start() is first
    assert finished(first).state == "done"
    assert len(remote.server.requests) == 1
    assert not data.missing
    assert len(data.open()) == 36


def test_a_cancelled_download_resumes(remote: Remote, tmp_path: Path) -> None:
    manager = DownloadManager(tmp_path / "data", [remote.source])
    first = manager.start()
    while not first.progress.done:
        time.sleep(0.01)
    manager.cancel()
    assert "Cancelling" in status_html(first) or not first.active
    assert finished(first).state == "cancelled"
    assert "<b>Cancelled.</b> What has arrived is kept" in status_html(first)
    assert finished(manager.start()).state == "done"
    assert remote.server.requests[1][1].startswith("bytes=")


def test_a_failed_download_is_reported_and_can_be_repeated(remote: Remote, tmp_path: Path) -> None:
    remote.page.status = 404
    manager = DownloadManager(tmp_path / "data", [remote.source])
    assert "this machine: the server answers 404" in finished(manager.start()).message
    remote.page.status = 200
    assert finished(manager.start()).state == "done"


def test_where_a_download_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KP_DATA", raising=False)
    monkeypatch.setenv("KP_HOME", str(tmp_path / "home"))
    assert Settings.from_environment().download_folder == tmp_path / "home" / "data"
    monkeypatch.setenv("KP_DATA", str(tmp_path / "named"))
    assert Settings.from_environment().download_folder == tmp_path / "named"
    assert Settings.from_environment("given").download_folder == Path("given")


@pytest.mark.parametrize(
    ("variables", "fetches"),
    [
        ({}, False),
        ({"KP_DOWNLOAD": "1"}, True),
        ({"KP_DOWNLOAD": "0"}, False),
        ({"SPACE_ID": "me/lab"}, True),
    ],
)
def test_only_a_space_downloads_by_itself(variables, fetches, monkeypatch) -> None:
    for name in ("KP_DOWNLOAD", "SPACE_ID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert Settings.from_environment().fetch_data is fetches


def test_the_download_folder_is_searched_last(data_root: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KP_DATA", raising=False)
    assert DataSource(None, fallback=tmp_path / "nothing").missing
    assert DataSource(None, fallback=data_root).open().root == data_root
    assert DataSource(str(data_root), fallback=tmp_path / "nothing").open().root == data_root


@pytest.fixture
def own_app(remote: Remote, tmp_path: Path, on_sample: None) -> Iterator[str]:
    yield from launch_app(Settings(home=tmp_path / "home", sources=(remote.source,)))


@pytest.mark.browser
def test_the_page_fills_when_the_data_is_there(own_app: str, remote: Remote, chromium) -> None:
    remote.page.pause = 0.5
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.goto(own_app)
    page.wait_for_selector("#dataset-download:has-text('Download the dataset (1 MB, from this machine)')")
    page.wait_for_selector("#dataset-grid button[aria-label^='Sample Person']")
    page.evaluate("window.stayed = true")
    assert remote.server.requests == []
    page.click("#dataset-download")
    page.wait_for_selector("#dataset-download-status:has-text('Downloading')")
    page.click("#dataset-download-cancel")
    page.wait_for_selector("#dataset-download-status:has-text('Cancelled. What has arrived is kept')")

    remote.page.pause = 0.0
    page.click("#dataset-download")
    page.wait_for_selector("#dataset-grid button[aria-label^='Ben Hart'].chosen")
    page.wait_for_selector("#dataset-stages li")
    assert not page.locator("#dataset-notice, #dataset-sample, #dataset-download").count()
    page.click("button[role=tab]:has-text('Train')")
    page.wait_for_selector("#kp-train-start:enabled")
    page.click("button[role=tab]:has-text('Predict')")
    page.wait_for_selector("#predict-examples button[aria-label='Example: Ben Hart']")
    assert page.evaluate("window.stayed") is True
    assert remote.server.requests[1][3] > 0
    page.close()


@pytest.mark.browser
def test_an_app_that_downloads_by_itself_shows_progress(
    remote: Remote, tmp_path: Path, on_sample: None, monkeypatch, chromium
) -> None:
    monkeypatch.setattr(http, "PAUSES", (0.01,))
    remote.page.pause, remote.page.stall_after = 0.0, 50_000
    for url in launch_app(Settings(home=tmp_path / "home", sources=(remote.source,), fetch_data=True)):
        page = chromium.new_page()
        page.goto(url)
        page.wait_for_selector("#dataset-download-status:has-text('Downloading 0 of 0 MB')")
        assert not page.locator("#dataset-download-cancel, #dataset-download").count()
        page.wait_for_selector("#dataset-grid button[aria-label^='Sample Person']")
        remote.page.stall_after = None
        remote.server.released.set()
        page.wait_for_selector("#dataset-grid button[aria-label^='Ben Hart'].chosen")
        page.close()
