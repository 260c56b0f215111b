"""Mean-field Q-learning (Yang et al. 2018) with importance sampling against the drift of the mean action.

The policies act by an average of the networks over iterations, which also gives the targets: averaging slows the
policies down against the noise of the last gradient steps, so that drift ratios keep their effective sample size.

One iteration: store the fragments; draw S x M population steps; compute their drift weights and targets in large
batches with the networks as they are; take S fused gradient steps; move the averages. S follows from
`gradient_steps_per_step`, so the ratio of learning to sampling does not depend on the fragment's length.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mfmarl.algorithms.mfq_config import MFQConfig
from mfmarl.core.importance import drift_weights, joint_log_ratio
from mfmarl.core.importance_config import ImportanceConfig
from mfmarl.core.losses import td_loss, weighted_mean
from mfmarl.core.mean_action import mean_action, total_variation
from mfmarl.core.value import boltzmann_log_probs, mean_field_target, mean_field_value
from mfmarl.errors import TrainingFailed
from mfmarl.policy import PolicyNetwork, load_tensors
from mfmarl.replay import PopulationReplay, PopulationSample
from mfmarl.rollout import PopulationBatch

Metrics = dict[str, float]


@dataclass(frozen=True)
class TypeRows:
    """What the loss needs of R agent steps of one type."""

    inputs: Tensor
    """[R, D + A]: observation and the mean action that Q is a function of."""
    action: Tensor
    """int64 [R, 1]"""
    target: Tensor
    """[R]"""
    weight: Tensor
    """[R]"""

    def part(self, i: int, parts: int) -> TypeRows:
        """The i-th of `parts` equal parts, without copying."""
        n = self.target.shape[0] // parts
        cut = slice(i * n, (i + 1) * n)
        return TypeRows(self.inputs[cut], self.action[cut], self.target[cut], self.weight[cut])


class MFQ:
    """The learner: networks, targets, optimiser, replay and schedules. Saving it is saving its state."""

    def __init__(
        self,
        network: PolicyNetwork,
        policy: PolicyNetwork,
        *,
        config: MFQConfig,
        method: Literal["is", "mf"],
        importance: ImportanceConfig,
        num_episodes: int,
        seed: int,
        neighbours: NDArray[np.bool_] | None = None,
        device: torch.device | None = None,
    ) -> None:
        """Args:
        network: the online networks; they are trained in place.
        policy: networks of the same shape that are to hold the average of the online ones: they act, and give targets.
        num_episodes: of the whole run, over all copies: what the schedules end on.
        seed: of the replay's draws.
        neighbours: [N, N], or None for everyone else.
        """
        self.config = config
        self.method = method
        self.importance = importance
        self.num_episodes = num_episodes
        self.device = device or torch.device("cpu")
        self.network = network.to(self.device)
        types = network.mlp.types
        self.policy = policy.to(self.device)
        self.policy.load_state_dict(self.network.state_dict())
        self.parameters = list(network.mlp.parameters())
        self.optimiser = torch.optim.Adam(self.parameters, lr=config.learning_rate, fused=True)
        self.replay = PopulationReplay(config.replay_population_steps, self.device)
        self.neighbours = None if neighbours is None else torch.from_numpy(neighbours).to(self.device)
        self.reward_scale = torch.ones(types[-1].stop, device=self.device)
        self._rng = np.random.Generator(np.random.PCG64(seed))
        self.env_steps = 0
        self.agent_steps = 0
        self.gradient_steps = 0
        self.episodes = 0
        self.iteration = 0
        self._debt = 0.0
        self._schedule()

    def _schedule(self) -> None:
        """Temperature and step size as functions of the share of episodes played."""
        share = min(1.0, self.episodes / self.num_episodes)
        c = self.config
        cooled = min(1.0, share / c.temperature_fraction)
        temperature = c.temperature_start * (c.temperature_end / c.temperature_start) ** cooled
        self.network.temperature.fill_(temperature)
        self.policy.temperature.fill_(temperature)
        rate = c.learning_rate * (c.learning_rate_end / c.learning_rate) ** share
        for group in self.optimiser.param_groups:
            group["lr"] = rate

    def learn(self, batches: Sequence[PopulationBatch]) -> Metrics:
        """Store the fragments (in the order of their runners), take the gradient steps they are due, and cool.

        Raises:
            TrainingFailed: where a reward, target, loss or gradient is not finite; nothing was learned from it.
        """
        ordered = sorted(batches, key=lambda b: b.runner)
        for batch in ordered:
            if not np.isfinite(batch.reward).all():
                t, copy, agent = (int(i) for i in np.argwhere(~np.isfinite(batch.reward))[0])
                raise TrainingFailed(
                    f"agent {agent} of copy {copy} has reward {batch.reward[t, copy, agent]} at step {t} of the "
                    f"fragment of runner {batch.runner} in iteration {self.iteration}; nothing was learned from it"
                )
        self.replay.add(list(ordered))
        self.iteration += 1
        self.env_steps += sum(b.env_steps() for b in ordered)
        self.agent_steps += sum(b.agent_steps() for b in ordered)
        self.episodes += sum(b.returns.shape[0] for b in ordered)
        metrics: Metrics = {}
        if len(self.replay) >= self.config.warmup_population_steps:
            if self.gradient_steps == 0:
                self._fix_reward_scale()
            self._debt += self.config.gradient_steps_per_step * sum(b.action.shape[0] for b in ordered)
            steps = int(self._debt)
            self._debt -= steps
            if steps:
                metrics = self._gradient_steps(steps, ordered)
        before = float(self.policy.temperature)
        self._schedule()
        if metrics or float(self.policy.temperature) != before:
            self.policy.version += 1
        metrics["temperature"] = float(self.network.temperature)
        return metrics

    def _fix_reward_scale(self) -> None:
        """Units of learning: each type's rewards divided by their spread under the starting policy, once for all."""
        rewards = torch.cat([ring.columns["reward"][: ring.size].flatten(0, 1) for ring in self.replay.rings.values()])
        for agents in self.network.mlp.types:
            spread = float(rewards[:, agents].std())
            self.reward_scale[agents] = spread if spread > 1e-8 else 1.0

    def _mean_action(self, counts: Tensor, action: Tensor) -> Tensor:
        return mean_action(counts, action, self.neighbours)

    def weights(self, sample: PopulationSample, observed: Tensor) -> tuple[Tensor, Metrics]:
        """Drift weights [M, N] of a sample under the current policies, with their diagnostics; all 1 for `mf`."""
        if self.method == "mf":
            ones = torch.ones_like(sample.reward)
            return ones, {"weight_mean": 1.0, "weight_max": 1.0, "ess": 1.0}
        new = self.log_probs(sample, observed)
        # equal policies give equal probabilities up to the last bits of a matrix product, which depend on the batch
        same = (sample.version == self.policy.version).unsqueeze(-1)
        old = torch.where(same, new, sample.log_prob)
        weights = drift_weights(joint_log_ratio(new, old, self.neighbours), self.importance)
        return weights.weight, {
            "weight_mean": weights.mean,
            "weight_max": weights.maximum,
            "ess": weights.effective_share,
        }

    def observed(self, sample: PopulationSample) -> Tensor:
        """[M, N, A]: the mean action of the step before, which agents saw when they acted; zeros at a start."""
        seen = self._mean_action(sample.last_counts, sample.last_action)
        seen[sample.started] = 0.0
        return seen

    def log_probs(self, sample: PopulationSample, observed: Tensor) -> Tensor:
        """[M, N]: log-probabilities of the stored actions under the current policies, given what agents observed."""
        q = self.policy.q_values(sample.obs, observed)
        log_probs = boltzmann_log_probs(q, self.policy.temperature)
        return log_probs.gather(-1, sample.action.unsqueeze(-1)).squeeze(-1)

    def targets(self, sample: PopulationSample, played: Tensor) -> Tensor:
        """[M, N]: reward + discount v(next), in units of `reward_scale`; `played` is the mean action [M, N, A]."""
        if self.config.conditioning == "observed":
            following = played
        else:
            following = self._mean_action(sample.next_counts, sample.next_action)
        next_q = self.policy.q_values(sample.next_obs, following)
        if self.config.double_q:
            preference = self.network.q_values(sample.next_obs, played)
        else:
            preference = next_q if following is played else self.policy.q_values(sample.next_obs, played)
        probs = boltzmann_log_probs(preference, self.policy.temperature).exp()
        reward = sample.reward / self.reward_scale
        return mean_field_target(reward, self.config.discount, sample.terminated, mean_field_value(probs, next_q))

    def rows(self, sample: PopulationSample, given: Tensor, target: Tensor, weight: Tensor) -> list[TypeRows]:
        """A sample as contiguous rows of each type, so that a minibatch of population steps is a view of them."""
        by_type = self.network.mlp.by_type
        inputs = by_type(sample.obs, given)
        action, targets, weights = by_type(sample.action.unsqueeze(-1)), by_type(target), by_type(weight)
        return [TypeRows(*columns) for columns in zip(inputs, action, targets, weights, strict=True)]

    def loss(self, rows: Sequence[TypeRows]) -> tuple[Tensor, Tensor]:
        """Weighted TD loss over the rows of all types, and its errors [R]."""
        values = self.network.mlp.forward_types([r.inputs for r in rows])
        error = torch.cat(
            [q.gather(1, r.action).squeeze(1) - r.target for q, r in zip(values, rows, strict=True)]
        )
        weight = torch.cat([r.weight for r in rows])
        return weighted_mean(td_loss(error, self.config.huber), weight, error.numel()), error.detach()

    def _gradient_steps(self, steps: int, fresh: Sequence[PopulationBatch]) -> Metrics:
        size = self.config.batch_population_steps
        sample = self.replay.sample(steps * size, self._rng)
        played = self._mean_action(sample.counts, sample.action)
        observed = self.observed(sample)
        weight, metrics = self.weights(sample, observed)
        target = self.targets(sample, played)
        given = observed if self.config.conditioning == "observed" else played
        if not bool(torch.isfinite(target.sum())):
            raise TrainingFailed(f"a target is not finite in iteration {self.iteration}; lower mfq.learning_rate")
        losses = torch.zeros(steps, device=self.device)
        rows = self.rows(sample, given, target, weight)
        for i in range(steps):
            loss, error = self.loss([r.part(i, steps) for r in rows])
            gradients = torch.autograd.grad(loss, self.parameters)
            for parameter, gradient in zip(self.parameters, gradients, strict=True):
                parameter.grad = gradient
            norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.config.max_grad_norm)
            if not bool(torch.isfinite(norm)):
                raise TrainingFailed(
                    f"the gradient is not finite in iteration {self.iteration}, gradient step {self.gradient_steps}; "
                    "that step was not taken and the last checkpoint stands: lower mfq.learning_rate"
                )
            self.optimiser.step()
            self.gradient_steps += 1
            losses[i] = loss.detach()
        with torch.no_grad():
            averaged: list[Tensor] = list(self.policy.mlp.parameters())
            online: list[Tensor] = list(self.parameters)
            torch._foreach_lerp_(averaged, online, self.config.target_rate)
        played_now = np.concatenate([b.counts.reshape(-1, b.counts.shape[-1]) for b in fresh]).mean(0)
        drawn = sample.counts.mean(0).cpu()
        drift = total_variation(drawn / drawn.sum(), torch.from_numpy(played_now / played_now.sum()))
        return metrics | {
            "loss": float(losses.mean()),
            "td_abs": float(error.abs().mean()),
            "q_mean": float((target * self.reward_scale).mean()),
            "drift_tv": float(drift),
        }

    def get_state(self) -> tuple[dict[str, dict[str, NDArray[Any]]], dict[str, Any]]:
        """(file -> tensors, JSON-able state): weights, targets, optimiser, replay, schedules, generator."""

        def arrays(module: torch.nn.Module) -> dict[str, NDArray[Any]]:
            return {name: t.cpu().numpy().copy() for name, t in module.state_dict().items()}

        optimiser = {}
        for i, p in enumerate(self.parameters):
            for name, value in self.optimiser.state[p].items() if p in self.optimiser.state else ():
                optimiser[f"{i}/{name}"] = value.cpu().numpy().copy()
        tensors = {
            "online": arrays(self.network),
            "policy": arrays(self.policy),
            "optimiser": optimiser,
            "replay": self.replay.get_state(),
            "scale": {"reward": self.reward_scale.cpu().numpy()},
        }
        counters = ("env_steps", "agent_steps", "gradient_steps", "episodes", "iteration", "_debt")
        state = {name: getattr(self, name) for name in counters} | {"rng": self._rng.bit_generator.state}
        return tensors, state

    def set_state(self, tensors: Mapping[str, dict[str, NDArray[Any]]], state: Mapping[str, Any]) -> None:
        """Take back what `get_state` gave; training then goes on bit for bit."""
        load_tensors(self.network, tensors["online"])
        load_tensors(self.policy, tensors["policy"])
        self.optimiser.state.clear()
        for i, p in enumerate(self.parameters):
            mine = {k.split("/", 1)[1]: v for k, v in tensors["optimiser"].items() if k.split("/", 1)[0] == str(i)}
            if mine:
                self.optimiser.state[p] = {
                    k: torch.from_numpy(np.array(v)).to(self.device) for k, v in mine.items()
                }
        self.replay.set_state(tensors["replay"])
        self.reward_scale = torch.from_numpy(np.array(tensors["scale"]["reward"])).to(self.device)
        for name in ("env_steps", "agent_steps", "gradient_steps", "episodes", "iteration"):
            setattr(self, name, int(state[name]))
        self._debt = float(state["_debt"])
        self._rng.bit_generator.state = state["rng"]
        self._schedule()
