"""What an occupancy leaves open: the zero-sum game's 0 to 8.1, random games against a search, matrix games."""

from __future__ import annotations

import numpy as np
import pytest

from envs.markov import MarkovGame, coordination, identifiability, one_step, zero_sum
from envs.markov.checks import Array
from envs.markov.experts import coordination_joint, zero_sum_policies, zero_sum_samples
from envs.markov.matrix_game import matrix_game
from tests.envs.markov.given import random_profile


def test_completions_of_the_zero_sum_expert() -> None:
    """Nothing is known of s1, which decides: K |p0 - p1| and K |q0 - q1| are 0 to 8.1, their sum 0 to 16.2."""
    game = zero_sum()
    policies = zero_sum_policies(game)
    found = identifiability(game, game.occupancy(policies).joint)
    assert found.visited.tolist() == [True, False, True, True, False, False, False]
    np.testing.assert_allclose(found.least_gaps, 0, atol=1e-12)
    np.testing.assert_allclose(found.greatest_gaps, 8.1, atol=1e-12)
    assert found.exploitability == pytest.approx((0, 8.1), abs=1e-12)
    assert found.nash_conv == pytest.approx((0, 16.2), abs=1e-12)
    assert found.exact
    assert found.independent == 0
    assert "4 of 7 states are never visited" in str(found)
    assert "0 to 8.1 (exact)" in str(found)
    # counted from samples the same is left open
    assert identifiability(game, zero_sum_samples(game).occupancy(game).joint).exploitability == pytest.approx((0, 8.1))


@pytest.mark.parametrize(("row", "gap"), [([1, 1, 1], 0), ([3, 0, 0], 8.1), ([0, 3, 0], 8.1), ([0, 0, 3], 0)])
def test_the_fallback_decides(row: list[float], gap: float) -> None:
    """Uniform and last are equilibria, first action is as bad as can be."""
    game = zero_sum()
    policies = zero_sum_policies(game)
    for policy in policies:
        policy[[1, 4, 5, 6]] = np.array(row) / 3
    assert game.exploitability(policies) == pytest.approx(gap, abs=1e-12)
    np.testing.assert_allclose(game.gaps(policies), gap, atol=1e-12)


def test_both_ends_are_attained() -> None:
    game = zero_sum()
    x = game.occupancy(zero_sum_policies(game)).joint
    found = identifiability(game, x)
    assert found.least_policy is not None
    assert found.greatest_policy is not None
    for policy, gaps in ((found.least_policy, found.least_gaps), (found.greatest_policy, found.greatest_gaps)):
        np.testing.assert_allclose(game.joint_occupancy(policy).joint, x, atol=1e-12)
        np.testing.assert_allclose(game.joint_gaps(policy), gaps, atol=1e-12)


def hidden_game(rng: np.random.Generator, actions: tuple[int, ...]) -> tuple[MarkovGame, list[Array]]:
    """State 0 is kept by everyone's action 0; all else leads among states 1 to 3, which the expert never sees."""
    n = len(actions)
    moves = rng.dirichlet(np.ones(4), (4, *actions))
    moves[..., 0] = 0
    moves /= moves.sum(-1, keepdims=True)
    moves[(0,) * (n + 1)] = np.eye(4)[0]
    pay = rng.normal(size=(n, 4, *actions))
    game = MarkovGame(transitions=moves, rewards=pay, start=np.eye(4)[0], discount=0.8)
    return game, [np.eye(a)[np.zeros(4, int)] for a in actions]


