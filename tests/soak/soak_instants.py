"""SIGKILL at 200 random instants: every start after one goes on, and all ends are those of undisturbed ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.faults import kinds
from tests.faults.killing import Count, Job, Nursery, in_memory, killed_until_done, nursery
from tests.mfmarl.launch.conftest import small_study

Noting = Callable[[str, object], None]
AT_ONCE, WORKERS = 5, 10


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
    count = killed(forks, kinds.training(algorithm), folder, 65, record_property)
    record_property("most iterations lost, saved every 2", count.most_lost)


def test_audit(forks: Nursery, folder: Path, record_property: Noting) -> None:
    killed(forks, kinds.audit(forks, folder / "before"), folder, 30, record_property)


def test_solve(forks: Nursery, folder: Path, record_property: Noting) -> None:
    killed(forks, kinds.solution(), folder, 15, record_property)


@pytest.mark.parametrize("method", ["bc", "gail"])
def test_imitate(forks: Nursery, folder: Path, method: str, record_property: Noting) -> None:
    killed(forks, kinds.imitation(forks, folder / "before", method), folder, 5, record_property)


def test_study(forks: Nursery, folder: Path, record_property: Noting) -> None:
    """15 times the driver, whose workers go with it, and 10 times a worker, whose cell is tried again."""
    before = folder / "before"
    before.mkdir()
    job = kinds.study(small_study(before, kinds.STUDY), before)
    killed(forks, job, folder, 15, record_property)
    wanted, workers, rounds = job.contents(folder / "killed" / "undisturbed" / job.folder), 0, 0
    while workers < WORKERS:
        rounds += 1
        place = folder / f"workers_{rounds}"
        place.mkdir()
        small_study(place, kinds.STUDY)
        # no more in one study: a worker has seconds of imports before it comes to its cell, and is killed in them too
        asked = min(AT_ONCE, WORKERS - workers)
        ended = forks.run(job.begin, place, kill_after=5.0, kill_workers=asked, seed=rounds)
        assert ended.code == 0, ended.said
        assert rounds < 20
        workers += ended.killed
        assert job.contents(place / job.folder) == wanted
    record_property("workers killed", workers)
    record_property("studies they were of, all equal", rounds)
