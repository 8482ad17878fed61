"""The downloader against a local server with every fault: nothing wrong is ever taken for data."""

import errno
import hashlib
import os
import shutil
import stat
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from archives import FaultyServer, Page, checksums_of, faulty_server, zip_of

from kp.data import FacialKeypointsDataset, find_data
from kp.download import disk, http, unpack
from kp.download.dataset import download
from kp.download.progress import Progress
from kp.download.sources import CHECKSUMS, SOURCES, Checksums, set_digest, verify_quickly
from kp.errors import DownloadCancelled, DownloadError


@pytest.fixture(scope="module")
def sums(data_root: Path) -> Checksums:
    return checksums_of(data_root)


@pytest.fixture(scope="module")
def archive(data_root: Path) -> bytes:
    return zip_of(data_root)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    monkeypatch.setattr(http, "PAUSES", (0.01, 0.01, 0.01))
    with faulty_server() as server:
        yield server


@pytest.fixture
def get(server: FaultyServer, sums: Checksums, tmp_path: Path) -> Callable[..., Path]:
    """`get(page, page, ...)` downloads from these pages, in turn, to tmp_path/data."""

    def call(*pages: Page, **options) -> Path:
        sources = [server.source(f"source{number}", page, sums) for number, page in enumerate(pages, start=1)]
        return download(options.pop("folder", tmp_path / "data"), sources=sources, **options)

    return call


def left_behind(tmp_path: Path) -> list[str]:
    """Names of what a failed download has left, without the archive's own secret name."""
    assert not (tmp_path / "data").exists()
    return sorted(path.suffix for path in tmp_path.rglob("*") if path.is_file())


