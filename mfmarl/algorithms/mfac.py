"""Mean-field actor-critic (Yang et al. 2018) with the clipped surrogate (PPO) and V-trace.

Actor pi(a | s, ā) and critic V(s, ā) are given the mean action that agents have observed, that of the step before:
agents know it when they act, and with the observation it says what the population will do next. Methods mfp and mfap
give them a predicted one in its place, which stands still while an iteration lasts.

One iteration: the newest segments (and older ones, where `replayed` says so) get values, V-trace targets and
advantages with the policies as they are, pi_0; then some epochs of the clipped surrogate around pi_0. An older step
counts by two weights: its own action's truncated ratio pi_0 / mu in the actor's loss, and the drift weight of the
others' actions in both losses. So the clip limits how far the iteration goes, not how old its data may be (the
decoupled surrogate of Hilton et al. 2021).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mfmarl.algorithms.drift import Stored
from mfmarl.algorithms.learner import Learner, Metrics, Setting
from mfmarl.algorithms.mfac_config import MFACConfig
from mfmarl.algorithms.prediction import prediction_loss
from mfmarl.core.laws import ActionLaw, Categorical
from mfmarl.core.losses import weighted_mean
from mfmarl.core.networks import StackedMLP
from mfmarl.core.policy_gradient import clipped_surrogate, explained_variance, kl_estimate, normalised, value_loss
from mfmarl.core.squashed_gaussian import SquashedGaussian
from mfmarl.core.vtrace import vtrace
from mfmarl.errors import TrainingFailed
from mfmarl.network import PolicyNetwork
from mfmarl.policy import load_tensors, module_arrays
from mfmarl.replay import PopulationSample
from mfmarl.rollout import PopulationBatch
from mfmarl.segments import Segments, drawn_segments, joined, newest_segments

NUMBERS = ("action", "log_prob", "advantage", "target", "value", "actor_weight", "critic_weight")


@dataclass(frozen=True)
class Experience:
    """What the losses need of M population steps; all but `inputs` are [M, N] and stand still in the epochs."""

    inputs: Tensor
    """[M, N, D + F]: observation and observed mean action."""
    action: Tensor
    log_prob: Tensor
    """Of the action, under pi_0."""
    advantage: Tensor
    """Normalised in each type."""
    target: Tensor
    """V-trace, in units of the critic's output."""
    value: Tensor
    """The critic's output when the iteration began."""
    actor_weight: Tensor
    """Truncated own-action ratio times drift weight."""
    critic_weight: Tensor
    """Drift weight."""
    played: Tensor | None = None
    """[M, N, F]: the mean action that was played, which predictors learn."""
    predictor_inputs: Tensor | None = None
    """[M, N, D] or [M, N, D + F]"""


@dataclass(frozen=True)
class Rows:
    """R agent steps that share a network."""

    inputs: Tensor
    """[R, D + F]"""
    numbers: Tensor
    """[R, 7]: the `NUMBERS` of `Experience`."""
    played: Tensor | None = None
    """[R, F]: as in `Experience`."""
    predictor_inputs: Tensor | None = None

    def part(self, i: int, size: int) -> Rows:
        """The i-th `size` rows, without copying."""
        cut = slice(i * size, (i + 1) * size)
        columns = (self.inputs, self.numbers, self.played, self.predictor_inputs)
        return Rows(*(None if c is None else c[cut] for c in columns))  # type: ignore[arg-type]


@dataclass(frozen=True)
class LossParts:
    """What the loss is made of, without gradients."""

    actor: Tensor
    critic: Tensor
    kl: Tensor
    """KL(pi_0 || pi), estimated on the stored actions."""
    clipped: Tensor
    """Share of the ratios pi / pi_0 beyond the clip."""


