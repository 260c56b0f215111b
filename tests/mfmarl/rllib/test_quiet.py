"""Ray is tried three times, and then said not to have come up."""

from __future__ import annotations

import os
from typing import Any

import pytest

from mfmarl.errors import UserError
from mfmarl.rllib import quiet

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.ray


class Slow:
    """A Ray that fails to start so many times."""

    def __init__(self, failures: int, monkeypatch: pytest.MonkeyPatch, cause: Exception | None = None) -> None:
        self.cause = cause
        self.left, self.tried, self.shut = failures, 0, 0
        self.slept: list[float] = []
        monkeypatch.setattr(os, "environ", os.environ.copy())
        os.environ.pop("RAY_ADDRESS", None)
        monkeypatch.setattr(ray, "is_initialized", lambda: False)
        monkeypatch.setattr(ray, "init", self.init)
        monkeypatch.setattr(ray, "shutdown", self.shutdown)
        monkeypatch.setattr(quiet.time, "sleep", self.slept.append)
        monkeypatch.setattr(quiet, "check_answers", lambda address: None)

    def init(self, **_: Any) -> None:
        self.tried += 1
        if self.left:
            self.left -= 1
            raise Exception("the node did not start in 30 s") from self.cause  # as Ray does

    def shutdown(self) -> None:
        self.shut += 1


@pytest.mark.parametrize("address", [None, "10.0.0.1:6379"])
def test_the_third_attempt_is_as_good_as_the_first(address: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(2, monkeypatch)
    quiet.start_ray(address=address)
    # what a failed attempt left is taken down before the next
    assert (slow.tried, slow.shut, slow.slept) == (3, 2, [2.0, 4.0])


def test_after_three_attempts_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(3, monkeypatch)
    with pytest.raises(ConnectionError) as told:
        quiet.start_ray()
    assert (slow.tried, slow.shut, slow.slept) == (3, 3, [2.0, 4.0])
    want = "Ray did not start in three attempts (the node did not start in 30 s); is the machine overloaded?"
    assert str(told.value) == want


def test_so_it_is_of_a_cluster_that_is_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(3, monkeypatch)
    with pytest.raises(UserError) as told:
        quiet.start_ray(address="10.0.0.1:6379")
    assert (slow.tried, slow.shut, slow.slept) == (3, 3, [2.0, 4.0])
    want = "no Ray cluster to join at 10.0.0.1:6379 in three attempts: the node did not start in 30 s; is it up?"
    assert str(told.value) == want


@pytest.mark.parametrize(
    "cause",
    [
        RuntimeError("Failed to connect to GCS. Last connection error: ray.exceptions.AuthenticationError: RPC error"),
        ray.exceptions.AuthenticationError("the token is missing"),
    ],
)
def test_a_token_that_is_refused_is_told_at_once(cause: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(3, monkeypatch, cause)
    with pytest.raises(
        UserError, match=r"^the Ray cluster at 10\.0\.0\.1:6379 refuses this machine's token: the node did"
    ):
        quiet.start_ray(address="10.0.0.1:6379")
    assert (slow.tried, slow.shut, slow.slept) == (1, 1, [])
