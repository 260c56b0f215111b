"""Proximal policy optimisation (Schulman et al. 2017), as the inner loop of adversarial imitation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from mfmarl.core.policy_gradient import clipped_surrogate, kl_estimate, value_loss
from mfmarl.core.vtrace import VTrace, vtrace
from mfmarl.errors import TrainingFailed
from mfmarl.imitation.batches import Batches
from mfmarl.imitation.networks import Activation, Actor, Critic
from mfmarl.imitation.rollout import Rollout
from mfmarl.imitation.spaces import Spaces
from mfmarl.imitation.steps import Steps
from mfmarl.seeding import stream


class PPOConfig(BaseModel):
    """Settings of the policy's learning."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    activation: Activation = Field("tanh", description="between the layers")
    anneal: bool = Field(True, description="the learning rate falls to 0 over the interactions planned")
    discount: float = Field(0.99, ge=0, le=1, description="gamma")
    trace_decay: float = Field(0.95, ge=0, le=1, description="lambda of the generalised advantages")
    clip: float = Field(0.2, gt=0, description="how far the ratio of probabilities may leave 1")
    entropy: float = Field(0.0, ge=0, description="weight of the entropy bonus, in nats")
    value_weight: float = Field(0.5, ge=0, description="of the critic's loss")
    reward_scale: float = Field(
        0.1, gt=0, description="rewards are learnt from times this; fixed, as a batch's own scale would amplify noise"
    )
    epochs: int = Field(10, ge=1, description="passes over a rollout")
    minibatch: int = Field(256, ge=1, description="steps of one gradient step")
    max_grad_norm: float = Field(0.5, gt=0, description="gradients are scaled down to it")
    log_std: float = Field(-0.5, description="ln std of continuous actions at the start, in halves of their range")


def advantages(
    value: Tensor, next_value: Tensor, rewards: Tensor, rollout: Rollout, discount: float, trace_decay: float
) -> VTrace:
    """Generalised advantages and lambda-returns, [T, B, 1], of values and rewards of a rollout's steps [T B].

    A truncated episode's last step is worth what the critic says of its true successor; a terminated one's nothing.
    """
    T, B = rollout.rewards.shape
    terminated, truncated = torch.from_numpy(rollout.terminated), torch.from_numpy(rollout.truncated)
    return vtrace(
        value.view(T, B, 1),
        next_value.view(T, B, 1),
        rewards.view(T, B, 1).to(value.dtype),
        torch.ones(T, B, 1, dtype=value.dtype),
        discount * (~terminated).to(value.dtype),
        ~(terminated | truncated),
        trace_decay=trace_decay,
    )


class PPO:
    """Actor, critic and their optimiser."""

    def __init__(
        self, spaces: Spaces, config: PPOConfig, seed: int, hidden: Sequence[int] = (64, 64), policy_lr: float = 3e-4
    ) -> None:
        self.config, self.policy_lr = config, policy_lr
        self.actor = Actor(spaces, hidden, stream(seed, "actor"), activation=config.activation, log_std=config.log_std)
        self.critic = Critic(self.actor.norm, hidden, stream(seed, "critic"), activation=config.activation)
        self.parameters = [*self.actor.parameters(), *self.critic.net.parameters()]
        self.optimiser = torch.optim.Adam(self.parameters, policy_lr, eps=1e-5, fused=True)
        self.batches = Batches()
        self.updates = 0
        """Gradient steps so far."""

    @torch.no_grad()
    def with_log_prob(self, steps: Steps) -> Steps:
        """With what the policy of now thinks of the actions."""
        return replace(steps, log_prob=self.actor.law(steps.states).log_prob(steps.actions))

    def learn(
        self, rollout: Rollout, steps: Steps, rewards: Tensor, generator: torch.Generator, progress: float = 0.0
    ) -> dict[str, float]:
        """One round of gradient steps on rewards [n] of a rollout's steps; then the normaliser takes their states in.

        Args:
            steps: with the log-probabilities that they were drawn by.
            progress: the share of the planned interactions that is over.
        """
        config = self.config
        with torch.no_grad():
            states = self.actor.norm(steps.states)
            value, after = self.critic(torch.cat([steps.states, steps.next_states])).chunk(2)
            paid = config.reward_scale * rewards
            traced = advantages(value, after, paid, rollout, config.discount, config.trace_decay)
            advantage, target = traced.advantage.flatten(), traced.target.flatten()
            advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
        for group in self.optimiser.param_groups:
            group["lr"] = self.policy_lr * ((1.0 - progress) if config.anneal else 1.0)
        size = self.batches.size(config.minibatch, len(steps), "ppo.minibatch", "steps of a rollout")
        told: list[Tensor] = []
        for epoch in range(config.epochs):
            order = torch.randperm(len(steps), generator=generator)
            columns = (states, steps.actions, steps.known_log_prob, advantage, target)
            for x, action, before, better, worth in zip(
                *(column[order].split(size) for column in columns), strict=True
            ):
                law = self.actor.law_of(x)
                log_ratio = law.log_prob(action) - before
                critic = value_loss(self.critic.net(x).squeeze(-1), worth).mean()
                loss = clipped_surrogate(log_ratio, better, config.clip).mean() + config.value_weight * critic
                if config.entropy:
                    loss = loss - config.entropy * law.entropy().mean()
                self.optimiser.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                norm = torch.nn.utils.clip_grad_norm_(self.parameters, config.max_grad_norm, foreach=True)
                if not math.isfinite(norm.item()):
                    raise TrainingFailed(
                        f"the gradient of PPO's step {self.updates + 1} is not finite; it was not taken: lower "
                        "policy_lr, or ppo.reward_scale"
                    )
                self.optimiser.step()
                self.updates += 1
                if epoch == config.epochs - 1:
                    with torch.no_grad():
                        told.append(torch.stack([critic, law.entropy().mean(), kl_estimate(log_ratio).mean()]))
        self.actor.norm.update(steps.states)
        figures = torch.stack(told).mean(0).tolist()
        return dict(zip(("value_loss", "entropy", "kl"), figures, strict=True))
