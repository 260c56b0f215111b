"""What is killed: training, audits, solutions, imitations and studies, each small, and what of each has to be equal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

from mfmarl.launch.cell_state import state_of
from mfmarl.launch.study import Study
from mfmarl.runs.checkpoint import latest_checkpoint
from mfmarl.runs.journal import read_journal
from mfmarl.runs.sealed import read_sealed
from mfmarl.solvers.saved import LARGEST, SCHEMA, TENSORS
from mfmarl.solvers.solution import Point
from tests.faults.killing import Job, Nursery, lost
from tests.mfmarl.launch.conftest import SMALL
from tests.mfmarl.test_imitate_command import contents as imitation_contents
from tests.rewritten import words_of

TRAIN = ("train", "--local", "--quiet")
GAME = ("--env", "games/coordination", "--num-agents", "6", "--seed", "3")


def run_contents(run: Path) -> object:
    """Of a training run: its last checkpoint bit for bit, and its journal but for times, each update in it once."""
    last = latest_checkpoint(run)
    tensors = {
        (file, name): (array.dtype.str, array.shape, array.tobytes())
        for file, arrays in last.tensors.items()
        for name, array in arrays.items()
    }
    lines = [{k: v for k, v in line.items() if k != "time_s"} for line in read_journal(run)]
    for line in lines:
        line["metrics"] = {k: v for k, v in line["metrics"].items() if not k.endswith("_s")}
    assert [line["iteration"] for line in lines] == list(range(1, last.iteration + 1))
    assert not list(run.rglob("*.tmp"))
    return last.iteration, last.states, tensors, lines


def training(algorithm: str, episodes: int = 48, every: int = 2) -> Job:
    """A run in one process; no more than `every` iterations, and the one that was saved, are done again."""
    small = ["num_envs=2", f"checkpoint_every={every}", "fragment_length=4"]
    small += [f"{algorithm}.{x}" for x in ("replay_population_steps=64", "warmup_population_steps=16", "hidden=[8]")]

    def kept(run: Path) -> None:
        assert lost(run) <= every + 1

    given = (*GAME, "--algorithm", algorithm, "--num-episodes", str(episodes), "--set", *small)
    begin, resume = (*TRAIN, "--name", "x", *given), (*TRAIN, "--resume", "runs/x")
    return Job(begin, resume, "runs/x", "runs/x", run_contents, kept)


def audit_contents(folder: Path) -> object:
    """Of an audit: what it found, and each deviator, byte for byte."""
    policies = sorted(folder.glob("deviators/**/policy/*"))
    assert policies
    return words_of(folder / "audit.json"), {str(path.relative_to(folder)): path.read_bytes() for path in policies}


def audit(nursery: Nursery, folder: Path) -> Job:
    """Of a small run of a game that deviators learn in."""
    assert nursery.run(training("mfq", 8).begin, folder).code == 0
    begin = ("audit", "runs/x", "--local", "--episodes", "768")
    return Job(begin, begin, "runs/x/audit", "runs/x/audit", audit_contents, before=folder)


def solution_contents(folder: Path) -> object:
    """Of a solution: its tensors bit for bit, its words and history but for seconds, and its audit."""
    told, arrays = read_sealed(folder / TENSORS, "solution", SCHEMA, LARGEST)
    timed = [field.name for field in fields(Point)].index("seconds")
    told["history"] = [[*point[:timed], *point[timed + 1 :]] for point in told["history"]]
    tensors = {name: (array.shape, array.tobytes()) for name, array in arrays.items()}
    return told, tensors, (folder / "audit.csv").read_bytes(), (folder / "flow.png").exists()


def solution() -> Job:
    """Saved after each iteration."""
    begin = ("solve", "left-right-stationary", "--tol", "0", "--max-iterations", "60", "--out", "x")
    resume = ("solve", "--resume", "x")
    settings = {"mfmarl.solve:SECONDS_BETWEEN_SAVES": 0.0}
    return Job(begin, resume, "x", f"x/{TENSORS}", solution_contents, code=1, set=settings)


def imitation(nursery: Nursery, folder: Path, method: str) -> Job:
    """Of an expert on a frozen lake, saved after each round."""
    lake = ("--env", "FrozenLake-v1")
    shown = ("demonstrate", *lake, "--expert", "optimal", "--episodes", "8", "--out", "shown.npz")
    assert nursery.run(shown, folder).code == 0
    amounts = {
        "bc": ("--updates", "400", "--set", "hidden_dims=[8]", "batch_size=7"),
        "gail": ("--interactions", "96", "--set", "hidden_dims=[8]", "num_envs=2", "rollout=12", "ppo.epochs=1"),
    }
    given = (*lake, "--demonstrations", "shown.npz", "--evaluations", "2", "--out", "x", "--quiet", *amounts[method])
    settings = {
        f"mfmarl.imitation.run:{k}": v for k, v in {"SECONDS_BETWEEN_SAVES": 0.0, "AT_END": 3, "DURING": 2}.items()
    }
    begin, resume = ("imitate", method, *given), ("imitate", "--resume", "x", "--quiet")
    return Job(begin, resume, "x", "x/imitation.json", imitation_contents, before=folder, set=settings)


def study_contents(study: Study) -> Callable[[Path], object]:
    """Of a study: every cell is done, and is what its run is."""

    def contents(folder: Path) -> object:
        assert [state_of(folder, cell).state for cell in study.cells] == ["done"] * len(study.cells)
        return [run_contents(folder / cell.digest) for cell in study.cells]

    return contents


def study(study: Study, folder: Path) -> Job:
    """Its cells in two processes; `folder` has its small.yaml."""
    begin = ("study", "run", "small.yaml", "--runs-dir", "runs", "--jobs", "2")
    return Job(begin, begin, "runs/small", "runs/small", study_contents(study), before=folder)


STUDY = SMALL.replace("num_episodes: 8", "num_episodes: 96").replace("retries: 1", "retries: 40")
