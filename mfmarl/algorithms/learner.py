"""What every learner keeps: networks, optimiser, replay, counters and guards. Saving it is saving its state."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mfmarl.algorithms.drift import DriftCorrection
from mfmarl.algorithms.methods import Method
from mfmarl.algorithms.peers import Peers
from mfmarl.core.adam import VectorAdam
from mfmarl.core.importance_config import ImportanceConfig
from mfmarl.core.mean_action import MeanField, total_variation
from mfmarl.errors import TrainingFailed
from mfmarl.network import PolicyNetwork
from mfmarl.policy import load_tensors, module_arrays
from mfmarl.replay import PopulationReplay, PopulationSample
from mfmarl.rollout import PopulationBatch

Metrics = dict[str, float]
COUNTERS = ("iteration", "env_steps", "agent_steps", "gradient_steps", "episodes")


def flattened(parameters: Sequence[torch.nn.Parameter]) -> torch.nn.Parameter:
    """One vector that holds all parameters, of which they become views: one optimiser step moves them all."""
    flat = torch.cat([p.detach().flatten() for p in parameters])
    for p, view in zip(parameters, views(flat, parameters), strict=True):
        p.data = view
    return torch.nn.Parameter(flat)


def views(flat: Tensor, parameters: Sequence[torch.nn.Parameter]) -> list[Tensor]:
    """The parts of a vector of all parameters, each in the shape of its parameter."""
    parts = torch.split(flat, [p.numel() for p in parameters])
    return [part.view(p.shape) for part, p in zip(parts, parameters, strict=True)]


@dataclass(frozen=True)
class Setting:
    """What every learner is told of its run, whatever it learns."""

    method: Method
    importance: ImportanceConfig
    num_episodes: int
    """Of the whole run, over all copies: what the schedules end on."""
    seed: int
    """Of the replay's draws."""
    mean_reward: bool = False
    """Agents learn from the mean reward over agents in place of their own."""
    neighbours: NDArray[np.bool_] | None = None
    """[N, N], or None for everyone else."""
    reward_spread: float | None = None
    """Unit of learning where it is known; else it is measured when learning starts."""
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    peers: Peers = field(default_factory=Peers)