class MFAC(Learner):
    """The learner of mean-field actor-critic."""

    remedy: ClassVar[str] = "lower mfac.learning_rate"

    def __init__(
        self,
        network: PolicyNetwork,
        policy: PolicyNetwork,
        critic: StackedMLP,
        setting: Setting,
        config: MFACConfig,
    ) -> None:
        """Args:
        network: the actors; they are trained in place.
        policy: networks of the same shape that act: the actors as they were at the end of an iteration.
        critic: networks of one output, of the actors' inputs.
        """
        self.critic = critic.to(setting.device)
        super().__init__(
            network,
            policy,
            setting,
            parameters=chain(network.parameters(), critic.parameters()),
            learning_rate=config.learning_rate,
            replay_population_steps=config.replay_population_steps,
        )
        self.config = config
        self.value_offset = torch.zeros(self.types[-1].stop, device=self.device)
        """[N], equal in a type: V = offset + spread x the critic's output, in units of `reward_scale`."""
        # what rewards of spread 1 that know nothing of each other sum up to
        self.value_spread = (1.0 - config.discount**2) ** -0.5
        self._schedule()

    def _schedule(self) -> None:
        """Entropy weight and step size as functions of the share of episodes played."""
        c = self.config
        done = min(1.0, self.share / c.entropy_fraction)
        self.entropy_weight = c.entropy_start + (c.entropy_end - c.entropy_start) * done
        self._set_learning_rate(c.learning_rate, c.learning_rate_end)

    def learn(self, batches: Sequence[PopulationBatch]) -> Metrics:
        """Store the fragments, and improve on the newest steps (and on replayed ones) once there are enough.

        Raises:
            TrainingFailed: where a reward, target or gradient is not finite; nothing was learned from it.
        """
        ordered = self._store(batches)
        metrics: Metrics = {}
        segments = self._segments(ordered[0].action.shape[0])
        warm = self.peers.total(len(self.replay)) >= self.config.warmup_population_steps
        if self.peers.agree(segments is not None) and warm:
            assert segments is not None
            if self.gradient_steps == 0:
                self._fix_reward_scale()
            metrics = self._improve(segments)
            metrics["drift_tv"] = self._drift(segments.steps, ordered)
            with torch.no_grad():
                for acting, online in zip(self.policy.parameters(), self.network.parameters(), strict=True):
                    acting.copy_(online)
            self.policy.version += 1
        self._schedule()
        return metrics | {"entropy_weight": self.entropy_weight}

    def _segments(self, length: int) -> Segments | None:
        """The newest segments and the replayed ones beside them, or None while the replay is too short."""
        newest = newest_segments(self.replay, length)
        if newest is None or not self.config.replayed:
            return newest
        self._debt += self.config.replayed * newest.known.shape[1]
        number = int(self._debt)
        self._debt -= number
        older = drawn_segments(self.replay, length, number, self._rng)
        return newest if older is None else joined([newest, older])

    def values(self, obs: Tensor, seen: Tensor) -> Tensor:
        """V [M, N] in units of `reward_scale`; no gradients."""
        out: Tensor = self.value_offset + self.value_spread * self.critic.infer(obs, seen).squeeze(-1)
        return out

    def experience(self, segments: Segments) -> tuple[Experience, Metrics]:
        """What pi_0, the policies as they are, make of the segments: values, targets, advantages and weights.

        Moves `value_offset` by the mean error of each type's values: the best constant to add, found at once.

        Raises:
            TrainingFailed: where a target is not finite.
        """
        steps, c = segments.steps, self.config
        observed = self.observed(steps)
        seen = self.policy.acted_on(steps.obs, observed)
        law = self.policy.law_of(self.policy.q_values(steps.obs, seen))
        log_prob = law.log_prob(steps.action)
        # equal policies give equal probabilities up to the last bits of a matrix product, which depend on the batch
        same = (steps.version == self.policy.version).unsqueeze(-1)
        ratio = (log_prob - torch.where(same, log_prob, steps.log_prob)).exp()
        weight, bootstrap, metrics = self._drift_weights(law, steps, observed)
        output = self.critic.infer(steps.obs, seen).squeeze(-1)
        value = self.value_offset + self.value_spread * output
        following = self._next_value(law, steps)
        reward = self.scaled(steps.reward)
        shape = segments.known.shape

        def timed(column: Tensor) -> Tensor:
            return column.view(*shape, -1)

        found = vtrace(
            timed(value),
            timed(following * bootstrap),
            timed(reward),
            timed(ratio),
            c.discount * (~steps.terminated.view(shape)).float(),
            segments.continues,
            trace_decay=c.trace_decay,
            ratio_limit=c.ratio_limit,
            trace_limit=c.trace_limit,
        )
        target = found.target.flatten(0, 1)
        if not self.peers.agree(bool(torch.isfinite(target.sum()))):
            raise TrainingFailed(f"a target is not finite in iteration {self.iteration}; {self.remedy}")
        known = segments.known.flatten().nonzero().squeeze(1)
        kept = [x[known] for x in (found.advantage.flatten(0, 1), ratio, weight, value, output, target)]
        advantage, ratio, weight, value, output, target = kept
        actor_weight = weight * ratio.clamp_max(c.ratio_limit)
        metrics |= self._told(value, target, ratio)
        self._move_offset(*(self.peers.gathered(x)[0] for x in (target - value, weight)))
        (advantages, mine), (actor_weights, _) = self.peers.gathered(advantage), self.peers.gathered(actor_weight)
        experience = Experience(
            inputs=torch.cat([steps.obs, seen], -1)[known],
            action=steps.action[known],
            log_prob=log_prob[known],
            advantage=normalised(advantages, actor_weights, self.types)[mine],
            target=(target - self.value_offset) / self.value_spread,
            value=output,
            actor_weight=actor_weight,
            critic_weight=weight,
        )
        if self.policy.predictor is not None:
            given = torch.cat(self.policy.predictor_inputs(steps.obs, observed), -1)[known]
            played = self.mean_field.of(steps.action)[known]
            experience = replace(experience, played=played, predictor_inputs=given)
        return experience, metrics

    def _drift_weights(
        self, law: ActionLaw, steps: PopulationSample, observed: Tensor
    ) -> tuple[Tensor, Tensor, Metrics]:
        """Weights of the losses and of the next values [M, N]."""
        ones = torch.ones_like(steps.reward)
        if not self.corrected:
            return ones, ones, {"weight_mean": 1.0, "weight_max": 1.0, "ess": 1.0}
        found, metrics = self.drift.weights(law, Stored.here(steps, observed), self.policy)
        acts_on = self.drift.config.acts_on
        return ones if acts_on == "bootstrap" else found, ones if acts_on == "loss" else found, metrics

    def _next_value(self, law: ActionLaw, steps: PopulationSample) -> Tensor:
        """V(s', ā) [M, N] at the mean action that agents observe there: the one played here, or recomputed."""
        if not self.fresh:
            played = self.mean_field.of(steps.action)
            return self.values(steps.next_obs, self.policy.acted_on(steps.next_obs, played))
        draws = self.drift.config.fresh_samples
        if draws == 0:
            return self.values(steps.next_obs, self._expected(law))
        generator = torch.Generator().manual_seed(int(self._rng.integers(2**62)))
        means = (self.mean_field.of(law.sample(generator)) for _ in range(draws))
        return torch.stack([self.values(steps.next_obs, mean) for mean in means]).mean(0)

    def _expected(self, law: ActionLaw) -> Tensor:
        """The mean action to be expected under the current laws: [M, N, F]."""
        if isinstance(law, Categorical):
            return self.mean_field.expected(law.probs)
        assert isinstance(law, SquashedGaussian)
        return self.mean_field.of(law.mean_action())

    def _told(self, value: Tensor, target: Tensor, ratio: Tensor) -> Metrics:
        metrics = {
            "value_mean": float((target * self.reward_scale).mean()),
            "td_abs": float((target - value).abs().mean()),
            "ratio_mean": float(ratio.mean()),
            "ratio_max": float(ratio.max()),
        }
        explained = [explained_variance(value[:, agents], target[:, agents]) for agents in self.types]
        told = [e for e in explained if e is not None]
        # without any spread of the targets there is nothing to explain, and no figure
        return metrics | ({"explained_variance": sum(told) / len(told)} if told else {})

    def _move_offset(self, error: Tensor, weight: Tensor) -> None:
        for agents in self.types:
            mine = weight[:, agents]
            if float(mine.sum()) > 0:
                self.value_offset[agents] += weighted_mean(error[:, agents], mine)

    def rows(self, experience: Experience, order: Tensor) -> list[Rows]:
        """Population steps in this order as contiguous rows of each network: a minibatch of steps is a view of them."""
        numbers = torch.stack([getattr(experience, name).to(experience.inputs.dtype) for name in NUMBERS], -1)
        by_type = self.network.mlp.by_type
        columns = [by_type(experience.inputs[order]), by_type(numbers[order])]
        if experience.played is not None and experience.predictor_inputs is not None:
            columns += [by_type(experience.played[order]), by_type(experience.predictor_inputs[order])]
        return [Rows(*parts) for parts in zip(*columns, strict=True)]

    def loss(self, rows: Sequence[Rows]) -> tuple[Tensor, LossParts]:
        """Clipped surrogate + squared error of the values (and of predictions) - entropy, weighted means over rows."""
        inputs = [r.inputs for r in rows]
        law = self.network.law_of(torch.cat(self.network.mlp.forward_types(inputs)))
        value = torch.cat(self.critic.forward_types(inputs)).squeeze(-1)
        numbers = torch.cat([r.numbers for r in rows])
        action, before, advantage, target, old, actor_weight, critic_weight = numbers.unbind(-1)
        log_ratio = law.log_prob(action) - before
        count = action.numel()
        actor = weighted_mean(clipped_surrogate(log_ratio, advantage, self.config.clip), actor_weight, count)
        clip = self.config.value_clip
        errors = value_loss(value, target, old, None if clip is None else clip / self.value_spread)
        critic = weighted_mean(errors, critic_weight, count)
        entropy = weighted_mean(law.entropy(), critic_weight, count)
        with torch.no_grad():
            kl = kl_estimate(log_ratio).mean()
            clipped = ((log_ratio.exp() - 1.0).abs() > self.config.clip).float().mean()
        total = actor + critic - self.entropy_weight * entropy
        if self.network.predictor is not None:
            given = [r.predictor_inputs for r in rows if r.predictor_inputs is not None]
            played = torch.cat([r.played for r in rows if r.played is not None])
            total = total + prediction_loss(self.network, given, played, critic_weight, count)
        return total, LossParts(actor.detach(), critic.detach(), kl, clipped)

    def _improve(self, segments: Segments) -> Metrics:
        """Some epochs of gradient steps."""
        experience, metrics = self.experience(segments)
        count = experience.action.shape[0]
        parts = max(1, self.peers.least(count) * self.peers.number // self.config.batch_population_steps)
        size = count // parts
        losses: list[Tensor] = []
        told: list[LossParts] = []
        for _ in range(self.config.epochs):
            order = torch.from_numpy(self._rng.permutation(count)).to(self.device)
            rows = self.rows(experience, order)
            per_step = [r.numbers.shape[0] // count for r in rows]
            for i in range(parts):
                loss, of_which = self.loss([r.part(i, size * n) for r, n in zip(rows, per_step, strict=True)])
                self._descend(loss, self.config.max_grad_norm)
                losses.append(loss.detach())
                told.append(of_which)
        last = told[-parts:]
        return metrics | {
            "loss": _mean(losses),
            "loss_actor": _mean([t.actor for t in told]),
            "loss_critic": _mean([t.critic for t in told]),
            "kl": _mean([t.kl for t in last]),
            "clip_share": _mean([t.clipped for t in last]),
        }

    def get_state(self) -> tuple[dict[str, dict[str, NDArray[Any]]], dict[str, Any]]:
        """As every learner's, with the critic."""
        tensors, state = super().get_state()
        tensors["critic"] = module_arrays(self.critic)
        tensors["scale"]["value_offset"] = self.value_offset.cpu().numpy().copy()
        return tensors, state

    def set_state(self, tensors: Any, state: Any) -> None:
        """Take back what `get_state` gave; training then goes on bit for bit."""
        load_tensors(self.critic, tensors["critic"])
        self.value_offset = torch.from_numpy(np.array(tensors["scale"]["value_offset"])).to(self.device)
        super().set_state(tensors, state)


def _mean(numbers: Sequence[Tensor]) -> float:
    return float(torch.stack(list(numbers)).mean())
