"""Any game: values against iteration, best responses against all pure policies, invariants, bad input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from envs.markov import BadGame, BadPolicy, MarkovGame, coordination, zero_sum
from envs.markov.game import PIECE
from tests.envs.markov.given import random_game, random_profile, slow_best, slow_values

SHAPES = [((2, 3), 0.9), ((2, 2, 2), 0.8), ((3, 2), 0.0), ((2, 2), 0.99), ((1, 3), 0.5)]


@pytest.mark.parametrize(("actions", "discount"), SHAPES)
@pytest.mark.parametrize("seed", range(4))
def test_against_slow_ways(actions: tuple[int, ...], discount: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    game = random_game(rng, 5, actions, discount)
    profile = random_profile(rng, game)
    np.testing.assert_allclose(game.state_values(profile), slow_values(game, game.joint_policy(profile)), atol=1e-9)
    found = game.best_responses(profile)
    for i in range(game.num_agents):
        np.testing.assert_allclose(found.values[i], slow_best(game, profile, i), atol=1e-9)
        swapped = [found.policies[i] if j == i else p for j, p in enumerate(profile)]
        np.testing.assert_allclose(game.state_values(swapped)[i], found.values[i], atol=1e-9)
    gaps = game.gaps(profile)
    assert (gaps >= -1e-12).all()
    assert game.nash_conv(profile) == pytest.approx(gaps.sum(), abs=1e-12)
    assert game.exploitability(profile) == pytest.approx(gaps.max(), abs=1e-12)


@pytest.mark.parametrize(("actions", "discount"), SHAPES)
def test_joint_policies(actions: tuple[int, ...], discount: float) -> None:
    rng = np.random.default_rng(5)
    game = random_game(rng, 5, actions, discount)
    profile = random_profile(rng, game, (3,))
    product = game.joint_policy(profile)
    np.testing.assert_allclose(game.joint_values(product), game.values(profile), atol=1e-10)
    np.testing.assert_allclose(game.cce_gap(product), game.exploitability(profile), atol=1e-10)
    joint = rng.dirichlet(np.ones(int(np.prod(actions))), 5).reshape(5, *actions)
    np.testing.assert_allclose(game.joint_values(joint), slow_values(game, joint) @ game.start, atol=1e-9)


@pytest.mark.parametrize(("actions", "discount"), SHAPES)
def test_occupancy_carries_the_value(actions: tuple[int, ...], discount: float) -> None:
    """V = sum x r / (1 - discount), and flow in is flow out."""
    rng = np.random.default_rng(6)
    game = random_game(rng, 6, actions, discount)
    profile = random_profile(rng, game, (4,))
    found = game.occupancy(profile)
    np.testing.assert_allclose(found.joint.reshape(4, -1).sum(1), 1, atol=1e-12)
    np.testing.assert_allclose(found.joint.reshape(4, 6, -1).sum(-1), found.states, atol=1e-12)
    value = np.einsum("bj,nj->bn", found.joint.reshape(4, -1), game.rewards.reshape(game.num_agents, -1))
    np.testing.assert_allclose(value / (1 - discount), game.values(profile), atol=1e-10)
    onward = np.einsum("bj,jk->bk", found.joint.reshape(4, -1), game.transitions.reshape(-1, 6))
    np.testing.assert_allclose(found.states, (1 - discount) * game.start + discount * onward, atol=1e-12)


def test_the_batch_is_the_profiles_one_by_one() -> None:
    game = random_game(np.random.default_rng(7), 6, (2, 3), 0.95, successors=3)
    profile = random_profile(np.random.default_rng(8), game, (2, 5))
    whole = game.gaps(profile)
    assert whole.shape == (2, 5, 2)
    for place in np.ndindex(2, 5):
        np.testing.assert_allclose(game.gaps([p[place] for p in profile]), whole[place], atol=1e-12)
    # one policy of the first agent against many of the second
    against = game.values([profile[0][0, 0], profile[1]])
    np.testing.assert_allclose(against[1, 2], game.values([profile[0][0, 0], profile[1][1, 2]]), atol=1e-12)
    many = random_profile(np.random.default_rng(9), coordination(), (PIECE + 3,))
    np.testing.assert_allclose(
        coordination().nash_conv(many)[PIECE:], coordination().nash_conv([p[PIECE:] for p in many])
    )


def test_agents_can_change_places_and_rewards_their_scale() -> None:
    game = random_game(np.random.default_rng(10), 5, (2, 3), 0.9)
    mu, nu = random_profile(np.random.default_rng(11), game, (20,))
    turned = MarkovGame(
        transitions=np.swapaxes(game.transitions, 1, 2),
        rewards=np.swapaxes(game.rewards, 2, 3)[::-1],
        start=game.start,
        discount=0.9,
    )
    np.testing.assert_allclose(turned.gaps([nu, mu]), game.gaps([mu, nu])[:, ::-1], atol=1e-10)
    scaled = MarkovGame(
        transitions=game.transitions, rewards=3 * game.rewards + 1, start=game.start, discount=game.discount
    )
    np.testing.assert_allclose(scaled.nash_conv([mu, nu]), 3 * game.nash_conv([mu, nu]), atol=1e-9)
    np.testing.assert_allclose(scaled.values([mu, nu]), 3 * game.values([mu, nu]) + 10, atol=1e-9)


def test_states_are_worked_out_after_those_that_come_next() -> None:
    game = zero_sum()
    assert [len(members) for members in game.layout.components] == [1] * 7
    order = [int(members[0]) for members in game.layout.components]
    assert order.index(0) > order.index(1) > max(order.index(s) for s in (4, 5, 6))
    ring = np.roll(np.eye(3), 1, 1)[:, None, None].repeat(2, 1).repeat(2, 2)
    turning = MarkovGame(transitions=ring, rewards=np.zeros((2, 3)), start=np.eye(3)[0], discount=0.9)
    assert [members.tolist() for members in turning.layout.components] == [[0, 1, 2]]


STAYS = np.ones((1, 2, 2, 1))
FINE: dict[str, Any] = {"transitions": STAYS, "rewards": np.zeros((2, 1, 2, 2)), "start": [1.0], "discount": 0.5}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"transitions": STAYS * 0.9}, r"^game: transitions at \[0, 0, 0\] sums to 0.9; want a distribution"),
        (
            {"transitions": np.where(np.arange(2)[:, None], 1.0, np.nan) * STAYS},
            r"transitions: entry \[0, 0, 0, 0\] is nan",
        ),
        ({"transitions": np.ones((1, 2, 1))}, r"transitions have shape \(1, 2, 1\); want \[S, A_1, .., A_n, S\]"),
        ({"transitions": np.ones((2, 2, 2, 1))}, r"transitions have shape \(2, 2, 2, 1\)"),
        ({"transitions": [[1, 2], [3]]}, "transitions are no array of numbers; want rows of equal lengths"),
        ({"rewards": np.zeros((2, 2))}, r"rewards have shape \(2, 2\); want \(2, 1, 2, 2\), or \(2, 1\) of states"),
        ({"rewards": np.full((2, 1), np.inf)}, r"rewards: entry \[0, 0\] is inf; want finite numbers"),
        ({"start": [0.5, 0.5]}, r"start has shape \(2,\); want \(1,\)"),
        ({"start": [2.0]}, "start sums to 2; want a distribution"),
        ({"start": [-1.0]}, "start holds -1; want"),
        ({"discount": 1}, "discount is 1; want a number 0 or more, below 1"),
        ({"discount": float("nan")}, "discount is nan"),
        ({"discount": "x"}, "discount is 'x'"),
        ({"discount": True}, "discount is True"),
        ({"state_names": ("a", "b")}, "2 different names of states; want 1"),
    ],
)
def test_games_that_are_refused(given: dict[str, Any], told: str) -> None:
    MarkovGame(**FINE)
    with pytest.raises(BadGame, match=told) as refused:
        MarkovGame(**FINE | given)
    assert "\n" not in str(refused.value)


HALF = [[0.5, 0.5]]


@pytest.mark.parametrize(
    ("policies", "told"),
    [
        ([HALF], r"^coordination: 1 policies; want a list of 2, one for each agent$"),
        ([HALF, [[0.5, 0.6]]], r"the policy of agent 1 at \[0\] sums to 1.1; want a distribution"),
        ([HALF, [[1.5, -0.5]]], r"the policy of agent 1 at \[0\] holds -0.5"),
        ([[[np.nan, 1]], HALF], r"the policy of agent 0 at \[0\] holds nan"),
        ([[0.5, 0.5], HALF], r"the policy of agent 0 has shape \(2,\); want \[.., 1, 2\]"),
        ([np.zeros((0, 1, 2)), HALF], r"the policy of agent 0 has shape \(0, 1, 2\)"),
        ([np.full((2, 1, 2), 0.5), np.full((3, 1, 2), 0.5)], r"leading axes of policies do not fit each other"),
    ],
)
def test_policies_that_are_refused(policies: Any, told: str) -> None:
    game = coordination()
    for asked in (game.nash_conv, game.values, game.joint_policy, game.occupancy, game.best_responses):
        with pytest.raises(BadPolicy, match=told):
            asked(policies)


def test_joint_policies_that_are_refused() -> None:
    game = coordination()
    with pytest.raises(
        BadPolicy, match=r"the joint policy has shape \(2, 2\); want \[.., S, A_1, .., A_n\] = \(1, 2, 2\)"
    ):
        game.cce_gap([[0.5, 0], [0, 0.5]])
    with pytest.raises(BadPolicy, match=r"the joint policy at \[0\] sums to 2; want"):
        game.joint_occupancy([[[1, 0], [0, 1]]])


def test_a_game_does_not_change() -> None:
    moves = STAYS.copy()
    game = MarkovGame(**FINE | {"transitions": moves})
    moves[:] = 7
    assert game.transitions.max() == 1
    with pytest.raises(ValueError, match="read-only"):
        game.rewards[0] = 1
