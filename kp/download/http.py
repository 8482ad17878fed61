"""One archive over HTTP: in pieces if need be, and going on where it was cut off."""

import http.client
import json
import logging
import re
import socket
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from kp import __version__
from kp.download.disk import require_room, writing
from kp.download.progress import ProgressReporter
from kp.download.sources import Source
from kp.errors import DownloadError

CHUNK = 256 * 1024
PAUSES = (1.0, 2.0, 4.0)  # seconds before the second, third and last try without any byte
MOST_BYTES = 1_000_000_000  # of an archive, which has about 340 MB: a server that never ends is stopped there
HOPELESS = (socket.gaierror, ConnectionRefusedError, ssl.SSLCertVerificationError)  # trying at once again is no use
BUSY = (408, 429)  # with those from 500 on, the HTTP codes that are worth another try

log = logging.getLogger(__name__)


class SourceFailed(DownloadError):
    """This source cannot give the dataset; another one may."""


class ConnectionLost(DownloadError):
    """Trying again may help."""


@dataclass(frozen=True)
class Identity:
    """Which version of a file a server has; None is unknown. total: bytes."""

    etag: str | None
    modified: str | None
    total: int | None

    @classmethod
    def of(cls, response: http.client.HTTPResponse) -> "Identity":
        length = response.headers.get("Content-Length", "")
        if response.status == http.HTTPStatus.PARTIAL_CONTENT:
            length = response.headers.get("Content-Range", "").rpartition("/")[2]
        return cls(
            response.headers.get("ETag"),
            response.headers.get("Last-Modified"),
            int(length) if length.isdecimal() else None,
        )

    @property
    def validator(self) -> str | None:
        """For If-Range, which takes no weak ETag (RFC 9110, 13.1.5)."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.modified


class Partial:
    """A file that is not whole yet, and beside it the identity of what it is a part of."""

    def __init__(self, path: Path) -> None:
        self.path, self.note = path, path.with_suffix(".json")

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    @property
    def identity(self) -> Identity | None:
        try:
            return Identity(**json.loads(self.note.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def restart(self, identity: Identity) -> None:
        """Empty, and part of this file from now on."""
        with writing(self.path.parent):
            self.path.write_bytes(b"")
            self.note.write_text(json.dumps(asdict(identity)))

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


def fetch(source: Source, folder: Path, *, meter: ProgressReporter, timeout: float) -> Path:
    """The source's archive in `folder`, whole. timeout: seconds to connect, and without a byte.

    Raises SourceFailed, DownloadError for the disk's faults, DownloadCancelled; what has arrived is kept.
    """
    archive, partial = folder / f"{source.key}.zip", Partial(folder / f"{source.key}.part")
    failures = 0
    while not archive.is_file():
        before = partial.size
        try:
            _receive(source, partial, meter=meter, timeout=timeout)
        except ConnectionLost as error:
            failures = 1 if partial.size > before else failures + 1
            log.info("%s: %s (try %d)", source.name, error, failures)
            if failures > len(PAUSES):
                raise SourceFailed(f"{error}, {failures} times") from error
            meter.pause(PAUSES[failures - 1])
        else:
            with writing(folder):
                partial.path.replace(archive)
                partial.discard()
    return archive


def _receive(source: Source, partial: Partial, *, meter: ProgressReporter, timeout: float) -> None:
    """What is missing of a file. Raises ConnectionLost where it was cut off, or has to begin anew."""
    have, known = partial.size, partial.identity
    if known and have and have == known.total:
        return
    meter.begin("connecting", source.name, done=have, total=known.total if known else None)
    with _ask(source, partial, timeout) as response:
        fresh = Identity.of(response)
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            have = 0
            partial.restart(fresh)
        elif not _continues(response, have, known):
            partial.discard()
            raise ConnectionLost("the file has changed there")
        expected = fresh.total or source.megabytes * 1_000_000
        if expected > MOST_BYTES:
            raise SourceFailed(f"its archive has {expected / 1e6:.0f} MB, far more than the dataset")
        require_room(partial.path.parent, expected - have + expected)  # what is missing, and the same unpacked
        meter.begin("downloading", source.name, done=have, total=fresh.total)
        with writing(partial.path.parent), partial.path.open("ab") as file:
            for chunk in _chunks(response, timeout):
                file.write(chunk)
                have += len(chunk)
                if have > MOST_BYTES:
                    raise SourceFailed(f"its archive does not end after {MOST_BYTES / 1e6:.0f} MB")
                meter.advance(len(chunk))
    if fresh.total is not None and have != fresh.total:
        raise ConnectionLost(f"the connection was cut after {have / 1e6:.1f} of {fresh.total / 1e6:.1f} MB")


def _continues(response: http.client.HTTPResponse, have: int, known: Identity | None) -> bool:
    """Whether a partial answer begins at byte `have` of the same file."""
    start = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    fresh = Identity.of(response)
    pairs = ((fresh.etag, known.etag), (fresh.modified, known.modified), (fresh.total, known.total)) if known else ()
    return bool(known and start and int(start[1]) == have and all(new in (None, old) for new, old in pairs))


def _ask(source: Source, partial: Partial, timeout: float) -> http.client.HTTPResponse:
    """The server's answer to a request for what is missing. Raises SourceFailed or ConnectionLost."""
    have, known = partial.size, partial.identity
    request = urllib.request.Request(source.url, headers={"User-Agent": f"keypoint-lab/{__version__}"})
    if have and known:
        request.add_header("Range", f"bytes={have}-")
        if known.validator:
            request.add_header("If-Range", known.validator)
    try:
        return urllib.request.build_opener().open(request, timeout=timeout)  # through the environment's proxies
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            partial.discard()
            raise ConnectionLost("the file has changed there") from None
        kind = ConnectionLost if error.code >= 500 or error.code in BUSY else SourceFailed
        raise kind(f"the server answers {error.code} {error.reason}".strip()) from None
    except (OSError, http.client.HTTPException) as error:
        cause = error.reason if isinstance(error, urllib.error.URLError) else error
        kind = SourceFailed if isinstance(cause, HOPELESS) and not have else ConnectionLost
        raise kind(_plain(cause, source.url, timeout)) from None


def _chunks(response: http.client.HTTPResponse, timeout: float) -> Iterator[bytes]:
    while True:
        try:
            chunk = response.read1(CHUNK)
        except (OSError, http.client.HTTPException) as error:
            raise ConnectionLost(_plain(error, response.url, timeout)) from None
        if not chunk:
            return
        yield chunk


def _plain(cause: object, url: str, timeout: float) -> str:
    """What went wrong on the way, for people."""
    host = urllib.parse.urlsplit(url).netloc
    match cause:
        case TimeoutError():
            return f"{host} has sent nothing for {timeout:.0f} s"
        case socket.gaierror():
            return f"{host} cannot be found; is there a network?"
        case ssl.SSLCertVerificationError():
            return (
                f"the certificate of {host} cannot be checked ({cause.verify_message}); behind a company's proxy, "
                "name its certificate in SSL_CERT_FILE"
            )
        case http.client.IncompleteRead():
            return f"the connection to {host} was cut"
    return f"no connection to {host} ({getattr(cause, 'strerror', None) or cause})"
