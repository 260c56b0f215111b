"""A population's trained policies, ready to play: saved as safetensors and JSON, loaded without Ray."""

from __future__ import annotations

import copy
import json
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors.numpy
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mfmarl.core.laws import ActionLaw, Categorical
from mfmarl.errors import StorageFailed
from mfmarl.network import NetworkShape, PolicyNetwork
from mfmarl.runs.files import read_capped, unpacking

if TYPE_CHECKING:
    from mfmarl.runs.checkpoint import Checkpoint

EXPORTED_TENSORS, EXPORTED_SHAPE = "policy.safetensors", "policy.json"
"""What `mfmarl export` writes."""
MAX_TENSORS, MAX_SHAPE = 4 << 30, 1 << 20


class Policy:
    """A trained profile of policies: `Policy.load(run).act(obs, mean_action)`."""

    def __init__(self, network: PolicyNetwork, seed: int = 0) -> None:
        self.network = network
        self.mean_field = network.shape.mean_field()
        self._generator = torch.Generator().manual_seed(seed)

    @cached_property
    def _precise(self) -> PolicyNetwork:
        """In float64: a cold Boltzmann law blows the last bits of float32 values up to 1e-5 of probability."""
        return copy.deepcopy(self.network).double()

    def _law(
        self,
        network: PolicyNetwork,
        obs: NDArray[np.float32],
        mean_action: NDArray[np.float32],
        last_action: NDArray[Any] | None,
    ) -> ActionLaw:
        shape = network.shape
        agents, entries = shape.types[-1][1], shape.num_actions or 1
        if obs.ndim != 3 or obs.shape[1:] != (agents, shape.observations):
            raise ValueError(
                f"this policy plays observations of shape [R, {agents}, {shape.observations}]; got {list(obs.shape)}"
            )
        told = (*obs.shape[:2], entries)
        if mean_action.shape != told:
            raise ValueError(
                f"this policy plays mean actions of shape {list(told)}, the means of one-hot actions, or of "
                f"continuous ones, that `Step.mean_action` holds; got {list(mean_action.shape)}"
            )
        if shape.by_type and (last_action is None or last_action.shape != obs.shape[:2]):
            raise ValueError(
                f"this policy sees one mean action per type: give the last actions too, of shape {list(obs.shape[:2])}"
            )
        means = torch.from_numpy(np.asarray(mean_action, np.float32))
        last = None if last_action is None else torch.from_numpy(np.asarray(last_action))
        # nobody has played yet where the mean action is zero
        seen = self.mean_field.shown(means, last, means.sum((-1, -2)) == 0.0)
        kind = network.temperature.dtype
        return network.law(torch.from_numpy(np.asarray(obs, np.float32)).to(kind), seen.to(kind))

    def probs(
        self,
        obs: NDArray[np.float32],
        mean_action: NDArray[np.float32],
        last_action: NDArray[Any] | None = None,
    ) -> NDArray[np.float32]:
        """Probabilities [R, N, A] of discrete actions, worked out in float64; arguments as for `act`."""
        law = self._law(self._precise, obs, mean_action, last_action)
        if not isinstance(law, Categorical):
            raise ValueError("these policies play continuous actions, which have densities: use act")
        out: NDArray[np.float32] = law.probs.float().numpy()
        return out

    def probs_of_type(
        self, k: int, obs: NDArray[np.float32], mean_action: NDArray[Any], by_type: NDArray[Any]
    ) -> NDArray[np.float32]:
        """Action probabilities [R, A] of agents of type k among infinitely many, who all see the same mean actions.

        Args:
            k: the type.
            obs: [R, D].
            mean_action: [A], of the whole population at the step before; 0 at a start.
            by_type: [K, A], of each type; only policies with one mean action per type see them.

        Raises:
            ValueError: for continuous actions, agents with networks of their own, and observations of another game.
        """
        shape = self.network.shape
        if shape.num_actions is None:
            raise ValueError("these policies play continuous actions, which have densities: use act")
        told = (obs.ndim, obs.shape[-1], *by_type.shape)
        if told != (2, shape.observations, len(shape.types), shape.num_actions):
            raise ValueError(
                f"this policy plays {len(shape.types)} types on observations of {shape.observations} entries, with "
                f"{shape.num_actions} actions; got observations {list(obs.shape)}, mean actions {list(by_type.shape)}"
            )
        seen = torch.from_numpy(self.shown_to_all(mean_action, by_type)).expand(obs.shape[0], -1).contiguous()
        law = self.network.law_of_type(k, torch.from_numpy(np.ascontiguousarray(obs, np.float32)), seen)
        assert isinstance(law, Categorical)
        out: NDArray[np.float32] = law.probs.numpy()
        return out

    def shown_to_all(self, mean_action: NDArray[Any], by_type: NDArray[Any]) -> NDArray[np.float32]:
        """[F]: what agents among infinitely many are shown of mean actions [A], and of those of each type [K, A]."""
        shape, field = self.network.shape, self.mean_field
        means = torch.from_numpy(np.asarray(by_type if shape.by_type else mean_action[None], np.float32))
        if shape.mean_action == "scalar":
            means = (means @ field.scale(means)).unsqueeze(-1)
        shown: NDArray[np.float32] = means.reshape(-1)[: field.width].numpy()
        return shown

    def act(
        self,
        obs: NDArray[np.float32],
        mean_action: NDArray[np.float32],
        last_action: NDArray[Any] | None = None,
    ) -> NDArray[Any]:
        """One sampled action per agent: [R, N].

        Args:
            obs: [R, N, D], `Step.obs`.
            mean_action: [R, N, A], `Step.mean_action`: of the step before, zeros at a start. A = 1 for continuous ones.
            last_action: [R, N], what was played at the step before; only policies with one mean action per type ask.

        Raises:
            ValueError: for arrays of other shapes; says which are wanted.
        """
        out: NDArray[Any] = self._law(self.network, obs, mean_action, last_action).sample(self._generator).numpy()
        return out

    @classmethod
    def load(cls, run: str | Path, seed: int = 0) -> Policy:
        """The policies of the newest checkpoint of a run folder, or those of a folder that `mfmarl export` wrote.

        Raises:
            UserError: where `run` is no run folder or has no checkpoint.
            StorageFailed: where a file is damaged; names it.
        """
        from mfmarl.runs.checkpoint import latest_checkpoint

        if (Path(run) / EXPORTED_SHAPE).exists():
            return cls(_exported(Path(run)), seed)
        checkpoint = latest_checkpoint(Path(run))
        return cls(network_in(checkpoint, Path(run)), seed)


