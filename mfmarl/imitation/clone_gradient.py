"""The gradient of behavioural cloning by hand: on small batches autograd spends most of its time on its graph."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from mfmarl.imitation.networks import Actor


@torch.no_grad()
def fill_gradients(actor: Actor, rows: Tensor, actions: Tensor, squared: bool) -> Tensor:
    """Set the gradients of an actor without dropout on normalised states [n, D]; the mean loss.

    Actions are numbers [n], or [n, A] in the environment's units. `squared` is the mean squared error in halves of the
    range, else it is the negative log-likelihood: by logits, softmax(out) - onehot; by a Gaussian's mean,
    (out - z) / std^2, and by its log std, 1 - ((out - z) / std)^2, with z the actions in halves of the range.
    """
    out, inputs = _forward(actor.net, rows)
    n = len(rows)
    if actor.log_std is None:
        log_probs = torch.log_softmax(out, -1)
        loss = -log_probs.gather(1, actions.unsqueeze(1)).mean()
        slope = log_probs.exp_()
        slope[torch.arange(n), actions] -= 1
        _backward(inputs, slope.div_(n))
        return loss
    away = out - (actions - actor.centre) / actor.reach
    if squared:
        _backward(inputs, away * (2 / away.numel()))
        return away.square().mean()
    std = actor.log_std.exp()
    scaled = away / std
    each = scaled.square()
    actor.log_std.grad = 1 - each.mean(0)
    _backward(inputs, scaled.div_(std * n))
    constant = 0.5 * math.log(2 * math.pi)
    return 0.5 * each.mean(0).sum() + (actor.log_std + actor.reach.log() + constant).sum()


def _forward(net: nn.Sequential, rows: Tensor) -> tuple[Tensor, list[tuple[nn.Linear, nn.Module | None, Tensor]]]:
    """(outputs, each layer with the activation before it and its inputs)."""
    inputs: list[tuple[nn.Linear, nn.Module | None, Tensor]] = []
    x, before = rows, None
    for layer in net:
        if isinstance(layer, nn.Linear):
            inputs.append((layer, before, x))
            x = torch.addmm(layer.bias, x, layer.weight.T)
        else:
            x, before = (x.tanh_() if isinstance(layer, nn.Tanh) else x.relu_()), layer
    return x, inputs


def _backward(inputs: list[tuple[nn.Linear, nn.Module | None, Tensor]], slope: Tensor) -> None:
    """Gradients of all layers from that of the outputs [n, A]."""
    for layer, activation, x in reversed(inputs):
        layer.weight.grad, layer.bias.grad = slope.T @ x, slope.sum(0)
        if activation is not None:
            slope = slope @ layer.weight
            slope.mul_(1 - x.square() if isinstance(activation, nn.Tanh) else x > 0)
