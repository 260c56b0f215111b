"""Ray is tried three times, and then said not to have come up."""

from __future__ import annotations

import os
from typing import Any

import pytest

from mfmarl.rllib import quiet

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.ray


class Slow:
    """A Ray that fails to start so many times."""

    def __init__(self, failures: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left, self.tried, self.shut = failures, 0, 0
        self.slept: list[float] = []
        monkeypatch.setattr(os, "environ", os.environ.copy())
        os.environ.pop("RAY_ADDRESS", None)
        monkeypatch.setattr(ray, "is_initialized", lambda: False)
        monkeypatch.setattr(ray, "init", self.init)
        monkeypatch.setattr(ray, "shutdown", self.shutdown)
        monkeypatch.setattr(quiet.time, "sleep", self.slept.append)

    def init(self, **_: Any) -> None:
        self.tried += 1
        if self.left:
            self.left -= 1
            raise Exception("the node did not start in 30 s")  # as Ray does

    def shutdown(self) -> None:
        self.shut += 1


def test_the_third_attempt_is_as_good_as_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(2, monkeypatch)
    quiet.start_ray()
    # what a failed attempt left is taken down before the next
    assert (slow.tried, slow.shut, slow.slept) == (3, 2, [2.0, 4.0])


def test_after_three_attempts_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(3, monkeypatch)
    with pytest.raises(ConnectionError) as told:
        quiet.start_ray()
    assert (slow.tried, slow.shut, slow.slept) == (3, 3, [2.0, 4.0])
    want = "Ray did not start in three attempts (the node did not start in 30 s); is the machine overloaded?"
    assert str(told.value) == want
