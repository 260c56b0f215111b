"""Proximal policy optimisation (Schulman et al. 2017), as the inner loop of adversarial imitation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from mfmarl.core.policy_gradient import clipped_surrogate, kl_estimate, value_loss
from mfmarl.core.vtrace import vtrace
from mfmarl.imitation.networks import Activation, Actor, Critic
from mfmarl.imitation.rollout import Rollout
from mfmarl.imitation.spaces import Spaces
from mfmarl.seeding import stream


class PPOConfig(BaseModel):
    """Settings of the policy's learning."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    activation: Activation = Field("tanh", description="between the layers")
    anneal: bool = Field(True, description="the learning rate falls to 0 over the interactions planned")
    discount: float = Field(0.99, ge=0, le=1, description="gamma")
    trace_decay: float = Field(0.95, ge=0, le=1, description="lambda of the generalised advantages")
    clip: float = Field(0.2, gt=0, description="how far the ratio of probabilities may leave 1")
    entropy: float = Field(0.0, ge=0, description="weight of the entropy bonus, in nats")
    value_weight: float = Field(0.5, ge=0, description="of the critic's loss")
    epochs: int = Field(10, ge=1, description="passes over a rollout")
    minibatch: int = Field(256, ge=1, description="steps of one gradient step")
    max_grad_norm: float = Field(0.5, gt=0, description="gradients are scaled down to it")
    log_std: float = Field(-0.5, description="ln std of continuous actions at the start, in halves of their range")


@dataclass(frozen=True)
class Played:
    """A rollout as tensors, flat: n = T B steps, in order of time."""

    states: Tensor
    """[n, D]"""
    actions: Tensor
    """[n] or [n, A]"""
    next_states: Tensor
    """[n, D]"""
    log_prob: Tensor
    """[n], of these actions under the policy that played them."""
    terminated: Tensor
    """[n], bool."""


class PPO:
    """Actor, critic and their optimiser."""

    def __init__(
        self, spaces: Spaces, config: PPOConfig, seed: int, hidden: Sequence[int] = (64, 64), policy_lr: float = 3e-4
    ) -> None:
        self.config, self.policy_lr = config, policy_lr
        self.actor = Actor(
            spaces, hidden, stream(seed, "actor"), activation=config.activation, log_std=config.log_std
        )
        self.critic = Critic(self.actor.norm, hidden, stream(seed, "critic"), activation=config.activation)
        self._parameters = [*self.actor.parameters(), *self.critic.net.parameters()]
        self.optimiser = torch.optim.Adam(self._parameters, policy_lr, eps=1e-5)
        self.updates = 0
        """Gradient steps so far."""

    @torch.no_grad()
    def played(self, rollout: Rollout) -> Played:
        """A rollout as tensors, with the probabilities that it was drawn by: the normaliser has not taken it in yet."""
        states = torch.from_numpy(rollout.states).flatten(0, 1)
        actions = torch.from_numpy(rollout.actions).flatten(0, 1)
        log_prob = self.actor.law(states).log_prob(actions)
        return Played(
            states,
            actions,
            torch.from_numpy(rollout.next_states).flatten(0, 1),
            log_prob,
            torch.from_numpy(rollout.terminated).flatten(),
        )

    def learn(
        self, rollout: Rollout, played: Played, rewards: Tensor, generator: torch.Generator, progress: float = 0.0
    ) -> dict[str, float]:
        """One round of gradient steps on rewards [n]; `progress` is the share of the planned interactions that is over.

        A truncated episode's last step is worth what the critic says of its true successor; a terminated one's nothing.
        """
        config = self.config
        T, B = rollout.rewards.shape
        self.actor.norm.update(played.states)
        with torch.no_grad():
            # probabilities of now, as the normaliser has moved
            before = self.actor.law(played.states).log_prob(played.actions)
            value = self.critic(played.states)
            next_value = self.critic(played.next_states)
            ended = played.terminated | torch.from_numpy(rollout.truncated).flatten()
            traced = vtrace(
                value.view(T, B, 1),
                next_value.view(T, B, 1),
                rewards.view(T, B, 1).to(value.dtype),
                torch.ones(T, B, 1),
                (config.discount * (~played.terminated).to(value.dtype)).view(T, B),
                (~ended).view(T, B),
                trace_decay=config.trace_decay,
            )
            advantage, target = traced.advantage.flatten(), traced.target.flatten()
            advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
        for group in self.optimiser.param_groups:
            group["lr"] = self.policy_lr * ((1.0 - progress) if config.anneal else 1.0)
        told = _Means()
        for _ in range(config.epochs):
            for rows in torch.randperm(T * B, generator=generator).split(config.minibatch):  # type: ignore[no-untyped-call]
                law = self.actor.law(played.states[rows])
                log_ratio = law.log_prob(played.actions[rows]) - before[rows]
                surrogate = clipped_surrogate(log_ratio, advantage[rows], config.clip).mean()
                critic = value_loss(self.critic(played.states[rows]), target[rows]).mean()
                entropy = law.entropy().mean()
                loss = surrogate + config.value_weight * critic - config.entropy * entropy
                self.optimiser.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(self._parameters, config.max_grad_norm)
                self.optimiser.step()
                self.updates += 1
                told.add(value_loss=critic, entropy=entropy, kl=kl_estimate(log_ratio.detach()).mean())
        return told.means()


class _Means:
    """Means of figures, fetched once at the end."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.number = 0

    def add(self, **figures: Tensor) -> None:
        self.number += 1
        for name, figure in figures.items():
            self.sums[name] = self.sums.get(name, torch.zeros(())) + figure.detach()

    def means(self) -> dict[str, float]:
        return {name: float(total) / self.number for name, total in self.sums.items()}


def train_ppo(
    ppo: PPO,
    collect: Callable[[], Rollout],
    reward: Callable[[Played, Rollout], Tensor],
    rounds: int,
    generator: torch.Generator,
    callback: Callable[[int, Rollout, dict[str, float]], None] | None = None,
) -> None:
    """Rounds of playing, rewarding and learning."""
    for i in range(rounds):
        rollout = collect()
        played = ppo.played(rollout)
        figures = ppo.learn(rollout, played, reward(played, rollout), generator, i / rounds)
        if callback is not None:
            callback(i, rollout, figures)
