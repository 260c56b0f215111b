"""Drawing actions in a rollout: a network of a few rows at a time, as arrays, where torch would mostly dispatch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mfmarl.imitation.networks import CLIP, Actor
from mfmarl.imitation.rollout import Act


def player(actor: Actor, steps: int, rows: int, generator: torch.Generator) -> Act:
    """What draws the actions of `rows` states for `steps` calls by the actor's weights of now.

    The same laws as `Actor.act` draws from, but all that is random comes in one draw.

    Raises:
        TypeError: for a layer that is not linear, tanh, or a rectifier.
    """
    mean, deviation = (_array(x) for x in (actor.norm.mean, (actor.norm.variance + 1e-8).sqrt()))
    layers = [_layer(module) for module in actor.net]
    shape = (steps, rows, actor.spaces.action_dim)
    if actor.log_std is None:
        draws = iter(_array(-torch.rand(shape, generator=generator).log_().neg_().log_()))
    else:
        spread = (actor.log_std + actor.reach.log()).exp()
        draws = iter(_array(torch.randn(shape, generator=generator) * spread))
    centre, reach, low, high = (_array(x) for x in (actor.centre, actor.reach, actor.low, actor.high))

    def act(states: NDArray[np.float32]) -> NDArray[Any]:
        out = np.clip((states - mean) / deviation, -CLIP, CLIP)
        for layer in layers:
            out = layer(out)
        if actor.log_std is None:
            # Gumbel noise makes the largest logit a draw from the law
            chosen: NDArray[np.int64] = (out + next(draws)).argmax(-1)
            return chosen
        clipped: NDArray[np.float32] = np.clip(centre + reach * out + next(draws), low, high)
        return clipped

    return act


def _layer(module: nn.Module) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    if isinstance(module, nn.Tanh):
        return np.tanh
    if isinstance(module, nn.ReLU):
        return lambda x: np.maximum(x, np.float32(0))
    if isinstance(module, nn.Linear):
        weight, bias = np.ascontiguousarray(_array(module.weight).T), _array(module.bias)
        return lambda x: x @ weight + bias
    raise TypeError(f"an actor's layer is {type(module).__name__}; want Linear, Tanh or ReLU")


def _array(tensor: Tensor) -> NDArray[np.float32]:
    found: NDArray[np.float32] = tensor.detach().numpy()
    return found
