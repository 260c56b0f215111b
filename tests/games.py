"""Small population games with known answers, for tests of what learns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from envs.one_shot import OneShotGame
from envs.one_shot.identity import Identity, IdentityConfig
from envs.population import Step, type_slices
from mfmarl.algorithms.learner import Setting
from mfmarl.algorithms.methods import PREDICTORS
from mfmarl.algorithms.mfac import MFAC
from mfmarl.algorithms.mfac_config import MFACConfig
from mfmarl.algorithms.mfq import MFQ
from mfmarl.algorithms.mfq_config import MFQConfig
from mfmarl.core.importance_config import ImportanceConfig
from mfmarl.network import NetworkShape, PolicyNetwork, types_of
from mfmarl.rollout import Rollout
from mfmarl.trainer import make_critic


class MatchingGame(OneShotGame):
    """The identity game of `envs.one_shot`, whose last agent of copy 0 can be given a faulty reward."""

    def __init__(
        self, num_envs: int = 4, num_agents: int = 6, num_actions: int = 3, length: int = 5, crowding: float = 0.0
    ) -> None:
        config = IdentityConfig(num_actions=num_actions, crowding=crowding, horizon=length)
        super().__init__(Identity(config, num_agents), horizon=length, num_envs=num_envs, seed=0)
        self.num_actions = num_actions
        self.fault: float | None = None

    def step(self, actions: NDArray[Any]) -> Step:
        step = super().step(actions)
        if self.fault is not None:
            step.reward[0, -1] = self.fault
        return step


class AimingGame(MatchingGame):
    """The matching game with actions in [0, 1]: reward 1 less four times the squared distance to a target on a grid.

    With 3 targets they are 0, 1/2 and 1; type 1 must aim at 1 less its target.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.action_space = gym.spaces.Box(0.0, 1.0, (), np.float32)
        self.mean_action_space = gym.spaces.Box(0.0, 1.0, (1,), np.float32)

    def reset(self, seed: int | Sequence[int] | None = None) -> Step:
        step = super().reset(seed)
        return replace(step, mean_action=step.mean_action[..., :1])

    def step(self, actions: NDArray[Any]) -> Step:
        actions = np.asarray(actions, np.float32)
        aim = self._signals / np.float32(self.num_actions - 1)
        aim = np.where(self.agent_types == 1, 1 - aim, aim)
        reward = 1 - 4 * (actions - aim) ** 2
        # the discrete game draws what comes next
        step = super().step(np.zeros(actions.shape, np.int64))
        mean = (actions.sum(1, keepdims=True) - actions) / np.float32(self.num_agents - 1)
        mean[step.truncated] = 0
        return replace(step, reward=reward.astype(np.float32), mean_action=mean[..., None])


def make_actors(
    game: MatchingGame,
    method: str = "mf",
    seed: int = 0,
    num_episodes: int = 400,
    importance: ImportanceConfig | None = None,
    **mfac: Any,
) -> tuple[Rollout, MFAC]:
    """A sampler and an actor-critic learner on `game`; the sampler acts with the learner's own acting networks."""
    small = {"warmup_population_steps": 40, "discount": 0.5, "learning_rate": 3e-3, "hidden": (32, 32)}
    config = MFACConfig(**(small | mfac))
    discrete = isinstance(game.action_space, gym.spaces.Discrete)
    shape = NetworkShape(
        types_of(type_slices(game.agent_types)),
        game.num_actions,
        game.num_actions if discrete else None,
        config.hidden,
        law="softmax" if discrete else "squashed_gaussian",
        predictor=PREDICTORS.get(method, "none"),
        mean_action="none" if method == "independent" else "one_hot" if discrete else "scalar",
    )
    learner = MFAC(
        PolicyNetwork(shape, seed),
        PolicyNetwork(shape, seed),
        make_critic(shape, seed + 1),
        Setting(method, importance or ImportanceConfig(), num_episodes, seed),  # type: ignore[arg-type]
        config,
    )
    return Rollout(game, learner.policy, discount=config.discount, env_seed=seed, action_seed=seed), learner


def make_pair(
    game: MatchingGame, method: str = "mf", seed: int = 0, num_episodes: int = 400, *,
    importance: ImportanceConfig | None = None, **mfq: Any
) -> tuple[Rollout, MFQ]:
    """A sampler and a learner on `game`; the sampler acts with the learner's own averaged networks."""
    config = MFQConfig(**({"warmup_population_steps": 40, "discount": 0.5} | mfq))
    types = type_slices(game.agent_types)

    shape = NetworkShape(
        types_of(types),
        game.num_actions,
        game.num_actions,
        config.hidden,
        predictor=PREDICTORS.get(method, "none"),
        mean_action="none" if method == "independent" else "one_hot",
    )

    def network() -> PolicyNetwork:
        return PolicyNetwork(shape, seed)

    learner = MFQ(
        network(),
        network(),
        Setting(method, importance or ImportanceConfig(), num_episodes, seed),  # type: ignore[arg-type]
        config,
    )
    rollout = Rollout(
        game, learner.policy, discount=config.discount, env_seed=seed, action_seed=seed,
        keep_log_probs=learner.drift.config.needs_laws,
    )  # fmt: skip
    return rollout, learner