def entry(name: str, kind: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (kind | 0o777) << 16
    return info


def test_a_plain_download_is_the_dataset(get, archive, data_root, tmp_path) -> None:
    events: list[Progress] = []
    root = get(Page(archive), progress=events.append)
    assert root == tmp_path / "data" == find_data(root)
    assert len(FacialKeypointsDataset(root)) == 36
    names = [sorted(path.relative_to(place).as_posix() for path in place.rglob("*")) for place in (root, data_root)]
    assert names[0] == names[1]
    assert os.listdir(tmp_path) == ["data"]
    assert list(dict.fromkeys(event.step for event in events)) == ["connecting", "downloading", "unpacking", "checking"]
    last = [event for event in events if event.step == "downloading"][-1]
    assert (last.done, last.total) == (len(archive), len(archive))


def test_a_second_call_asks_nobody(get, server, archive) -> None:
    assert get(Page(archive)) == get(Page(archive))
    assert len(server.requests) == 1


@pytest.mark.parametrize("chunked", [False, True])
def test_a_slow_server_tells_how_far_it_is(get, archive, chunked, monkeypatch) -> None:
    monkeypatch.setattr("kp.download.progress.WARM_UP", 0.05)
    events: list[Progress] = []
    get(Page(archive, pause=0.01, chunked=chunked), progress=events.append)
    middle = [event for event in events if event.step == "downloading" and 0 < event.done < len(archive)]
    assert middle
    assert [event.done for event in middle] == sorted(event.done for event in middle)
    assert all(event.total == (None if chunked else len(archive)) for event in middle)
    assert chunked or all(0 < event.seconds_left < 5 for event in middle)


def test_a_cut_is_resumed_where_it_was(get, server, archive) -> None:
    get(Page(archive, cut=[20_000, 30_000]))
    assert [request[1] for request in server.requests] == [None, "bytes=20000-", "bytes=50000-"]
    assert sum(request[2] for request in server.requests) == len(archive)  # no byte came twice


def test_a_later_call_goes_on_too(get, server, archive, tmp_path) -> None:
    with pytest.raises(DownloadError, match="cut after 0.0 of 0.. MB, 4 times"):
        get(Page(archive, cut=[20_000, 0, 0, 0, 0]))
    assert left_behind(tmp_path) == [".json", ".part"]
    server.requests.clear()
    get(Page(archive))
    assert server.requests == [["source1", "bytes=20000-", len(archive) - 20_000, 20_000]]


@pytest.mark.parametrize("later", [{"etag": '"two"'}, {"ranges": False}], ids=["changed file", "no ranges"])
def test_what_cannot_be_resumed_starts_anew(get, server, archive, later) -> None:
    with pytest.raises(DownloadError):
        get(Page(archive, cut=[20_000, 0, 0, 0]))
    server.requests.clear()
    assert get(Page(archive, **later))
    assert [(request[1], request[2]) for request in server.requests] == [("bytes=20000-", len(archive))]


def test_a_file_that_changed_its_size_starts_anew(get, server, archive, data_root) -> None:
    with pytest.raises(DownloadError):
        get(Page(archive, etag=None, cut=[20_000, 0, 0, 0]))
    server.requests.clear()
    assert get(Page(zip_of(data_root, prefix="x/"), etag=None))
    assert [request[1] for request in server.requests] == ["bytes=20000-", None]


def test_a_stalled_server_is_left_after_the_timeout(get, archive, tmp_path) -> None:
    with pytest.raises(DownloadError, match=r"127.0.0.1:\d+ has sent nothing for 0 s, 4 times"):
        get(Page(archive, stall_after=8192), timeout=0.2)
    assert ".part" in left_behind(tmp_path)


@pytest.mark.parametrize("status", [404, 403, 503])
def test_the_second_source_is_asked_where_the_first_fails(get, server, archive, status) -> None:
    assert get(Page(status=status), Page(archive))
    names = [request[0] for request in server.requests]
    assert names == ["source1"] * (4 if status == 503 else 1) + ["source2"]


def test_both_reasons_are_told(get, tmp_path) -> None:
    with pytest.raises(DownloadError) as caught:
        get(Page(status=404), Page(b"<html>no such thing</html>"))
    message = str(caught.value)
    assert "source1: the server answers 404 Not Found." in message
    assert "source2: its archive is broken (File is not a zip file)." in message
    assert "unpack http://127.0.0.1" in message
    assert left_behind(tmp_path) == []


def test_no_network_is_said_at_once(sums, tmp_path, server) -> None:
    source = server.source("gone", Page(), sums)
    closed = [
        SimpleNamespace(**vars(source) | {"key": "x", "url": url})
        for url in ("http://127.0.0.1:9/a", "http://nowhere.invalid/a")
    ]
    with pytest.raises(DownloadError) as caught:
        download(tmp_path / "data", sources=closed)
    assert "no connection to 127.0.0.1:9 (Connection refused)" in str(caught.value)
    assert "nowhere.invalid cannot be found; is there a network?" in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_a_proxy_of_the_environment_is_used(get, server, archive, sums, tmp_path, monkeypatch) -> None:
    source = server.source("x", Page(archive), sums)
    server.pages["http://far.away/x"] = server.pages["/x"]
    monkeypatch.setenv("http_proxy", server.address)
    away = SimpleNamespace(**vars(source) | {"key": "x", "url": "http://far.away/x"})
    assert download(tmp_path / "data", sources=[away])


def test_wrong_content_is_removed(get, server, archive, data_root, tmp_path) -> None:
    other = shutil.copytree(data_root, tmp_path / "other")
    (other / "test" / "Ben_Hart_05.jpg").write_bytes((other / "test" / "Ben_Hart_15.jpg").read_bytes())
    page = Page(zip_of(other))
    shutil.rmtree(other)
    with pytest.raises(DownloadError, match=r"images in test/ have the checksum \w{12}… instead of \w{12}…"):
        get(page)
    assert left_behind(tmp_path) == []
    assert get(page, Page(archive))


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("test_frames", "does not hold the two CSV files"),
        ("training_frames", "does not hold the two CSV files"),
        ("Ben_Hart_05", "test/Ben_Hart_05.jpg is missing"),
        ("Ada_Stone_00", "training/Ada_Stone_00.jpg is missing"),
    ],
)
def test_an_archive_with_gaps_is_refused(get, data_root, tmp_path, word, reason) -> None:
    with pytest.raises(DownloadError, match=reason):
        get(Page(zip_of(data_root, without=word)))
    assert left_behind(tmp_path) == []


def test_the_labelled_test_images_are_enough(get, data_root) -> None:
    assert FacialKeypointsDataset(get(Page(zip_of(data_root, without="Nobody")))).unlabelled == 0


@pytest.mark.parametrize("where", ["", "P1_Facial_Keypoints-6e55adc/data/", "train-test-data/"])
def test_layout_and_litter_do_not_matter(get, data_root, tmp_path, where) -> None:
    litter = {
        f"__MACOSX/{where}training/._Ada_Stone_00.jpg": b"x",
        f"{where}.DS_Store": b"x",
        "README.md": b"x",
        f"{where}test/._Ben_Hart_05.jpg": b"x",
        f"{where}test/.DS_Store": b"x",
        f"{where}training/": b"",
        f"{where}notes.txt": b"x",
        "__MACOSX/training_frames_keypoints.csv": b"x",
    }
    root = get(Page(zip_of(data_root, prefix=where, extra=litter, packed=True)))
    assert len(FacialKeypointsDataset(root)) == 36
    assert sorted(os.listdir(root)) == sorted(os.listdir(data_root))
    assert not [path for path in root.rglob("*") if path.name.startswith(".")]


