"""Download the dataset from the first source that works, verify it, and move it into place atomically."""

import logging
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from kp.download.disk import ELSEWHERE, writing
from kp.download.http import SourceFailed, fetch
from kp.download.progress import Progress, ProgressReporter
from kp.download.sources import CSVS, SOURCES, Checksums, Source, verify, verify_quickly
from kp.download.unpack import unpack
from kp.errors import DownloadError

try:
    import fcntl
except ImportError:  # Windows: no lock against two downloads into one folder
    fcntl = None  # type: ignore[assignment]

TIMEOUT = 20.0  # seconds to connect, and without data

log = logging.getLogger(__name__)


def download(
    folder: Path | str,
    *,
    sources: Sequence[Source] = SOURCES,
    progress: Callable[[Progress], None] = lambda _: None,
    cancelled: Callable[[], bool] = lambda: False,
    timeout: float = TIMEOUT,
) -> Path:
    """The dataset's folder: `folder`, or data/ in it where `folder` itself cannot be replaced (it is in use).

    A dataset that is there is not downloaded again. Raises DownloadError with every source's reason, and
    DownloadCancelled once `cancelled()` is true; the received bytes are kept in .NAME.download for the next call.
    """
    folder = Path(folder).expanduser()
    checksums = sources[0].checksums
    if there := find_download(folder, checksums):
        log.info("The dataset is in %s already.", there)
        return there
    target = _place(folder)
    with _working_folder(target) as work:
        if there := find_download(folder, checksums):  # another process has just finished
            return there
        reporter, reasons = ProgressReporter(progress, cancelled), []
        for source in sources:
            try:
                unpacked = _obtain(source, work, reporter=reporter, timeout=timeout)
            except SourceFailed as error:
                log.info("%s: %s", source.name, error)
                reasons.append(f"{source.name}: {error}.")
                continue
            with writing(target):
                if target.is_dir():
                    target.rmdir()
                unpacked.rename(target)
            shutil.rmtree(work, ignore_errors=True)
            return target
    raise DownloadError(
        f"The dataset could not be downloaded. {' '.join(reasons)} Check the network (HTTPS_PROXY "
        f"names a proxy) and download again, or unpack {sources[0].url} into {folder} yourself."
    )


def find_download(folder: Path, checksums: Checksums) -> Path | None:
    """The dataset's folder at or below `folder`, or None. Raises DownloadError for another or incomplete dataset."""
    for root in (folder, folder / "data"):
        if any((root / name).is_file() for name in CSVS.values()):
            if fault := verify_quickly(root, checksums):
                raise DownloadError(
                    f"{root} holds another dataset, or not all of it: {fault}. Move it away, or {ELSEWHERE}."
                )
            return root
    return None


def _place(folder: Path) -> Path:
    """The target of the final rename: `folder`, or data/ in it where `folder` is mounted or not empty."""
    with writing(folder):
        if not folder.exists():
            return folder
        if not os.path.ismount(folder) and not any(folder.iterdir()) and os.access(folder.parent, os.W_OK):
            return folder
        inside = folder / "data"
        if inside.exists() and any(inside.iterdir()):
            raise DownloadError(f"{inside} holds other files. Move them away, or {ELSEWHERE}.")
    return inside


@contextmanager
def _working_folder(target: Path) -> Iterator[Path]:
    """A folder beside `target`, locked for one process; it is kept only while it holds an archive."""
    work = target.parent / f".{target.name}.download"
    with writing(target.parent):
        work.mkdir(parents=True, exist_ok=True)
        lock = os.open(work, os.O_RDONLY) if fcntl else None
    try:
        if lock is not None:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise DownloadError(f"Another program is downloading to {target}. Wait until it is done.") from None
        yield work
    finally:
        with suppress(OSError):  # it holds an archive, or is gone
            work.rmdir()
        if lock is not None:
            os.close(lock)


def _obtain(source: Source, work: Path, *, reporter: ProgressReporter, timeout: float) -> Path:
    """The dataset from one source, unpacked and verified. A wrong archive is deleted."""
    unpacked = work / "unpacked"
    shutil.rmtree(unpacked, ignore_errors=True)  # of a download that was killed
    archive = fetch(source, work, reporter=reporter, timeout=timeout)
    with ExitStack() as cleanup:
        cleanup.callback(shutil.rmtree, unpacked, ignore_errors=True)
        try:
            digests = unpack(archive, unpacked, reporter=reporter)
            reporter.begin("checking", source.name)
            if fault := verify(unpacked, digests, source.checksums):
                raise SourceFailed(f"{fault}, so this is not the dataset as published")
        except SourceFailed:
            archive.unlink(missing_ok=True)
            raise
        cleanup.pop_all()
    return unpacked
