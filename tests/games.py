"""Small population games with known answers, for tests of what learns."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from envs.one_shot import OneShotGame
from envs.one_shot.identity import Identity, IdentityConfig
from envs.population import Step, type_slices
from mfmarl.algorithms.methods import PREDICTORS
from mfmarl.algorithms.mfq import MFQ
from mfmarl.algorithms.mfq_config import MFQConfig
from mfmarl.core.importance_config import ImportanceConfig
from mfmarl.network import NetworkShape, PolicyNetwork, types_of
from mfmarl.rollout import Rollout


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
        config=config,
        method=method,  # type: ignore[arg-type]
        importance=importance or ImportanceConfig(),
        num_episodes=num_episodes,
        seed=seed,
    )
    rollout = Rollout(
        game, learner.policy, discount=config.discount, env_seed=seed, action_seed=seed,
        keep_log_probs=learner.drift.config.needs_laws,
    )  # fmt: skip
    return rollout, learner