@pytest.mark.parametrize(
    "name",
    [
        "../outside.jpg",
        "/absolute.jpg",
        "training/../../outside.jpg",
        "C:\\windows.jpg",
        "..\\outside.jpg",
        "C:rel.jpg",
    ],
)
def test_names_that_lead_out_are_refused(get, data_root, tmp_path, name) -> None:
    with pytest.raises(DownloadError, match="not safe: it has an entry"):
        get(Page(zip_of(data_root, extra={name: b"x"})))
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO])
def test_links_and_devices_are_refused(get, data_root, tmp_path, kind) -> None:
    with pytest.raises(DownloadError, match="'training/a.jpg' is a link or a device"):
        get(Page(zip_of(data_root, extra={entry("training/a.jpg", kind): b"/etc/passwd"})))
    assert left_behind(tmp_path) == []


def test_bombs_are_refused(get, data_root, tmp_path, monkeypatch) -> None:
    bomb = zip_of(data_root, extra={"training/zeros.jpg": bytes(21_000_000)}, packed=True)
    assert len(bomb) < 500_000
    with pytest.raises(DownloadError, match="'training/zeros.jpg' unpacks to 21 MB"):
        get(Page(bomb))
    many = {f"training/{number}.jpg": bytes(1_000_000) for number in range(5)}
    monkeypatch.setattr(unpack, "MOST_BYTES", 4_000_000)
    with pytest.raises(DownloadError, match="unpacks to 5 MB, far more"):
        get(Page(zip_of(data_root, extra=many, packed=True)))
    monkeypatch.setattr(unpack, "MOST_ENTRIES", 20)
    with pytest.raises(DownloadError, match="45 entries, far more"):
        get(Page(zip_of(data_root, extra=many, packed=True)))
    monkeypatch.setattr(unpack, "MOST_DIRECTORY_BYTES", 2000)
    with pytest.raises(DownloadError, match="list of files is far too long"):
        get(Page(zip_of(data_root)))
    assert left_behind(tmp_path) == []


def test_a_file_that_claims_to_be_smaller_is_refused(get, data_root, tmp_path) -> None:
    honest = zip_of(data_root, extra={"training/a.jpg": bytes(3_000_000)}, packed=True)
    lying = honest.replace((3_000_000).to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    with pytest.raises(DownloadError, match="broken"):
        get(Page(lying))
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("damage", ["middle", "end", "flag"])
def test_a_damaged_archive_is_refused(get, data_root, tmp_path, damage) -> None:
    whole = bytearray(zip_of(data_root, packed=True))
    if damage == "middle":
        whole[3000:3100] = bytes(100)
    elif damage == "end":
        del whole[-40:]
    else:  # the first entry says that it is encrypted
        place = whole.index(b"PK\x01\x02")
        whole[place + 8] |= 1
    with pytest.raises(DownloadError, match="source1: "):
        get(Page(bytes(whole)))
    assert left_behind(tmp_path) == []


def test_another_way_of_packing_is_refused(get, data_root, tmp_path) -> None:
    packed = entry("training/a.jpg", stat.S_IFREG)
    packed.compress_type = zipfile.ZIP_LZMA
    with pytest.raises(DownloadError, match="by method 14"):
        get(Page(zip_of(data_root, extra={packed: b"x"})))


def test_an_archive_without_end_is_left(get, archive, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(http, "MOST_BYTES", 50_000)
    with pytest.raises(DownloadError, match="far more than the dataset"):
        get(Page(archive))
    monkeypatch.setattr(http, "MOST_BYTES", 1_000_000)
    with pytest.raises(DownloadError, match="does not end after 1 MB"):
        get(Page(bytes(1_100_000), chunked=True))


def test_a_small_disk_is_noticed_before_anything_is_written(get, archive, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=20_100_000))
    with pytest.raises(DownloadError, match="has 20 MB free, and 2. MB are needed. Make room"):
        get(Page(archive))
    monkeypatch.undo()
    assert get(Page(archive))


@pytest.mark.parametrize("step", ["downloading", "unpacking"])
def test_a_disk_that_fills_up_keeps_what_has_arrived(get, server, archive, tmp_path, step) -> None:
    def full(event: Progress) -> None:
        if event.step == step:
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DownloadError, match="is full. Make room and download again"), disk.writing(tmp_path):
        get(Page(archive), progress=full)
    server.requests.clear()
    assert get(Page(archive))
    assert len(server.requests) == (1 if step == "downloading" else 0)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(get, archive, tmp_path) -> None:
    tmp_path.chmod(0o555)
    with pytest.raises(DownloadError, match="cannot be written .Permission denied"):
        get(Page(archive))


