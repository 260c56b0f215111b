"""Soft values: what states and actions are worth to who is paid the entropy of every choice as well."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from mfmarl.errors import UserError

Array = NDArray[np.float64]
ROUNDING = 1e-13
"""Share of the largest value below which a change is rounding."""


class Unsettled(UserError):
    """Rewards are so large that rounding keeps values from settling."""


@dataclass(frozen=True)
class SoftValues:
    """Of the best policy."""

    V: Array
    """[S]: V(s) = log sum_a exp Q(s, a)."""
    Q: Array
    """[S, A]: Q(s, a) = r(s, a) + discount sum_s' P(s'|s, a) V(s')."""
    pi: Array
    """[S, A]: exp(Q - V)."""


def soft_values(transitions: Array, rewards: Array, discount: float, max_iterations: int = 200) -> SoftValues:
    """The soft optimum (Ziebart et al. 2010, Haarnoja et al. 2017 eq. 4-6) at temperature 1, to rounding.

    Args:
        transitions: P[S, A, S'].
        rewards: r[S, A], or r[S] of states alone.

    Raises:
        UserError: for shapes that do not fit, rows of P that are no laws, or a discount outside [0, 1).
        Unsettled: for rewards that are too large.
    """
    states, actions = _shape(transitions)
    if rewards.shape not in ((states,), (states, actions)):
        raise UserError(f"soft_values: rewards have shape {rewards.shape}; want {(states,)} or {(states, actions)}")
    if not 0 <= discount < 1:
        raise UserError(f"soft_values: discount is {discount}; want 0 or more, and below 1")
    paid = np.broadcast_to(rewards[:, None] if rewards.ndim == 1 else rewards, (states, actions))
    V = np.zeros(states)
    for _ in range(max_iterations):
        Q = paid + discount * transitions @ V
        soft = logsumexp(Q, axis=1)
        log_pi = Q - soft[:, None]
        pi = np.exp(log_pi)
        # this policy's rewards and entropies, valued exactly: Newton's method on the soft Bellman equation
        moves = np.eye(states) - discount * np.einsum("sa,sat->st", pi, transitions)
        before, V = V, np.linalg.solve(moves, (pi * (paid - log_pi)).sum(1))
        if np.abs(V - before).max() <= ROUNDING * max(1.0, np.abs(V).max()):
            break
    else:
        moved = np.abs(V - before).max()
        raise Unsettled(
            f"soft values of rewards up to {np.abs(paid).max():.3g} still move by {moved:.3g} after {max_iterations} "
            "policies: they are too large"
        )
    Q = paid + discount * transitions @ V
    V = logsumexp(Q, axis=1)
    return SoftValues(V, Q, np.exp(Q - V[:, None]))


def occupancy(transitions: Array, pi: Array, start: Array, discount: float) -> Array:
    """rho[S, A] of policy pi[S, A] from start[S]: (1 - discount) sum_t discount^t P(s_t, a_t); sums to 1.

    Raises:
        UserError: for transitions that are wrong.
    """
    states, _ = _shape(transitions)
    moves = np.einsum("sa,sat->st", pi, transitions)
    visits = np.linalg.solve(np.eye(states) - discount * moves.T, (1 - discount) * start)
    rho: Array = visits[:, None] * pi
    return rho


def _shape(transitions: Array) -> tuple[int, int]:
    if transitions.ndim != 3 or transitions.shape[0] != transitions.shape[2]:
        raise UserError(f"transitions have shape {transitions.shape}; want [S, A, S]")
    if (transitions < 0).any() or not np.allclose(transitions.sum(-1), 1.0, atol=1e-9):
        raise UserError("transitions: a row is no law; want entries of 0 or more that sum to 1 over the last axis")
    return transitions.shape[0], transitions.shape[1]
