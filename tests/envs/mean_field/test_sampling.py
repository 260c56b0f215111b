"""Sampled agents do what their probabilities say, and counts of them are occupancies."""

import numpy as np
import pytest

from envs.mean_field import AttractorMFG, make
from envs.mean_field.game import FiniteMFG
from envs.mean_field.imitation import occupancy
from envs.mean_field.sampling import Trajectories, empirical_flow, empirical_occupancy, sample_trajectories
from tests.envs.mean_field.test_game import random_policies


@pytest.mark.parametrize("name", ["attractor", "tri-state-congestion", "garnet", "crowd-1d"])
def test_counts_come_to_the_exact_occupancy(name: str) -> None:
    game = make(name)
    assert isinstance(game, FiniteMFG)
    pi = random_policies(game, np.random.default_rng(0))
    number = 20_000
    seen = sample_trajectories(game, pi, number, np.random.default_rng(1))
    x = empirical_occupancy(game, seen)
    exact = occupancy(game.flow(pi), pi)
    # each entry is a mean of Bernoulli draws: five standard errors
    assert (np.abs(x - exact) <= 5 * np.sqrt(exact * (1 - exact) / number)).all()
    np.testing.assert_allclose(empirical_flow(game, seen)[:-1], x.sum(-1), atol=1e-12)


def test_counts_by_hand() -> None:
    game = AttractorMFG(2, 0.5).game
    seen = Trajectories(np.array([[0, 0, 1], [0, 1, 1]]), np.array([[0, 1], [1, 0]]))
    np.testing.assert_array_equal(empirical_occupancy(game, seen), [[[0.5, 0.5], [0, 0]], [[0, 0.5], [0.5, 0]]])
    np.testing.assert_array_equal(empirical_flow(game, seen), [[1, 0], [0.5, 0.5], [0, 1]])


def test_who_has_no_probability_is_never_drawn() -> None:
    toy = AttractorMFG(30, 0.9)
    seen = sample_trajectories(toy.game, toy.expert, 500, np.random.default_rng(0))
    assert not seen.actions.any()
    assert not seen.states.any()


def test_dragged_as_the_population_is() -> None:
    # from rho = .5 a half of those who stay is dragged at L = 1: the law sees the exact flow, not the sample's
    toy = AttractorMFG(1, 1.0, rho0=0.5)
    seen = sample_trajectories(toy.game, toy.expert, 40_000, np.random.default_rng(0))
    assert empirical_flow(toy.game, seen)[1, 1] == pytest.approx(0.75, abs=5 * 0.5 / 200)


def test_the_generator_alone_decides() -> None:
    game = AttractorMFG(5, 0.5)
    one, same, other = (
        sample_trajectories(game.game, game.policy(0.3), 50, np.random.default_rng(seed)) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(one.states, same.states)
    assert (one.actions != other.actions).any()
    with pytest.raises(ValueError, match="0 trajectories"):
        sample_trajectories(game.game, game.expert, 0, np.random.default_rng(0))
