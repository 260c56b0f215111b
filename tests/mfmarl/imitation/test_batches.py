"""Too little data make batches smaller, which is told once in a training, by every method that learns from batches."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch

from mfmarl.imitation import AIRLAgent, BCAgent, DAggerAgent, GAILAgent, MEGADAggerAgent
from mfmarl.imitation.batches import Batches
from mfmarl.imitation.demonstrations import Demonstrations
from mfmarl.imitation.rollout import episodes, spaces_of
from mfmarl.imitation.steps import Steps
from tests.mfmarl.imitation.walk import LENGTH, Walk, expert

SPACES: dict[str, Any] = {"state_dim": 2, "action_dim": 2, "hidden_dims": (4,)}
ASKING = {**SPACES, "updates": 2, "batch_size": 100}
ADVERSARIAL = {**SPACES, "num_envs": 2, "rollout": LENGTH, "ppo": {"epochs": 1, "minibatch": 4}}
WORLD = {"members": 2, "hidden_dims": (4,), "updates": 2}


def told(train: Callable[[], object]) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        train()
    return sorted(str(one.message) for one in caught if "fewer than" in str(one.message))


def shown(number: int) -> Demonstrations:
    return Demonstrations.from_episodes(episodes(Walk, expert, number, 0), spaces_of(Walk))


def test_cloning() -> None:
    agent = BCAgent({**SPACES, "batch_size": 7}, shown(1))
    why = "6 labelled steps are fewer than batch_size 7; batches have 6"
    assert [told(lambda: agent.train(2)) for _ in range(2)] == [[why], [why]]
    assert told(lambda: BCAgent({**SPACES, "batch_size": 6}, shown(1)).train(2)) == []


def test_methods_that_ask_tell_of_their_first_round() -> None:
    agent = DAggerAgent(ASKING, Walk, expert)
    assert told(lambda: agent.train(3 * LENGTH)) == ["6 labelled steps are fewer than batch_size 100; batches have 6"]
    assert len(told(lambda: agent.train(4 * LENGTH))) == 1


def test_world_models() -> None:
    agent = MEGADAggerAgent({**SPACES, "updates": 2, "batch_size": 4, "tau": 0.0, "world": WORLD}, Walk, expert)
    why = ["6 labelled steps are fewer than world.batch_size 64; batches have 6"]
    assert told(lambda: agent.train(3 * LENGTH)) == why


@pytest.mark.parametrize("method", [GAILAgent, AIRLAgent])
@pytest.mark.parametrize(
    ("config", "demonstrations", "why"),
    [
        ({}, 1, []),
        ({"discriminator_batch": 9}, 1, ["6 demonstrated steps are fewer than discriminator_batch 9; batches have 6"]),
        (
            {"discriminator_batch": 13},
            3,
            ["12 steps of a rollout are fewer than discriminator_batch 13; batches have 12"],
        ),
        (
            {"ppo": {"epochs": 2, "minibatch": 13}, "discriminator_batch": 6},
            1,
            ["12 steps of a rollout are fewer than ppo.minibatch 13; batches have 12"],
        ),
        ({"discriminator_batch": 12}, 2, []),
    ],
)
def test_adversarial_methods(method: Any, config: dict[str, Any], demonstrations: int, why: list[str]) -> None:
    agent = method(ADVERSARIAL | config, Walk, shown(demonstrations))
    assert told(lambda: agent.train(2 * 2 * LENGTH)) == why


@pytest.mark.parametrize(("own", "expert_steps", "number"), [(2000, 1500, 1024), (2000, 900, 900), (800, 900, 800)])
def test_a_batch_that_was_not_asked_for_is_as_large_as_the_data_let_it(
    own: int, expert_steps: int, number: int
) -> None:
    agent = GAILAgent(SPACES)
    sides = [
        Steps(torch.zeros(n, 2), torch.zeros(n, dtype=torch.long), torch.zeros(n, 2), torch.zeros(n, dtype=torch.bool))
        for n in (own, expert_steps)
    ]
    agent.past.append(sides[0])
    drawn: list[Steps] = []
    assert told(lambda: drawn.extend(agent.drawn(sides[1]))) == []
    assert [len(side) for side in drawn] == [number, number]


def test_each_setting_is_told_of_until_forgotten() -> None:
    batches = Batches()
    assert told(lambda: [batches.size(9, n, "a", "steps") for n in (9, 3, 2)]) == [
        "3 steps are fewer than a 9; batches have 3"
    ]
    assert told(lambda: batches.size(9, 1, "b", "steps")) == ["1 steps are fewer than b 9; batches have 1"]
    batches.forget()
    assert len(told(lambda: batches.size(9, 2, "a", "steps"))) == 1
