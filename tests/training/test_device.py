"""The device of a run."""

import pytest

from kp.errors import ConfigError
from kp.training.device import find_device


@pytest.mark.parametrize(
    ("name", "available", "found"),
    [
        ("auto", False, "cpu"),
        ("cpu", False, "cpu"),
        ("cpu", True, "cpu"),
        ("auto", True, "cuda:1"),
        ("cuda", True, "cuda:1"),
    ],
)
def test_the_device(name: str, available: bool, found: str, monkeypatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: available)
    assert str(find_device(name, 1)) == found


@pytest.mark.parametrize("name", ["cuda", "abacus"])
def test_a_device_that_is_not_there(name: str, monkeypatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ConfigError, match=f"device.*{name}"):
        find_device(name)
