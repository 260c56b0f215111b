"""A search by Optuna: trials are runs of the ordinary kind, none is done twice, and the best one can be trained."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from mfmarl.cli import run_command
from mfmarl.config import config_hash, read_config
from mfmarl.launch.local_pool import Pool
from mfmarl.launch.search import SearchDriver
from mfmarl.launch.search_config import Choices, Floats, Integers, Search
from mfmarl.launch.trials import BEST, TRIALS, Trial, best_of, found_trials, score_of
from mfmarl.launch.work import Job
from mfmarl.runs.checkpoint import checkpoint_paths
from mfmarl.runs.journal import read_journal
from mfmarl.runs.schema import COMPLETE, RUN, open_run
from mfmarl.runs.store import read_evaluation
from tests.mfmarl.launch.conftest import HerePool, unfinish
from tests.mfmarl.launch.test_search_config import SEARCH, search_in
from tests.rewritten import rewrite

pytest.importorskip("ray")
pytestmark = pytest.mark.ray

ROOT = Path(__file__).resolve().parents[3]


def searching(search: Search, folder: Path, pool: Pool, told: list[str], jobs: int = 1) -> list[Trial]:
    from mfmarl.rllib.sampler import OptunaSampler

    found = found_trials(search, folder)
    sampler = OptunaSampler(search.space, search.config.mode, search.config.seed, len(found))
    return SearchDriver(search, folder, found, pool, sampler, jobs=jobs, told=told.append).run()


class Searched:
    """What a call of the driver did, in this process."""

    def __init__(self, search: Search, folder: Path, pool: HerePool | None = None) -> None:
        self.pool, self.told = pool or HerePool(), list[str]()
        self.trials = searching(search, folder, self.pool, self.told)


@pytest.fixture(scope="session")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Searched]:
    """The tiny search, all done: its folder, and what was done."""
    folder = tmp_path_factory.mktemp("search")
    return folder / "tiny", Searched(search_in(folder), folder / "tiny")


def rows(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / TRIALS).open()))


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_every_trial_is_runs_of_all_seeds_and_the_best_has_the_best_mean(searched: tuple[Path, Searched]) -> None:
    folder, made = searched
    assert [trial.number for trial in made.trials] == [1, 2, 3, 4]
    assert len(set(made.pool.begun)) == len(made.pool.begun) == 8
    for trial in made.trials:
        assert 1e-4 <= trial.point["mfq.learning_rate"] <= 1e-2
        assert trial.point["mfq.hidden"] in ([8], [8, 8])
        scores = []
        for seed, config in trial.runs.items():
            run = folder / config_hash(config)
            assert open_run(run).config == config
            scores.append(float(read_evaluation(run / "evaluation.h5").policies["trained"].metrics["return"].mean()))
            assert (seed, trial.scores[seed]) == (config.seed, scores[-1])
        assert trial.score == sum(scores) / 2
    best = max(made.trials, key=lambda trial: trial.score or 0.0)
    assert len({trial.score for trial in made.trials}) == 4
    assert [line["state"] for line in rows(folder)] == ["done"] * 4
    assert [float(line["return"]) for line in rows(folder)] == [trial.score for trial in made.trials]
    assert float(rows(folder)[0]["return of seed 2"]) == made.trials[0].scores[2]
    assert read_config(folder / BEST, {"seed": 2}) == best.runs[2]
    assert made.told[0] == "tiny: 0 of 4 trials are done, 0 to go on with"
    assert made.told[-1].startswith("trial 4 of 4 (mfq.learning_rate 0.00")


def test_the_same_call_again_does_nothing_and_further_trials_are_others(
    searched: tuple[Path, Searched], tmp_path: Path
) -> None:
    shutil.copytree(searched[0], tmp_path / "tiny")
    before = files(tmp_path / "tiny")
    again = Searched(search_in(tmp_path), tmp_path / "tiny")
    assert again.pool.begun == []
    assert files(tmp_path / "tiny") == before
    assert {repr(t.point) for t in again.trials} == {repr(t.point) for t in searched[1].trials}
    more = Searched(search_in(tmp_path, SEARCH.replace("trials: 4", "trials: 5")), tmp_path / "tiny")
    assert len(more.pool.begun) == 2
    assert len({repr(trial.point) for trial in more.trials}) == 5


def test_trials_keep_their_numbers_where_runs_began_in_one_second(
    searched: tuple[Path, Searched], tmp_path: Path
) -> None:
    folder = tmp_path / "tiny"
    shutil.copytree(searched[0], folder)
    for path in folder.glob("*/run.json"):
        rewrite(path, {"created": "2026-01-01T00:00:00+00:00"})
    # from the last to the first, which no other order of theirs is
    lines = (folder / TRIALS).read_text().splitlines()
    turned = [",".join([str(5 - int(line.split(",")[0])), *line.split(",")[1:]]) for line in lines[1:]]
    (folder / TRIALS).write_text("\n".join([lines[0], *turned]) + "\n")
    found = found_trials(search_in(tmp_path), folder)
    assert [repr(t.point) for t in found] == [repr(t.point) for t in reversed(searched[1].trials)]


def test_what_a_kill_left_is_done_and_nothing_else(searched: tuple[Path, Searched], tmp_path: Path) -> None:
    folder, made = searched
    shutil.copytree(folder, tmp_path / "tiny")
    half, unplayed, whole, _ = made.trials
    unfinish(tmp_path / "tiny" / config_hash(half.runs[1]))
    (tmp_path / "tiny" / config_hash(unplayed.runs[2]) / "evaluation.h5").unlink()
    kept = files(tmp_path / "tiny" / config_hash(whole.runs[1]))
    again = Searched(search_in(tmp_path), tmp_path / "tiny")
    assert sorted(again.pool.begun) == sorted([config_hash(half.runs[1]), config_hash(unplayed.runs[2])])
    assert files(tmp_path / "tiny" / config_hash(whole.runs[1])) == kept
    # to the same scores
    assert {repr(t.point): t.score for t in again.trials} == {repr(t.point): t.score for t in made.trials}


DRIVER = """
from pathlib import Path
from mfmarl.launch.search_config import read_search
from tests.mfmarl.launch.conftest import HerePool
from tests.mfmarl.launch.test_search import searching

