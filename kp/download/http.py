"""Downloading an archive over HTTP; an interrupted download resumes with a Range request."""

import http.client
import logging
import re
import socket
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from kp import __version__
from kp.download.disk import require_room, writing
from kp.download.partial import Identity, Partial
from kp.download.progress import ProgressReporter
from kp.download.sources import Source
from kp.errors import DownloadError

CHUNK = 256 * 1024
PAUSES = (1.0, 2.0, 4.0)  # seconds before the second, third and last attempt without progress
MOST_BYTES = 1_000_000_000  # largest archive; the dataset has about 340 MB
PERMANENT = (socket.gaierror, ConnectionRefusedError, ssl.SSLCertVerificationError)  # not retried
BUSY = (408, 429)  # HTTP codes that are retried, with those from 500 on

log = logging.getLogger(__name__)


class SourceFailed(DownloadError):
    """This source cannot provide the dataset; another one may."""


class ConnectionLost(DownloadError):
    """A temporary failure; a retry may succeed."""


def fetch(source: Source, folder: Path, *, reporter: ProgressReporter, timeout: float) -> Path:
    """The path of the source's complete archive in `folder`. timeout: seconds to connect, and without data.

    Raises SourceFailed, DownloadError (disk), DownloadCancelled; received bytes are kept.
    """
    archive, partial = folder / f"{source.key}.zip", Partial(folder / f"{source.key}.part")
    failures = 0
    while not archive.is_file():
        before = partial.size
        try:
            _receive(source, partial, reporter=reporter, timeout=timeout)
        except ConnectionLost as error:
            failures = 1 if partial.size > before else failures + 1
            log.info("%s: %s (attempt %d)", source.name, error, failures)
            if failures > len(PAUSES):
                raise SourceFailed(f"{error}, {failures} times") from error
            reporter.pause(PAUSES[failures - 1])
        else:
            with writing(folder):
                partial.path.replace(archive)
                partial.discard()
    return archive


def _receive(source: Source, partial: Partial, *, reporter: ProgressReporter, timeout: float) -> None:
    """Download the missing bytes. Raises ConnectionLost where the connection is cut or the file has changed."""
    have, known = partial.size, partial.identity
    if known and have and have == known.total:
        return
    reporter.begin("connecting", source.name, done=have, total=known.total if known else None)
    with _request(source, partial, timeout) as response:
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
        require_room(partial.path.parent, expected - have + expected)  # the missing bytes, and the unpacked files
        reporter.begin("downloading", source.name, done=have, total=fresh.total)
        with writing(partial.path.parent), partial.path.open("ab") as file:
            for chunk in _chunks(response, timeout):
                file.write(chunk)
                have += len(chunk)
                if have > MOST_BYTES:
                    raise SourceFailed(f"its archive does not end after {MOST_BYTES / 1e6:.0f} MB")
                reporter.advance(len(chunk))
    if fresh.total is not None and have != fresh.total:
        raise ConnectionLost(f"the connection was cut after {have / 1e6:.1f} of {fresh.total / 1e6:.1f} MB")


def _continues(response: http.client.HTTPResponse, have: int, known: Identity | None) -> bool:
    """Whether a partial response begins at byte `have` of the same file."""
    start = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    fresh = Identity.of(response)
    pairs = ((fresh.etag, known.etag), (fresh.modified, known.modified), (fresh.total, known.total)) if known else ()
    return bool(known and start and int(start[1]) == have and all(new in (None, old) for new, old in pairs))


def _request(source: Source, partial: Partial, timeout: float) -> http.client.HTTPResponse:
    """The server's response to a request for the missing bytes. Raises SourceFailed or ConnectionLost."""
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
        kind = SourceFailed if isinstance(cause, PERMANENT) and not have else ConnectionLost
        raise kind(_describe(cause, source.url, timeout)) from None


def _chunks(response: http.client.HTTPResponse, timeout: float) -> Iterator[bytes]:
    while True:
        try:
            chunk = response.read1(CHUNK)
        except (OSError, http.client.HTTPException) as error:
            raise ConnectionLost(_describe(error, response.url, timeout)) from None
        if not chunk:
            return
        yield chunk


def _describe(cause: object, url: str, timeout: float) -> str:
    """A network error as a phrase for messages."""
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
