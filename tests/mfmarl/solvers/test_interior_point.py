"""Games that step-size rules do not solve: by Newton's method where they are monotone, by a forward sweep sis."""

import numpy as np
import pytest

from envs.mean_field import FiniteMFG, make
from mfmarl.solvers import solve
from mfmarl.solvers.interior_point import InteriorPoint, slack


def game_of(name: str, **parameters: float) -> FiniteMFG:
    game = make(name, **parameters)
    assert isinstance(game, FiniteMFG)
    return game


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("crowd-2d", {"size": 5, "horizon": 10}), ("crowd-1d", {}), ("equilibrium-price", {}), ("braess", {}),
        ("garnet", {"pull": 1.0}), ("linear-quadratic", {}), ("left-right", {}), ("teleport-crowd", {}),
        ("crowd-avoidance", {}), ("attractor", {}),
    ],
)  # fmt: skip
def test_interior_point_solves_in_tens_of_iterations(name: str, parameters: dict[str, float]) -> None:
    game = game_of(name, **parameters)
    found = solve(game, "interior_point", tol=1e-3, max_iterations=60)
    assert found.converged
    assert float(game.exploitability(found.pi)) <= 1e-3


def test_it_is_exact_to_many_digits() -> None:
    # no warm steps: Newton's alone, from the uniform policy
    found = solve(game_of("rock-paper-scissors"), "interior_point", tol=1e-9, max_iterations=30, warm=0)
    assert found.pi[0, 0] == pytest.approx(np.array([26, 20, 31]) / 77, abs=1e-8)
    assert solve(game_of("crowd-1d"), "interior_point", tol=1e-6, max_iterations=60).converged


def test_the_duality_gap_is_above_the_exploitability() -> None:
    game, solver = game_of("garnet", crowd=3.0), InteriorPoint(warm=2)
    state = solver.init(game)
    for _ in range(6):
        state = solver.step(game, state)
    assert state.values is not None
    pi = solver.policy(game, state)
    mu, z = slack(game, pi, state.values)
    gap = (mu[:-1, :, None] * pi * z).sum()
    assert z.min() > 0
    assert 0 < float(game.exploitability(pi)) <= gap
    # V_0 - V(pi) = sum x z, by summation over time
    assert gap == pytest.approx(float(state.values[0] @ game.initial - game.value(pi, mu)), abs=1e-12)


@pytest.mark.parametrize(("horizon", "ill"), [(50, 0.6), (50, 0.1), (30, 0.9)])
def test_a_forward_sweep_solves_the_epidemic_exactly(horizon: int, ill: float) -> None:
    game = game_of("sis", horizon=horizon, ill=ill)
    found = solve(game, "forward_sweep", tol=1e-12, max_iterations=10)
    assert found.converged
    # agents keep a distance, or go out, all at once: those ill overshoot the level of indifference and come back
    went_out = found.pi[:, 0, 0]
    assert set(went_out) == {0.0, 1.0}
    assert np.abs(np.diff(went_out)).sum() > 5
    # keeping a distance pays where .81 mu(ill) (V_well - V_ill) > .5
    values = game.best_response(found.mu).values
    lost = 0.81 * found.mu[:-1, 1] * (values[1:, 0] - values[1:, 1])
    np.testing.assert_array_equal(went_out == 1, lost < 0.5)