class Learner(ABC):
    """The part of MFQ and MFAC that does not depend on what they learn from."""

    remedy: ClassVar[str]
    """What to do when training diverges."""

    def __init__(
        self,
        network: PolicyNetwork,
        policy: PolicyNetwork,
        setting: Setting,
        *,
        parameters: Iterable[torch.nn.Parameter],
        learning_rate: float,
        replay_population_steps: int,
    ) -> None:
        """Args:
        network: the online networks; they are trained in place.
        policy: the networks that act; at first equal to the online ones.
        parameters: what the optimiser moves.
        replay_population_steps: that the replays of all learners hold.
        """
        self.device, self.peers = setting.device, setting.peers
        self.num_episodes = setting.num_episodes
        self.mean_reward = setting.mean_reward
        self.corrected = setting.method in ("is", "is+fresh")
        self.fresh = setting.method in ("fresh", "is+fresh")
        self.network = network.to(self.device)
        self.policy = policy.to(self.device)
        self.policy.load_state_dict(self.network.state_dict())
        self.parameters = list(parameters)
        self.flat = flattened(self.parameters)
        self.optimiser = VectorAdam(self.flat, learning_rate)
        self.gradient = torch.zeros_like(self.flat)
        """Of `flat`; `slopes` are its parts, one a parameter."""
        self.slopes = views(self.gradient, self.parameters)
        self._averages = flattened(list(self.policy.parameters()))
        self.replay = PopulationReplay(replay_population_steps // self.peers.number, self.device)
        graph = None if setting.neighbours is None else torch.from_numpy(setting.neighbours).to(self.device)
        self.mean_field: MeanField = network.shape.mean_field(graph)
        self.drift = DriftCorrection(setting.importance, self.mean_field, self.peers)
        self.types = network.shape.slices()
        self.reward_scale = torch.ones(self.types[-1].stop, device=self.device)
        self._reward_spread = setting.reward_spread
        self._rng = np.random.Generator(np.random.PCG64(setting.seed))
        self.iteration = self.env_steps = self.agent_steps = self.gradient_steps = self.episodes = 0
        self._debt = 0.0

    @property
    def share(self) -> float:
        """Share of the run's episodes that are played, in [0, 1]: what schedules depend on."""
        return min(1.0, self.episodes / self.num_episodes)

    @abstractmethod
    def learn(self, batches: Sequence[PopulationBatch]) -> Metrics:
        """Store the fragments and take the gradient steps they are due; the metrics of the journal line.

        Raises:
            TrainingFailed: where a guard stops training.
        """

    def _store(self, batches: Sequence[PopulationBatch]) -> list[PopulationBatch]:
        """The fragments in the order of their runners, checked, put into the replay and counted.

        Raises:
            TrainingFailed: where a reward is not finite; nothing was stored.
        """
        ordered = sorted(batches, key=lambda b: b.runner)
        if told := self.peers.first(self._not_finite(ordered)):
            raise TrainingFailed(told)
        self.replay.add(ordered)
        self.drift.remember(self.policy, self.replay)
        self.iteration += 1
        self.env_steps += self.peers.total(sum(b.env_steps() for b in ordered))
        self.agent_steps += self.peers.total(sum(b.agent_steps() for b in ordered))
        self.episodes += self.peers.total(sum(b.returns.shape[0] for b in ordered))
        return ordered

    def _not_finite(self, batches: Sequence[PopulationBatch]) -> str | None:
        """Where a reward is not finite, in words."""
        for batch in batches:
            if not np.isfinite(batch.reward).all():
                t, copy, agent = (int(i) for i in np.argwhere(~np.isfinite(batch.reward))[0])
                return (
                    f"agent {agent} of copy {copy} has reward {batch.reward[t, copy, agent]} at step {t} of the "
                    f"fragment of runner {batch.runner} in iteration {self.iteration}; nothing was learned from it"
                )
        return None

    def observed(self, sample: PopulationSample) -> Tensor:
        """[M, N, F]: the mean action of the step before, which agents saw when they acted; zeros at a start."""
        seen = self.mean_field.of(sample.last_action)
        seen[sample.started] = 0.0
        return seen

    def _drift(self, sample: PopulationSample, fresh: Sequence[PopulationBatch]) -> float:
        """Total variation between the action histograms of what is learned from and of what was just played."""
        now = torch.cat([torch.tensor(b.action).flatten() for b in fresh])
        learned, played = (self._histogram(action.to(self.device)) for action in (sample.action, now))
        return float(total_variation(learned, played))

    def _histogram(self, action: Tensor) -> Tensor:
        """Shares of the actions over all learners; of ten equal parts of the range where they are continuous."""
        actions = self.network.shape.num_actions
        if actions is None:
            action, actions = (action * 10).clamp_max(9), 10
        counts = self.peers.average_(torch.bincount(action.flatten().long(), minlength=actions).double())
        return counts / counts.sum()

    def scaled(self, reward: Tensor) -> Tensor:
        """Rewards [M, N] as they are learned from: own or the mean's, in units of `reward_scale`."""
        if self.mean_reward:
            reward = reward.mean(1, keepdim=True).expand_as(reward)
        return reward / self.reward_scale

    def _fix_reward_scale(self) -> None:
        """Units of learning, once for all: the spread of each type's rewards under the starting policy, or of their
        mean over agents where that is learned from; or the one for all that is known.
        """
        if self._reward_spread is not None:
            self.reward_scale.fill_(self._reward_spread)
            return
        rewards = torch.cat([ring.columns["reward"][: ring.size].flatten(0, 1) for ring in self.replay.rings.values()])
        if self.mean_reward:
            rewards = rewards.mean(1, keepdim=True).expand_as(rewards)
        rewards, _ = self.peers.gathered(rewards)
        for agents in self.types:
            spread = float(rewards[:, agents].std())
            self.reward_scale[agents] = spread if spread > 1e-8 else 1.0

    def _descend(self, loss: Tensor, max_norm: float) -> None:
        """One guarded optimiser step.

        Raises:
            TrainingFailed: where the gradient is not finite; the step was not taken.
        """
        gradients = torch.autograd.grad(loss, self.parameters)
        torch.cat([g.flatten() for g in gradients], out=self.gradient)
        self._move(self.gradient, max_norm)

    def _move(self, gradient: Tensor, max_norm: float) -> None:
        """One optimiser step along the learners' mean gradient, scaled down to `max_norm` where it is longer.

        Raises:
            TrainingFailed: where the gradient is not finite; the step was not taken.
        """
        self.peers.average_(gradient)
        norm = float(torch.linalg.vector_norm(gradient))
        if not math.isfinite(norm):
            raise TrainingFailed(
                f"the gradient is not finite in iteration {self.iteration}, gradient step {self.gradient_steps}; "
                f"that step was not taken and the last checkpoint stands: {self.remedy}"
            )
        self.optimiser.move(gradient.mul_(max_norm / norm) if norm > max_norm else gradient)
        self.gradient_steps += 1

    def _set_learning_rate(self, start: float, end: float) -> None:
        """Geometric from `start` to `end` over the run."""
        for group in self.optimiser.param_groups:
            group["lr"] = start * (end / start) ** self.share

    @abstractmethod
    def _schedule(self) -> None:
        """Bring schedules to where the counters are."""

    def get_state(self) -> tuple[dict[str, dict[str, NDArray[Any]]], dict[str, Any]]:
        """(file -> tensors, JSON-able state): weights, optimiser, replay, schedules, generator."""
        moments = self.optimiser.state.get(self.flat, {})
        optimiser = {name: value.cpu().numpy().copy() for name, value in moments.items()}
        tensors = {
            "online": module_arrays(self.network),
            "policy": module_arrays(self.policy),
            "optimiser": optimiser,
            "replay": self.replay.get_state(),
            "scale": {"reward": self.reward_scale.cpu().numpy()},
        }
        if past := self.drift.get_state():
            tensors["behaviours"] = past
        state = {name: getattr(self, name) for name in COUNTERS}
        return tensors, state | {"debt": self._debt, "rng": self._rng.bit_generator.state}

    def get_shard(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """What learners of one run do not have in common: (replay, state of the generator)."""
        return self.replay.get_state(), dict(self._rng.bit_generator.state)

    def set_state(self, tensors: Mapping[str, dict[str, NDArray[Any]]], state: Mapping[str, Any]) -> None:
        """Take back what `get_state` gave; training then goes on bit for bit."""
        load_tensors(self.network, tensors["online"])
        load_tensors(self.policy, tensors["policy"])
        self.optimiser.state.clear()
        if tensors["optimiser"]:
            self.optimiser.state[self.flat] = {
                k: torch.from_numpy(np.array(v)).to(self.device) for k, v in tensors["optimiser"].items()
            }
        self.drift.set_state(tensors.get("behaviours", {}))
        self.replay.set_state(tensors["replay"])
        self.reward_scale = torch.from_numpy(np.array(tensors["scale"]["reward"])).to(self.device)
        for name in COUNTERS:
            setattr(self, name, int(state[name]))
        self._debt = float(state["debt"])
        self._rng.bit_generator.state = state["rng"]
        self._schedule()
