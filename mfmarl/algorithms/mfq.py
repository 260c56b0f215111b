"""Mean-field Q-learning (Yang et al. 2018) with corrections for the drift of the mean action.

The policies act by an average of the networks over iterations, which also gives the targets: averaging slows the
policies down against the noise of the last gradient steps, so that drift ratios keep their effective sample size.

One iteration: store the fragments; draw S x M population steps; compute their drift weights and targets in large
batches with the networks as they are; take S fused gradient steps; move the averages. S follows from
`gradient_steps_per_step`, so the ratio of learning to sampling does not depend on the fragment's length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from mfmarl.algorithms.drift import Stored
from mfmarl.algorithms.learner import Learner, Metrics, Setting
from mfmarl.algorithms.mfq_config import MFQConfig
from mfmarl.algorithms.prediction import prediction_loss
from mfmarl.core.laws import Categorical
from mfmarl.core.losses import td_loss, weighted_mean
from mfmarl.core.td_gradient import TDGradient, TDSteps
from mfmarl.core.value import mean_field_target, mean_field_value
from mfmarl.errors import TrainingFailed
from mfmarl.network import PolicyNetwork
from mfmarl.replay import PopulationSample
from mfmarl.rollout import PopulationBatch


@dataclass(frozen=True)
class Rows:
    """What the loss needs of R agent steps that share a network."""

    inputs: Tensor
    """[R, D + F]: observation and mean action."""
    action: Tensor
    """int64 [R, 1]"""
    target: Tensor
    """[R]"""
    weight: Tensor
    """[R]"""
    played: Tensor | None = None
    """[R, F]: the mean action that was played, which predictors learn."""
    predictor_inputs: Tensor | None = None
    """[R, D] or [R, D + F]"""

    def part(self, i: int, parts: int) -> Rows:
        """The i-th of `parts` equal parts, without copying."""
        n = self.target.shape[0] // parts
        cut = slice(i * n, (i + 1) * n)
        predicted = None if self.played is None else self.played[cut]
        seen = None if self.predictor_inputs is None else self.predictor_inputs[cut]
        return Rows(self.inputs[cut], self.action[cut], self.target[cut], self.weight[cut], predicted, seen)


@dataclass(frozen=True)
class Target:
    """What Q is regressed on."""

    value: Tensor
    """[M, N]: reward + discount v(next), in units of `reward_scale`."""
    weight: Tensor
    """[M, N]: of the squared errors."""
    metrics: Metrics


class MFQ(Learner):
    """The learner of mean-field Q."""

    remedy: ClassVar[str] = "lower mfq.learning_rate"

    def __init__(
        self,
        network: PolicyNetwork,
        policy: PolicyNetwork,
        setting: Setting,
        config: MFQConfig,
    ) -> None:
        """Args:
        network: the online networks; they are trained in place.
        policy: networks of the same shape that are to hold the average of the online ones: they act, and give targets.
        """
        super().__init__(
            network,
            policy,
            setting,
            parameters=network.parameters(),
            learning_rate=config.learning_rate,
            replay_population_steps=config.replay_population_steps,
        )
        self.config = config
        # predictors stand in for what is being played, so Q is a function of that
        self.observed_q = config.conditioning == "observed" and network.predictor is None
        self._compiled: TDGradient | None = None
        if network.predictor is None and network.mlp.compiled(self.flat):
            layers, mlp = len(network.mlp.weights), network.mlp
            self._compiled = TDGradient(
                *mlp.stacked(), self.slopes[:layers], self.slopes[layers:], mlp.types, huber=config.huber
            )
        self._schedule()

    def _schedule(self) -> None:
        """Temperature, exploration and step size as functions of the share of episodes played."""
        c = self.config
        cooled = min(1.0, self.share / c.temperature_fraction)
        temperature = c.temperature_start * (c.temperature_end / c.temperature_start) ** cooled
        for network in (self.network, self.policy):
            network.temperature.fill_(temperature)
            network.epsilon.fill_(c.epsilon_start + (c.epsilon_end - c.epsilon_start) * cooled)
        self._set_learning_rate(c.learning_rate, c.learning_rate_end)

    def learn(self, batches: Sequence[PopulationBatch]) -> Metrics:
        """Store the fragments (in the order of their runners), take the gradient steps they are due, and cool.

        Raises:
            TrainingFailed: where a reward, target, loss or gradient is not finite; nothing was learned from it.
        """
        ordered = self._store(batches)
        metrics: Metrics = {}
        warm = self.peers.total(len(self.replay)) >= self.config.warmup_population_steps
        if self.peers.agree(self.replay.drawable) and warm:
            if self.gradient_steps == 0:
                self._fix_reward_scale()
            played = self.peers.total(sum(b.action.shape[0] for b in ordered))
            self._debt += self.config.gradient_steps_per_step * played
            steps = int(self._debt)
            self._debt -= steps
            if steps:
                metrics = self._gradient_steps(steps, ordered)
        before = float(self.policy.temperature), float(self.policy.epsilon)
        self._schedule()
        if metrics or (float(self.policy.temperature), float(self.policy.epsilon)) != before:
            self.policy.version += 1
        metrics["temperature"] = float(self.network.temperature)
        if self.config.epsilon_start or self.config.epsilon_end:
            metrics["epsilon"] = float(self.network.epsilon)
        return metrics

    def targets(self, sample: PopulationSample, observed: Tensor, played: Tensor) -> Target:
        """Targets and weights of a sample under the current policies.

        Args:
            observed, played: [M, N, F], mean actions of the step before and of the step itself.
        """
        law = None
        if self.corrected or (self.fresh and self.observed_q):
            law = self.policy_law(sample.obs, observed)
        weight, metrics = torch.ones_like(sample.reward), {"weight_mean": 1.0, "weight_max": 1.0, "ess": 1.0}
        bootstrap = None
        acts_on = self.drift.config.acts_on
        # the next value is given what is played here, so one weight serves both
        one_weight = self.observed_q and acts_on != "loss"
        if self.corrected and law is not None and (acts_on != "bootstrap" or one_weight):
            here, metrics = self.drift.weights(law, Stored.here(sample, observed), self.policy)
            if acts_on != "bootstrap":
                weight = here
            if one_weight:
                bootstrap = here
        value, metrics_next = self._next_value(sample, played, law, bootstrap)
        if acts_on == "both":
            metrics_next = {f"{name}/bootstrap": told for name, told in metrics_next.items()}
        reward = self.scaled(sample.reward)
        target = mean_field_target(reward, self.config.discount, sample.terminated, value)
        return Target(target, weight, metrics | metrics_next)

    def _next_value(
        self, sample: PopulationSample, played: Tensor, law: Categorical | None, bootstrap: Tensor | None
    ) -> tuple[Tensor, Metrics]:
        """v(s') [M, N]: over the law of the own next action, at the mean action that the next value is given.

        That is the one observed there (`played` here), or the one played there; recomputed under the current policies
        by `fresh`, and reweighted where the correction acts on the bootstrap.
        """
        metrics: Metrics = {}
        seen = played
        if self.observed_q and self.fresh:
            assert law is not None
            return self._over_fresh(law, lambda fresh: self._value(sample.next_obs, fresh, fresh), bootstrap), metrics
        given = self.policy.acted_on(sample.next_obs, seen)
        if self.observed_q or self.policy.predictor is not None:
            value = self._value(sample.next_obs, given, given)
        else:
            next_law = self.policy.categorical(sample.next_obs, given)
            if bootstrap is None and self.corrected and self.drift.config.acts_on != "loss":
                bootstrap, metrics = self.drift.weights(next_law, Stored.following(sample, played), self.policy)
            if self.fresh:
                return self._over_fresh(
                    next_law, lambda fresh: self._value(sample.next_obs, given, fresh), bootstrap
                ), metrics
            following = self.mean_field.of(sample.next_action)
            value = self._value(sample.next_obs, given, following)
        return value if bootstrap is None else value * bootstrap, metrics

    def _over_fresh(self, law: Categorical, value: Any, bootstrap: Tensor | None) -> Tensor:
        """A value averaged over mean actions that are drawn from `law` now, or at the one to be expected."""
        draws = self.drift.config.fresh_samples
        if draws == 0:
            out: Tensor = value(self.mean_field.expected(law.probs))
        else:
            generator = torch.Generator().manual_seed(int(self._rng.integers(2**62)))
            means = (self.mean_field.of(law.sample(generator)) for _ in range(draws))
            out = torch.stack([value(mean) for mean in means]).mean(0)
        return out if bootstrap is None else out * bootstrap

    def _value(self, obs: Tensor, seen: Tensor, given: Tensor) -> Tensor:
        """[M, N]: sum_a pi(a | obs, seen) Q(obs, a, given)."""
        if given is seen and not self.config.double_q:
            return self.policy.expected_q(obs, given)
        next_q = self.policy.q_values(obs, given)
        preference = (self.network if self.config.double_q else self.policy).q_values(obs, seen)
        return mean_field_value(self.policy.probs_of(preference), next_q)

    def policy_law(self, obs: Tensor, seen: Tensor) -> Categorical:
        """The laws that the acting policies draw from, given observed mean actions [M, N, F]."""
        return self.policy.categorical(obs, self.policy.acted_on(obs, seen))

    def rows(self, sample: PopulationSample, observed: Tensor, played: Tensor, target: Target) -> list[Rows]:
        """A sample as contiguous rows of each network, so that a minibatch of population steps is a view of them."""
        by_type = self.network.mlp.by_type
        given = observed if self.observed_q else played
        columns = [by_type(sample.obs, given)]
        columns += [by_type(sample.action.unsqueeze(-1)), by_type(target.value), by_type(target.weight)]
        if self.network.predictor is not None:
            columns += [by_type(played), by_type(*self.network.predictor_inputs(sample.obs, observed))]
        return [Rows(*parts) for parts in zip(*columns, strict=True)]

    def loss(self, rows: Sequence[Rows]) -> tuple[Tensor, Tensor]:
        """Weighted TD loss over all rows (and the predictors' loss), and the TD errors [R]."""
        values = self.network.mlp.forward_types([r.inputs for r in rows])
        error = torch.cat(
            [q.gather(1, r.action).squeeze(1) - r.target for q, r in zip(values, rows, strict=True)]
        )
        weight = torch.cat([r.weight for r in rows])
        loss = weighted_mean(td_loss(error, self.config.huber), weight, error.numel())
        if self.network.predictor is not None:
            inputs = [r.predictor_inputs for r in rows if r.predictor_inputs is not None]
            played = torch.cat([r.played for r in rows if r.played is not None])
            loss = loss + prediction_loss(self.network, inputs, played, weight, error.numel())
        return loss, error.detach()

    def _descents(
        self, steps: int, sample: PopulationSample, observed: Tensor, played: Tensor, target: Target
    ) -> tuple[list[Tensor | float], Tensor]:
        """Optimiser steps on `loss`, each on its part of the sample: (losses, the last one's TD errors).

        By compiled loops where they can, which give the same gradient.
        """
        losses: list[Tensor | float] = []
        if self._compiled is not None:
            given = observed if self.observed_q else played
            whole = TDSteps(sample.obs, given, sample.action, target.value, target.weight)
            for i in range(steps):
                self.gradient.zero_()
                value, error = self._compiled(whole.part(i, steps))
                self._move(self.gradient, self.config.max_grad_norm)
                losses.append(value)
            return losses, error
        rows = self.rows(sample, observed, played, target)
        for i in range(steps):
            loss, error = self.loss([r.part(i, steps) for r in rows])
            self._descend(loss, self.config.max_grad_norm)
            losses.append(loss.detach())
        return losses, error

    def _gradient_steps(self, steps: int, fresh: Sequence[PopulationBatch]) -> Metrics:
        size = self.config.batch_population_steps // self.peers.number
        sample = self.replay.sample(steps * size, self._rng)
        played = self.mean_field.of(sample.action)
        observed = self.observed(sample)
        target = self.targets(sample, observed, played)
        if not self.peers.agree(bool(torch.isfinite(target.value.sum()))):
            raise TrainingFailed(f"a target is not finite in iteration {self.iteration}; {self.remedy}")
        losses, error = self._descents(steps, sample, observed, played, target)
        with torch.no_grad():
            self._averages.lerp_(self.flat, self.config.target_rate)
        return target.metrics | {
            "loss": float(sum(losses)) / steps,
            "td_abs": float(error.abs().mean()),
            "q_mean": float((target.value * self.reward_scale).mean()),
            "drift_tv": self._drift(sample, fresh),
        }
