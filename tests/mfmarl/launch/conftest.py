"""A small study, and a pool that does its cells in this process."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from mfmarl.launch.drive import drive
from mfmarl.launch.study import Study, read_study
from mfmarl.launch.work import Job, Outcome, do_cell
from mfmarl.runs.checkpoint import checkpoint_paths
from mfmarl.runs.schema import COMPLETE

SMALL = """
name: small
retries: 1
evaluation: {episodes: 2}
base:
  env: games/coordination
  num_agents: 4
  num_episodes: 8
  num_envs: 2
  fragment_length: 4
  checkpoint_every: 4
  mfq: {hidden: [8], replay_population_steps: 64, warmup_population_steps: 16}
grid:
  seed: [1, 2]
  method: [mf, is]
"""


class HerePool:
    """One cell at a time, in this process."""

    hint: str | None = None

    def __init__(self) -> None:
        self.begun: list[str] = []
        self._job: Job | None = None

    def has_room(self) -> bool:
        return self._job is None

    def begin(self, job: Job) -> None:
        self._job = job
        self.begun.append(job.digest)

    def ended(self, timeout_s: float) -> Sequence[Outcome]:
        if self._job is None:
            return []
        job, self._job = self._job, None
        return [do_cell(job)]

    def close(self) -> None:
        pass


class Driven:
    """What a call of `drive` did."""

    def __init__(self, study: Study, folder: Path) -> None:
        pool = HerePool()
        self.told: list[str] = []
        self.failed = drive(study, folder, pool, {c.digest: 1.0 for c in study.cells}, told=self.told.append)
        self.begun = pool.begun


def small_study(folder: Path, text: str = SMALL) -> Study:
    path = folder / "small.yaml"
    path.write_text(text)
    return read_study(path)


@pytest.fixture
def small(tmp_path: Path) -> Study:
    return small_study(tmp_path)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, Path]:
    """The small study and its folder, all done; take a copy to change it."""
    folder = tmp_path_factory.mktemp("finished")
    study = small_study(folder)
    assert Driven(study, folder / "small").failed == {}
    return study, folder / "small"


@pytest.fixture
def rendered(tmp_path: Path) -> dict[str, str]:
    """Every kind of manifest of the small study."""
    from tests.mfmarl.launch.manifests import all_rendered

    return all_rendered(tmp_path)


def copied(finished: tuple[Study, Path], to: Path) -> tuple[Study, Path]:
    shutil.copytree(finished[1], to / "small")
    return finished[0], to / "small"


def unfinish(run: Path) -> None:
    """As a run that was killed after its first checkpoint."""
    for name in (COMPLETE, "evaluation.h5"):
        (run / name).unlink()
    *_, newest = checkpoint_paths(run)
    shutil.rmtree(newest)
