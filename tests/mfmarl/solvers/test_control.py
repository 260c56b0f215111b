"""What all could reach together, in games where that is known."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.figures.solution import convergence
from envs.mean_field import FiniteMFG, make
from mfmarl.cli import run_command
from mfmarl.errors import UserError
from mfmarl.solve import SolveProgress, solve_into
from mfmarl.solvers import OF_FINITE_GAMES, OF_OPTIMA, SOLVERS, solve
from mfmarl.solvers.control import marginal, price_of_anarchy, worth
from mfmarl.solvers.problem import Problem, problem_of
from mfmarl.solvers.solution import Point, Solution


def game_of(name: str, **parameters: float) -> FiniteMFG:
    game = make(name, **parameters)
    assert isinstance(game, FiniteMFG)
    return game


def optimum(game: FiniteMFG, tol: float, **how: Any) -> Solution:
    return solve(game, "control", tol=tol, **how)


def test_braess() -> None:
    game = game_of("braess")
    told: list[Point] = []

    def tell(point: Point) -> None:
        told.append(point)

    found = optimum(game, 1e-5, callback=tell)
    assert found.converged
    assert found.gap == found.measure <= 1e-5
    assert worth(game, found.pi) == pytest.approx(-3.5, abs=1e-5)
    # all take 3.5, and the way through the middle 1.25 + .5 + 1.25 + .25
    assert found.exploitability == float(game.exploitability(found.pi)) == pytest.approx(0.25, abs=1e-5)
    np.testing.assert_array_equal(found.mu, game.flow(found.pi))
    assert found.history[1:] == tuple(told)
    assert [point.iteration for point in found.history] == list(range(found.iterations + 1))
    assert min(point.measure for point in found.history) == found.gap
    equilibrium = solve(game, tol=1e-6)
    assert (equilibrium.gap, equilibrium.measure) == (None, equilibrium.exploitability)
    assert price_of_anarchy(game, equilibrium, found) == pytest.approx(3.75 / 3.5, abs=1e-4)


def test_one_decision() -> None:
    # max of -L^2 - 2 R^2 is at L = 2/3, where the equilibrium is too
    game = game_of("left-right")
    found = optimum(game, 1e-8)
    assert found.pi[0, 0] == pytest.approx([2 / 3, 1 / 3], abs=1e-4)
    assert worth(game, found.pi) == pytest.approx(-2 / 3, abs=1e-8)
    # x' M x of rock, paper, scissors: paper and scissors half each, 1/4 (6 - 2)
    game = game_of("rock-paper-scissors")
    assert worth(game, optimum(game, 1e-6).pi) == pytest.approx(1.0, abs=1e-5)


def test_it_goes_on_bit_for_bit() -> None:
    # transitions that follow the population, and rewards that see actions
    for game in (game_of("garnet", pull=1.0), game_of("rock-paper-scissors"), game_of("sis-graphon", horizon=4)):
        whole, half = optimum(game, 0, max_iterations=12), optimum(game, 0, max_iterations=5)
        rest = optimum(game, 0, max_iterations=12, resume_from=half)
        np.testing.assert_array_equal(whole.pi, rest.pi)
        assert [p.gap for p in whole.history] == [p.gap for p in rest.history]
        assert (whole.gap, whole.exploitability, whole.iterations) == (rest.gap, rest.exploitability, 12)


def test_every_step_raises_the_value() -> None:
    game = game_of("garnet", pull=1.0, crowd=3.0)
    solver = SOLVERS["control"]()
    state = solver.init(game)
    before = -np.inf
    for _ in range(10):
        assert state.value > before
        assert state.value == pytest.approx(worth(game, solver.policy(game, state)), abs=1e-12)
        before, state = state.value, solver.step(game, state)
    stopped = optimum(game, 0, callback=lambda point: point.iteration == 3)
    assert (stopped.iterations, stopped.reason, stopped.converged) == (3, "stopped", False)


def test_by_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "optimum"
    quiet = SolveProgress(quiet=True)
    solve_into(
        out, problem_of("braess", "control", {"control.growth": 1.6}), tol=1e-5, max_iterations=4, progress=quiet
    )
    assert run_command(["solve", "--resume", str(out), "--max-iterations", "200"]) == 0
    printed = capsys.readouterr()
    made = ["audit.csv", "convergence.png", "flow.gif", "solution.json", "solution.safetensors"]
    assert sorted(Path(line).name for line in printed.out.splitlines()) == made
    lines = printed.err.splitlines()
    assert re.match(r"iteration \d+  first-order gap \S+  lowest \S+  exploitability \S+  seconds ", lines[-2])
    assert re.fullmatch(
        r"first-order gap \S+ after \d+ iterations in \S+: within the tolerance 1e-05; "
        r"value -3\.5, exploitability 0\.25",
        lines[-1],
    )
    said = json.loads((out / "solution.json").read_text())
    whole = optimum(game_of("braess"), 1e-5, growth=1.6)
    assert (said["gap"], said["exploitability"], said["converged"]) == (whole.gap, whole.exploitability, True)
    assert [(k, e, gap) for k, e, _, gap in said["history"]] == [
        (p.iteration, p.exploitability, p.gap) for p in whole.history
    ]
    # the price of anarchy is that of two files' values
    other = tmp_path / "equilibrium"
    solve_into(other, Problem("braess"), tol=1e-6, max_iterations=200, progress=quiet)
    selfish = json.loads((other / "solution.json").read_text())
    assert "gap" not in selfish
    assert selfish["value"] / said["value"] == pytest.approx(3.75 / 3.5, abs=1e-4)


def test_its_figure_names_what_is_brought_down() -> None:
    for measure, label in (("gap", "first-order gap"), ("exploitability", "exploitability")):
        history = pd.DataFrame({"iteration": [0, 1, 2], measure: [1.0, 0.1, 0.01]})
        assert convergence(history, 1e-3, "x", measure).axes[0].get_ylabel().startswith(label)


def test_games_of_other_kinds_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    able = ", ".join(sorted(set(SOLVERS) - OF_FINITE_GAMES))
    for name in ("predator-prey", "crowd-1d-stationary", "beach-bar-closing"):
        out = tmp_path / name
        with pytest.raises(UserError, match=f"control takes .*{name} is another kind; its equilibria .* by: {able}$"):
            solve(make(name), "control")
        assert run_command(["solve", name, "--solver", "control", "--out", str(out)]) == 2
        assert f"and {name} is another kind" in capsys.readouterr().err
        assert not out.exists()
    # nor is it named where an equilibrium is wanted
    with pytest.raises(UserError) as refused:
        solve(make("garnet", pull=1.0), "omi")
    assert not OF_OPTIMA & set(str(refused.value).split("these take it: ")[1].split(", "))


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("garnet", {"pull": 1.0}), ("sis", {"horizon": 8}), ("linear-quadratic", {"horizon": 3}), ("left-right", {})],
)
def test_the_gap_is_the_gradient_of_the_value(name: str, parameters: dict[str, float]) -> None:
    game = game_of(name, **parameters)
    rng = np.random.default_rng(0)
    pi = rng.dirichlet(np.ones(game.num_actions), game.shape[:2])
    other = rng.dirichlet(np.ones(game.num_actions), game.shape[:2])
    process, mu = marginal(game, pi)

    def value(share: float) -> float:
        return worth(game, (1 - share) * pi + share * other)

    # dV = sum mu (pi' - pi) Q with marginal values Q
    after = np.zeros((game.horizon + 1, game.num_states))
    after[-1] = process.terminal
    slope = 0.0
    for t in reversed(range(game.horizon)):
        q = process.rewards[t] + game.kernel.expect(t, after[t + 1], mu[t])
        after[t] = (pi[t] * q).sum(-1)
        slope += float((mu[t][:, None] * (other[t] - pi[t]) * q).sum())
    assert (value(1e-5) - value(-1e-5)) / 2e-5 == pytest.approx(slope, rel=1e-5, abs=1e-8)


def test_equilibria_are_no_better_and_signs_must_agree() -> None:
    game = game_of("garnet", crowd=3.0)
    best, equilibrium = optimum(game, 1e-3), solve(game, tol=1e-3)
    assert best.converged
    assert worth(game, equilibrium.pi) <= worth(game, best.pi) + 1e-3
    rps = game_of("rock-paper-scissors")
    # uniform gives 2/3, the optimum 1
    uniform = solve(rps, max_iterations=0)
    assert price_of_anarchy(rps, uniform, optimum(rps, 1e-6)) == pytest.approx(1.5, abs=1e-4)
    # all rock: 0
    rock = dataclasses.replace(uniform, pi=np.array([[[1.0, 0.0, 0.0]]]))
    with pytest.raises(ValueError, match="both negative or both positive"):
        price_of_anarchy(rps, rock, uniform)
