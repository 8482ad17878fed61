"""What was done before, from which photo and with which settings: the log in the output's folder.

Files alone do not tell: a.json may be another photo's, or another network's.
"""

import os
from collections.abc import Mapping
from typing import Any

from kp.files import FILES, OutputLog, digest_of_file

PHOTO = "photo"  # the key of an entry that holds the photo's real path


class ResumeLog(OutputLog):
    """The log of `kp predict`, with an entry for each photo."""

    def holds(self, stem: str, entry: Mapping[str, Any]) -> bool:
        """Whether all that `entry` says was so when the files of this stem were written."""
        known = self.entries.get(stem)
        return known is not None and all(name in known and known[name] == value for name, value in entry.items())

    def is_whole(self, stem: str, names: list[str]) -> bool:
        """Whether the last entry has all of these files, and the last of them, which is written last, is as it says."""
        files = self.entries.get(stem, {}).get(FILES, {})
        return set(names) <= set(files) and files[names[-1]] == digest_of_file(self.folder / names[-1])

    def owners(self) -> dict[str, str]:
        """The photo of each stem, as a real path, as long as it exists: one that was moved keeps no name."""
        return {stem: entry[PHOTO] for stem, entry in self.entries.items() if os.path.exists(entry.get(PHOTO) or "")}
