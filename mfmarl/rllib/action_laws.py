"""What RLlib's modules give for an action, as the core's laws: logits, or means and log stds with -1 to 1 the range."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from ray.rllib.core.columns import Columns
from torch import Tensor

from mfmarl.core.laws import Categorical
from mfmarl.imitation.laws import Gaussian
from mfmarl.imitation.rollout import Act
from mfmarl.imitation.spaces import Spaces


def law_of(inputs: Tensor, spaces: Spaces) -> Categorical | Gaussian:
    """Of `action_dist_inputs` [n, A] or [n, 2 A], in the environment's units."""
    if not spaces.continuous:
        return Categorical(torch.log_softmax(inputs, -1))
    low, high = torch.tensor(spaces.low), torch.tensor(spaces.high)
    mean, log_std = inputs.chunk(2, -1)
    reach = (high - low) / 2
    return Gaussian((low + high) / 2 + reach * mean, log_std + reach.log(), low, high)


def in_environment(actions: NDArray[Any], spaces: Spaces) -> NDArray[Any]:
    """Actions [n] or [n, A] as RLlib's episodes hold them -> as the environment got them."""
    if not spaces.continuous:
        return actions.astype(np.int64)
    low, high = np.array(spaces.low), np.array(spaces.high)
    return spaces.clipped(low + (high - low) * (actions + 1) / 2)


def in_rllib(actions: NDArray[Any], spaces: Spaces) -> NDArray[Any]:
    """The inverse of `in_environment` for actions within their bounds."""
    if not spaces.continuous:
        return actions
    low, high = np.array(spaces.low), np.array(spaces.high)
    return np.asarray(2 * (actions - low) / (high - low) - 1, np.float32)


def acting(module: Any, spaces: Spaces, generator: torch.Generator | None = None) -> Act:
    """A policy of ours that plays an RLlib module's actions: drawn where a generator is given, else the likeliest."""

    @torch.no_grad()
    def act(states: NDArray[np.float32]) -> NDArray[Any]:
        law = law_of(inputs_of(module, torch.from_numpy(np.asarray(states, np.float32))), spaces)
        likeliest = law.mean if isinstance(law, Gaussian) else law.log_probs.argmax(-1)
        actions = likeliest if generator is None else law.sample(generator)
        return spaces.clipped(actions.numpy())

    return act


def inputs_of(module: Any, states: Tensor) -> Tensor:
    """`action_dist_inputs` of states [n, D]: [n, A] or [n, 2 A]."""
    found: Tensor = module.forward_inference({Columns.OBS: states})[Columns.ACTION_DIST_INPUTS]
    return found
