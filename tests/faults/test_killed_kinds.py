"""Training, audits, solutions and imitations killed at random instants; `make soak` does the same 200 times."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.faults import kinds
from tests.faults.killing import Job, Nursery, in_memory, killed_until_done, nursery


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


def ends_equal(forks: Nursery, job: Job, folder: Path, kills: int) -> None:
    count = killed_until_done(forks, job, folder / "killed", kills, np.random.default_rng(1))
    assert (count.kills, count.resumes) == (kills, kills)


def test_actor_critic(forks: Nursery, folder: Path) -> None:
    ends_equal(forks, kinds.training("mfac"), folder, 2)


def test_an_audit(forks: Nursery, folder: Path) -> None:
    ends_equal(forks, kinds.audit(forks, folder / "before"), folder, 2)


def test_a_solution(forks: Nursery, folder: Path) -> None:
    ends_equal(forks, kinds.solution(), folder, 2)


@pytest.mark.parametrize("method", ["bc", "gail"])
def test_an_imitation(forks: Nursery, folder: Path, method: str) -> None:
    ends_equal(forks, kinds.imitation(forks, folder / "before", method), folder, 2)
