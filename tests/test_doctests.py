"""The examples in the docstrings of the public names: each name has one, and each gives what it shows."""

import doctest
from pathlib import Path

import pytest

import kp

FINDER = doctest.DocTestFinder(recurse=False)
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.FAIL_FAST


@pytest.mark.parametrize("name", kp.__all__)
def test_the_example_of_a_public_name_gives_what_it_shows(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    examples = [test for test in FINDER.find(getattr(kp, name), name, module=False, globs={}) if test.examples]
    assert examples, f"kp.{name} has no example (>>>) in its docstring"
    report: list[str] = []
    results = [doctest.DocTestRunner(optionflags=OPTIONS).run(test, out=report.append) for test in examples]
    assert not sum(result.failed for result in results), "".join(report)
