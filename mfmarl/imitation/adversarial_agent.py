"""What GAIL and AIRL share: rounds of playing, telling steps apart, and learning from what the telling pays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor, nn

from mfmarl.errors import UserError
from mfmarl.imitation.demonstrations import Demonstrations, Transitions
from mfmarl.imitation.ppo import PPO, Played, PPOConfig
from mfmarl.imitation.result import Counts, Result, generator
from mfmarl.imitation.rollout import Collector, MakeEnv, Rollout
from mfmarl.imitation.spaces import Spaces
from mfmarl.model_text import one_line
from mfmarl.seeding import stream


class AdversarialConfig(BaseModel):
    """Settings of adversarial imitation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state_dim: int = Field(ge=1, description="entries of a state")
    action_dim: int = Field(ge=1, description="number of actions, or entries of a continuous one")
    low: tuple[float, ...] = Field((), description="of a continuous action's entries; empty for numbered actions")
    high: tuple[float, ...] = Field((), description="of a continuous action's entries")
    hidden_dims: tuple[int, ...] = Field((256, 256), description="widths of the hidden layers, of all networks")
    policy_lr: float = Field(3e-4, gt=0, le=1, description="learning rate of the policy at the start")
    discriminator_lr: float = Field(3e-4, gt=0, le=1, description="learning rate of the discriminator")
    use_spectral_norm: bool = Field(False, description="weights of the discriminator over their largest singular value")
    gradient_penalty: float = Field(10.0, ge=0, description="weight of (|grad logit| - 1)^2; 0 for none")
    discriminator_steps: int = Field(5, ge=1, description="gradient steps of the discriminator in each round")
    discriminator_batch: int = Field(1024, ge=1, description="steps of each side in one of them")
    label_noise: float = Field(0.0, ge=0, lt=0.5, description="share of demonstrations that count as the policy's")
    dropout: float = Field(0.0, ge=0, lt=1, description="of the discriminator's hidden units")
    weight_decay: float = Field(0.0, ge=0, description="of the discriminator's weights, a gradient step")
    past_rollouts: int = Field(0, ge=0, description="earlier rollouts that the discriminator goes on to see")
    num_envs: int = Field(8, ge=1, le=4096, description="environments played side by side")
    rollout: int = Field(256, ge=1, description="steps of each in one round")
    ppo: PPOConfig = Field(default_factory=PPOConfig, description="of the policy's learning")

    @property
    def spaces(self) -> Spaces:
        """What is seen and done."""
        return Spaces(self.state_dim, self.action_dim, self.low, self.high)


Config = TypeVar("Config", bound=AdversarialConfig)


def checked(model: type[Config], config: Config | Mapping[str, Any]) -> Config:
    """Settings as given, or as a mapping.

    Raises:
        UserError: for a key that there is not, or a value out of range.
    """
    if isinstance(config, model):
        return config
    try:
        return model.model_validate(config)
    except ValidationError as error:
        raise UserError(one_line(error, {}, model.__name__, model)) from None


