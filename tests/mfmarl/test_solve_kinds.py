"""`mfmarl solve` of every kind of game: its files, and going on bit for bit after a kill."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import safetensors.numpy

from envs.mean_field import make, names
from mfmarl import solve as solving
from mfmarl.cli import run_command
from mfmarl.solve import SolveProgress, solve_into
from mfmarl.solvers import solve
from mfmarl.solvers.problem import Problem
from mfmarl.solvers.saved import read_solution

KINDS: dict[str, dict[str, Any]] = {
    "beach-bar": {"size": 5, "horizon": 3},
    "beach-bar-closing": {"size": 5, "horizon": 3},
    "crowd-1d-stationary": {"size": 5},
    "predator-prey": {"size": 3, "horizon": 3},
}


class Killed(BaseException):
    """As by a signal that cannot be caught."""


class KilledAt(SolveProgress):
    """A kill between two saves."""

    def update(self, line: Mapping[str, Any]) -> None:
        if line["iteration"] == 5:
            raise Killed


@pytest.mark.parametrize("solver", ["fictitious_play", "mirror_prox"])
@pytest.mark.parametrize("name", KINDS)
def test_killed_midway_it_goes_on_bit_for_bit(
    name: str, solver: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(solving, "SECONDS_BETWEEN_SAVES", -1.0)
    monkeypatch.setattr(solving, "SECONDS_BETWEEN_SHOWN", -1.0)
    problem = Problem(name, solver, KINDS[name])
    with pytest.raises(Killed):
        solve_into(tmp_path, problem, tol=0.0, max_iterations=9, progress=KilledAt())
    read = read_solution(tmp_path)
    assert read.solution.iterations == 4
    quiet = SolveProgress(quiet=True)
    rest = solve_into(tmp_path, problem, tol=0.0, max_iterations=9, resume_from=read, progress=quiet).saved.solution
    again = read_solution(tmp_path).solution
    game, made = problem.build()
    whole = solve(game, made, tol=0.0, max_iterations=9)
    assert len({p.exploitability for p in whole.history}) == 10
    for found in (rest, again):
        np.testing.assert_array_equal(found.pi, whole.pi)
        np.testing.assert_array_equal(found.mu, whole.mu)
        assert found.exploitability == whole.exploitability
        assert [p.exploitability for p in found.history] == [p.exploitability for p in whole.history]


@pytest.mark.parametrize("name", KINDS)
def test_files_of_every_kind(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [f"{key}={value}" for key, value in KINDS[name].items()]
    assert run_command(["solve", name, "--set", *given, "--max-iterations", "2", "--out", str(tmp_path)]) == 1
    capsys.readouterr()
    picture = "flow.png" if name == "crowd-1d-stationary" else "flow.gif"
    there = ["audit.csv", "convergence.png", "lock", picture, "solution.json", "solution.safetensors"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(there)
    assert (tmp_path / picture).read_bytes().startswith(b"GIF89a" if picture == "flow.gif" else b"\x89PNG")
    said = json.loads((tmp_path / "solution.json").read_text())
    audit = pd.read_csv(tmp_path / "audit.csv")
    assert audit["share"].sum() == pytest.approx(said["exploitability"], abs=1e-11)
    arrays = safetensors.numpy.load((tmp_path / "solution.safetensors").read_bytes())
    if name != "predator-prey":
        assert "per_population" not in said
        game: Any = make(name, **KINDS[name])
        np.testing.assert_array_equal(arrays["mu"], game.flow(arrays["pi"]))
        return
    kinds = ["fox", "hen", "snake"]
    assert sorted(said["per_population"]) == kinds
    assert sum(said["per_population"].values()) == pytest.approx(said["exploitability"], abs=1e-12)
    for kind, share in audit.groupby("population")["share"].sum().items():
        assert share == pytest.approx(said["per_population"][kind], abs=1e-11)
    coupled: Any = make(name, **KINDS[name])
    flows = coupled.flow({kind: arrays[f"pi.{kind}"] for kind in kinds})
    for kind in kinds:
        np.testing.assert_array_equal(arrays[f"mu.{kind}"], flows[kind])


@pytest.mark.parametrize("name", names())
def test_the_solver_that_is_the_default_takes_every_game(name: str) -> None:
    game, solver = Problem(name).build()
    assert solver.name == "mirror_prox"
    assert game.uniform_policy().shape == solver.policy(game, solver.init(game)).shape