searching(read_search(Path("s.yaml")), Path("tiny"), HerePool(), [])
"""


@pytest.mark.soak
def test_killed_in_the_middle_it_ends_as_the_undisturbed_one(tmp_path: Path) -> None:
    text = SEARCH.replace("num_episodes: 8", "num_episodes: 200").replace("trials: 4", "trials: 1")
    search, folder = search_in(tmp_path, text), tmp_path / "tiny"
    command = [sys.executable, "-c", DRIVER]
    with subprocess.Popen(command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}) as child:
        # one run is done, the other has its first checkpoint
        while child.poll() is None and not (evaluated(folder) and any(map(checkpoint_paths, unfinished(folder)))):
            time.sleep(0.005)
        child.send_signal(signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    (finished,), kept = evaluated(folder), files(evaluated(folder)[0])
    left = Searched(search, folder)
    assert left.pool.begun == [config_hash(config) for config in left.trials[0].runs.values()][1:]
    assert files(finished) == kept
    undisturbed = Searched(search, tmp_path / "undisturbed")
    assert [(t.point, t.scores) for t in left.trials] == [(t.point, t.scores) for t in undisturbed.trials]
    for config in left.trials[0].runs.values():
        lines = [read_journal(tmp_path / name / config_hash(config)) for name in ("tiny", "undisturbed")]
        assert [[line["iteration"] for line in found] for found in lines] == [list(range(1, len(lines[1]) + 1))] * 2


def evaluated(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.glob("*/evaluation.h5"))


def unfinished(folder: Path) -> list[Path]:
    runs = [run for run in folder.iterdir() if (run / RUN).exists()] if folder.is_dir() else []
    return [run for run in runs if not (run / COMPLETE).exists()]


class BrokenPool(HerePool):
    """Runs with one seed cannot be begun, as where their disk is full."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = seed

    def begin(self, job: Job) -> None:
        if job.config["seed"] == self.seed:
            (Path(job.folder) / job.digest / "x").mkdir(parents=True, exist_ok=True)
        super().begin(job)


