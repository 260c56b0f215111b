"""AIRL with exact expectations on a finite task: what its discriminator finds, and whether that is the reward."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from mfmarl.errors import UserError
from mfmarl.imitation.soft_values import Array

FLAT = 1e-9
"""Singular values below which a direction of (g, h) leaves f as it is."""


@dataclass(frozen=True)
class Shaped:
    """f(s, a, s') = g + discount h(s') - h(s), of the discriminator with the least loss."""

    g: Array
    """[S], of states alone, or [S, A]."""
    h: Array
    """[S]"""
    f: Array
    """[S, A, S']"""
    loss: float
    """In nats; 2 ln 2 where the expert and the policy are alike."""
    decomposable: bool
    """Whether g is the only one, but for a constant, that gives this f where the two were seen. Where it is not, g is
    one of many, and must not be taken for the reward (Fu, Luo and Levine 2018, section 6 and appendix B)."""


def shaped_reward(
    transitions: Array, expert: Array, policy: Array, log_pi: Array, discount: float, *, state_only: bool = True
) -> Shaped:
    """The best discriminator of the form logit D = g + discount h' - h - log pi(a|s), by exact expectations.

    The loss is convex in (g, h); of all with the least loss it is near the one of least norm.

    Args:
        transitions: P[S, A, S'].
        expert, policy: occupancies rho[S, A], each summing to 1.
        log_pi: [S, A], of the policy.

    Raises:
        UserError: for a policy with an action of probability 0 that the expert plays.
    """
    S, A, _ = transitions.shape
    if not np.isfinite(log_pi[expert > 0]).all():
        raise UserError(
            "shaped_reward: the policy never plays an action that the expert does; log pi is infinite there"
        )
    of_expert, of_policy = expert[..., None] * transitions, policy[..., None] * transitions
    seen = np.nonzero(of_expert + of_policy > 0)
    rows = _design(S, A, seen, discount, state_only)
    own, theirs, offset = of_policy[seen], of_expert[seen], log_pi[seen[:2]]

    def loss(x: Array) -> tuple[float, Array]:
        logit = rows @ x - offset
        value = theirs @ np.logaddexp(0, -logit) + own @ np.logaddexp(0, logit)
        return float(value), rows.T @ (own * expit(logit) - theirs * expit(-logit))

    def curvature(x: Array) -> Array:
        D = expit(rows @ x - offset)
        bends: Array = (rows * ((own + theirs) * D * (1 - D))[:, None]).T @ rows
        return bends

    # least squares, as a pseudoinverse, takes the shortest of the steps that there are along flat directions
    x: Array = np.linalg.pinv(rows) @ offset
    for _ in range(100):
        now, slope = loss(x)
        if np.abs(slope).max() < 1e-14:
            break
        step: Array = np.linalg.pinv(curvature(x), rcond=1e-12) @ slope
        by = 1.0
        while loss(x - by * step)[0] > now and by > 1e-9:
            by /= 2
        x = x - by * step
    width = S if state_only else S * A
    g: Array = x[:width] if state_only else x[:width].reshape(S, A)
    h: Array = x[width:]
    f = (g[:, None, None] if state_only else g[..., None]) + discount * h - h[:, None, None] + np.zeros((S, A, S))
    return Shaped(g, h, f, loss(x)[0], _only_a_constant(rows, width))


def _design(S: int, A: int, seen: tuple[NDArray[np.intp], ...], discount: float, state_only: bool) -> Array:
    """[n, S or S A, + S]: f of each (s, a, s') that was seen is its row times (g, h)."""
    s, a, after = seen
    n, width = len(s), S if state_only else S * A
    rows, at = np.zeros((n, width + S)), np.arange(n)
    rows[at, s if state_only else s * A + a] = 1.0
    rows[at, width + after] += discount
    rows[at, width + s] -= 1.0
    return rows


def _only_a_constant(rows: Array, width: int) -> bool:
    """Whether every direction of (g, h) that leaves f as it is moves g, where it was seen, by one constant."""
    _, sizes, directions = np.linalg.svd(rows)
    rank = int((sizes > FLAT * sizes.max()).sum())
    was_seen = (rows[:, :width] != 0).any(0)
    free = directions[rank:, :width][:, was_seen]
    return bool(np.ptp(free, axis=1).max(initial=0.0) < 1e-7)
