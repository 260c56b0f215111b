"""A population's policies: one per type, Boltzmann in the mean-field action value. Works without Ray."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mfmarl.core.networks import StackedMLP
from mfmarl.core.value import boltzmann_log_probs, sample_actions


class PolicyNetwork(nn.Module):
    """Q(observation, action, mean action) of every type, with the temperature of the policy it defines."""

    temperature: Tensor
    version: Tensor
    """Raised whenever the policies change: steps that carry the current version were played without drift."""

    def __init__(
        self, types: Sequence[slice], observations: int, num_actions: int, hidden: Sequence[int], seed: int
    ) -> None:
        super().__init__()
        self.num_actions = num_actions
        self.mlp = StackedMLP(types, observations + num_actions, hidden, num_actions, seed)
        self.register_buffer("temperature", torch.tensor(1.0))
        self.register_buffer("version", torch.tensor(0))

    def forward(self, obs: Tensor, mean_action: Tensor) -> Tensor:
        """[R, N, D] and [R, N, A] -> Q [R, N, A]."""
        out: Tensor = self.mlp(obs, mean_action)
        return out

    def q_values(self, obs: Tensor, mean_action: Tensor) -> Tensor:
        """`forward` without gradients, in chunks that fit the cache."""
        return self.mlp.infer(obs, mean_action)


class Policy:
    """A trained profile of policies: `Policy.load(run).act(obs, mean_action)`."""

    def __init__(self, network: PolicyNetwork, seed: int = 0) -> None:
        self.network = network
        self._generator = torch.Generator().manual_seed(seed)

    def _check(self, obs: NDArray[np.float32], mean_action: NDArray[np.float32]) -> tuple[Tensor, Tensor]:
        agents = self.network.mlp.types[-1].stop
        inputs = int(self.network.mlp.weights[0].shape[1]) - self.network.num_actions
        want = f"[R, {agents}, {inputs}] and [R, {agents}, {self.network.num_actions}]"
        if (
            obs.ndim != 3
            or obs.shape[1:] != (agents, inputs)
            or mean_action.shape != (*obs.shape[:2], self.network.num_actions)
        ):
            raise ValueError(
                f"this policy plays observations and mean actions of shape {want}; "
                f"got {list(obs.shape)} and {list(mean_action.shape)}"
            )
        return torch.from_numpy(np.asarray(obs, np.float32)), torch.from_numpy(np.asarray(mean_action, np.float32))

    def probs(self, obs: NDArray[np.float32], mean_action: NDArray[np.float32]) -> NDArray[np.float32]:
        """Action probabilities [R, N, A] given observations [R, N, D] and the last mean actions [R, N, A]."""
        q = self.network.q_values(*self._check(obs, mean_action))
        out: NDArray[np.float32] = boltzmann_log_probs(q, self.network.temperature).exp().numpy()
        return out

    def act(self, obs: NDArray[np.float32], mean_action: NDArray[np.float32]) -> NDArray[np.int64]:
        """One sampled action per agent: [R, N]."""
        q = self.network.q_values(*self._check(obs, mean_action))
        log_probs = boltzmann_log_probs(q, self.network.temperature)
        out: NDArray[np.int64] = sample_actions(log_probs, self._generator).numpy()
        return out

    @classmethod
    def load(cls, run: str | Path, seed: int = 0) -> Policy:
        """The policies of the newest checkpoint of a run folder, verified against its manifest.

        Raises:
            UserError: where `run` is no run folder or has no checkpoint.
            StorageFailed: where the checkpoint is damaged; names the file.
        """
        from mfmarl.runs.checkpoint import latest_checkpoint

        checkpoint = latest_checkpoint(Path(run))
        return cls(network_from(checkpoint.tensors["policy"], checkpoint.states["policy"]), seed)


def network_shape(network: PolicyNetwork) -> dict[str, Any]:
    """What `network_from` needs besides the tensors, as JSON."""
    weights = network.mlp.weights
    return {
        "kind": "stacked_mlp",
        "types": [[s.start, s.stop] for s in network.mlp.types],
        "observations": int(weights[0].shape[1]) - network.num_actions,
        "num_actions": network.num_actions,
        "hidden": [int(w.shape[2]) for w in weights[:-1]],
    }


def network_from(tensors: dict[str, NDArray[Any]], shape: dict[str, Any]) -> PolicyNetwork:
    """The network of saved tensors; refuses tensors of other names or shapes."""
    if shape.get("kind") != "stacked_mlp":
        raise ValueError(f"unknown kind of network {json.dumps(shape.get('kind'))}; this version reads stacked_mlp")
    types = [slice(int(a), int(b)) for a, b in shape["types"]]
    network = PolicyNetwork(types, int(shape["observations"]), int(shape["num_actions"]), shape["hidden"], seed=0)
    load_tensors(network, tensors)
    return network


def load_tensors(module: nn.Module, tensors: dict[str, NDArray[Any]]) -> None:
    """Copy saved arrays into a module; every tensor must be there, none more, each of its shape."""
    own = module.state_dict()
    if set(own) != set(tensors):
        odd = sorted(set(own) ^ set(tensors))
        raise ValueError(f"saved tensors do not fit the network: {odd} are missing or unknown")
    for name, tensor in own.items():
        if tuple(tensor.shape) != tuple(tensors[name].shape):
            raise ValueError(f"tensor {name} has shape {tensors[name].shape}, the network needs {tuple(tensor.shape)}")
    module.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in tensors.items()})
