"""Interactive imitation: states that only deviators come to are asked about, and controls that never ask there fail."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.stats import beta

from envs.markov import BadPolicy, MarkovGame, zero_sum
from envs.markov.experts import zero_sum_policies
from mfmarl.errors import UserError
from mfmarl.imitation.magail.interactive import (
    InteractiveConfig,
    counted,
    interactive,
    mirror_step,
    squared_distance,
    way_to,
)

GAME = zero_sum()
EXPERT = zero_sum_policies(GAME)
SEEDS = tuple(range(16))
K = 8.1


def learnt(ask: str, **settings: object) -> np.ndarray:
    config = InteractiveConfig.model_validate({"ask": ask, "rounds": 30, "queries": 5, **settings})
    return interactive(GAME, EXPERT, SEEDS, config).nash_conv


@pytest.mark.parametrize("ask", ["best_response", "uncertainty"])
def test_asking_where_deviators_lead_finds_the_equilibrium(ask: str) -> None:
    history = learnt(ask)
    assert history[0].min() > 0.5
    # s1 was asked about on every seed, where the expert plays (2, 2): nobody gains
    assert history[-1].max() == pytest.approx(0, abs=1e-12)


def test_asking_where_the_expert_is_never_helps() -> None:
    config = InteractiveConfig(ask="expert", rounds=30, queries=5)
    history = interactive(GAME, EXPERT, SEEDS, config)
    assert (history.asked[:, :, [1, 4, 5, 6]] == 0).all()
    # s1 keeps what it was given at the start, which the closed form prices
    p, q = (pi[0, :, 1] for pi in history.policies)
    priced = K * (abs(p[:, 0] - p[:, 1]) + abs(q[:, 0] - q[:, 1]))
    np.testing.assert_allclose(history.nash_conv[-1], priced, rtol=0, atol=1e-9)
    assert history.nash_conv[-1].min() > 0.5


def test_asking_where_the_learners_are_leaves_some_seeds_exploitable() -> None:
    # the learners stop coming to s1 once they play (2, 2), which they may learn before they are asked there
    assert learnt("own")[-1].mean() > 1


def test_mirror_descent_comes_there_as_well() -> None:
    slow = learnt("best_response", update="mirror", rounds=120, queries=10, lr=0.3)
    assert slow[-1].mean() < 0.1 * slow[0].mean()


def test_queries_are_counted() -> None:
    for ask in ("best_response", "uncertainty", "own", "expert"):
        config = InteractiveConfig.model_validate({"ask": ask, "rounds": 3, "queries": 7})
        history = interactive(GAME, EXPERT, [0, 1], config)
        assert history.queries.tolist() == [0, 14, 28, 42]
        assert (history.asked.sum((1, 2)) == 42).all()


@pytest.mark.parametrize("ask", ["best_response", "uncertainty", "own"])
def test_a_seed_is_the_same_alone_and_in_a_batch(ask: str) -> None:
    config = InteractiveConfig.model_validate({"ask": ask, "rounds": 4})
    batch, alone = (interactive(GAME, EXPERT, seeds, config) for seeds in ([3, 4], [4]))
    for one, other in zip(alone.policies, batch.policies, strict=True):
        np.testing.assert_allclose(one[:, 0], other[:, 1], rtol=0, atol=1e-12)
    assert (alone.asked[0] == batch.asked[1]).all()


def test_shares_of_answers() -> None:
    unseen = np.array([[0.3, 0.7], [0.4, 0.6]])
    assert counted(np.array([[3, 1], [0, 0]]), unseen).tolist() == [[0.75, 0.25], [0.4, 0.6]]


def test_a_step_of_mirror_descent_by_hand() -> None:
    # two answers of action 0 in the first state: slope (2 * .5 - 2, 2 * .5), none in the second
    stepped = mirror_step(np.array([[0.5, 0.5], [0.2, 0.8]]), np.array([[2, 0], [0, 0]]), 0.1)
    np.testing.assert_allclose(stepped[0, 0], 1 / (1 + np.exp(-0.2)), rtol=1e-12)
    np.testing.assert_allclose(stepped[1], [0.2, 0.8], rtol=1e-12)


def test_expected_distance_is_that_of_the_beta_law() -> None:
    counts, policy = np.array([[4, 1]]), np.array([[0.6, 0.4]])
    law = beta(4.5, 1.5)
    want = law.expect(lambda x: 2 * (x - 0.6) ** 2)
    np.testing.assert_allclose(squared_distance(counts, policy), want, rtol=1e-9)


def test_the_way_to_is_the_best_of_all_deterministic_ones() -> None:
    rng = np.random.default_rng(0)
    moves = rng.dirichlet(np.ones(3), (3, 2, 2, 2))
    game = MarkovGame(transitions=moves, rewards=np.zeros((3, 3)), start=np.eye(3)[0], discount=0.8)
    rewards = rng.random((2, 3))
    policies = [rng.dirichlet(np.ones(2), (2, 3)) for _ in range(3)]
    for agent in range(3):
        found = way_to(game, policies, agent, rewards)

        def met(own: np.ndarray, agent: int = agent) -> np.ndarray:
            profile = [own if i == agent else pi for i, pi in enumerate(policies)]
            return np.asarray((game.occupancy(profile).states * rewards).sum(-1))

        best = np.max([met(np.stack([np.eye(2)[list(own)]] * 2)) for own in product(range(2), repeat=3)], 0)
        np.testing.assert_allclose(met(found), best, rtol=1e-9)


def test_bad_input_is_refused() -> None:
    with pytest.raises(UserError, match="no seeds"):
        interactive(GAME, EXPERT, [])
    with pytest.raises(BadPolicy, match="agent 1 has shape"):
        interactive(GAME, [EXPERT[0], EXPERT[1][:3]], [0])
    with pytest.raises(UserError, match="want one"):
        interactive(GAME, [np.stack([pi, pi]) for pi in EXPERT], [0])
    with pytest.raises(ValueError, match="Input should be 'best_response'"):
        InteractiveConfig.model_validate({"ask": "everywhere"})
