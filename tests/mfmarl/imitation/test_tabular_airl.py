"""AIRL with exact expectations: on a ring of four states the reward, on two islands none that can be told."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import expit

from mfmarl.errors import UserError
from mfmarl.imitation.discriminator import reward_of
from mfmarl.imitation.soft_values import Array, occupancy, soft_values
from mfmarl.imitation.tabular_airl import shaped_reward

GAMMA = 0.9
REWARD = np.array([0.0, 0.0, 0.0, 1.0])
START = np.full(4, 0.25)


def moves(advance: list[int]) -> Array:
    """P[S, 2, S]: action 0 goes to advance[s], action 1 stays."""
    P = np.zeros((4, 2, 4))
    for s, to in enumerate(advance):
        P[s, 0, to] = P[s, 1, s] = 1.0
    return P


RING = moves([1, 2, 3, 0])
SWAPPED = RING[:, ::-1]
EXPERT = soft_values(RING, REWARD, GAMMA)
SEEN = occupancy(RING, EXPERT.pi, START, GAMMA)


def test_soft_values_of_the_ring() -> None:
    np.testing.assert_allclose(EXPERT.V, [9.6795807, 10.22419342, 10.86482013, 11.61470472], atol=1e-7)
    np.testing.assert_allclose(EXPERT.pi[:, 0], [0.62014211, 0.64027641, 0.66259862, 0.14910834], atol=1e-8)
    np.testing.assert_allclose(EXPERT.pi.sum(1), 1.0, atol=1e-12)
    np.testing.assert_allclose(SEEN.sum(), 1.0, atol=1e-12)


def test_occupancy_flows_as_the_policy_moves() -> None:
    """rho(s') = (1 - gamma) start(s') + gamma sum rho(s, a) P(s'|s, a)."""
    into = (1 - GAMMA) * START + GAMMA * np.einsum("sa,sat->t", SEEN, RING)
    np.testing.assert_allclose(SEEN.sum(1), into, atol=1e-12)


def test_airl_finds_the_reward_of_the_ring() -> None:
    found = shaped_reward(RING, SEEN, SEEN, np.log(EXPERT.pi), GAMMA)
    assert found.loss == pytest.approx(2 * math.log(2), abs=1e-12)
    np.testing.assert_allclose((RING * found.f).sum(-1), np.log(EXPERT.pi), atol=1e-10)
    assert np.ptp(found.g - REWARD) < 1e-10
    assert np.ptp(found.h - EXPERT.V) < 1e-10
    assert found.decomposable


@pytest.mark.parametrize(("w_expert", "w_policy"), [(1.0, 1.0), (0.2, 0.8), (3.0, 1.0)])
def test_the_best_discriminator_of_unequal_weights(w_expert: float, w_policy: float) -> None:
    """D = w_E rho_E / (w_E rho_E + w_pi rho_pi), where g sees actions and so can be anything."""
    log_pi = np.full((4, 2), math.log(0.5))
    own = occupancy(RING, np.exp(log_pi), START, GAMMA)
    found = shaped_reward(RING, w_expert * SEEN, w_policy * own, log_pi, GAMMA, state_only=False)
    D = expit((RING * found.f).sum(-1) - log_pi)
    np.testing.assert_allclose(D, w_expert * SEEN / (w_expert * SEEN + w_policy * own), atol=1e-8)


def test_the_loss_is_below_2_ln_2_where_expert_and_policy_differ() -> None:
    pi = np.full((4, 2), 0.5)
    found = shaped_reward(RING, SEEN, occupancy(RING, pi, START, GAMMA), np.log(pi), GAMMA)
    assert found.loss < 2 * math.log(2) - 0.1


def test_the_game_of_policy_and_discriminator_ends_at_the_expert() -> None:
    """Steps of three tenths towards the discriminator's soft optimum; whole ones go round in a circle."""
    log_pi = np.full((4, 2), math.log(0.5))
    for _ in range(40):
        own = occupancy(RING, np.exp(log_pi), START, GAMMA)
        found = shaped_reward(RING, SEEN, own, log_pi, GAMMA)
        aim = soft_values(RING, (RING * found.f).sum(-1), GAMMA).pi
        log_pi = 0.7 * log_pi + 0.3 * np.log(aim)
        log_pi -= np.log(np.exp(log_pi).sum(1, keepdims=True))
    np.testing.assert_allclose(np.exp(log_pi), EXPERT.pi, atol=1e-4)
    assert np.ptp(found.g - REWARD) < 1e-3


def test_airls_reward_holds_under_other_dynamics_and_gails_does_not() -> None:
    found = shaped_reward(RING, SEEN, SEEN, np.log(EXPERT.pi), GAMMA)
    wanted = soft_values(SWAPPED, REWARD, GAMMA).pi
    np.testing.assert_allclose(soft_values(SWAPPED, found.g, GAMMA).pi, wanted, atol=1e-9)
    # GAIL's D, the share of the expert: against itself 1/2, and its reward says nothing; against uniform play it tells
    # what to do on the ring
    uniform = occupancy(RING, np.full((4, 2), 0.5), START, GAMMA)
    for other in (SEEN, uniform):
        rewards = reward_of(torch.from_numpy(np.log(SEEN / other)), "-log(1-D)").numpy()
        assert np.abs(soft_values(SWAPPED, rewards, GAMMA).pi - wanted).max() > 0.1


def test_a_reward_of_actions_is_not_told_from_its_shaping() -> None:
    found = shaped_reward(RING, SEEN, SEEN, np.log(EXPERT.pi), GAMMA, state_only=False)
    assert not found.decomposable


def test_two_islands_are_not_decomposable() -> None:
    """Two cycles of two states that never meet: each has a constant of its own."""
    islands, reward = moves([1, 0, 3, 2]), np.array([0.0, 1.0, 0.0, 0.5])
    expert = soft_values(islands, reward, GAMMA)
    seen = occupancy(islands, expert.pi, START, GAMMA)
    found = shaped_reward(islands, seen, seen, np.log(expert.pi), GAMMA)
    assert found.loss == pytest.approx(2 * math.log(2), abs=1e-12)
    assert not found.decomposable
    assert np.ptp(found.g - reward) > 0.1


@pytest.mark.parametrize(
    ("transitions", "rewards", "discount", "told"),
    [
        (RING[:, :, :3], REWARD, 0.9, "want [S, A, S]"),
        (0.5 * RING, REWARD, 0.9, "is no law"),
        (RING, REWARD[:3], 0.9, "rewards have shape (3,)"),
        (RING, REWARD, 1.0, "discount is 1.0"),
    ],
)
def test_wrong_input(transitions: Array, rewards: Array, discount: float, told: str) -> None:
    with pytest.raises(UserError) as error:
        soft_values(transitions, rewards, discount)
    assert told in str(error.value)