def test_a_trial_that_fails_does_not_stop_the_others(searched: tuple[Path, Searched], tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    shutil.copytree(searched[0], folder)
    lost = [searched[1].trials[0], searched[1].trials[2]]
    for trial in lost:
        shutil.rmtree(folder / config_hash(trial.runs[2]))
    text = SEARCH.replace("trials: 4", "trials: 4\nretries: 0")
    made = Searched(search_in(tmp_path, text), folder, BrokenPool(2))
    failed = [trial for trial in made.trials if trial.error]
    assert {repr(t.point) for t in failed} == {repr(t.point) for t in lost}
    assert sum(": failed: seed 2: " in line for line in made.told) == 2
    assert sorted(line["state"] for line in rows(folder)) == ["done", "done", "failed", "failed"]
    assert all(line["error"].startswith("seed 2: ") for line in rows(folder) if line["state"] == "failed")
    assert best_of(search_in(tmp_path), made.trials) not in [None, *failed]


def test_on_a_cluster_runs_are_tasks_and_their_scores_the_same(
    one_ray: None, searched: tuple[Path, Searched], tmp_path: Path
) -> None:
    from mfmarl.rllib.cell_pool import RayPool

    search = search_in(tmp_path, SEARCH.replace("trials: 4", "trials: 1"))
    pool = RayPool(search.config.resources)
    assert 1 <= pool.places <= 9
    (trial,) = searching(search, tmp_path / "tiny", pool, [], jobs=pool.places)
    first = searched[1].trials[0]
    assert (trial.point, trial.scores) == (first.point, first.scores)


def test_a_space_that_is_used_up_ends_the_search(searched: tuple[Path, Searched], tmp_path: Path) -> None:
    text = SEARCH.replace("{low: 1e-4, high: 1e-2, log: true}", "[0.001]").replace("seeds: [1, 2]", "seeds: [1]")
    made = Searched(search_in(tmp_path, text), tmp_path / "tiny")
    assert len(made.trials) == 2
    assert any(line.startswith("all points that are suggested were tried; 2 trials") for line in made.told)


def test_points_lie_in_the_space_and_draw_nearer_to_what_is_good() -> None:
    from mfmarl.rllib.sampler import OptunaSampler

    space = {"a": Floats(0.0, 1.0, False), "b": Integers(2, 9, 3, False), "c": Choices(([1], "x", None))}

    def drawn(mode: str, seed: int, known: int, count: int) -> list[dict[str, Any]]:
        sampler = OptunaSampler(space, mode, seed, known)
        found = []
        for _ in range(count):
            name, point = sampler.ask()
            sampler.tell(name, -abs(point["a"] - 0.25) if mode == "max" else abs(point["a"] - 0.25))
            found.append(dict(point))
        return found

    points = drawn("max", 3, 0, 60)
    assert all(domain.has(point[key]) for point in points for key, domain in space.items())
    assert points == drawn("max", 3, 0, 60)
    assert points[:3] != drawn("max", 3, 1, 3)
    assert points[:3] != drawn("max", 4, 0, 3)
    for mode in ("max", "min"):
        far = [abs(point["a"] - 0.25) for point in drawn(mode, 3, 0, 60)]
        assert sum(far[-20:]) < 0.6 * sum(far[:20])


def test_the_command_searches_and_its_best_trains(
    searched: tuple[Path, Searched], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(searched[0], tmp_path / "runs" / "tiny")
    (tmp_path / "s.yaml").write_text(SEARCH)
    assert run_command(["search", str(tmp_path / "s.yaml"), "--runs-dir", str(tmp_path / "runs"), "--jobs", "1"]) == 0
    shown = capsys.readouterr()
    best = tmp_path / "runs" / "tiny" / BEST
    assert shown.out == f"{best}\n"
    assert "tiny: 4 of 4 trials are done, 0 to go on with" in shown.err
    arguments = ["train", str(best), "--seed", "1", "--local", "--quiet", "--runs-dir", str(tmp_path)]
    assert run_command([*arguments, "--name", "again"]) == 0
    assert (tmp_path / "again" / COMPLETE).exists()
    winner = best_of(search_in(tmp_path), found_trials(search_in(tmp_path), best.parent))
    assert winner is not None
    assert open_run(tmp_path / "again").config == winner.runs[1]
    assert score_of(best.parent / config_hash(winner.runs[1]), "return") == winner.scores[1]
