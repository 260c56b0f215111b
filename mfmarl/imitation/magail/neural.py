"""Policies and discriminators as perceptrons, those of all runs (and of agents whose sizes agree) one stack of weights.

They are evaluated in all states and joint actions at once, which a small game has few of; so an epoch is the tables'
epoch, and only what is stepped differs: weights, not entries.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, product
from typing import Any, Protocol

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, PositiveInt
from torch import Tensor
from torch.autograd.function import Function

from mfmarl.imitation.magail.theory import Array
from mfmarl.seeding import generator

LAST_GAIN = 0.1
"""Scale of the last layers' weights, so that all begin near the uniform law and near D = 1/2, as tables do."""


class Network(BaseModel):
    """Settings of perceptrons."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    hidden: tuple[PositiveInt, ...] = Field(
        (32, 32), description="widths of hidden layers (tanh); with none a linear map without a bias"
    )
    gradient_penalty: float = Field(
        0.0, ge=0, description="weight of |grad d|^2 / 2 by the inputs, at both batches (Mescheder et al. 2018)"
    )


class Model(Protocol):
    """What gives one tensor an agent (or a discriminator) from weights that Adam moves."""

    @property
    def parameters(self) -> list[Tensor]:
        """What a gradient is taken by."""
        ...

    def __call__(self) -> list[Tensor]:
        """[R, S, ..] each."""
        ...


class Tables:
    """Entries that are themselves the weights."""

    def __init__(self, tables: Sequence[Tensor]) -> None:
        self.parameters = [table.requires_grad_() for table in tables]

    def __call__(self) -> list[Tensor]:
        """The entries."""
        return self.parameters


class Perceptrons:
    """B perceptrons on the same inputs [X, F]; Glorot's normal law for their weights (Glorot and Bengio 2010)."""

    def __init__(
        self,
        inputs: Array,
        hidden: Sequence[int],
        outputs: int,
        generators: Sequence[np.random.Generator],
        last_gain: float = LAST_GAIN,
    ) -> None:
        """Args:
        generators: one a perceptron, B of them.
        """
        self.inputs = torch.from_numpy(np.asarray(inputs, float))
        widths = [self.inputs.shape[1], *hidden, outputs]
        self.weights, self.biases = [], []
        for layer, (a, b) in enumerate(pairwise(widths)):
            last = layer == len(hidden)
            # of a linear map on one-hot states every logit is one weight
            spread = last_gain * (1.0 if not hidden else a**-0.5) if last else (2 / (a + b)) ** 0.5
            drawn = np.stack([spread * rng.normal(size=(a, b)) for rng in generators])
            self.weights.append(torch.from_numpy(drawn).requires_grad_())
            if hidden:
                self.biases.append(torch.zeros((len(generators), 1, b), dtype=torch.float64, requires_grad=True))

    @property
    def parameters(self) -> list[Tensor]:
        """Weights [B, in, out], biases [B, 1, out]."""
        return [*self.weights, *self.biases]

    def __call__(self) -> Tensor:
        """[B, X, outputs]"""
        return self.forward(self.inputs)

    def forward(self, rows: Tensor) -> Tensor:
        """[X, F] or [B, X, F] -> [B, X, outputs]"""
        out = rows
        for layer, weight in enumerate(self.weights):
            out = out @ weight
            if self.biases:
                out = out + self.biases[layer]
            if layer < len(self.weights) - 1:
                out = out.tanh()
        return out

    def squared_slopes(self) -> Tensor:
        """[B, X]: |grad|^2 of the only output by the inputs."""
        rows = self.inputs.expand(len(self.weights[0]), *self.inputs.shape).detach().requires_grad_()
        (slopes,) = torch.autograd.grad(self.forward(rows).sum(), rows, create_graph=True)
        return slopes.square().sum(-1)


class Nets:
    """A model of perceptrons: agents (or discriminators) of equal sizes share a stack, others have one each."""

    def __init__(self, stacks: Sequence[Perceptrons], shapes: Sequence[tuple[int, ...]]) -> None:
        """Args:
        shapes: of each tensor that is given, [R, S, ..].
        """
        self.stacks, self.shapes = stacks, shapes
        self.parameters = [weight for stack in stacks for weight in stack.parameters]

    def __call__(self) -> list[Tensor]:
        """[R, S, ..] each."""
        return self._each([stack() for stack in self.stacks])

    def squared_slopes(self) -> list[Tensor]:
        """|grad|^2 of every logit by its input."""
        return self._each([stack.squared_slopes() for stack in self.stacks])

    def _each(self, out: list[Tensor]) -> list[Tensor]:
        R = self.shapes[0][0]
        own = [of_stack[k : k + R] for of_stack in out for k in range(0, len(of_stack), R)]
        return [part.reshape(shape) for part, shape in zip(own, self.shapes, strict=True)]


def _drawing(seeds: Sequence[int], name: str, numbers: Sequence[int]) -> list[np.random.Generator]:
    return [generator(seed, "magail", name, i) for i in numbers for seed in seeds]


def policy_nets(states: Array, actions: tuple[int, ...], seeds: Sequence[int], net: Network, uniform: bool) -> Nets:
    """theta_i[R, S, A_i] of all agents, from features [S, F] (one-hot: the identity).

    Args:
        seeds: R, of the runs.
        uniform: last layers begin at 0.
    """
    gain = 0.0 if uniform else LAST_GAIN
    together = [range(len(actions))] if len(set(actions)) == 1 else [range(i, i + 1) for i in range(len(actions))]
    stacks = [Perceptrons(states, net.hidden, actions[of[0]], _drawing(seeds, "policy", of), gain) for of in together]
    return Nets(stacks, [(len(seeds), len(states), size) for size in actions])


def discriminator_nets(states: Array, shapes: Sequence[tuple[int, ...]], seeds: Sequence[int], net: Network) -> Nets:
    """d[R, S, *shape] of each discriminator, from a state's features beside its (joint) action one-hot."""
    S = len(states)
    together = [range(len(shapes))] if len(set(shapes)) == 1 else [range(i, i + 1) for i in range(len(shapes))]
    stacks = []
    for of in together:
        cells = int(np.prod(shapes[of[0]]))
        rows = np.array([[*states[s], *np.eye(cells)[a]] for s, a in product(range(S), range(cells))])
        stacks.append(Perceptrons(rows, net.hidden, 1, _drawing(seeds, "discriminator", of)))
    return Nets(stacks, [(len(seeds), S, *shape) for shape in shapes])


class _FromBelow(Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, lowest: float) -> Tensor:
        ctx.save_for_backward(logits)
        ctx.lowest = lowest
        return logits.clamp(min=lowest)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None]:
        (logits,), (slope,) = ctx.saved_tensors, slopes
        # descent goes against the slope: one above 0 would go further below
        return slope.masked_fill((logits <= ctx.lowest) & (slope > 0), 0.0), None


def bounded(logits: Tensor, lowest: float | None) -> Tensor:
    """Logits that are not below `lowest`: what is at the bound can still come up, but not go down."""
    if lowest is None:
        return logits
    out: Tensor = _FromBelow.apply(logits, lowest)  # type: ignore[no-untyped-call]
    return out
