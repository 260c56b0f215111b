"""What every game in the table holds."""

from functools import cache

import numpy as np
import pytest

from envs.mean_field import CoupledMFG, make, names
from envs.mean_field.protocol import Game
from envs.mean_field.stacked import StackedMFG
from mfmarl.solvers import solve

SMALL = {
    "beach-bar": {"size": 8, "horizon": 8},
    "beach-bar-closing": {"size": 6, "horizon": 5},
    "beach-bar-graphon": {"places": 3, "size": 6, "horizon": 5},
    "building-evacuation": {"floors": 2, "size": 3, "horizon": 6},
    "crowd-2d": {"size": 5, "horizon": 8},
    "inventory-market": {"demand": 2.0, "horizon": 5},
    "predator-prey": {"size": 3, "horizon": 4},
    "sis-graphon": {"places": 3, "horizon": 10},
}
"""Parameters of games that are large as they are."""


@cache
def game_of(name: str) -> Game:
    made = make(name, **SMALL.get(name, {}))
    return StackedMFG(made) if isinstance(made, CoupledMFG) else made


@pytest.mark.parametrize("name", names())
def test_flows_are_distributions_and_batches_are_loops(name: str) -> None:
    game = game_of(name)
    uniform = game.uniform_policy()
    rng = np.random.default_rng(0)
    raised = np.where(uniform > 0, rng.random((3, *uniform.shape)), 0.0)
    pi = raised / raised.sum(-1, keepdims=True)
    pi[0] = uniform
    mu, q, gaps = game.flow(pi), game.action_values(pi), game.exploitability(pi)
    populations = len(game.game.populations) if isinstance(game, StackedMFG) else 1
    np.testing.assert_allclose(mu.sum(-1), populations, atol=1e-10)
    assert (mu >= 0).all()
    assert game.deciding(mu).shape == pi.shape[:-1]
    assert np.isfinite(gaps).all()
    assert (gaps >= -1e-9).all()
    for i in range(3):
        np.testing.assert_allclose(game.flow(pi[i]), mu[i], atol=1e-12)
        np.testing.assert_allclose(game.action_values(pi[i]), q[i], atol=1e-9)
        np.testing.assert_allclose(game.exploitability(pi[i]), gaps[i], atol=1e-9)
    # agents who play as all do are where all are
    np.testing.assert_allclose(game.flow_against(pi[1], mu[1]), mu[1], atol=1e-10)


@pytest.mark.parametrize("name", names())
def test_best_responses_are_policies_and_nowhere_worse(name: str) -> None:
    game = game_of(name)
    pi = game.uniform_policy()
    best = game.best_response(game.flow(pi), pi)
    own = (pi * game.action_values(pi)).sum(-1)
    assert (best.q.max(-1) >= own - 1e-9).all()
    assert (best.policy.sum(-1) == 1).all()
    assert ((best.policy > 0) <= (pi > 0)).all()


@pytest.mark.parametrize("name", names())
def test_a_few_steps_of_mirror_prox_come_nearer(name: str) -> None:
    game = game_of(name)
    found = solve(game, tol=1e-9, max_iterations=12)
    first = found.history[0].exploitability
    assert found.exploitability < first or first <= 1e-9
    assert found.exploitability == min(point.exploitability for point in found.history)