@pytest.mark.parametrize("seed", range(6))
def test_no_completion_is_outside(seed: int) -> None:
    rng = np.random.default_rng(seed)
    game, expert = hidden_game(rng, (2, 3))
    found = identifiability(game, game.occupancy(expert).joint)
    tried = [policy.copy() for policy in random_profile(rng, game, (1200,))]
    # corners too, where the greatest are
    for policy in tried:
        policy[:600] = np.eye(policy.shape[-1])[policy[:600].argmax(-1)]
        policy[:, 0] = np.eye(policy.shape[-1])[0]
    gaps = game.gaps(tried)
    assert (gaps >= found.least_gaps - 1e-9).all()
    assert (gaps <= found.greatest_gaps + 1e-9).all()
    np.testing.assert_allclose(gaps.max(0), found.greatest_gaps, atol=1e-9)
    assert (game.exploitability(tried) >= found.exploitability[0] - 1e-9).all()
    # the least is attained by its own completion
    np.testing.assert_allclose(game.joint_gaps(found.least_policy), found.least_gaps, atol=1e-9)
    assert found.least_policy is not None
    first, second = found.least_policy.sum(2), found.least_policy.sum(1)
    np.testing.assert_allclose(game.gaps([first, second]), found.least_gaps, atol=1e-9)


def test_of_three_agents_the_ends_are_bounds() -> None:
    rng = np.random.default_rng(3)
    game, expert = hidden_game(rng, (2, 2, 2))
    found = identifiability(game, game.occupancy(expert).joint)
    assert not found.exact
    assert found.least_policy is None
    tried = random_profile(rng, game, (1200,))
    for policy in tried:
        policy[:600] = np.eye(2)[policy[:600].argmax(-1)]
        policy[:, 0] = [1, 0]
    gaps = game.gaps(tried)
    assert (gaps >= found.least_gaps - 1e-9).all()
    np.testing.assert_allclose(gaps.max(0), found.greatest_gaps, atol=1e-9)


def test_where_all_is_visited_nothing_is_open() -> None:
    game = zero_sum()
    profile = random_profile(np.random.default_rng(0), game)
    found = identifiability(game, game.occupancy(profile).joint)
    np.testing.assert_allclose(found.least_gaps, game.gaps(profile), atol=1e-9)
    np.testing.assert_allclose(found.greatest_gaps, game.gaps(profile), atol=1e-9)
    assert found.independent < 1e-12


def test_correlation_is_told() -> None:
    """AA and BB, a half each, are off by 1/4 from (1/2, 1/2) twice. To leave costs the times that one errs."""
    found = identifiability(coordination(), coordination_joint("bimodal"))
    assert found.independent == 0.25
    assert found.exploitability == (-0.5, -0.5)
    assert "of joint policies" in str(found)


def test_occupancies_that_are_refused() -> None:
    game = zero_sum()
    x = game.occupancy(game.uniform_policies()).joint
    with pytest.raises(ValueError, match=r"the occupancy has shape \(7, 3\); want \(7, 3, 3\), 0 or more"):
        identifiability(game, x.sum(2))
    with pytest.raises(ValueError, match="want"):
        identifiability(game, -x)
    with pytest.raises(ValueError, match=r"entry .* is nan"):
        identifiability(game, x * np.nan)
    cut = x.copy()
    cut[4] = 0
    with pytest.raises(ValueError, match="play goes from s1 to X1, which the occupancy never visits"):
        identifiability(game, cut)
    cut[0] = 0
    with pytest.raises(ValueError, match="play starts in s0, which the occupancy never visits"):
        identifiability(game, cut)


def test_matrix_games() -> None:
    """Matching pennies 0; 2x2 without a saddle (ad - bc) / (a + d - b - c); a saddle point."""
    assert matrix_game(np.array([[1.0, -1], [-1, 1]])).value == pytest.approx(0, abs=1e-12)
    rng = np.random.default_rng(0)
    settled = 0
    for a, b, c, d in rng.normal(size=(200, 4)):
        payoff = np.array([[a, b], [c, d]])
        if payoff.min(1).max() < payoff.max(0).min():
            settled += 1
            assert matrix_game(payoff).value == pytest.approx((a * d - b * c) / (a + d - b - c), abs=1e-9)
    assert settled > 40
    saddle = matrix_game(np.array([[3.0, 2.0], [1.0, 0.0]]))
    assert (saddle.value, saddle.columns.tolist()) == (2, [0, 1])
    rock = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]])
    found = matrix_game(rock)
    np.testing.assert_allclose(found.columns, 1 / 3, atol=1e-9)
    assert one_step([rock, -rock]).nash_conv([[found.columns]] * 2) == pytest.approx(0, abs=1e-9)
