"""Solvers find the equilibria that are known, resume bit for bit, and are one where theory says so."""

from typing import Any

import numpy as np
import pytest

from envs import UnknownName
from envs.mean_field import make
from envs.mean_field.stacked import StackedMFG
from mfmarl.solvers import SOLVERS, solve

FIXED_KERNELS = {"mf_psro", "omi"}


@pytest.mark.parametrize(
    "name",
    [
        "attractor", "beach-bar", "braess", "building-evacuation", "crowd-1d", "crowd-avoidance", "equilibrium-price",
        "garnet", "left-right", "linear-quadratic", "rock-paper-scissors", "teleport-crowd", "tri-state-congestion",
    ],
)  # fmt: skip
def test_mirror_prox_solves_every_monotone_game_untuned(name: str) -> None:
    game = make(name)
    found = solve(game, tol=1e-3, max_iterations=2000)
    assert found.converged
    assert found.reason == "tolerance"
    assert game.exploitability(found.pi) == found.exploitability <= 1e-3
    np.testing.assert_array_equal(found.mu, game.flow(found.pi))


def test_equilibria_that_are_known() -> None:
    assert solve(make("left-right"), tol=1e-6).pi[0, 0] == pytest.approx([2 / 3, 1 / 3], abs=1e-5)
    rps = solve(make("rock-paper-scissors"), tol=1e-6, max_iterations=500)
    assert rps.pi[0, 0] == pytest.approx(np.array([26, 20, 31]) / 77, abs=1e-4)
    game = make("braess")
    assert game.audit(solve(game, tol=1e-6).pi).value == pytest.approx(-3.75, abs=1e-5)


@pytest.mark.parametrize("steps", ["controlled", "fixed"])
@pytest.mark.parametrize("name", ["crowd-1d", "predator-prey"])
def test_munchausen_is_mirror_descent(name: str, steps: str) -> None:
    game: Any = make(name, **{"predator-prey": {"size": 3, "horizon": 4}}.get(name, {}))
    one, other = (
        solve(StackedMFG(game) if name == "predator-prey" else game, solver, tol=0, max_iterations=60, steps=steps)
        for solver in ("mirror_descent", "munchausen")
    )
    np.testing.assert_allclose(one.pi, other.pi, atol=1e-10)
    np.testing.assert_allclose(
        [p.exploitability for p in one.history], [p.exploitability for p in other.history], atol=1e-10
    )
    assert one.state.step_size == other.state.step_size


@pytest.mark.parametrize("solver", ["mirror_descent", "munchausen"])
@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("attractor", {}), ("beach-bar", {"size": 10, "horizon": 8}), ("beach-bar-closing", {"size": 6, "horizon": 4}),
        ("braess", {}), ("building-evacuation", {"size": 3, "horizon": 8}), ("crowd-1d-stationary", {"size": 5}),
        ("crowd-2d", {"size": 5, "horizon": 8}), ("equilibrium-price", {}), ("garnet", {}),
        ("inventory-market", {"demand": 2.0, "horizon": 5}), ("linear-quadratic", {}), ("sis-stationary", {}),
        ("predator-prey", {"size": 3, "horizon": 6}),
    ],
)  # fmt: skip
def test_controlled_steps_solve_most_games_untuned(name: str, parameters: dict[str, Any], solver: str) -> None:
    # by a fixed step of .1 five of them are not solved within 1,000
    assert solve(make(name, **parameters), solver, tol=1e-3, max_iterations=120).converged


def test_each_step_raises_the_potential_by_what_it_keeps() -> None:
    # of left-right, -L^2 / 2 - R^2: what is left of a gain <Q, pi+ - pi> after the step is at least half of it
    game, solver = make("left-right"), SOLVERS["mirror_descent"](step_size=50.0)
    state = solver.init(game)
    for _ in range(6):
        after = solver.step(game, state)
        moved = after.pi - state.pi
        promised, kept = float((state.q * moved).sum()), float((after.q * moved).sum())
        potential = [float(-(s.pi**2 * np.array([0.5, 1.0])).sum()) for s in (state, after)]
        assert potential[1] - potential[0] >= kept - 1e-15 >= 0.5 * promised - 2e-15
        state = after
    # 50 was halved at once: from there left takes all, and right would gain
    assert after.step_size < 25


@pytest.mark.parametrize("solver", sorted(SOLVERS))
def test_every_solver_resumes_bit_for_bit(solver: str) -> None:
    # occupancies are a polytope only where transitions do not follow the population
    game = make("garnet", pull=0.0 if solver in FIXED_KERNELS else 1.0)
    whole = solve(game, solver, tol=0, max_iterations=12)
    half = solve(game, solver, tol=0, max_iterations=5)
    rest = solve(game, solver, tol=0, max_iterations=12, resume_from=half)
    np.testing.assert_array_equal(whole.pi, rest.pi)
    assert [p.exploitability for p in whole.history] == [p.exploitability for p in rest.history]
    assert (whole.iterations, whole.reason) == (12, "iterations")


@pytest.mark.parametrize("solver", sorted(SOLVERS))
def test_every_solver_comes_nearer(solver: str) -> None:
    game = make("left-right")
    found = solve(game, solver, tol=0, max_iterations=300)
    assert found.exploitability < 0.3 * found.history[0].exploitability


def test_boltzmann_iteration_ends_where_entropy_balances() -> None:
    # pi ~ exp(r / temperature) of its own flow: -L against -2 R
    found = solve(make("left-right"), "boltzmann_iteration", tol=0, max_iterations=400, temperature=2.0)
    left = found.state.pi[0, 0, 0]
    assert left == pytest.approx(1 / (1 + np.exp((-2 * (1 - left) + left) / 2)), abs=1e-9)


def test_a_callback_ends_it() -> None:
    found = solve(make("crowd-1d"), tol=0, callback=lambda point: point.iteration == 3)
    assert (found.iterations, found.reason, found.converged) == (3, "stopped", False)


def test_unknown_solvers_and_settings() -> None:
    with pytest.raises(UnknownName, match="did you mean 'mirror_prox'"):
        solve(make("left-right"), "miror_prox")
    with pytest.raises(UnknownName, match="did you mean 'crowd-1d'"):
        make("crowd1d")
    with pytest.raises(TypeError, match="nonsense"):
        solve(make("left-right"), "mirror_descent", nonsense=1)
