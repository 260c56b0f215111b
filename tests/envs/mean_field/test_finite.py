"""Finitely many agents: exact gaps by hand and by enumeration, and their limit."""

import itertools

import numpy as np
import pytest
from scipy import stats

from envs.mean_field import make
from envs.mean_field.finite import FinitePopulation, convergence
from envs.mean_field.game import FiniteMFG
from envs.mean_field.kernel import dense


@pytest.mark.parametrize("n", [2, 7, 100])
def test_left_right_has_a_gap_of_a_third_of_1_over_n(n: int) -> None:
    found = FinitePopulation(make("left-right"), n).gap([[[2 / 3, 1 / 3]]])
    assert found.gap == pytest.approx(1 / (3 * n), rel=1e-9)
    assert found.method == "exact"


def test_gap_falls_as_1_over_n() -> None:
    assert convergence(make("left-right"), [[[2 / 3, 1 / 3]]], [10, 30, 100]).slope == pytest.approx(-1, abs=1e-6)


def crowded() -> FiniteMFG:
    rng = np.random.default_rng(0)
    P = rng.dirichlet(np.ones(2), (2, 2))
    return FiniteMFG(
        name="crowded",
        horizon=2,
        initial=np.array([0.3, 0.7]),
        kernel=dense(P),
        reward=lambda t, mu: np.repeat((np.array([0.5, 0.0]) - mu**2)[..., None], 2, -1) * np.array([1.0, 0.8]),
        local=True,
    )


def test_expected_rewards_by_enumeration() -> None:
    game, n = crowded(), 4
    pi = np.random.default_rng(1).dirichlet(np.ones(2), (2, 2))
    found = FinitePopulation(game, n).expected_rewards(pi)
    mu = game.flow(pi)
    for t, s in itertools.product(range(2), range(2)):
        want = np.zeros(2)
        for places in itertools.product(range(2), repeat=n - 1):
            probability = np.prod([mu[t, p] for p in places])
            mine = (sum(p == s for p in places) + 1) / n
            empirical = np.array([mine, 1 - mine]) if s == 0 else np.array([1 - mine, mine])
            want += probability * game.reward(np.array([t]), empirical[None])[0, s]
        np.testing.assert_allclose(found[t, s], want, atol=1e-14)


def test_simulated_populations_have_the_mean_fields_law() -> None:
    game = crowded()
    pi = game.uniform_policy()
    counts = FinitePopulation(game, 10).simulate(pi, 20_000, seed=0)
    assert (counts.sum(-1) == 10).all()
    share, mu = counts[:, -1, 0] / 10, game.flow(pi)[-1, 0]
    # agents are independent: the counts are binomial
    assert stats.chisquare(
        np.bincount(counts[:, -1, 0], minlength=11), 20_000 * stats.binom.pmf(np.arange(11), 10, mu)
    ).pvalue > 1e-3
    assert share.mean() == pytest.approx(mu, abs=4 * share.std() / 20_000**0.5)


def test_simulated_gap_of_many_agents_is_that_of_the_mean_field() -> None:
    game = make("sis")
    pi = game.uniform_policy()
    found = FinitePopulation(game, 20_000).simulated_gap(pi, games=60)
    assert found.low - 0.05 < game.exploitability(pi) < found.high + 0.05


def test_games_without_an_exact_gap_say_so() -> None:
    with pytest.raises(ValueError, match="sis: no exact gap"):
        FinitePopulation(make("sis"), 5).gap(make("sis").uniform_policy())
    with pytest.raises(ValueError, match="1 agents; want 2 or more"):
        FinitePopulation(make("sis"), 1)
