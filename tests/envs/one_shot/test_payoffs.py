"""What one period pays: figures worked by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import envs
from envs.one_shot import OneShotGame


def game(name: str, num_agents: int, **options: Any) -> OneShotGame:
    env = envs.make(f"games/{name}", num_agents=num_agents, seed=0, **options)
    assert isinstance(env, OneShotGame)
    return env


def played(env: OneShotGame, *actions: int) -> list[float]:
    found: list[float] = env.step(np.array([actions])).reward[0].tolist()
    return found


def test_coordination_is_the_mean_over_the_others() -> None:
    # one hunter of stags among a hunter of stags and two of hares: (4 + 0 + 0) / 3; of hares: (3 + 3 + 2) / 3
    assert played(game("coordination", 4), 0, 0, 1, 1) == pytest.approx([4 / 3, 4 / 3, 8 / 3, 8 / 3])
    assert played(game("coordination", 4), 0, 0, 0, 0) == [4, 4, 4, 4]
    options = {"both_first": 1.0, "first_alone": -1.0, "second_alone": -2.0, "both_second": 6.0}
    assert played(game("coordination", 3, **options), 0, 1, 1) == pytest.approx([-1.0, 2.0, 2.0])


def test_prisoners_dilemma_is_the_mean_over_the_others() -> None:
    # cooperating: (3 + 0) / 2; defecting: 5
    assert played(game("prisoners-dilemma", 3), 0, 0, 1) == pytest.approx([1.5, 1.5, 5.0])
    assert played(game("prisoners-dilemma", 3), 1, 1, 1) == [1, 1, 1]


def test_congestion_is_the_delay_of_the_route() -> None:
    # 2 x 3/4; .5 + 1/4
    assert played(game("congestion", 4), 0, 0, 0, 2) == pytest.approx([-1.5, -1.5, -1.5, -0.75])
    options = {"free": (0.0, 1.0), "slope": (1.0, 2.0)}
    assert played(game("congestion", 2, **options), 0, 1) == pytest.approx([-0.5, -2.0])


def test_cournot_is_price_times_quantity_less_costs() -> None:
    # quantities 5, 4, 3, 2: price 10 - 3.5; (6.5 - 1) 5 - .95 x 25 / 2 and so on
    rewards = played(game("cournot", 4), 10, 8, 6, 4)
    assert rewards == pytest.approx([27.5 - 11.875, 22 - 7.6, 10.5 - 4.275, 7 - 1.9])


def test_identity_pays_what_is_seen_and_the_second_type_one_more() -> None:
    env = game("identity", 4, num_actions=3)
    step = env.reset(3)
    seen = step.obs[0].argmax(-1)
    assert played(env, *((seen + np.array([0, 0, 1, 1])) % 3)) == [1, 1, 1, 1]
    env.reset(3)
    assert played(env, *((seen + np.array([1, 0, 0, 1])) % 3)) == [0, 1, 0, 1]


def test_identity_with_crowding() -> None:
    env = game("identity", 4, num_actions=2, crowding=0.6)
    seen = env.reset(0).obs[0].argmax(-1)
    right = (seen + np.array([0, 0, 1, 1])) % 2 == 0
    # all play 0, so each meets 3 others of 3
    assert played(env, 0, 0, 0, 0) == pytest.approx((right - 0.6).tolist())


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        (np.zeros((1, 3), np.int64), r"actions have shape \(1, 3\); the game needs \(1, 4\)"),
        (np.zeros((1, 4)), r"actions are float64; the game needs whole numbers 0\.\.2"),
        (np.array([[0, 1, 3, 0]]), r"driver_2 \(agent 2, copy 0\): action 3 is outside 0\.\.2"),
        (np.array([[0, -1, 0, 0]]), r"driver_1 \(agent 1, copy 0\): action -1 is outside"),
    ],
)
def test_actions_that_are_refused(actions: np.ndarray[Any, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        game("congestion", 4).step(actions)
