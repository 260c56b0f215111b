"""RLlib's own modules as our policies: encoder and head of every type, stacked into one PolicyNetwork."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mfmarl.network import NetworkShape, PolicyNetwork, types_of
from mfmarl.policy import load_tensors

Weights = Mapping[str, NDArray[Any]]

_PARTS = {"ppo": ("encoder.actor_encoder.net.mlp", "pi.net.mlp"), "dqn": ("encoder.net.mlp", "af.net.mlp")}
GREEDY = 1e-8
"""Temperature at which Boltzmann's law is the greedy one: values that differ at all differ by more than it."""


def policy_of(
    algorithm: str, modules: Mapping[str, Weights], types: Sequence[slice], observations: int, version: int
) -> PolicyNetwork:
    """The policies that RLlib's modules define: PPO's softmax over its logits, DQN's greedy one.

    Args:
        modules: type -> name -> array, types in the order of the population.
        observations: D; the other inputs are the mean action.
    """
    encoder, head = _PARTS[algorithm]
    layers = [_layers(weights, encoder) + _layers(weights, head) for weights in modules.values()]
    # RLlib has [out, in]
    weights = [np.stack([pair[0].T for pair in layer]) for layer in zip(*layers, strict=True)]
    biases = [np.stack([pair[1] for pair in layer]) for layer in zip(*layers, strict=True)]
    shape = NetworkShape(
        types=types_of(types),
        observations=observations,
        num_actions=weights[-1].shape[2],
        hidden=tuple(w.shape[2] for w in weights[:-1]),
        law="softmax" if algorithm == "ppo" else "boltzmann",
    )
    network = PolicyNetwork(shape, seed=0)
    tensors: dict[str, NDArray[Any]] = {
        "temperature": np.array(1.0 if algorithm == "ppo" else GREEDY, np.float32),
        "epsilon": np.array(0.0, np.float32),
        "version": np.array(version),
    }
    for i, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        tensors |= {f"mlp.weights.{i}": weight, f"mlp.biases.{i}": bias}
    load_tensors(network, tensors)
    return network


def _layers(weights: Weights, part: str) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """(weight, bias) of each linear layer of a part, in order."""
    names = [n for n in weights if n.startswith(f"{part}.") and n.endswith(".weight")]
    names.sort(key=lambda name: int(name.split(".")[-2]))
    if not names:
        raise ValueError(f"no weights of {part}.*.weight; there are {', '.join(weights)}")
    return [(weights[name], weights[name.removesuffix("weight") + "bias"]) for name in names]


def are_finite(modules: Mapping[str, Weights]) -> bool:
    """Whether every weight is a number."""
    return all(bool(np.isfinite(array).all()) for weights in modules.values() for array in weights.values())


def nested(tensors: Weights) -> dict[str, dict[str, NDArray[Any]]]:
    """ "type/name" -> array as type -> name -> array."""
    out: dict[str, dict[str, NDArray[Any]]] = {}
    for key, array in tensors.items():
        kind, name = key.split("/", 1)
        out.setdefault(kind, {})[name] = array
    return out


def flat(tables: Mapping[str, Weights]) -> dict[str, NDArray[Any]]:
    """The inverse of `nested`."""
    return {f"{kind}/{name}": array for kind, table in tables.items() for name, array in table.items()}


def optimiser_tables(state: Mapping[str, Any]) -> dict[str, dict[str, NDArray[Any]]]:
    """RLlib's optimiser state as type -> "parameter/moment" -> array."""
    return {
        str(one["module_id"]): {
            f"{i}/{name}": np.asarray(value, np.float32)
            for i, moments in one["state"]["state"].items()
            for name, value in moments.items()
        }
        for one in state.values()
    }


def with_moments(state: Mapping[str, Any], tables: Mapping[str, Weights]) -> dict[str, Any]:
    """A fresh optimiser's state with the moments of `optimiser_tables` in it."""
    out = {}
    for optimiser, one in state.items():
        moments: dict[int, dict[str, Any]] = {}
        for key, array in tables.get(one["module_id"], {}).items():
            index, name = key.split("/")
            moments.setdefault(int(index), {})[name] = torch.from_numpy(np.array(array))
        out[optimiser] = {**one, "state": {**one["state"], "state": moments}}
    return out
