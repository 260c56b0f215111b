"""Populations whose policies drift: what every agent played when a step was stored, and what it plays now."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mfmarl.core.bounds import log_sum_law
from mfmarl.errors import UserError
from mfmarl.seeding import generator

Array = NDArray[np.float64]
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"


@dataclass(frozen=True)
class Population:
    """N agents, seen by agent 0, whose neighbours are all others."""

    old: Array
    """[N, A], action probabilities when steps were stored."""
    new: Array
    """[N, A], now."""
    alike: bool
    """All agents have the same laws over two actions: then every ratio depends on the neighbours' sum only."""

    @property
    def num_agents(self) -> int:
        """N"""
        return len(self.old)

    @property
    def neighbours(self) -> int:
        """N - 1"""
        return len(self.old) - 1

    @property
    def span(self) -> int:
        """The largest sum of the neighbours' action indices; the mean action is sum / span, in [0, 1]."""
        return self.neighbours * int(self.old.shape[1] - 1)

    def log_laws(self) -> tuple[Array, Array]:
        """Log-probabilities [span + 1] of the neighbours' sum, then and now."""
        return log_sum_law(self.old[1:]), log_sum_law(self.new[1:])


@dataclass(frozen=True)
class Drift:
    """How policies have changed since steps were stored."""

    old: float | None = None
    """Probability of action 1 of all agents then, or None for a heterogeneous population."""
    new: float | None = None
    """... and now."""
    shift: float = 0.0
    """Heterogeneous: mean of the agents' logit shifts."""
    spread: float = 0.0
    """Heterogeneous: their standard deviation."""
    actions: int = 2

    def population(self, num_agents: int, seed: int) -> Population:
        """N agents of this drift.

        A heterogeneous agent's logits are drawn from N(0, 1) for every action, and those of action a move by draws of
        Normal(shift a / (A - 1), spread^2). With spread 0 and two actions the joint ratio is a function of the sum.
        """
        if self.old is not None and self.new is not None:
            laws = [np.tile([1.0 - p, p], (num_agents, 1)) for p in (self.old, self.new)]
            return Population(laws[0], laws[1], alike=True)
        rng = generator(seed, "population", num_agents)
        logits = rng.normal(size=(num_agents, self.actions))
        logits[:, 0] = 0.0
        index = np.linspace(0.0, 1.0, self.actions)
        moved = logits + self.shift * index + self.spread * rng.normal(size=logits.shape) * (index > 0)
        return Population(_softmax(logits), _softmax(moved), alike=False)

    def __str__(self) -> str:
        if self.old is not None:
            return f"{self.old:g} -> {self.new:g}"
        return f"logits + Normal({self.shift:g}, {self.spread:g}^2), {self.actions} actions"


def parse_drift(text: str, actions: int = 2) -> Drift:
    """`P:P'` for agents who are all alike, `logit:MEAN:SD` for a heterogeneous population.

    Raises:
        UserError: for anything else; says what is wrong with it.
    """
    if found := re.fullmatch(rf"({_NUMBER}):({_NUMBER})", text):
        old, new = float(found[1]), float(found[2])
        for name, p in (("p", old), ("p'", new)):
            if not 0.0 < p < 1.0:
                raise UserError(f"--drift {text}: {name} = {p:g}; want a probability above 0 and below 1")
        if actions != 2:
            raise UserError(f"--drift {text} is of two actions; for {actions} give --drift logit:MEAN:SD")
        return Drift(old, new)
    if found := re.fullmatch(rf"logit:({_NUMBER}):({_NUMBER})", text):
        shift, spread = float(found[1]), float(found[2])
        if spread < 0 or max(abs(shift), spread) > 10:
            raise UserError(f"--drift {text}: want a mean of -10 to 10 and a standard deviation of 0 to 10")
        return Drift(shift=shift, spread=spread, actions=actions)
    raise UserError(f"--drift {text}: want P:P', e.g. .5:.6, or logit:MEAN:SD, e.g. logit:.1:.3")


def _softmax(logits: Array) -> Array:
    weight: Array = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(weight / weight.sum(-1, keepdims=True), float)
