"""A run whose learner is killed ends with what to do, and goes on from its checkpoint as if nothing had happened."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from threading import Timer
from typing import Any

import numpy as np
import pytest

from mfmarl.cli import run_command
from mfmarl.runs.checkpoint import latest_checkpoint
from mfmarl.runs.journal import read_journal
from tests.faults.kinds import GAME, run_contents

pytest.importorskip("ray")
pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("one_ray")]

EVERY = 3


def begin(name: str, algorithm: str, processes: int, iterations: int) -> list[str]:
    """`processes` runners and learners each, or one learner and no runner."""
    small = [f"{algorithm}.{x}" for x in ("replay_population_steps=64", "warmup_population_steps=8", "hidden=[8]")]
    small += [f"{algorithm}.batch_population_steps=4", "num_envs=2"]
    small += ["fragment_length=4", "env_options.horizon=4", f"checkpoint_every={EVERY}"]
    episodes = iterations * 2 * processes
    given = ("--algorithm", algorithm, "--num-episodes", str(episodes), "--num-learners", str(processes))
    given += ("--num-env-runners", str(processes if processes > 1 else 0))
    return ["train", "--quiet", "--name", name, *GAME, *given, "--set", *small]


def killed_at(iteration: int, learner: int, after_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGKILL to a learner, `after_s` seconds into an iteration."""
    from mfmarl.rllib.trainer import RLlibTrainer

    iterate = RLlibTrainer.iterate

    def fatal(trainer: Any) -> dict[str, float]:
        if trainer.progress()["iteration"] == iteration - 1:
            pid = trainer._on_learners([lambda _: os.getpid()] * trainer.config.num_learners)[learner]
            assert pid != os.getpid()
            if after_s:
                Timer(after_s, os.kill, (pid, signal.SIGKILL)).start()
            else:
                os.kill(pid, signal.SIGKILL)
        return iterate(trainer)

    monkeypatch.setattr(RLlibTrainer, "iterate", fatal)


@pytest.mark.parametrize(
    ("algorithm", "processes", "kills", "iterations"),
    # far more iterations than the kills take: a learner that dies in one is missed in the next at the latest
    [("mfq", 1, 1, 14), *(pytest.param(name, 2, 5, 150, marks=pytest.mark.soak) for name in ("mfq", "mfac"))],
)
def test_a_killed_learner_costs_no_update(
    algorithm: str,
    processes: int,
    kills: int,
    iterations: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    # one learner is the local one bit for bit (test_rllib.py), and that costs no processes
    assert run_command([*begin("undisturbed", algorithm, processes, iterations), *["--local"] * (processes == 1)]) == 0
    run, rng, arguments = Path("runs/x"), np.random.default_rng(kills), begin("x", algorithm, processes, iterations)
    wanted = run_contents(Path("runs/undisturbed"))
    capsys.readouterr()
    for kill in range(kills):
        saved = latest_checkpoint(run).iteration if kill else 0
        with monkeypatch.context() as patched:
            fatal = saved + EVERY + 2 if processes == 1 else int(rng.integers(saved + 2, saved + 4 * EVERY))
            killed_at(fatal, int(rng.integers(processes)), 0 if processes == 1 else rng.uniform(0, 0.02), patched)
            assert run_command(arguments) == 3
        told = capsys.readouterr().err
        assert told.count("\n") == 1, told
        assert "mfmarl train --resume" in told
        assert 0 <= len(read_journal(run)) - latest_checkpoint(run).iteration <= EVERY
        arguments = ["train", "--quiet", "--resume", str(run)]
    assert run_command(arguments) == 0
    assert wanted[0] == iterations
    assert run_contents(run) == wanted
