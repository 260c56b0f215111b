"""Networks of deviators: from the networks of the profile, in units of their own, and how they are played greedily."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mfmarl.core.networks import StackedMLP
from mfmarl.core.squashed_gaussian import SquashedGaussian
from mfmarl.deviation import Units
from mfmarl.network import PolicyNetwork
from mfmarl.subject import Trained

SMALL = 1e-9
"""Ridge, as a share of all hidden units' squares."""


@torch.no_grad()
def fold(mlp: StackedMLP, units: Units, *, inverse: bool = False) -> None:
    """Let the first layer take observations as they are where it took them in `units`; or the other way round."""
    weight, bias = mlp.weights[0], mlp.biases[0]
    centre, scale = torch.from_numpy(units.centre).double(), torch.from_numpy(units.scale).double()
    own, shift = weight.double(), bias.double()
    if inverse:
        shift = shift + centre @ own
        own = own * scale[:, None]
    else:
        own = own / scale[:, None]
        shift = shift - centre @ own
    weight.copy_(own.float())
    bias.copy_(shift.float())


@torch.no_grad()
def copy_network(trained: Trained, kind: int, into: PolicyNetwork, units: Units, spread: float) -> None:
    """Make `into` play as the agents of type `kind` do: their weights, none on the time, told in `units`.

    Of agents with a network each the type's first is taken. Action values are told anew in the unit of the rewards
    that the deviator's learner is given.
    """
    network, mlp = trained.network, into.mlp
    agents = network.shape.slices()[kind]
    source = network.mlp
    index = {"type": kind, "all": 0, "agent": agents.start}[network.shape.sharing]
    first = source.weights[0][index]
    mlp.weights[0].zero_()
    mlp.weights[0][0, : source.inputs] = first[: source.inputs]
    mlp.biases[0][0] = source.biases[0][index] + _embedding(source, kind, first)
    for layer in range(1, len(source.weights)):
        mlp.weights[layer][0] = source.weights[layer][index]
        mlp.biases[layer][0] = source.biases[layer][index]
    if network.shape.law == "boltzmann":
        ratio = float(trained.reward_scale[agents.start]) / spread
        mlp.weights[-1].mul_(ratio)
        mlp.biases[-1].mul_(ratio)
    fold(mlp, units, inverse=True)


@torch.no_grad()
def level_values(network: PolicyNetwork, rows: NDArray[np.float32]) -> None:
    """Take what staying is worth off the values of all actions alike, as far as the last hidden layer tells it.

    Rewards are told from there (`Potential`). It is fitted on rows [R, D] where everyone stays; what is preferred stays
    as it is.
    """
    mlp = network.mlp
    hidden = torch.from_numpy(rows).double()
    for weight, bias in zip(mlp.weights[:-1], mlp.biases[:-1], strict=True):
        hidden = torch.relu(hidden @ weight[0].double() + bias[0].double())
    best = (hidden @ mlp.weights[-1][0].double() + mlp.biases[-1][0].double()).max(-1).values
    known = torch.cat([hidden, torch.ones(len(hidden), 1, dtype=torch.float64)], 1)
    square = known.T @ known / len(known)
    told = torch.linalg.solve(
        square + SMALL * square.trace() * torch.eye(len(square), dtype=torch.float64), known.T @ best / len(known)
    )
    mlp.weights[-1][0] -= told[:-1, None].float()
    mlp.biases[-1][0] -= told[-1].float()


def _embedding(source: StackedMLP, kind: int, first: Tensor) -> Tensor:
    if source.embedding is None:
        return torch.zeros(first.shape[1])
    added: Tensor = source.embedding[kind] @ first[source.inputs :]
    return added


def greedy(network: PolicyNetwork) -> Callable[[NDArray[np.float32]], NDArray[Any]]:
    """Observations [R, n, D] -> the action that the policy prefers, or its mean action where actions are numbers.

    Observations of another number of agents or entries are refused with ValueError.
    """
    wanted = network.shape.types[-1][1], network.shape.observations

    def act(obs: NDArray[np.float32]) -> NDArray[Any]:
        if obs.shape[1:] != wanted:
            raise ValueError(f"observations have shape {obs.shape}; this deviator's are [R, {wanted[0]}, {wanted[1]}]")
        output = network.q_values(torch.from_numpy(obs), torch.zeros(*obs.shape[:2], 0))
        law = network.law_of(output)
        chosen: NDArray[Any]
        chosen = (law.mean_action().float() if isinstance(law, SquashedGaussian) else output.argmax(-1)).numpy()
        return chosen

    return act
