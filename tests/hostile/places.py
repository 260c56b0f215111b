"""Real folders of every kind, and for each of their files the command that reads it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from analysis import magail_coordination
from analysis.equilibrium import audit_learned
from mfmarl import deviator
from mfmarl.cli import run_command
from mfmarl.deviator_config import DeviatorConfig
from mfmarl.runs.checkpoint import CHECKPOINTS, latest_checkpoint, write_checkpoint
from tests.rewritten import rewrite

MAGAIL = ["imitate", "magail-coordination", "--betas", "0", "--seeds", "1", "--epochs", "3", "--eval_episodes", "5",
          "--rollout_episodes", "5", "--outdir"]  # fmt: skip
AUDIT = ["audit", "--local", "--by", "learned"]


@dataclass(frozen=True)
class Place:
    """A file in a folder, and the command that reads it where the folder's name is put after it."""

    folder: Path
    part: str
    command: list[str]
    cache: bool = False
    """Whether it is made anew where it is not there."""


def newest(run: Path) -> Path:
    """Its last checkpoint."""
    return max((run / CHECKPOINTS).iterdir())


def make_folders(folder: Path, run: Path, monkeypatch: pytest.MonkeyPatch) -> list[Place]:
    """A solution, an audit, and what is to go on: a run, an imitation, a MAGAIL study, an audit's second deviator.

    Args:
        monkeypatch: keeps deviators small, for the commands that come after too.
    """
    _begin(folder, run)
    solve = ["solve", "left-right", "--max-iterations", "3", "--tol", "0", "--out", str(folder / "solution")]
    assert run_command(solve) == 1
    with monkeypatch.context() as stopping:
        stopping.setattr(magail_coordination, "results_of", stopped_at(1, magail_coordination.results_of))
        assert run_command([*MAGAIL, str(folder / "magail")]) == 130
    monkeypatch.setattr(audit_learned, "training", small_deviators)
    for name in ("audited", "deviating"):
        shutil.copytree(run, folder / name)
    assert run_command([*AUDIT, str(folder / "audited")]) == 0
    with monkeypatch.context() as stopping:
        stopping.setattr(deviator, "write_finished", stopped_at(2, deviator.write_finished))
        assert run_command([*AUDIT, str(folder / "deviating")]) == 130
    return list(_places(folder))


def _begin(folder: Path, run: Path) -> None:
    trained = shutil.copytree(run, folder / "trained")
    for name in ("complete.json", "evaluation.h5"):
        (trained / name).unlink()
    two_learners(trained)
    shown, imitation = str(folder / "shown.npz"), folder / "imitation"
    shows = ["demonstrate", "--env", "CartPole-v1", "--expert", "cartpole", "--episodes", "1", "--out", shown]
    assert run_command(shows) == 0
    imitate = ["imitate", "bc", "--demonstrations", shown, "--updates", "5", "--evaluations", "0", "--quiet"]
    assert run_command([*imitate, "--set", "hidden_dims=[4]", "--out", str(imitation)]) == 0
    rewrite(imitation / "imitation.json", {"complete": False})


def _places(folder: Path) -> Iterator[Place]:
    trained, imitation, magail = (folder / name for name in ("trained", "imitation", "magail"))
    audited, deviating = folder / "audited", folder / "deviating"
    resume, imitate = ["train", "--local", "--resume"], ["imitate", "--quiet", "--resume"]
    yield Place(trained, "run.json", resume)
    for path in newest(trained).iterdir():
        yield Place(trained, str(path.relative_to(trained)), resume)
    yield Place(folder / "solution", "solution.safetensors", ["solve", "--resume"])
    yield Place(imitation, "imitation.json", imitate)
    yield Place(imitation, "agent/agent.safetensors", imitate, cache=True)
    yield Place(magail, "training.safetensors", MAGAIL, cache=True)
    yield Place(magail, "results.json", MAGAIL, cache=True)
    for path in (audited / "audit" / "pieces").iterdir():
        yield Place(audited, str(path.relative_to(audited)), AUDIT, cache=True)
    # nothing to report is no fault of a file
    yield Place(audited, "audit/audit.json", ["report"], cache=True)
    # without it the run is not evaluated yet, which `report` says
    yield Place(audited, "evaluation.h5", ["report"], cache=True)
    for path in (deviating / "audit" / "deviators").rglob("*"):
        part = str(path.relative_to(deviating))
        if path.is_file() and path.name != "lock":
            yield Place(deviating, part, AUDIT, cache=path.name == "done")


def two_learners(run: Path) -> None:
    """Make the newest checkpoint as that of a run with two: the second has a replay and a generator."""
    found = latest_checkpoint(run)
    tensors = {**found.tensors, "replay_1": found.tensors["replay"]}
    states = {**found.states, "learner_1": {"rng": found.states["learner"]}}
    write_checkpoint(run, found.iteration, tensors, states, found.config_hash)


def small_deviators(wanted: Any, who: str, horizon: int) -> DeviatorConfig:
    """In place of `audit_learned.training`: some 50 ms each, saved after the first of two iterations."""
    return DeviatorConfig.model_validate({
        "seed": wanted.seed, "num_episodes": 16, "deviators": 4, "crowd": 2, "batch_agent_steps": 8,
        "evaluation_episodes": 8, "evaluation_copies": 4, "checkpoint_every": 1,
        "mfq": {"hidden": [4], "gradient_steps_per_step": 0.1},
    })  # fmt: skip


def stopped_at(call: int, do: Callable[..., Any]) -> Callable[..., Any]:
    """`do`, but the user ends the command at one of its calls."""
    calls = count(1)

    def doing(*given: Any) -> Any:
        if next(calls) == call:
            raise KeyboardInterrupt
        return do(*given)

    return doing
