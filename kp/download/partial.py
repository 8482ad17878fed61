"""A partly downloaded file, and the version of the server's file that it belongs to."""

import http.client
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from kp.download.disk import writing


@dataclass(frozen=True)
class Identity:
    """The version of a server's file; None where unknown. total: bytes."""

    etag: str | None
    modified: str | None
    total: int | None

    @classmethod
    def of(cls, response: http.client.HTTPResponse) -> "Identity":
        """The identity in a response's headers."""
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
        """The value of If-Range, which must not be a weak ETag (RFC 9110, 13.1.5)."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.modified


class Partial:
    """An incomplete file, and beside it (.json) the Identity of the complete one."""

    def __init__(self, path: Path) -> None:
        self.path, self.note = path, path.with_suffix(".json")

    @property
    def size(self) -> int:
        """Bytes received, 0 without a file."""
        return self.path.stat().st_size if self.path.is_file() else 0

    @property
    def identity(self) -> Identity | None:
        """The stored identity; None where it is missing or unreadable."""
        try:
            return Identity(**json.loads(self.note.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def restart(self, identity: Identity) -> None:
        """Empty the file; it now belongs to `identity`."""
        with writing(self.path.parent):
            self.path.write_bytes(b"")
            self.note.write_text(json.dumps(asdict(identity)))

    def discard(self) -> None:
        """Delete both files."""
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)