def _exported(folder: Path) -> PolicyNetwork:
    tensors = read_capped(folder / EXPORTED_TENSORS, MAX_TENSORS)
    with unpacking(f"{folder / EXPORTED_SHAPE} and {EXPORTED_TENSORS}", "do not make a policy", (StorageFailed,)):
        shape = json.loads(read_capped(folder / EXPORTED_SHAPE, MAX_SHAPE))
        return network_from(safetensors.numpy.load(tensors), shape)


def network_in(checkpoint: Checkpoint, run: Path) -> PolicyNetwork:
    """The network of a run's checkpoint.

    Raises:
        DamagedFile: where its tensors make none; they are whole, but not what mfmarl wrote.
    """
    with unpacking(f"checkpoint {checkpoint.iteration} of {run}", "holds no policy"):
        return network_from(checkpoint.tensors["policy"], checkpoint.states["policy"])


def network_from(tensors: dict[str, NDArray[Any]], shape: dict[str, Any]) -> PolicyNetwork:
    """The network of saved tensors; refuses tensors of other names or shapes."""
    told = NetworkShape.from_json(shape)
    largest = max((max(array.shape, default=1) for array in tensors.values()), default=1)
    # before room is made for it
    if len(told.hidden) > len(tensors) or max((told.observations, *told.hidden)) > largest:
        raise ValueError(f"layers of {told.hidden[:4]} units, {len(told.hidden)} in all, are not among its tensors")
    network = PolicyNetwork(told, seed=0)
    load_tensors(network, tensors)
    return network


def module_arrays(module: nn.Module) -> dict[str, NDArray[Any]]:
    """A module's tensors as arrays of their own."""
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in module.state_dict().items()}


def load_tensors(module: nn.Module, tensors: dict[str, NDArray[Any]]) -> None:
    """Copy saved arrays into a module; every tensor must be there, none more, each of its shape."""
    own: dict[str, Tensor] = module.state_dict()
    if set(own) != set(tensors):
        odd = sorted(set(own) ^ set(tensors))
        raise ValueError(f"saved tensors do not fit the network: {odd} are missing or unknown")
    for name, tensor in own.items():
        if tuple(tensor.shape) != tuple(tensors[name].shape):
            raise ValueError(f"tensor {name} has shape {tensors[name].shape}, the network needs {tuple(tensor.shape)}")
    module.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in tensors.items()})
