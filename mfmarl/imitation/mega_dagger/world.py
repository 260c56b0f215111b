"""World models: what an action does to a state, and how much their members disagree about it."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, PositiveInt
from torch import Tensor, nn

from mfmarl.core.losses import weighted_mean
from mfmarl.errors import TrainingFailed
from mfmarl.imitation.batches import Batches
from mfmarl.imitation.discriminator import Inputs
from mfmarl.imitation.networks import RunningNorm
from mfmarl.imitation.result import generator
from mfmarl.imitation.saved import load_module, load_optimiser, module_arrays, optimiser_arrays
from mfmarl.imitation.spaces import Spaces
from mfmarl.runs.sealed import Arrays
from mfmarl.seeding import stream

LOG_STD = (-5.0, 1.0)
"""Bounds of the predicted log spreads, in spreads of the change: beyond them likelihoods run away."""


class WorldModel(Protocol):
    """What a plan is made in."""

    def predict(self, states: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Of states [n, D] and actions: (expected next states [n, D], epistemic uncertainty u [n])."""
        ...


class World(WorldModel, Protocol):
    """World models that an agent refits to what it was told, and stores."""

    def fit(
        self, states: NDArray[np.float32], actions: NDArray[np.generic], next_states: NDArray[np.float32]
    ) -> dict[str, float]:
        """Refit to all steps [n, D], [n] or [n, A], [n, D]; figures of it."""
        ...

    def arrays(self) -> Arrays:
        """All that predictions and further fits depend on."""
        ...

    def load_arrays(self, arrays: Arrays) -> None:
        """What `arrays` gave, among an agent's others."""
        ...


def disagreement(means: Tensor) -> Tensor:
    """u = trace Cov_b[mu_b] of members' means [M, n, D]: [n]."""
    return means.var(0).sum(-1)


