"""What was done before, by which photo and with which settings: a line of JSON for each photo, in the output's folder.

Files alone do not tell: a.json may be another photo's, or another network's.
"""

import json
from pathlib import Path
from typing import Any

from kp.errors import KpError

NAME = ".predicted.jsonl"


class Ledger:
    """The lines of a folder; the last one of a stem counts."""

    def __init__(self, folder: Path | str) -> None:
        self.path = Path(folder) / NAME
        self._entries: dict[str, dict[str, Any]] = {}
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            lines = []
        for line in lines:
            try:
                stem, entry = json.loads(line)
                self._entries[stem] = dict(entry)
            except (ValueError, TypeError):
                continue  # the last line of a run that was cut short

    def holds(self, stem: str, entry: dict[str, Any]) -> bool:
        """Whether all that `entry` says was so when the files of this stem were written."""
        known = self._entries.get(stem)
        return known is not None and all(name in known and known[name] == value for name, value in entry.items())

    def add(self, stem: str, entry: dict[str, Any]) -> None:
        """Write it down. Raises KpError where the disk does not take it."""
        if self.holds(stem, entry):
            return
        try:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(f"\n{json.dumps([stem, entry])}")  # first: the line before may have been cut short
        except OSError as error:
            raise KpError(f"{self.path} cannot be written ({error.strerror or error}). "
                          "Free some space or name another folder.") from None
        self._entries[stem] = entry
