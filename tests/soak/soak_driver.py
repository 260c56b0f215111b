"""A run on Ray whose driver is killed at random instants: it goes on, and ends bit for bit as the undisturbed one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.faults.kinds import GAME, run_contents

pytestmark = pytest.mark.ray
ROOT = Path(__file__).parents[2]
KILLS = 5
SMALL = ("num_envs=2", "fragment_length=4", "checkpoint_every=2", "mfq.hidden=[8]", "mfq.replay_population_steps=64",
         "mfq.warmup_population_steps=16")  # fmt: skip
BEGIN = (*GAME, "--num-env-runners", "2", "--num-learners", "1", "--num-episodes", "800", "--set", *SMALL)


def train(folder: Path, *arguments: str, kill_after: float | None = None) -> tuple[int, float]:
    """The exit code, and how long it took."""
    began = time.monotonic()
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-m", "mfmarl", "train", "--quiet", *arguments], cwd=folder, env=environment
    ) as run:
        try:
            run.wait(kill_after or 400)
        except subprocess.TimeoutExpired:
            run.kill()
    return run.returncode, time.monotonic() - began


def test_a_killed_driver_goes_on_to_the_same_end(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    for name in ("compiled", "undisturbed"):
        code, seconds = train(tmp_path, "--name", name, *BEGIN)
        assert code == 0
    rng, kills, rounds = np.random.default_rng(0), 0, 0
    while kills < KILLS:
        rounds += 1
        run = tmp_path / "runs" / f"x{rounds}"
        while True:
            due = float(rng.uniform(0, seconds)) if kills < KILLS else None
            given = ("--resume", str(run)) if (run / "run.json").exists() else ("--name", run.name, *BEGIN)
            code, _ = train(tmp_path, *given, kill_after=due)
            assert code in (0, -signal.SIGKILL)
            if code == 0:
                break
            kills += 1
        assert run_contents(run) == run_contents(tmp_path / "runs" / "undisturbed")
    record_property("kills", kills)
    record_property("ends, all equal", rounds)
