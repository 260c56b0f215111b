"""The survival probe: what an imitator of a random policy gets, where only living on is worth anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfmarl.imitation.adversarial_agent import AdversarialAgent
from mfmarl.imitation.demonstrations import Demonstrations
from mfmarl.imitation.result import generator
from mfmarl.imitation.rollout import Act, MakeEnv, episodes, spaces_of
from mfmarl.imitation.spaces import Spaces
from mfmarl.seeding import stream

EPISODES = 20


def random_actions(spaces: Spaces, seed: int) -> Act:
    """Every action alike, whatever the state."""
    rng = np.random.default_rng(seed)

    def act(states: NDArray[np.float32]) -> NDArray[Any]:
        if spaces.continuous:
            drawn = rng.uniform(spaces.low, spaces.high, (len(states), spaces.action_dim))
            return drawn.astype(np.float32)
        return rng.integers(spaces.action_dim, size=len(states))

    return act


def survival_probe(
    method: type[AdversarialAgent[Any]],
    config: Mapping[str, Any],
    interactions: int,
    seed: int = 0,
    env: str | MakeEnv = "CartPole-v1",
    demonstrations: int = 50,
) -> float:
    """Mean return of sampled play after imitating episodes of a random policy, on a task that pays 1 for each step.

    A method that imitates gets what a random policy gets, 22 on CartPole; one whose reward pays for survival goes on
    to balance the pole, and then a good return with good demonstrations says nothing of imitation.
    """
    spaces = spaces_of(env)
    shown = episodes(env, random_actions(spaces, stream(seed, "random")), demonstrations, stream(seed, "shown"))
    agent = method(config, env, Demonstrations.from_episodes(shown, spaces, str(env)), seed)
    agent.train(interactions)
    drawn = generator(stream(seed, "probe"))
    played = episodes(env, lambda states: agent.policy.act(states, drawn), EPISODES, stream(seed, "judged"))
    return float(np.mean([episode.rewards.sum() for episode in played]))
