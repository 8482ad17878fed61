"""The log of `kp predict` in its output folder: which files were written, from which photo and with which settings.

File names alone do not show it: a.json may be of another photo, or by another network.
"""

import os
from collections.abc import Mapping
from typing import Any

from kp.files import FILES, OutputLog, digest_of_file

PHOTO = "photo"  # the key of an entry that holds the photo's real path


class ResumeLog(OutputLog):
    """The log of `kp predict`, with an entry for each photo."""

    def holds(self, stem: str, entry: Mapping[str, Any]) -> bool:
        """Whether the logged entry of this stem has all values of `entry`."""
        known = self.entries.get(stem)
        return known is not None and all(name in known and known[name] == value for name, value in entry.items())

    def is_whole(self, stem: str, names: list[str]) -> bool:
        """Whether the logged entry has all of these files, and names[-1], the last one written, is unchanged."""
        files = self.entries.get(stem, {}).get(FILES, {})
        return set(names) <= set(files) and files[names[-1]] == digest_of_file(self.folder / names[-1])

    def owners(self) -> dict[str, str]:
        """The photo of each stem, as a real path; stems of photos that no longer exist are free."""
        return {stem: entry[PHOTO] for stem, entry in self.entries.items() if os.path.exists(entry.get(PHOTO) or "")}
