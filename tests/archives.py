"""What the download's tests are made of: archives of a small dataset, and a server with faults."""

import hashlib
import io
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from kp.download.sources import CSVS, Checksums, Source, labelled_names, set_digest


def checksums_of(root: Path) -> Checksums:
    """Those of a dataset on disk."""
    digests = {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).digest()
        for path in root.rglob("*")
        if path.is_file()
    }

    def images(part: str) -> dict[str, bytes]:
        return {name.removeprefix(f"{part}/"): digest for name, digest in digests.items() if f"{part}/" in name}

    labelled = {part: {name: images(part)[name] for name in labelled_names(root / CSVS[part])} for part in CSVS}
    return Checksums(
        {part: digests[name].hex() for part, name in CSVS.items()},
        {part: set_digest(labelled[part]) for part in CSVS},
        set_digest(images("test")),
        len(images("test")),
    )


def zip_of(
    root: Path,
    *,
    prefix: str = "",
    extra: dict[str | zipfile.ZipInfo, bytes] | None = None,
    without: str = "nothing",
    packed: bool = False,
) -> bytes:
    """An archive of a folder, below `prefix`, with extra entries, without files whose name has a word."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as archive:
        for path in sorted(root.rglob("*")):
            if path.is_file() and without not in path.name:
                archive.write(path, prefix + path.relative_to(root).as_posix())
        for name, content in (extra or {}).items():
            archive.writestr(name, content)
    return buffer.getvalue()


@dataclass
class Page:
    """What the server answers at an address, and how it fails. cut: bytes of each answer before the connection ends."""

    body: bytes = b""
    status: int = 200
    cut: list[int] = field(default_factory=list)  # one number for each request that is cut off
    pause: float = 0.0  # seconds between two pieces of 4096 bytes
    stall_after: int | None = None  # bytes of the file after which nothing comes any more
    ranges: bool = True
    etag: str | None = '"one"'
    chunked: bool = False


class FaultyServer:
    """`pages` by name, `requests` as [name, Range header, bytes sent, first byte]."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.requests: list[list] = []
        self.released = threading.Event()
        self.address = ""

    def source(self, name: str, page: Page, checksums: Checksums) -> Source:
        self.pages[f"/{name}"] = page
        return Source(name, f"{self.address}/{name}", 1, checksums)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        page, asked = self.pages[request.path], request.headers.get("Range")
        seen = [request.path[1:], asked, 0, 0]
        self.requests.append(seen)
        same = request.headers.get("If-Range") in (None, page.etag)
        start = int(asked[6:-1]) if asked and page.ranges and same else 0
        seen[3] = start
        if page.status != 200:
            request.send_error(page.status)
            return
        request.send_response(206 if start else 200)
        if page.chunked:
            request.send_header("Transfer-Encoding", "chunked")
        else:
            request.send_header("Content-Length", str(len(page.body) - start))
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(page.body) - 1}/{len(page.body)}")
        if page.etag:
            request.send_header("ETag", page.etag)
        request.end_headers()
        end = start + page.cut.pop(0) if page.cut else len(page.body)
        self._send(request, page, page.body[start:end], seen)

    def _send(self, request: BaseHTTPRequestHandler, page: Page, body: bytes, seen: list) -> None:
        for place in range(0, len(body), 4096):
            if page.stall_after is not None and seen[3] + place >= page.stall_after:
                self.released.wait(20)
                return
            piece = body[place : place + 4096]
            try:
                request.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if page.chunked else piece)
            except OSError:
                return
            seen[2] += len(piece)
            if page.pause:
                time.sleep(page.pause)
        if page.chunked:
            request.wfile.write(b"0\r\n\r\n")


@contextmanager
def faulty_server() -> Iterator[FaultyServer]:
    """A server on a free port of this machine."""
    server = FaultyServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.close_connection = True
            server.answer(self)

        log_message: Callable = staticmethod(lambda *_: None)

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    server.address = f"http://127.0.0.1:{listening.server_port}"
    threading.Thread(target=listening.serve_forever, args=(0.05,), daemon=True).start()
    yield server
    server.released.set()
    listening.shutdown()
    listening.server_close()
