"""The list of slow tests names tests that there are."""

import re
from pathlib import Path

from slow_tests import SLOW_TESTS


def test_every_slow_test_is_there() -> None:
    source = "\n".join(file.read_text(encoding="utf-8") for file in Path(__file__).parent.rglob("test_*.py"))
    assert not SLOW_TESTS - set(re.findall(r"^ *def (test_\w+)\(", source, re.MULTILINE))
    assert len(SLOW_TESTS) > 50