class AdversarialAgent(ABC, Generic[Config]):
    """A policy, and a network that is paid to tell it from the expert."""

    def __init__(
        self,
        config: Config,
        env: str | MakeEnv | None = None,
        demonstrations: Demonstrations | None = None,
        seed: int = 0,
    ) -> None:
        """Args:
        env, demonstrations: what `train` plays and imitates; `update` and `reward` do without.

        Raises:
            UserError: for demonstrations of other spaces.
        """
        self.config, self.env, self.demonstrations, self.seed = config, env, demonstrations, seed
        if demonstrations is not None:
            demonstrations.check_fits(config.spaces, "the agent")
        self.ppo = PPO(config.spaces, config.ppo, stream(seed, "ppo"), config.hidden_dims, config.policy_lr)
        self.discriminator = self.networks(stream(seed, "discriminator"))
        self.optimiser = torch.optim.Adam(
            self.discriminator.parameters(), config.discriminator_lr, weight_decay=config.weight_decay
        )
        self.generator = generator(stream(seed, "draws"))
        self.counts = Counts(demonstrations=0 if demonstrations is None else demonstrations.steps)

    @abstractmethod
    def networks(self, seed: int) -> nn.Module:
        """What tells steps apart."""

    @abstractmethod
    def loss(self, policy: Played, expert: Played) -> tuple[Tensor, dict[str, Tensor]]:
        """Of telling steps [n] from steps [n], and figures of it."""

    @abstractmethod
    def reward(self, steps: Played) -> Tensor:
        """What each step of the policy is paid: [n]."""

    @abstractmethod
    def seen(self, states: Tensor) -> None:
        """Take states of both sides into the normaliser."""

    @property
    def policy(self) -> nn.Module:
        """The policy's network, an `Actor`."""
        return self.ppo.actor

    def update(self, policy_batch: Played | Transitions, expert_batch: Played | Transitions) -> dict[str, float]:
        """One gradient step of the discriminator on as many steps of each side; figures of it, in nats and shares."""
        policy, expert = self._played(policy_batch), self._played(expert_batch)
        self.discriminator.train()
        loss, figures = self.loss(policy, expert)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self.discriminator.eval()
        return {"discriminator_loss": float(loss.detach()), **{k: float(v.detach()) for k, v in figures.items()}}

    @torch.no_grad()
    def _played(self, batch: Played | Transitions) -> Played:
        """As tensors, with the log-probabilities that the policy of now gives those actions."""
        if isinstance(batch, Played):
            return batch
        states, actions = torch.from_numpy(batch.states), torch.from_numpy(batch.actions)
        log_prob = self.ppo.actor.law(states).log_prob(actions)
        after, ended = torch.from_numpy(batch.next_states), torch.from_numpy(batch.terminated)
        return Played(states, actions, after, log_prob, ended)

    def train(
        self, interactions: int, callback: Callable[[dict[str, Any]], None] | None = None
    ) -> Result:
        """Play and learn for as many steps of the environment; the last round may go beyond them.

        Raises:
            UserError: where the agent has no environment or no demonstrations, or they do not fit each other.
        """
        if self.env is None or self.demonstrations is None:
            raise UserError(f"{type(self).__name__}.train needs env=... and demonstrations=...")
        config = self.config
        collector = Collector(self.env, config.num_envs, stream(self.seed, "play"))
        self.demonstrations.check_fits(collector.spaces, str(self.env))
        expert = self._played(self.demonstrations.transitions)
        self.seen(expert.states)
        rounds = max(1, -(-interactions // (config.rollout * config.num_envs)))
        past: deque[Played] = deque(maxlen=config.past_rollouts + 1)
        history: list[dict[str, Any]] = []
        try:
            for i in range(rounds):
                rollout = collector.collect(lambda s: self.ppo.actor.act(s, self.generator), config.rollout)
                played = self.ppo.played(rollout)
                past.append(played)
                self.seen(played.states)
                figures = self._tell_apart(list(past), expert)
                with torch.no_grad():
                    rewards = self.reward(played)
                before = self.ppo.updates
                figures |= self.ppo.learn(rollout, played, rewards, self.generator, i / rounds)
                self.counts = self.counts.plus(
                    interactions=config.rollout * config.num_envs, updates=self.ppo.updates - before
                )
                row = {"round": i + 1, **_counted(self.counts), **_returns(rollout), **figures}
                history.append(row)
                if callback is not None:
                    callback(row)
        finally:
            collector.close()
        return Result(self.ppo.actor, history, self.counts)

    def _tell_apart(self, past: list[Played], expert: Played) -> dict[str, float]:
        """The discriminator's gradient steps of one round."""
        size, figures = self.config.discriminator_batch, {}
        for _ in range(self.config.discriminator_steps):
            among = past[int(torch.randint(len(past), (), generator=self.generator))]
            number = min(size, len(among.states), len(expert.states))
            own = _rows(among, torch.randint(len(among.states), (number,), generator=self.generator))
            theirs = _rows(expert, torch.randint(len(expert.states), (number,), generator=self.generator))
            figures = self.update(own, self._refreshed(theirs))
        return figures

    def _refreshed(self, steps: Played) -> Played:
        """Demonstrations with the log-probabilities of the policy of now."""
        with torch.no_grad():
            log_prob = self.ppo.actor.law(steps.states).log_prob(steps.actions)
        return Played(steps.states, steps.actions, steps.next_states, log_prob, steps.terminated)


def _rows(steps: Played, rows: Tensor) -> Played:
    return Played(
        steps.states[rows], steps.actions[rows], steps.next_states[rows], steps.log_prob[rows], steps.terminated[rows]
    )


def _counted(counts: Counts) -> dict[str, int]:
    return {
        "demonstrations": counts.demonstrations, "interactions": counts.interactions, "updates": counts.updates
    }  # fmt: skip


def _returns(rollout: Rollout) -> dict[str, float]:
    """Mean reward a step of the environment itself, which no learner sees."""
    return {"env_reward": float(rollout.rewards.mean())}
