"""Maximum entropy inverse RL recovers what can be told from an expert, and no more."""

from __future__ import annotations

import numpy as np
import pytest

from mfmarl.errors import UserError
from mfmarl.imitation.maxent_irl import (
    action_features,
    feature_expectation,
    maxent_irl,
    shaping_between,
    state_features,
)
from mfmarl.imitation.soft_values import Array, occupancy, soft_values

DISCOUNT = 0.9


def grid(size: int = 4) -> tuple[Array, Array]:
    """Four moves that slip sideways or back with probability .3: P[S, A, S'] and a uniform start."""
    states, moves = size * size, ((-1, 0), (1, 0), (0, -1), (0, 1))
    P = np.zeros((states, 4, states))
    for i, j in np.ndindex(size, size):
        for a in range(4):
            for b, (di, dj) in enumerate(moves):
                to = min(max(i + di, 0), size - 1) * size + min(max(j + dj, 0), size - 1)
                P[i * size + j, a, to] += 0.7 if a == b else 0.1
    return P, np.full(states, 1 / states)


def expectation(P: Array, start: Array, r: Array, features: Array) -> Array:
    expert = soft_values(P, r, DISCOUNT).pi
    return feature_expectation(occupancy(P, expert, start, DISCOUNT), features)


def test_rewards_of_states_are_recovered_up_to_a_constant() -> None:
    P, start = grid()
    r, features = np.random.default_rng(0).normal(size=16), state_features(16, 4)
    found = maxent_irl(P, start, DISCOUNT, features, expectation(P, start, r, features), tol=1e-14)
    assert np.ptp(found.theta - r) < 1e-12
    np.testing.assert_allclose(found.policy, soft_values(P, r, DISCOUNT).pi, atol=1e-13)


def test_rewards_of_actions_are_recovered_up_to_shaping() -> None:
    P, start = grid()
    r, features = np.random.default_rng(1).normal(size=(16, 4)), action_features(16, 4)
    found = maxent_irl(P, start, DISCOUNT, features, expectation(P, start, r, features), tol=1e-14)
    np.testing.assert_allclose(found.policy, soft_values(P, r, DISCOUNT).pi, atol=1e-12)
    assert shaping_between(P, DISCOUNT, found.reward, r)[1] < 1e-11
    # it is not the reward itself that was found
    assert np.ptp(found.reward - r) > 0.1


def test_few_features_are_matched_though_the_reward_is_not_theirs() -> None:
    P, start = grid()
    rng = np.random.default_rng(2)
    features = rng.normal(size=(16, 4, 3))
    told = []
    wanted = expectation(P, start, rng.normal(size=16), features)
    found = maxent_irl(P, start, DISCOUNT, features, wanted, callback=lambda i, off: told.append((i, off)))
    assert found.matched
    assert found.mismatch <= 1e-10
    np.testing.assert_allclose(
        feature_expectation(occupancy(P, found.policy, start, DISCOUNT), features), wanted, atol=1e-10
    )
    assert [i for i, _ in told] == list(range(1, found.iterations + 1))


def test_a_reward_of_states_holds_under_other_moves_and_one_of_actions_does_not() -> None:
    P, start = grid()
    r = np.random.default_rng(3).normal(size=16)
    turned = P[:, [1, 0, 3, 2]]
    wanted = soft_values(turned, r, DISCOUNT).pi
    by_state, by_action = (
        maxent_irl(P, start, DISCOUNT, features, expectation(P, start, r, features), tol=1e-13)
        for features in (state_features(16, 4), action_features(16, 4))
    )
    np.testing.assert_allclose(soft_values(turned, by_state.reward, DISCOUNT).pi, wanted, atol=1e-10)
    assert np.abs(soft_values(turned, by_action.reward, DISCOUNT).pi - wanted).max() > 0.05


def test_shapes_are_told() -> None:
    P, start = grid()
    with pytest.raises(UserError, match=r"want \[16, 4, F\] and \[F\]"):
        maxent_irl(P, start, DISCOUNT, np.zeros((16, 3, 2)), np.zeros(2))
