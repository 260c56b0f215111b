"""Exploitability of batches of policies as a differentiable function, on any device of torch.

Transitions that follow the population, rewards and terminal rewards are functions of tensors: those of the games that
ship are known (`torch_laws`), affine ones and those of crowds (a table less ln mu) are read off the game's own
functions, any other is given. All are compared with the game's own at one population.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from envs.mean_field.game import FiniteMFG, check_kind
from mfmarl.solvers.solution import Array
from mfmarl.solvers.torch_kernel import FixedTransitions, MovingTransitions, TorchLaw, transitions
from mfmarl.solvers.torch_rewards import (
    TOLERANCE,
    TorchReward,
    TorchTerminal,
    a_population,
    off,
    reward_of,
    terminal_of,
)


@dataclass(frozen=True)
class TorchGame:
    """A finite mean-field game on a device, float64."""

    name: str
    shape: tuple[int, int, int]
    """(T, S, A), of a policy."""
    initial: Tensor
    """[S]"""
    transitions: FixedTransitions | MovingTransitions
    reward: TorchReward
    terminal: TorchTerminal
    sees_actions: bool
    mask: Tensor | None
    """[S, A], bool."""


def torch_game(
    game: FiniteMFG,
    device: str | torch.device = "cpu",
    *,
    reward: TorchReward | None = None,
    law: TorchLaw | None = None,
    terminal: TorchTerminal | None = None,
) -> TorchGame:
    """The game on a device; `reward`, `law` and `terminal` for those that torch could not take over.

    Raises:
        ValueError: names what has to be given, or what was given and is not the game's own.
    """
    check_kind(game, "torch")
    moved = transitions(game, device, law)
    if moved is None:
        raise ValueError(f"{game.name}: transitions follow the population, by a law that is not known; give `law`")
    earned = reward or reward_of(game, device)
    if earned is None:
        raise ValueError(f"{game.name}: rewards are not known, nor affine in the population; give `reward`")
    last = terminal or terminal_of(game, device)
    if last is None:
        raise ValueError(f"{game.name}: terminal rewards are not known, nor affine in the population; give `terminal`")
    mask = None if game.action_mask is None else torch.as_tensor(game.action_mask, device=device)
    initial = torch.as_tensor(game.initial, dtype=torch.float64, device=device)
    found = TorchGame(game.name, game.shape, initial, moved, earned, last, game.sees_actions, mask)
    _check(game, found)
    return found


def _check(game: FiniteMFG, found: TorchGame) -> None:
    """Refuse functions that are not the game's own, at one population.

    Raises:
        ValueError: names the function and how far off it is.
    """
    T = game.horizon
    x = a_population(game)
    mu = x.sum(-1) if game.sees_actions else x

    def sent(array: Array) -> Tensor:
        return torch.as_tensor(array, device=found.initial.device)

    away = {"reward": off(found.reward(sent(x)), game.reward(np.arange(T), x), game.action_mask)}
    away["terminal"] = off(found.terminal(sent(mu[-1])), game.terminals(mu[-1]), None)
    if not game.kernel.fixed:
        away["law"] = max(
            off(found.transitions.at(t, sent(mu[t])), game.kernel.rows(t, mu[t])[1], None) for t in {0, T - 1}
        )
    for what, by in away.items():
        if by > TOLERANCE:
            raise ValueError(f"{game.name}: `{what}` is off by {by:.3g} of the game's own; want it within {TOLERANCE}")


def flow(game: TorchGame, pi: Tensor) -> Tensor:
    """mu[B, T+1, S] of populations that play pi[B, T, S, A]."""
    return _swept(game, pi)[0]


def _swept(game: TorchGame, pi: Tensor) -> tuple[Tensor, list[Tensor]]:
    """The flow, and what transitions were told at each step."""
    mu, told = [game.initial.expand(len(pi), -1)], []
    for t in range(game.shape[0]):
        told.append(game.transitions.at(t, mu[-1]))
        mu.append(game.transitions.push(mu[-1][..., None] * pi[:, t], told[-1]))
    return torch.stack(mu, 1), told


def exploitability(game: TorchGame, pi: Tensor) -> Tensor:
    """What one agent could gain in populations that play pi[B, T, S, A]: [B], with gradients (of max, one of them).

    Rows of pi are taken to be distributions: it is for policies made by a softmax.

    Raises:
        ValueError: for another shape.
    """
    T, S, A = game.shape
    if pi.ndim != 4 or pi.shape[1:] != game.shape:
        raise ValueError(f"{game.name}: the policies have shape {tuple(pi.shape)}; want [B, {T}, {S}, {A}]")
    mu, told = _swept(game, pi)
    x = mu[:, :-1, :, None] * pi
    r, best = game.reward(x if game.sees_actions else mu[:, :-1]).expand(len(pi), T, S, A), game.terminal(mu[:, -1])
    allowed = r if game.mask is None else r.masked_fill(~game.mask, 0.0)
    # what a population earns is what its occupancy meets
    own = (x * allowed).sum((1, 2, 3)) + (mu[:, -1] * best).sum(-1)
    for t in reversed(range(T)):
        q = r[:, t] + game.transitions.expect(best, told[t])
        best = (q if game.mask is None else q.masked_fill(~game.mask, -torch.inf)).max(-1).values
    return best @ game.initial - own
