"""Joint policies with a shared signal: z drawn once an episode, then each agent by itself, given the state and z.

joint(a | s) = sum_z w_z prod_i pi_i(a_i | s, z), which can be any joint law of a game of one step if there are enough
signals; discriminators see states and joint actions only. Training is `many_runs.magail`'s in the game whose states are
pairs (z, s), numbered z S + s; so one signal is no signal, exactly.

Signals may all come to mean the same. Against that stands a bonus of information on I(z; a | s) that fades away
(after InfoGAIL, Li, Song and Ermon 2017, equation 5): the posterior of z need not be learnt, as w and pi are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from envs.markov.game import MarkovGame
from mfmarl.imitation.magail.joint import joint_of
from mfmarl.imitation.magail.rollouts import Arena, Rollouts
from mfmarl.imitation.magail.theory import Array

Number = TypeVar("Number", np.float64, np.int64)


class Mixture(BaseModel):
    """Settings of a shared signal."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    signals: int = Field(2, ge=1, description="Z: how many there are")
    learnt: bool = Field(True, description="their probabilities are learnt; else all are equally likely")
    lr: float = Field(
        0.001, gt=0, description="Adam's rate of their probabilities; as fast as the policies, a signal may be lost"
    )
    information: float = Field(1.0, ge=0, description="weight of I(z; a | s) at the start, in nats")
    until: float = Field(
        0.25, ge=0, le=1, description="share of the epochs by which that weight has fallen to 0, in a straight line"
    )

    def weight(self, epoch: int, epochs: int) -> float:
        """Of the information in an epoch counted from 0."""
        over = self.until * epochs
        return self.information * (1 - epoch / over) if epoch < over else 0.0


def with_signals(arena: Arena, signals: int) -> Arena:
    """The arena whose states are pairs (z, s); an episode keeps its z."""
    if signals == 1:
        return arena
    S, P = arena.states, arena.transitions
    start = np.tile(arena.start, signals) / signals
    seen = None
    if arena.features is not None:
        seen = np.hstack([np.repeat(np.eye(signals), S, 0), np.tile(arena.features, (signals, 1))])
    if P is None:
        return Arena(arena.actions, start, arena.discount, None, seen)
    moves = np.zeros((signals, *P.shape[:-1], signals, S))
    for z in range(signals):
        moves[z, ..., z, :] = P
    return Arena(arena.actions, start, arena.discount, moves.reshape(signals * S, *arena.actions, signals * S), seen)


def starts(weights: Array, start: Array) -> Array:
    """[R, Z S]: law of a run's first pair (z, s), of weights [R, Z] and the arena's start [S]."""
    out: Array = (weights[:, :, None] * start).reshape(len(weights), -1)
    return out


def unsignalled(of_pairs: NDArray[Number], signals: int) -> NDArray[Number]:
    """[R, Z S, ..] -> [R, S, ..], summed over the signals: what a discriminator sees."""
    R, pairs = of_pairs.shape[:2]
    out: NDArray[Number] = of_pairs.reshape(R, signals, pairs // signals, *of_pairs.shape[2:]).sum(1)
    return out


def information(laws: Sequence[Array], weights: Array) -> Array:
    """log pi(a | s, z) - log pi(a | s): what a joint action tells of the signal, [R, Z S, A_1..A_n], of pi_i[R, Z S,
    A_i] and weights [R, Z].

    Its mean over play is I(z; a | s) in a game of one step. In an endless one states tell of z too, which is left out:
    the mean is then a lower bound of I(z; s, a) - I(z; s) (Barber and Agakov 2003). Its own gradient has mean 0 under
    pi, so that it is a reward like any other.
    """
    joint = joint_of(list(laws))
    R, Z = weights.shape
    given = joint.reshape(R, Z, -1)
    mixed = (weights[..., None] * given).sum(1, keepdims=True)
    tiny = np.finfo(float).tiny
    out: Array = (np.log(np.maximum(given, tiny)) - np.log(np.maximum(mixed, tiny))).reshape(joint.shape)
    return out


def step_weights(logits: Tensor, adam: torch.optim.Optimizer, rollouts: Rollouts, paid: Array) -> None:
    """One step of w = softmax(logits [R, Z]) up sum_z w_z (mean return of the episodes of z).

    Where a signal was never drawn nothing is known of it: it counts as the mean.

    Args:
        paid: [R, Z S, A_1..A_n]
    """
    R, Z = logits.shape
    begun, total = (x.reshape(R, Z, -1).sum(-1) for x in rollouts.whole_returns(paid))
    w = torch.softmax(logits, -1)
    mean = np.divide(total, begun, out=np.zeros_like(total), where=begun > 0)
    drawn = w.detach().numpy() * (begun > 0)
    middle = (drawn * mean).sum(1, keepdims=True) / drawn.sum(1, keepdims=True)
    gain = torch.from_numpy(np.where(begun > 0, mean - middle, 0.0))
    adam.zero_grad()
    (-(w * gain).sum()).backward()  # type: ignore[no-untyped-call]
    adam.step()


def mixed_joint(weights: Array, given: Sequence[Array]) -> Array:
    """sum_z w_z prod_i pi_i(. | s, z): [..., S, A_1..A_n], of weights [..., Z] and pi_i[..., Z, S, A_i]."""
    joint = joint_of(list(given))
    w = weights.reshape(*weights.shape, *[1] * (joint.ndim - weights.ndim))
    out: Array = (w * joint).sum(weights.ndim - 1)
    return out


def gap_after_signal(game: MarkovGame, weights: Array, given: Sequence[Array]) -> Array:
    """[...]: the most that an agent gains, in the mean, by its best response once it is told the signal.

    0 where every signal names a Nash equilibrium. `MarkovGame.cce_gap` of `mixed_joint` is what it gains by leaving
    before it is told (games of one step).
    """
    gaps = game.gaps(list(given))
    out: Array = (weights[..., None] * gaps).sum(-2).max(-1)
    return out
