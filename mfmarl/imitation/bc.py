"""Behavioural cloning: supervised learning of what the expert did (Pomerleau 1991)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from pydantic import Field
from torch import Tensor

from mfmarl.core.losses import weighted_mean
from mfmarl.errors import TrainingFailed, UserError
from mfmarl.imitation.batches import Batches
from mfmarl.imitation.checked_batches import checked_weights
from mfmarl.imitation.clone_gradient import fill_gradients
from mfmarl.imitation.demonstrations import Demonstrations, Transitions
from mfmarl.imitation.ensemble import Ensemble
from mfmarl.imitation.label_noise import noisy_labels
from mfmarl.imitation.labels import checked_steps
from mfmarl.imitation.laws import Gaussian
from mfmarl.imitation.networks import Activation, Actor, Policy
from mfmarl.imitation.result import Counts, Result, generator
from mfmarl.imitation.saved import (
    load_module,
    load_optimiser,
    module_arrays,
    optimiser_arrays,
    read_agent,
    reading,
    words_of,
    write_agent,
)
from mfmarl.imitation.settings import NetworkConfig, at_least_one, checked
from mfmarl.imitation.spaces import Spaces
from mfmarl.runs.sealed import Arrays
from mfmarl.seeding import stream

REPORT = 100
"""Gradient steps between rows of the history."""


class BCConfig(NetworkConfig):
    """Settings of behavioural cloning."""

    learning_rate: float = Field(3e-4, gt=0, le=1, description="of Adam, at the start of each fit")
    anneal: bool = Field(True, description="the learning rate falls to 0 along a cosine within each fit")
    loss: Literal["nll", "mse"] = Field(
        "nll", description="negative log-likelihood, or of continuous actions the squared error of a deterministic one"
    )
    batch_size: int = Field(32, ge=1, description="steps of one gradient step")
    activation: Activation = Field("tanh", description="between the layers")
    weight_decay: float = Field(0.0, ge=0, description="of all weights, decoupled (AdamW)")
    dropout: float = Field(0.0, ge=0, lt=1, description="of hidden units, in training")
    label_noise: float = Field(0.0, ge=0, lt=1, description="share of labels that are drawn from all actions alike")
    members: int = Field(1, ge=1, description="networks that act by their mean, trained from different first weights")


@dataclass(frozen=True)
class Fitting:
    """How far the last fit is."""

    done: int
    """Gradient steps."""
    planned: int


class BCAgent:
    """A policy that is told what the expert did in each state."""

    config_type = BCConfig

    def __init__(
        self,
        config: BCConfig | Mapping[str, Any],
        demonstrations: Demonstrations | Transitions | None = None,
        seed: int = 0,
    ) -> None:
        """Args:
        demonstrations: what `train` imitates; `update` does without.

        Raises:
            UserError: for settings that are wrong, or demonstrations of other spaces.
        """
        self.config = checked(BCConfig, config)
        self.spaces, self.seed = self.config.spaces, seed
        if self.config.loss == "mse" and not self.spaces.continuous:
            raise UserError("loss mse is for continuous actions; these are numbered: want nll")
        self.steps = _steps(demonstrations, self.spaces)
        self.actors = [_actor(self.config, stream(seed, "actor", k)) for k in range(self.config.members)]
        self.policy: Policy = self.actors[0] if len(self.actors) == 1 else Ensemble(self.actors)
        weights = [p for actor in self.actors for p in actor.net.parameters()]
        spreads = [a.log_std for a in self.actors if a.log_std is not None and a.log_std.requires_grad]
        decay = self.config.weight_decay
        # a spread of 1 is nothing to decay to
        groups = [{"params": weights, "weight_decay": decay}, {"params": spreads, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(
            groups if decay and spreads else weights + spreads,
            self.config.learning_rate,
            weight_decay=decay,
            fused=True,
        )
        self.generator = generator(stream(seed, "draws"))
        self.fitting = Fitting(0, 0)
        self.pass_began = self.generator.get_state()
        """The generator before the order of the pass that is under way was drawn."""
        self.batches = Batches()
        self.counts = Counts(demonstrations=0 if self.steps is None else len(self.steps.states))
        self.policy.eval()
        if self.steps is not None:
            self.take_in(self.steps.states)

    def take_in(self, states: ArrayLike) -> None:
        """Have the normaliser see states [n, D]."""
        rows = torch.from_numpy(np.asarray(states, np.float32))
        for actor in self.actors:
            actor.norm.update(rows)

    def loss(self, rows: Tensor, actions: Tensor, weights: Tensor | None = None) -> Tensor:
        """Of normalised states [n, D]: in nats, or squared halves of the range; members' losses are added up."""
        total = torch.zeros(())
        for actor in self.actors:
            law = actor.law_of(rows)
            if self.config.loss == "mse" and isinstance(law, Gaussian):
                each = ((law.mean - actions) / actor.reach).square().mean(-1)
            else:
                # a demonstrated action at a bound is fitted as the number that it is
                plain = Gaussian(law.mean, law.log_std) if isinstance(law, Gaussian) else law
                each = -plain.log_prob(actions)
            total = total + (each.mean() if weights is None else weighted_mean(each, weights))
        return total

    def update(
        self, states: ArrayLike, expert_actions: ArrayLike, weights: ArrayLike | None = None
    ) -> dict[str, float]:
        """One gradient step on states [n, D] and the expert's actions [n] or [n, A]; the loss before it.

        Where nothing was demonstrated, the first batch sets the normaliser.

        Raises:
            UserError: for other shapes, NaN, actions out of bounds, or weights below 0.
        """
        rows, labels = checked_steps(self.spaces, states, expert_actions)
        if not self.actors[0].norm.count:
            self.take_in(rows)
        weight = None if weights is None else torch.from_numpy(checked_weights(weights, len(rows)))
        normal = self.actors[0].norm(torch.from_numpy(rows))
        self.policy.train()
        loss = self._step(normal, self._noisy(torch.from_numpy(labels)), weight)
        self.policy.eval()
        self.counts = self.counts.plus(updates=1)
        return {"loss": float(loss)}

    def fit(
        self,
        states: ArrayLike,
        expert_actions: ArrayLike,
        updates: int,
        callback: Callable[[dict[str, Any]], None] | None = None,
    ) -> list[dict[str, Any]]:
        """Gradient steps on minibatches that pass over the data in random order: a row every 100 and at the end.

        A fit of as many updates that was broken off goes on where it was.

        Raises:
            UserError: for no update or no data, or data that are wrong.
            TrainingFailed: where the loss is not finite.
        """
        at_least_one(updates, "updates")
        rows, labels = checked_steps(self.spaces, states, expert_actions)
        n = len(rows)
        size = self.batches.size(self.config.batch_size, n, "batch_size", "labelled steps")
        with torch.no_grad():
            normal = self.actors[0].norm(torch.from_numpy(rows))
        actions = torch.from_numpy(labels)
        history: list[dict[str, Any]] = []
        total, number = torch.zeros(()), 0
        self.policy.train()
        begin = self.fitting.done if self.fitting.planned == updates and self.fitting.done < updates else 0
        for done in range(begin, updates):
            place = done % (n // size) * size
            if place and done == begin:
                self.generator.set_state(self.pass_began)
            if not place or done == begin:
                self.pass_began = self.generator.get_state()
                order = torch.randperm(n, generator=self.generator)
                shuffled, noisy = normal[order], self._noisy(actions[order])
            if self.config.anneal:
                self._set_rate(0.5 * (1 + math.cos(math.pi * done / updates)))
            total += self._step(shuffled[place : place + size], noisy[place : place + size])
            number += 1
            self.fitting = Fitting(done + 1, updates)
            if number == REPORT or done == updates - 1:
                self.counts = self.counts.plus(updates=number)
                history.append({**asdict(self.counts), "loss": float(total) / number})
                total, number = torch.zeros(()), 0
                if callback is not None:
                    # who is called may play the policy, or save it
                    self.policy.eval()
                    callback(history[-1])
                    self.policy.train()
        self.policy.eval()
        self._set_rate(1.0)
        return history

    def _set_rate(self, share: float) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.learning_rate * share

    def _step(self, rows: Tensor, actions: Tensor, weights: Tensor | None = None) -> Tensor:
        if weights is None and not self.config.dropout:
            squared = self.config.loss == "mse"
            loss = sum((fill_gradients(a, rows, actions, squared) for a in self.actors), torch.zeros(()))
        else:
            self.optimiser.zero_grad(set_to_none=True)
            loss = self.loss(rows, actions, weights)
            loss.backward()  # type: ignore[no-untyped-call]
        if not math.isfinite(loss.item()):
            taken = next((int(state["step"]) for state in self.optimiser.state.values()), 0)
            at = f"gradient step {taken + 1}"
            raise TrainingFailed(f"the loss is {loss.item()} in {at}, which was not taken: lower learning_rate")
        self.optimiser.step()
        return loss.detach()

    def _noisy(self, actions: Tensor) -> Tensor:
        return noisy_labels(actions, self.config.label_noise, self.spaces, self.generator)

    def train(self, updates: int, callback: Callable[[dict[str, Any]], None] | None = None) -> Result:
        """Gradient steps on the demonstrations; a row of the history every 100.

        An agent that was saved in the callback goes on to the bit, if as many updates are asked for.

        Raises:
            UserError: where the agent has no demonstrations.
        """
        if self.steps is None:
            raise UserError("BCAgent.train needs demonstrations=...")
        self.batches.forget()
        history = self.fit(self.steps.states, self.steps.actions, updates, callback)
        return Result(self.policy, history, self.counts)

    def arrays(self) -> Arrays:
        """Networks, optimiser and generator."""
        return {
            **module_arrays("policy", self.policy),
            **optimiser_arrays("optimiser", self.optimiser),
            "generator": self.generator.get_state().numpy().copy(),
            "pass_began": self.pass_began.numpy().copy(),
        }

    def load_arrays(self, arrays: Arrays) -> None:
        """What `arrays` gave."""
        load_module("policy", self.policy, arrays)
        load_optimiser("optimiser", self.optimiser, arrays)
        self.generator.set_state(torch.from_numpy(arrays["generator"].copy()))
        self.pass_began = torch.from_numpy(arrays["pass_began"].copy())

    def save(self, folder: Path) -> None:
        """Write all that training goes on from; demonstrations are not in it.

        Raises:
            StorageFailed: where the folder takes no file.
        """
        words = {**words_of(self.config, self.seed, self.counts), "fitting": asdict(self.fitting)}
        write_agent(folder, "BCAgent", words, self.arrays())

    @classmethod
    def load(cls, folder: Path, demonstrations: Demonstrations | Transitions | None = None) -> Self:
        """What `save` wrote; with the same demonstrations training goes on bit for bit.

        Raises:
            UserError: where there is none, or demonstrations have other spaces.
            DamagedFile: where it was cut short or changed.
        """
        words, arrays = read_agent(folder, "BCAgent")
        with reading(folder):
            agent = cls(words["config"], demonstrations, words["seed"])
            agent.load_arrays(arrays)
            agent.counts, agent.fitting = Counts(**words["counts"]), Fitting(**words["fitting"])
        return agent


def _actor(config: BCConfig, seed: int) -> Actor:
    exact = config.loss == "mse"
    actor = Actor(
        config.spaces,
        config.hidden_dims,
        seed,
        activation=config.activation,
        log_std=-math.inf if exact else -0.5,
        dropout=config.dropout,
    )
    if exact and actor.log_std is not None:
        actor.log_std.requires_grad_(False)
    return actor


def _steps(demonstrations: Demonstrations | Transitions | None, spaces: Spaces) -> Transitions | None:
    if not isinstance(demonstrations, Demonstrations):
        return demonstrations
    demonstrations.check_fits(spaces, "the agent")
    return demonstrations.transitions
