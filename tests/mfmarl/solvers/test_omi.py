"""Occupancies: projections on their polytope, and the splitting that uses them."""

import numpy as np
import pytest

from envs.mean_field import FiniteMFG, make
from mfmarl.solvers import solve
from mfmarl.solvers.polytope import constraints, divergence, entropic_step, policy_of, project


def game_of(name: str, **parameters: float) -> FiniteMFG:
    game = make(name, **parameters)
    assert isinstance(game, FiniteMFG)
    return game


def test_constraints_hold_for_occupancies_alone() -> None:
    game, rng = game_of("garnet"), np.random.default_rng(0)
    A, b = constraints(game)
    pi = rng.dirichlet(np.ones(3), game.shape[:2])
    x = game.flow(pi)[:-1, :, None] * pi
    np.testing.assert_allclose(A @ x.ravel(), b, atol=1e-15)
    np.testing.assert_allclose(policy_of(game, x), pi, atol=1e-14)


def test_the_euclidean_projection_is_the_nearest() -> None:
    game, rng = game_of("garnet"), np.random.default_rng(0)
    A, b = constraints(game)
    y = rng.normal(size=A.shape[1])
    x, _ = project(A, b, y, np.zeros(len(b)))
    assert x.min() == 0
    np.testing.assert_allclose(A @ x, b, atol=1e-9)
    # <y - x, x' - x> <= 0 for every other occupancy x'
    for _ in range(20):
        pi = rng.dirichlet(np.ones(3), game.shape[:2])
        other = (game.flow(pi)[:-1, :, None] * pi).ravel()
        assert (y - x) @ (other - x) <= 1e-8
    again, _ = project(A, b, x, np.zeros(len(b)))
    np.testing.assert_allclose(again, x, atol=1e-9)


def test_the_entropic_step_is_the_best() -> None:
    game, rng = game_of("garnet"), np.random.default_rng(0)
    pi = rng.dirichlet(np.ones(3), game.shape[:2])
    mu, gained = game.flow(pi), rng.normal(size=game.shape)

    def worth(policy: np.ndarray) -> float:
        flow = game.flow(policy)
        x = flow[:-1, :, None] * policy
        return 0.7 * float((x * gained).sum()) - divergence(flow, np.log(policy), np.log(pi))

    best = np.exp(entropic_step(game, np.log(pi), gained, mu, 0.7))
    np.testing.assert_allclose(best.sum(-1), 1, atol=1e-14)
    for _ in range(20):
        other = rng.dirichlet(np.ones(3), game.shape[:2])
        for share in (1e-3, 0.1, 1.0):
            assert worth((1 - share) * best + share * other) < worth(best)


@pytest.mark.parametrize("settings", [{}, {"geometry": "euclidean"}])
def test_it_solves_games_that_turn(settings: dict[str, str]) -> None:
    found = solve(game_of("rock-paper-scissors"), "omi", tol=1e-4, max_iterations=100, **settings)
    assert found.converged
    assert found.pi[0, 0] == pytest.approx(np.array([26, 20, 31]) / 77, abs=1e-3)


def test_without_the_extra_step_it_turns_with_them() -> None:
    assert not solve(game_of("rock-paper-scissors"), "omi", tol=1e-2, max_iterations=100, extra=False).converged
    assert solve(game_of("braess"), "omi", tol=1e-3, max_iterations=60, extra=False).converged


def test_transitions_that_follow_the_population_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^omi takes games whose transitions .* those of sis do; these"):
        solve(game_of("sis"), "omi")
