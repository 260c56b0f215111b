"""Small decision processes of one agent, exactly: values, soft values and occupancies, as inverse RL needs them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Process:
    """States, actions, transitions and a discount; rewards are given where they are asked about."""

    P: Array
    """[S, A, S']"""
    initial: Array
    """[S]"""
    discount: float

    def __post_init__(self) -> None:
        """Check once.

        Raises:
            ValueError: for other shapes, or rows that are no distributions; names the first.
        """
        S = len(self.P)
        if self.P.ndim != 3 or self.P.shape[2] != S or self.initial.shape != (S,):
            raise ValueError(
                f"P has shape {self.P.shape}, initial {self.initial.shape}; want [S, A, S] and [S]"
            )
        rows = self.P.sum(-1)
        if not ((self.P >= 0).all() and (np.abs(rows - 1) <= 1e-12).all()):
            s, a = (int(i) for i in np.argwhere(~((self.P >= 0).all(-1) & (np.abs(rows - 1) <= 1e-12)))[0])
            raise ValueError(f"P(. | s={s}, a={a}) sums to {rows[s, a]:.15g}; want a distribution")
        if not ((self.initial >= 0).all() and abs(self.initial.sum() - 1) <= 1e-12):
            raise ValueError(f"initial sums to {self.initial.sum():.15g}; want a distribution")
        if not 0 <= self.discount < 1:
            raise ValueError(f"discount is {self.discount}; want 0 or more, below 1")

    @property
    def shape(self) -> tuple[int, int]:
        """(S, A)"""
        return self.P.shape[0], self.P.shape[1]

    def chain(self, pi: Array) -> Array:
        """[S, S'] of a policy pi[S, A]."""
        return np.asarray(np.einsum("sa,sak->sk", pi, self.P))

    def values(self, pi: Array, r: Array) -> Array:
        """V[S] of pi[S, A] for rewards r[S, A], by a linear solve."""
        S = len(self.initial)
        return np.linalg.solve(np.eye(S) - self.discount * self.chain(pi), (pi * r).sum(-1))

    def occupancy(self, pi: Array) -> Array:
        """x[S, A] = (1 - discount) sum_t discount^t Pr(s_t = s, a_t = a), which sums to 1."""
        S = len(self.initial)
        mass = np.linalg.solve(np.eye(S) - self.discount * self.chain(pi).T, (1 - self.discount) * self.initial)
        return np.asarray(mass[:, None] * pi)


@dataclass(frozen=True)
class SoftOptimal:
    """The policy that is best with an entropy bonus of weight 1 (Ziebart 2010)."""

    values: Array
    """V[S] = logsumexp_a Q(s, a)"""
    q: Array
    """Q[S, A] = r + discount E V(s')"""

    @property
    def policy(self) -> Array:
        """pi[S, A] = exp(Q - V)"""
        return np.exp(self.q - self.values[:, None])


def soft_optimal(process: Process, r: ArrayLike, tol: float = 1e-14, most: int = 100) -> SoftOptimal:
    """By policy iteration, which is Newton's method on the soft Bellman equation: quadratic, whatever the discount.

    Args:
        r: [S, A], or [S] where actions do not matter.

    Raises:
        ValueError: for rewards of another shape or not finite, or where rounding keeps it from settling.
    """
    rewards = np.asarray(r, float)
    S, A = process.shape
    if rewards.shape not in ((S,), (S, A)) or not np.isfinite(rewards).all():
        raise ValueError(f"rewards have shape {rewards.shape}; want finite ones, [{S}] or [{S}, {A}]")
    rewards = rewards if rewards.ndim == 2 else np.repeat(rewards[:, None], A, 1)
    V = np.zeros(S)
    for _ in range(most):
        q = rewards + process.discount * (process.P @ V)
        now = logsumexp(q, axis=1)
        log_pi = q - now[:, None]
        pi = np.exp(log_pi)
        # rewards and the entropy of this policy, valued exactly
        ahead = process.values(pi, rewards - log_pi)
        scale = max(1.0, float(np.abs(ahead).max()))
        if np.abs(ahead - V).max() <= tol * scale:
            q = rewards + process.discount * (process.P @ ahead)
            return SoftOptimal(logsumexp(q, axis=1), q)
        V = ahead
    raise ValueError(f"soft values still move by {np.abs(ahead - V).max():.3g} after {most} policies; want {tol:g}")