def test_a_place_that_cannot_be_a_folder(get, archive, tmp_path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DownloadError, match="file cannot be written .Not a directory.*name another folder"):
        get(Page(archive), folder=tmp_path / "file" / "data")


@pytest.mark.parametrize("step", ["connecting", "downloading", "unpacking"])
def test_cancelling_leaves_only_what_can_be_resumed(get, server, archive, tmp_path, step) -> None:
    events: list[Progress] = []
    with pytest.raises(DownloadCancelled, match="What has arrived is kept"):
        get(
            Page(archive, pause=0.01),
            progress=events.append,
            cancelled=lambda: any(e.step == step and (e.done or step != "downloading") for e in events),
        )
    assert left_behind(tmp_path) == ([".zip"] if step == "unpacking" else [".json", ".part"])
    server.requests.clear()
    assert get(Page(archive))
    assert len(server.requests) == (0 if step == "unpacking" else 1)


def test_cancelling_does_not_wait_for_a_pause(get, monkeypatch) -> None:
    monkeypatch.setattr(http, "PAUSES", (60.0,))
    asked = threading.Event()
    threading.Timer(0.3, asked.set).start()
    with pytest.raises(DownloadCancelled):
        get(Page(status=503), cancelled=asked.is_set)


def test_a_download_that_was_killed_is_cleaned_up(get, archive, tmp_path) -> None:
    rest = tmp_path / ".data.download" / "unpacked"
    rest.mkdir(parents=True)
    (rest / "training_frames_keypoints.csv").write_text("half a fi")
    assert len(FacialKeypointsDataset(get(Page(archive)))) == 36
    assert os.listdir(tmp_path) == ["data"]


def test_a_folder_in_use_gets_the_dataset_inside(get, archive, tmp_path) -> None:
    (tmp_path / "mine").mkdir()
    assert get(Page(archive), folder=tmp_path / "mine") == tmp_path / "mine"  # it was empty
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("x")
    root = get(Page(archive), folder=tmp_path / "notes")
    assert root == tmp_path / "notes" / "data" == find_data(tmp_path / "notes")
    assert get(Page(archive), folder=tmp_path / "notes") == root


def test_another_dataset_is_never_touched(get, server, archive, data_root, tmp_path) -> None:
    root = shutil.copytree(data_root, tmp_path / "data")
    (root / "training" / "Ada_Stone_00.jpg").unlink()
    with pytest.raises(DownloadError, match="not all of it: training/Ada_Stone_00.jpg is missing. Move it away"):
        get(Page(archive))
    (root / "test_frames_keypoints.csv").write_text("mine")
    (root / "training_frames_keypoints.csv").unlink()
    with pytest.raises(DownloadError, match="training_frames_keypoints.csv is missing"):
        get(Page(archive))
    assert (root / "test_frames_keypoints.csv").read_text() == "mine"
    assert server.requests == []


def test_two_downloads_at_once_are_one_too_many(get, archive) -> None:
    inner: list[str] = []

    def again(event: Progress) -> None:
        if event.step == "downloading" and not inner:
            with pytest.raises(DownloadError) as caught:
                get(Page(archive))
            inner.append(str(caught.value))

    assert get(Page(archive), progress=again)
    assert "Another program is downloading" in inner[0]


def test_memory_stays_small(data_root, sums, server, tmp_path) -> None:
    import tracemalloc

    body = zip_of(data_root, extra={f"training/{n}.jpg": os.urandom(2_000_000) for n in range(10)})
    source = server.source("large", Page(body), sums)
    tracemalloc.start()
    download(tmp_path / "data", sources=[source])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6_000_000


@pytest.mark.real_data
def test_the_published_checksums_are_those_of_the_real_data(real_root: Path) -> None:
    assert verify_quickly(real_root, CHECKSUMS) is None
    digests = {path.name: hashlib.sha256(path.read_bytes()).digest() for path in (real_root / "test").iterdir()}
    assert set_digest(digests) == CHECKSUMS.images["test"]
    assert all(source.url.startswith("https://") for source in SOURCES)
