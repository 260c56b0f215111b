"""What all could reach together, in games where that is known."""

import numpy as np
import pytest

from envs.mean_field import FiniteMFG, make
from mfmarl.solvers import solve
from mfmarl.solvers.control import marginal, price_of_anarchy, social_optimum


def game_of(name: str, **parameters: float) -> FiniteMFG:
    game = make(name, **parameters)
    assert isinstance(game, FiniteMFG)
    return game


def test_braess() -> None:
    game = game_of("braess")
    optimum = social_optimum(game, tol=1e-5)
    assert optimum.converged
    assert optimum.value == pytest.approx(-3.5, abs=1e-5)
    equilibrium = solve(game, tol=1e-6)
    assert price_of_anarchy(game, equilibrium, optimum) == pytest.approx(3.75 / 3.5, abs=1e-4)


def test_one_decision() -> None:
    # max of -L^2 - 2 R^2 is at L = 2/3, where the equilibrium is too
    found = social_optimum(game_of("left-right"), tol=1e-8)
    assert found.pi[0, 0] == pytest.approx([2 / 3, 1 / 3], abs=1e-4)
    assert found.value == pytest.approx(-2 / 3, abs=1e-8)
    # x' M x of rock, paper, scissors: paper and scissors half each, 1/4 (6 - 2)
    found = social_optimum(game_of("rock-paper-scissors"), tol=1e-6)
    assert found.value == pytest.approx(1.0, abs=1e-5)


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
        mixed = (1 - share) * pi + share * other
        return float(game.value(mixed, game.flow(mixed), mixed))

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
    optimum, equilibrium = social_optimum(game, tol=1e-3), solve(game, tol=1e-3)
    assert optimum.converged
    assert game.value(equilibrium.pi, equilibrium.mu) <= optimum.value + 1e-3
    rps = game_of("rock-paper-scissors")
    # uniform gives 2/3, the optimum 1
    uniform = solve(rps, max_iterations=0)
    assert price_of_anarchy(rps, uniform, social_optimum(rps, tol=1e-6)) == pytest.approx(1.5, abs=1e-4)
    lost = solve(game_of("left-right"), max_iterations=0)
    with pytest.raises(ValueError, match="both negative or both positive"):
        price_of_anarchy(game_of("left-right"), lost, social_optimum(rps))
