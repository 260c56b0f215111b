"""SIGKILL at 100 random instants of training: every start after one goes on, and all ends are the undisturbed ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.faults import kinds
from tests.faults.killing import Count, Job, Nursery, in_memory, killed_until_done, nursery

Noting = Callable[[str, object], None]


@pytest.fixture(scope="module")
def forks() -> Iterator[Nursery]:
    """One for all."""
    with nursery() as made:
        yield made


@pytest.fixture
def folder() -> Iterator[Path]:
    """In memory."""
    with in_memory() as made:
        yield made


def killed(forks: Nursery, job: Job, folder: Path, kills: int, record_property: Noting) -> Count:
    """Kill, and note what came of it."""
    count = killed_until_done(forks, job, folder / "killed", kills, np.random.default_rng(kills))
    assert (count.kills, count.resumes) == (kills, kills)
    record_property("kills", count.kills)
    record_property("resumes that went on", count.resumes)
    record_property("ends, all equal", count.rounds)
    return count


@pytest.mark.parametrize("algorithm", ["mfq", "mfac"])
def test_train(forks: Nursery, folder: Path, algorithm: str, record_property: Noting) -> None:
    count = killed(forks, kinds.training(algorithm), folder, 50, record_property)
    record_property("most iterations lost, saved every 2", count.most_lost)
