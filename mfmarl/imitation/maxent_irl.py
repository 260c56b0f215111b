"""Maximum causal entropy inverse reinforcement learning (Ziebart, Bagnell and Dey 2010), tabular and linear.

With rewards r = theta . phi the log-likelihood of an expert is concave in theta, and its gradient is the expert's
discounted feature expectation less that of the soft-optimal policy. Both are taken with the process's own discount.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mfmarl.errors import UserError
from mfmarl.imitation.soft_values import Array, occupancy, soft_values

STEP = 1e-6
"""Of the differences that the Jacobian is worked out by: Newton's method needs it to a few digits only."""


@dataclass(frozen=True)
class Recovered:
    """A reward under which the expert's features are those of the soft-optimal policy."""

    theta: Array
    """[F]"""
    reward: Array
    """[S, A]"""
    policy: Array
    """pi[S, A], soft-optimal for it."""
    mismatch: float
    """Largest difference of a feature's expectation."""
    iterations: int
    matched: bool
    """Whether the mismatch came down to the tolerance."""


def state_features(states: int, actions: int) -> Array:
    """phi[S, A, S]: which state it is; rewards are then of states."""
    return np.repeat(np.eye(states)[:, None], actions, 1)


def action_features(states: int, actions: int) -> Array:
    """phi[S, A, S A]: which state and action it is."""
    return np.eye(states * actions).reshape(states, actions, states * actions)


def feature_expectation(x: ArrayLike, features: Array) -> Array:
    """[F] of an occupancy x[S, A] that sums to 1."""
    return np.asarray(np.einsum("sa,saf->f", np.asarray(x, float), features))


def maxent_irl(
    transitions: Array,
    start: Array,
    discount: float,
    features: Array,
    expert: ArrayLike,
    tol: float = 1e-10,
    max_iterations: int = 200,
    callback: Callable[[int, float], bool | None] | None = None,
) -> Recovered:
    """theta whose soft-optimal policy has the expert's feature expectation, by damped Newton steps.

    theta is the one of least norm: what the expert does not tell, such as a constant, stays 0.

    Args:
        transitions: P[S, A, S'].
        start: [S], the initial distribution.
        features: phi[S, A, F].
        expert: [F], its feature expectation, of an occupancy with this discount that sums to 1.
        callback: is told every iteration and its mismatch, and ends it by True.

    Raises:
        UserError: for other shapes, transitions that are no laws, or a discount out of range.
    """
    wanted = np.asarray(expert, float)
    S, A = transitions.shape[:2]
    if features.ndim != 3 or features.shape[:2] != (S, A) or wanted.shape != features.shape[2:]:
        raise UserError(
            f"features have shape {features.shape}, the expert's expectation {wanted.shape}; want [{S}, {A}, F] and [F]"
        )

    def missing(theta: Array) -> Array:
        pi = soft_values(transitions, features @ theta, discount).pi
        return wanted - feature_expectation(occupancy(transitions, pi, start, discount), features)

    theta = np.zeros(len(wanted))
    off = missing(theta)
    iterations = 0
    while np.abs(off).max() > tol and iterations < max_iterations:
        iterations += 1
        moves = STEP * np.eye(len(theta))
        slopes = np.stack([missing(theta + move) - missing(theta - move) for move in moves], 1) / (2 * STEP)
        # features that say the same make it singular; the step of least norm leaves them alone
        step = -np.linalg.lstsq(slopes, off, rcond=1e-9)[0]
        size = 1.0
        while size > 1e-6:
            ahead = theta + size * step
            # a step far too long gives rewards whose values rounding keeps from settling
            with suppress(UserError):
                found = missing(ahead)
                if np.abs(found).sum() < np.abs(off).sum():
                    break
            size /= 2
        else:
            break
        theta, off = ahead, found
        if callback is not None and callback(iterations, float(np.abs(off).max())):
            break
    reward = features @ theta
    mismatch = float(np.abs(off).max())
    policy = soft_values(transitions, reward, discount).pi
    return Recovered(theta, reward, policy, mismatch, iterations, mismatch <= tol)


def shaping_between(transitions: Array, discount: float, one: ArrayLike, other: ArrayLike) -> tuple[Array, float]:
    """Potentials h[S] with one - other = h(s) - discount E h(s') as nearly as there are, and the largest error left.

    Rewards that differ so have the same best policies, in all dynamics only if h is constant (Ng, Harada and Russell
    1999).
    """
    S, A = transitions.shape[:2]
    difference = np.asarray(one, float) - np.asarray(other, float)
    rows = np.repeat(np.eye(S)[:, None], A, 1) - discount * transitions
    h, *_ = np.linalg.lstsq(rows.reshape(S * A, S), difference.reshape(-1), rcond=None)
    return h, float(np.abs(rows @ h - difference).max())
