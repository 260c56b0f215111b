"""Training one deviator against a profile that stays as it is; it can be killed at any moment, and resumed.

The game is `DeviationEnv`, the learner MFQ or MFAC without a mean action of their own: what an agent sees of the others
is part of a deviator's observation. It is trained in even units (mean 0, spread 1 where everyone stays), which are
folded into the first layer of the policy that is saved; that one takes observations as they are.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from envs.population import PopulationEnv
from mfmarl.algorithms.learner import Learner, Metrics, Setting
from mfmarl.algorithms.mfac import MFAC
from mfmarl.algorithms.mfq import MFQ
from mfmarl.core.importance_config import ImportanceConfig
from mfmarl.deviation import CLOCK, DeviationEnv, Potential, Units
from mfmarl.deviator_config import DeviatorConfig
from mfmarl.deviator_networks import copy_network, fold, level_values
from mfmarl.finished_deviator import POLICY, check_same, finished, write_finished
from mfmarl.network import LawName, NetworkShape, PolicyNetwork
from mfmarl.policy import module_arrays
from mfmarl.rollout import PopulationBatch, Rollout
from mfmarl.runs.checkpoint import CHECKPOINTS, latest_valid, write_checkpoint
from mfmarl.runs.files import storing, unpacking
from mfmarl.runs.lock import hold
from mfmarl.seeding import stream
from mfmarl.subject import Start, Staying, Subject, Who, staying
from mfmarl.trainer import (
    States,
    Tensors,
    learner_state,
    make_critic,
    pack_state,
    rollout_state,
    set_rollout_state,
    unpack_pending,
)

MEND = "move its folder away, and the same command goes on from the checkpoint before, or begins anew"
RULES = 6
"""Counted up where deviators are trained in another way, so that those of the old one are not gone on with."""


def together(env: PopulationEnv, kind: int, who: Who, config: DeviatorConfig) -> tuple[int, int]:
    """(deviators of type `kind` in a copy, copies) that train together."""
    agents = int(np.count_nonzero(np.asarray(env.agent_types) == kind))
    if who == "one":
        agents = max(1, min(agents, env.num_agents // config.crowd))
    return agents, -(-config.deviators // agents)


class DeviatorTrainer:
    """Plays and learns in this process, in the order of `LocalTrainer`."""

    def __init__(self, subject: Subject, kind: int, who: Who, start: Start, config: DeviatorConfig) -> None:
        root = stream(config.seed, "deviator", kind, who, start)
        self.config, self.who = config, who
        seen = staying(subject, kind, start, stream(root, "units"))
        units = seen.units
        probe = subject.deviation(kind, "type", 1, 0)
        horizon = probe.horizon
        agents, copies = together(probe.inner, kind, who, config)
        env = subject.deviation(kind, who, copies, stream(root, "env"), start=start, units=units, number=agents)
        continuous = not hasattr(env.action_space, "n")
        self.algorithm = subject.algorithm if config.algorithm == "same" else config.algorithm
        if continuous:
            self.algorithm = "mfac"
        self.units = units
        self.num_episodes: int = -(-config.episodes(start) // agents)
        """Of the copies."""
        self.fragment = horizon if self.algorithm == "mfac" else min(config.fragment_length, horizon)
        network = self._network(subject, env, kind, start, seen, root)
        batch = max(1, config.batch_agent_steps // agents)
        kept = copies * (max(config.replay_episodes * horizon, 2 * self.fragment) + 2)
        warmup = copies * self.fragment
        self.learner = self._learner(network, start, seen.spread, subject.discount, batch, kept, warmup, root)
        acting = PolicyNetwork(network.shape, 0)
        acting.load_state_dict(self.learner.policy.state_dict())
        self._env = env
        self.rollout = Rollout(
            env,
            acting,
            discount=subject.discount,
            env_seed=stream(root, "env", 0),
            action_seed=stream(root, "action"),
        )
        self._explore()
        self._pending: list[PopulationBatch] = []
        self._averaged = self._weights()
        self._number = 0

    def _network(
        self, subject: Subject, env: DeviationEnv, kind: int, start: Start, seen: Staying, root: int
    ) -> PolicyNetwork:
        actions = getattr(env.action_space, "n", None)
        laws: dict[str, LawName] = {"mfq": "boltzmann", "mfac": "softmax"}
        old = subject.trained.network.shape if subject.trained else None
        shape = NetworkShape(
            types=((0, env.num_agents),),
            observations=int(env.observation_space.shape[0]),
            num_actions=None if actions is None else int(actions),
            hidden=getattr(self.config, self.algorithm).hidden if old is None or start == "fresh" else old.hidden,
            law="squashed_gaussian" if actions is None else laws[self.algorithm],
            mean_action="none",
        )
        network = PolicyNetwork(shape, stream(root, "network"))
        with torch.no_grad():
            # single periods are told apart only where that is learned to pay
            network.mlp.weights[0][:, -CLOCK:-1].zero_()
        if start == "checkpoint":
            assert subject.trained is not None
            copy_network(subject.trained, kind, network, self.units, seen.spread or 1.0)
            if shape.law == "boltzmann":
                level_values(network, self.units.of(seen.rows))
        return network

    def _learner(
        self,
        network: PolicyNetwork,
        start: Start,
        spread: float | None,
        discount: float,
        batch: int,
        kept: int,
        warmup: int,
        root: int,
    ) -> Learner:
        policy = PolicyNetwork(network.shape, 0)
        setting = Setting(
            "independent", ImportanceConfig(), self.num_episodes, stream(root, "replay"), reward_spread=spread
        )
        sizes: dict[str, float] = {
            "discount": discount, "batch_population_steps": batch, "replay_population_steps": kept,
            "warmup_population_steps": warmup,
        }  # fmt: skip
        if self.algorithm == "mfac":
            critic = make_critic(network.shape, stream(root, "critic"))
            return MFAC(network, policy, critic, setting, self.config.mfac.model_copy(update=sizes))
        if start == "checkpoint":
            # what these values know would be lost in play that is nearly uniform
            sizes["temperature_start"] = min(self.config.warm_temperature, self.config.mfq.temperature_start)
        return MFQ(network, policy, setting, self.config.mfq.model_copy(update=sizes))

    def _explore(self) -> None:
        if self.algorithm == "mfq":
            # actor-critic learns from what its own law plays
            self.rollout.network.epsilon.fill_(self.config.exploration)

    @property
    def done(self) -> bool:
        """Whether all episodes are played."""
        return bool(self.learner.episodes >= self.num_episodes)

    def iterate(self) -> Metrics:
        """One training iteration."""
        if not self._pending:
            self._pending = [self.rollout.collect(self.fragment)]
        batches, self._pending = self._pending, [self.rollout.collect(self.fragment)]
        metrics = self.learner.learn(batches)
        self.rollout.network.load_state_dict(self.learner.policy.state_dict())
        self._explore()
        if self.learner.share >= self.config.averaged_from:
            # the last gradient steps' noise moves the deviator between actions that are nearly as good
            self._number += 1
            self._averaged += (self._weights() - self._averaged) / self._number
        return metrics

    def _weights(self) -> Tensor:
        return torch.nn.utils.parameters_to_vector(self.learner.policy.mlp.parameters()).detach().double()

    def get_state(self) -> tuple[Tensors, States]:
        """Checkpoint contents."""
        tensors, states = pack_state(*learner_state(self.learner), [rollout_state(self.rollout)], self._pending)
        tensors["averaged"] = {"weights": self._averaged.numpy().copy()}
        # worked out again they could differ in their last bits, by the number of threads
        units, potential = self.units, self.units.potential
        tensors["units"] = {
            "centre": units.centre, "scale": units.scale, "slope": potential.slope, "level": potential.level,
        }  # fmt: skip
        return tensors, states | {"averaged": {"number": self._number}}

    def _units_from(self, told: Mapping[str, NDArray[Any]]) -> Units:
        potential = Potential(np.array(told["slope"]), np.array(told["level"]), self.units.potential.discount)
        return Units(np.array(told["centre"]), np.array(told["scale"]), potential)

    def set_state(self, tensors: Tensors, states: States) -> None:
        """Go on from checkpoint contents, bit for bit."""
        self.learner.set_state(tensors, states["learner"])
        set_rollout_state(self.rollout, tensors["runner_0"], states["runner_0"])
        self._pending = unpack_pending(tensors, states)
        self.units = self._env.units = self._units_from(tensors["units"])
        self._averaged = torch.from_numpy(np.array(tensors["averaged"]["weights"]))
        self._number = int(states["averaged"]["number"])

    def policy(self) -> PolicyNetwork:
        """The deviator as it is, its weights averaged over the end of training, for observations as they are.

        It is for as many agents as deviate together where it counts: one, or all of the type.
        """
        shape = self.learner.policy.shape
        alone = ((0, 1),) if self.who == "one" else shape.types
        found = PolicyNetwork(replace(shape, types=alone), 0)
        found.load_state_dict(self.learner.policy.state_dict())
        if self._number:
            torch.nn.utils.vector_to_parameters(self._averaged.float(), found.mlp.parameters())
        fold(found.mlp, self.units)
        return found


def train_deviator(
    subject: Subject,
    kind: int,
    folder: Path,
    config: DeviatorConfig,
    *,
    who: Who = "one",
    start: Start = "fresh",
    told: Callable[[int], None] = lambda episodes: None,
) -> Path:
    """Train a deviator of type `kind`, or go on with the one begun in `folder`; its policy's folder.

    Args:
        folder: of this deviator alone; `Policy.load` reads the folder that is returned. What is finished is not
            trained again, and other settings than a folder was begun with are refused.
        told: is called with the episodes played so far, an iteration at a time.

    Raises:
        UserError: where another process works in the folder, or it was begun with other settings.
        TrainingFailed: where a guard stopped training; the last checkpoint stands.
        StorageFailed: where the disk does not take what is written, or a checkpoint is damaged.
    """
    torch.set_num_threads(1)
    hashed = _hash(subject, config, kind, who, start)
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with hold(folder):
        if finished(folder, hashed):
            return folder / POLICY
        checkpoint = latest_valid(folder, MEND)
        if checkpoint is not None:
            check_same(folder, checkpoint.config_hash, hashed)
        trainer = DeviatorTrainer(subject, kind, who, start, config)
        if checkpoint is not None:
            with unpacking(f"checkpoint {checkpoint.iteration} of {folder}", "cannot be gone on from"):
                trainer.set_state(checkpoint.tensors, checkpoint.states)
        while not trainer.done:
            trainer.iterate()
            told(trainer.learner.episodes)
            if trainer.learner.iteration % config.checkpoint_every == 0 and not trainer.done:
                write_checkpoint(folder, trainer.learner.iteration, *trainer.get_state(), hashed)
        write_finished(trainer.policy(), folder, hashed)
        # nothing goes on from them any more, and they hold the replay
        shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    return folder / POLICY


def _hash(subject: Subject, config: DeviatorConfig, kind: int, who: Who, start: Start) -> str:
    # what is measured afterwards does not change what was trained
    trained = config.model_dump(mode="json", exclude={"evaluation_episodes", "evaluation_copies", "checkpoint_every"})
    text = json.dumps([RULES, trained, kind, who, start, subject.discount, subject.algorithm], sort_keys=True)
    found = hashlib.sha256(text.encode())
    if subject.trained is not None:
        for array in module_arrays(subject.trained.network).values():
            found.update(array.tobytes())
    return found.hexdigest()[:12]
