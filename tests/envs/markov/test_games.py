"""The two named games: rules as told, closed forms on random profiles, limits worked out by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from envs.markov import BadGame, bimatrix, coordination, one_step, zero_sum
from envs.markov.experts import coordination_joint
from tests.envs.markov.given import random_profile

K = 8.1
"""discount^2 / (1 - discount)"""
RNG = np.random.default_rng(0)


def test_rules_of_the_zero_sum_game() -> None:
    game = zero_sum()
    names = game.state_names
    assert names == ("s0", "s1", "s2", "s3", "X1", "X2", "C")
    after = {}
    for s, a, b in itertools.product(range(7), range(3), range(3)):
        row = game.transitions[s, a, b]
        assert row.max() == row.sum() == 1
        after[names[s], a, b] = names[int(row.argmax())]
    for a, b in itertools.product(range(3), range(3)):
        assert after["s0", a, b] == ("s2" if (a, b) == (2, 2) else "s1")
        kind = "X1" if (a, b) in ((0, 0), (1, 1)) else "X2" if (a, b) in ((0, 1), (1, 0)) else "C"
        assert after["s1", a, b] == kind
        assert after["s2", a, b] == "s3"
        assert all(after[s, a, b] == s for s in ("s3", "X1", "X2", "C"))
    np.testing.assert_array_equal(game.rewards[0, :, 1, 2], [0, 0, 0, 0, 1, -1, 0])
    np.testing.assert_array_equal(game.rewards.sum(0), 0)
    assert (game.start[0], game.discount, game.horizon) == (1, 0.9, "endless")


def test_closed_forms_of_the_zero_sum_game() -> None:
    game = zero_sum()
    mu, nu = random_profile(RNG, game, (1000,))
    m, n, p, q = mu[:, 0, 2], nu[:, 0, 2], mu[:, 1], nu[:, 1]
    value = K * (1 - m * n) * (p[:, 0] - p[:, 1]) * (q[:, 0] - q[:, 1])
    first, second = K * np.abs(q[:, 0] - q[:, 1]), K * np.abs(p[:, 0] - p[:, 1])
    np.testing.assert_allclose(game.values([mu, nu]), np.stack([value, -value], -1), atol=1e-9)
    np.testing.assert_allclose(game.best_response_values([mu, nu]), np.stack([first, second], -1), atol=1e-9)
    np.testing.assert_allclose(game.nash_conv([mu, nu]), first + second, atol=1e-9)
    gaps = np.maximum(first - value, second + value)
    np.testing.assert_allclose(game.exploitability([mu, nu]), gaps, atol=1e-9)


def test_the_sign_of_the_second_player() -> None:
    """p = q = (1, 0, 0) at s1, never (2, 2): V = 8.1, the first cannot gain, the second gains 8.1 + 8.1."""
    game = zero_sum()
    always_first = [np.eye(3)[np.zeros(7, int)]] * 2
    np.testing.assert_allclose(game.values(always_first), [8.1, -8.1], atol=1e-12)
    np.testing.assert_allclose(game.gaps(always_first), [0, 16.2], atol=1e-12)
    assert game.exploitability(always_first) == pytest.approx(16.2, abs=1e-12)
    assert game.nash_conv(always_first) == pytest.approx(16.2, abs=1e-12)


def test_nash_conv_is_at_most_16_2_and_0_in_equilibrium() -> None:
    game = zero_sum()
    pure = [np.eye(3)[np.array(list(rows))] for rows in itertools.product(range(3), repeat=2)]
    found = []
    for mu, nu in itertools.product(pure, pure):
        profile = [np.vstack([x, np.full((5, 3), 1 / 3)]) for x in (mu, nu)]
        found.append(float(game.nash_conv(profile)))
    assert max(found) == pytest.approx(16.2, abs=1e-12)
    mu, nu = random_profile(RNG, game, (100,))
    for rows in (mu, nu):
        rows[:, 1, :2] = rows[:, 1, :2].mean(1, keepdims=True)
    np.testing.assert_allclose(game.nash_conv([mu, nu]), 0, atol=1e-12)


def test_best_responses_of_the_zero_sum_game() -> None:
    """Against a second who leans to 0 at s1, the first goes there (not 2 at s0) and plays 0."""
    game = zero_sum()
    leans = np.full((7, 3), 1 / 3)
    leans[1] = [0.5, 0.3, 0.2]
    found = game.best_responses([np.full((7, 3), 1 / 3), leans])
    assert found.policies[0][0].argmax() in (0, 1)
    assert found.policies[0][1].tolist() == [1, 0, 0]
    assert found.values[0, 0] == pytest.approx(8.1 * 0.2, abs=1e-12)
    assert found.values[0, 4] == pytest.approx(10, abs=1e-12)
    np.testing.assert_allclose(game.values([found.policies[0], leans])[0], 8.1 * 0.2, atol=1e-12)


def test_closed_forms_of_coordination() -> None:
    game = coordination()
    mu, nu = random_profile(RNG, game, (1000,))
    p, q = mu[:, 0, 0], nu[:, 0, 0]
    value = p * q + (1 - p) * (1 - q)
    best = np.stack([np.maximum(q, 1 - q), np.maximum(p, 1 - p)], -1)
    np.testing.assert_allclose(game.values([mu, nu]), np.stack([value, value], -1), atol=1e-12)
    np.testing.assert_allclose(game.best_response_values([mu, nu]), best, atol=1e-12)
    np.testing.assert_allclose(game.nash_conv([mu, nu]), best.sum(-1) - 2 * value, atol=1e-12)
    np.testing.assert_allclose(game.exploitability([mu, nu]), best.max(-1) - value, atol=1e-12)
    assert game.horizon == "one_step"


def test_no_independent_policies_come_near_the_bimodal_expert() -> None:
    """The least JS distance is sqrt(3/4 log2(4/3)) = .5579230, at (1/2, 1/2), AA and BB alike."""
    limit = np.sqrt(0.75 * np.log2(4 / 3))
    assert limit == pytest.approx(0.5579230, abs=5e-8)
    game, expert = coordination(), coordination_joint("bimodal").ravel()
    grid = np.linspace(0, 1, 101)
    rows = np.stack([grid, 1 - grid], -1)[:, None]
    joint = game.joint_policy([rows[:, None], rows[None]]).reshape(101, 101, 4)
    distance = jensenshannon(joint, expert, base=2, axis=-1)
    assert distance.min() == pytest.approx(limit, abs=1e-9)
    for p in (0, 50, 100):
        assert distance[p, p] == pytest.approx(limit, abs=1e-9)
    assert distance[0, 100] == pytest.approx(1, abs=1e-9)


def test_matrices() -> None:
    """Prisoner's dilemma: from (cooperate, cooperate) each gains 2, and (defect, defect) is the equilibrium."""
    first = np.array([[3.0, 0.0], [5.0, 1.0]])
    game = bimatrix(first, first.T, "dilemma")
    both = [[[1, 0]], [[1, 0]]]
    np.testing.assert_array_equal(game.gaps(both), [2, 2])
    assert game.nash_conv([[[0, 1]], [[0, 1]]]) == 0
    with pytest.raises(
        BadGame, match=r"^dilemma: the players' rewards have shapes \(2, 2\) and \(2, 3\); want two alike"
    ):
        bimatrix(first, np.zeros((2, 3)), "dilemma")
    with pytest.raises(BadGame, match=r"rewards have shape \(1, 2\); want \[n, A_1, .., A_n\] of n = 2 agents or more"):
        one_step([[1, 2]])
    three = one_step(np.arange(24.0).reshape(3, 2, 2, 2))
    assert three.num_actions == (2, 2, 2)


def test_coarse_correlated_equilibria() -> None:
    """In chicken (rewards 0, 7; 2, 6) a third each of all but the crash is one; crash and caution alike is not.

    A third each has value 5; against 1/3 dare both actions get 14/3. A half each of (dare, dare) and (chicken, chicken)
    has value 3; against 1/2 dare, to dare gets 3.5 and not to 4.
    """
    first = np.array([[0.0, 7.0], [2.0, 6.0]])
    game = bimatrix(first, first.T)
    third = np.array([[[0, 1], [1, 1]]]) / 3
    assert game.joint_values(third)[0] == pytest.approx(5)
    assert game.cce_gap(third) == pytest.approx(-1 / 3)
    alike = np.array([[[0.5, 0], [0, 0.5]]])
    np.testing.assert_allclose(game.joint_gaps(alike), [1, 1])
    assert game.cce_gap(np.stack([third, alike])).shape == (2,)
    assert coordination().cce_gap(coordination_joint("bimodal")) == -0.5
