"""Networks of imitators: perceptrons on inputs that are normalised by their running mean and spread."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mfmarl.core.laws import Categorical
from mfmarl.imitation.laws import Gaussian
from mfmarl.imitation.spaces import Spaces

Activation = Literal["tanh", "relu"]
CLIP = 10.0
"""Standard deviations within which normalised inputs are held: a stray observation then does not saturate a network."""


class RunningNorm(nn.Module):
    """x -> (x - mean) / std, of all rows that `update` was given (Chan, Golub and LeVeque 1983)."""

    mean: Tensor
    variance: Tensor
    count: Tensor

    def __init__(self, entries: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(entries))
        self.register_buffer("variance", torch.ones(entries))
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))

    @torch.no_grad()
    def update(self, rows: Tensor) -> None:
        """Take in rows [R, entries]."""
        added = len(rows)
        if not added:
            return
        before = float(self.count)
        total = before + added
        mean, variance = rows.mean(0), rows.var(0, correction=0)
        off = mean - self.mean
        merged = self.variance * before + variance * added + off.square() * (before * added / total)
        self.variance.copy_(merged / total)
        self.mean.add_(off * (added / total))
        self.count.fill_(total)

    def forward(self, rows: Tensor) -> Tensor:
        """[..., entries] -> [..., entries]"""
        return ((rows - self.mean) / (self.variance + 1e-8).sqrt()).clamp(-CLIP, CLIP)


class Dropout(nn.Module):
    """Hidden units left out in training, the others scaled up: PyTorch's own draws from the global generator."""

    def __init__(self, rate: float, generator: torch.Generator) -> None:
        super().__init__()
        self.rate, self.generator = rate, generator

    def forward(self, rows: Tensor) -> Tensor:
        """[..., units] -> [..., units]"""
        if not self.training:
            return rows
        kept = torch.rand(rows.shape, generator=self.generator) >= self.rate
        return rows * kept / (1 - self.rate)

    def get_extra_state(self) -> Tensor:
        """Where its generator is, so that saved networks go on as they would have."""
        return self.generator.get_state()

    def set_extra_state(self, state: Tensor) -> None:
        """What `get_extra_state` gave."""
        self.generator.set_state(state)


def perceptron(
    inputs: int,
    hidden: Sequence[int],
    outputs: int,
    generator: torch.Generator,
    *,
    activation: Activation = "tanh",
    last_gain: float = 1.0,
    spectral_norm: bool = False,
    dropout: float = 0.0,
) -> nn.Sequential:
    """Layers with orthogonal weights; the last one's are scaled by `last_gain`.

    Args:
        spectral_norm: divides each layer's weights by their largest singular value (Miyato et al. 2018).
        dropout: of hidden units, in training.
    """
    layers: list[nn.Module] = []
    widths = [inputs, *hidden, outputs]
    for i, (a, b) in enumerate(pairwise(widths)):
        last = i == len(widths) - 2
        layer = nn.Linear(a, b)
        nn.init.orthogonal_(layer.weight, last_gain if last else 2.0**0.5, generator=generator)
        nn.init.zeros_(layer.bias)
        layers.append(_spectral(layer, generator) if spectral_norm else layer)
        if not last:
            layers.append(nn.Tanh() if activation == "tanh" else nn.ReLU())
            if dropout:
                layers.append(Dropout(dropout, generator))
    return nn.Sequential(*layers)


def _spectral(layer: nn.Linear, generator: torch.Generator) -> nn.Module:
    # the first guess of the singular vectors is drawn from the global generator
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**31, (), generator=generator)))
        return nn.utils.parametrizations.spectral_norm(layer, n_power_iterations=2)


class Policy(nn.Module, ABC):
    """States -> the law of actions."""

    spaces: Spaces

    @abstractmethod
    def law(self, states: Tensor) -> Categorical | Gaussian:
        """Of states [R, D]."""

    def mode(self, states: Tensor) -> Tensor:
        """The likeliest actions of states [R, D]: [R] or [R, A]."""
        law = self.law(states)
        return law.mean if isinstance(law, Gaussian) else law.log_probs.argmax(-1)

    @torch.no_grad()
    def act(self, states: NDArray[np.float32], generator: torch.Generator | None = None) -> NDArray[np.generic]:
        """Actions for an environment, clipped: [B] or [B, A]; drawn where a generator is given, else the likeliest."""
        rows = torch.from_numpy(np.asarray(states, np.float32))
        actions = self.mode(rows) if generator is None else self.law(rows).sample(generator)
        return self.spaces.clipped(actions.numpy())


class Actor(Policy):
    """A policy that is one network."""

    log_std: nn.Parameter | None

    def __init__(
        self,
        spaces: Spaces,
        hidden: Sequence[int],
        seed: int,
        *,
        activation: Activation = "tanh",
        last_gain: float = 0.01,
        log_std: float = -0.5,
        dropout: float = 0.0,
    ) -> None:
        """Args:
        last_gain: small, so that all actions start alike.
        log_std: of continuous actions at the start, in halves of their range; one parameter per entry. At -inf
            draws are the mean itself: a deterministic policy.
        """
        super().__init__()
        self.spaces = spaces
        self.norm = RunningNorm(spaces.state_dim)
        self.net = perceptron(
            spaces.state_dim,
            hidden,
            spaces.action_dim,
            torch.Generator().manual_seed(seed),
            activation=activation,
            last_gain=last_gain,
            dropout=dropout,
        )
        entries = spaces.action_dim if spaces.continuous else 0
        self.register_parameter("log_std", nn.Parameter(torch.full((entries,), log_std)) if entries else None)
        low, high = torch.tensor(spaces.low), torch.tensor(spaces.high)
        for name, of_range in (("low", low), ("high", high), ("centre", (low + high) / 2), ("reach", (high - low) / 2)):
            self.register_buffer(name, of_range, persistent=False)

    low: Tensor
    high: Tensor
    centre: Tensor
    reach: Tensor

    def law(self, states: Tensor) -> Categorical | Gaussian:
        """Of states [R, D]."""
        return self.law_of(self.norm(states))

    def law_of(self, rows: Tensor) -> Categorical | Gaussian:
        """Of states [R, D] that are normalised already."""
        out = self.net(rows)
        if self.log_std is None:
            return Categorical(torch.log_softmax(out, -1))
        return Gaussian(self.centre + self.reach * out, self.log_std + self.reach.log(), self.low, self.high)


class Critic(nn.Module):
    """States -> values; `norm` is the actor's own, which sees the same states."""

    def __init__(self, norm: RunningNorm, hidden: Sequence[int], seed: int, *, activation: Activation = "tanh") -> None:
        super().__init__()
        self.norm = norm
        self.net = perceptron(len(norm.mean), hidden, 1, torch.Generator().manual_seed(seed), activation=activation)

    def forward(self, states: Tensor) -> Tensor:
        """[..., D] -> [...]"""
        out: Tensor = self.net(self.norm(states)).squeeze(-1)
        return out