class WorldConfig(BaseModel):
    """Settings of the ensemble of world models."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    members: int = Field(5, ge=2, description="models, each on its own bootstrap of the labelled steps")
    hidden_dims: tuple[PositiveInt, ...] = Field((64, 64), description="widths of their hidden layers")
    learning_rate: float = Field(1e-3, gt=0, le=1, description="of Adam")
    batch_size: int = Field(64, ge=1, description="steps of one gradient step, the same for all members")
    updates: int = Field(300, ge=1, description="gradient steps after a round")
    prior: float = Field(0.0, ge=0, description="spread of a model's fixed random part, in the change's; 0: none")


class StackedPerceptrons(nn.Module):
    """M perceptrons of one shape, side by side."""

    def __init__(self, members: int, widths: tuple[int, ...], seed: int) -> None:
        super().__init__()
        draws = generator(seed)
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for inputs, outputs in pairwise(widths):
            # uniform by fan-in, as PyTorch's own layers start
            drawn = (2 * torch.rand((members, inputs, outputs), generator=draws) - 1) * (3 / inputs) ** 0.5
            self.weights.append(nn.Parameter(drawn))
            self.biases.append(nn.Parameter((2 * torch.rand((members, 1, outputs), generator=draws) - 1) * 0.5))

    def forward(self, rows: Tensor) -> Tensor:
        """[n, inputs] or [M, n, inputs] -> [M, n, outputs]"""
        x = rows.expand(len(self.weights[0]), *rows.shape[-2:])
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = torch.baddbmm(bias, x, weight)
            if i < len(self.weights) - 1:
                x = torch.nn.functional.silu(x)
        return x


class EnsembleWorld:
    """Members N(mu_b, Sigma_b) of the state's change, in its standard deviations, by likelihood on bootstraps.

    (Chua et al. 2018.) A step's bootstrap weights are Poisson(1) draws that stay its own as data come in.
    With `prior` a mean is the sum of a trained network and a fixed random one (randomised prior functions; Osband,
    Aslanides and Cassirer 2018), so that members differ also where there is no data, as about an untried action.
    """

    def __init__(self, spaces: Spaces, config: WorldConfig, seed: int, batches: Batches | None = None) -> None:
        """`batches`: of the agent whose models they are."""
        self.batches = batches or Batches()
        self.spaces, self.config, self.seed = spaces, config, seed
        self.inputs = Inputs(spaces, RunningNorm(spaces.state_dim))
        widths = (spaces.state_dim + spaces.action_dim, *config.hidden_dims, 2 * spaces.state_dim)
        self.net = StackedPerceptrons(config.members, widths, stream(seed, "world"))
        self.prior = StackedPerceptrons(config.members, (*widths[:-1], spaces.state_dim), stream(seed, "prior"))
        self.prior.requires_grad_(False)
        # of spread 1 over rows of spread 1
        self.prior_scale = config.prior / self.prior(torch.randn((256, widths[0]), generator=generator(0))).std()
        self.optimiser = torch.optim.Adam(self.net.parameters(), config.learning_rate, fused=True)
        self.generator = generator(stream(seed, "batches"))
        self.change = torch.zeros(spaces.state_dim), torch.ones(spaces.state_dim)
        self.fitted = torch.zeros((), dtype=torch.bool)

    def _members(self, rows: Tensor, prior: Tensor) -> tuple[Tensor, Tensor]:
        """Means and log spreads [M, n, D] where the fixed part is `prior` [M, n, D]."""
        mean, log_std = self.net(rows).chunk(2, -1)
        low, high = LOG_STD
        return mean + prior, low + (high - low) * torch.sigmoid(log_std)

    def _prior(self, rows: Tensor) -> Tensor:
        """[n, W] -> [M, n, D], or a 0 of as many axes."""
        if not self.config.prior:
            return torch.zeros((1, len(rows), 1))
        found: Tensor = self.prior_scale * self.prior(rows)
        return found

    def fit(
        self, states: NDArray[np.float32], actions: NDArray[np.generic], next_states: NDArray[np.float32]
    ) -> dict[str, float]:
        """Gradient steps of all members on all steps."""
        before, after = torch.from_numpy(states), torch.from_numpy(next_states)
        n, change = len(before), after - before
        self.change = change.mean(0), change.std(0, correction=0) + 1e-6
        norm = RunningNorm(self.spaces.state_dim)
        norm.update(before)
        self.inputs.norm = norm
        with torch.no_grad():
            rows = self.inputs.pairs(before, torch.from_numpy(actions))
            prior = self._prior(rows)
        target = (change - self.change[0]) / self.change[1]
        drawn = np.random.default_rng(stream(self.seed, "bootstrap")).poisson(1.0, (n, self.config.members))
        weights = torch.from_numpy(drawn.T.astype(np.float32))
        size = self.batches.size(self.config.batch_size, n, "world.batch_size", "labelled steps")
        loss = torch.zeros(())
        for _ in range(self.config.updates):
            some = torch.randint(n, (size,), generator=self.generator)
            mean, log_std = self._members(rows[some], prior[:, some])
            each = (0.5 * ((target[some] - mean) * torch.exp(-log_std)).square() + log_std).sum(-1)
            weight = weights[:, some]
            loss = torch.stack([weighted_mean(e, w + 1e-9) for e, w in zip(each, weight, strict=True)]).sum()
            if not math.isfinite(loss.item()):
                told = f"the world's loss is {loss.item()}; its step was not taken"
                raise TrainingFailed(f"{told}: lower world.learning_rate")
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimiser.step()
        self.fitted = torch.ones((), dtype=torch.bool)
        return {"world_loss": float(loss.detach()) / self.config.members}

    @torch.no_grad()
    def predict(self, states: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Before the first fit nothing is known: u is infinite."""
        if not self.fitted:
            return states, torch.full((len(states),), torch.inf)
        rows = self.inputs.pairs(states, actions)
        means, _ = self._members(rows, self._prior(rows))
        return states + self.change[0] + self.change[1] * means.mean(0), disagreement(means)

    def arrays(self) -> Arrays:
        """Networks, optimiser, generator and units."""
        return {
            **module_arrays("world", self.net),
            **(module_arrays("world_prior", self.prior) if self.config.prior else {}),
            **module_arrays("world_inputs", self.inputs),
            **optimiser_arrays("world_optimiser", self.optimiser),
            "world_generator": self.generator.get_state().numpy().copy(),
            "world_change": torch.stack(self.change).numpy(),
            "world_fitted": self.fitted.numpy(),
        }

    def load_arrays(self, arrays: Arrays) -> None:
        """What `arrays` gave."""
        load_module("world", self.net, arrays)
        if self.config.prior:
            load_module("world_prior", self.prior, arrays)
        load_module("world_inputs", self.inputs, arrays)
        load_optimiser("world_optimiser", self.optimiser, arrays)
        self.generator.set_state(torch.from_numpy(arrays["world_generator"].copy()))
        mean, std = torch.from_numpy(arrays["world_change"].copy())
        self.change = mean, std
        self.fitted = torch.from_numpy(arrays["world_fitted"].copy())
