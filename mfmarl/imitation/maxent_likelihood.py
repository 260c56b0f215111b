"""The likelihood of an expert under soft-optimal policies (Ziebart, Bagnell and Dey 2010), for gradient methods.

With rewards r = theta . phi the mean log-likelihood of a step is theta . seen - (1 - discount) V(start), which is
concave; its slope is the expert's discounted feature expectation less that of the soft-optimal policy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mfmarl.imitation.soft_values import Array, occupancy, soft_values


@dataclass(frozen=True)
class SoftOptimum:
    """Of one theta."""

    V: Array
    """[S]"""
    pi: Array
    """[S, A]"""
    features: Array
    """[F]: the policy's expectation, of an occupancy that sums to 1."""


@dataclass(frozen=True)
class Likelihood:
    """Of an expert in one decision process, less a ridge."""

    transitions: Array
    """P[S, A, S']"""
    start: Array
    """[S]"""
    discount: float
    """Of both feature expectations."""
    seen: Array
    """[F]: the expert's expectation, of an occupancy that sums to 1."""
    rewards: Callable[[Array], Array]
    """theta[F] -> r[S, A], linear."""
    expectation: Callable[[Array], Array]
    """x[S, A] -> [F] of an occupancy that sums to 1."""
    ridge: float
    """Half of it times |theta|^2 is taken off."""

    def optimum(self, theta: Array) -> SoftOptimum:
        """What is soft-optimal for theta[F]."""
        best = soft_values(self.transitions, self.rewards(theta), self.discount)
        x = occupancy(self.transitions, best.pi, self.start, self.discount)
        return SoftOptimum(best.V, best.pi, self.expectation(x))

    def loss(self, theta: Array) -> tuple[float, Array]:
        """(The mean negative log-likelihood of a step and the ridge, its slope [F]) at theta[F]."""
        best = self.optimum(theta)
        value = (1 - self.discount) * self.start @ best.V - theta @ self.seen
        return float(value + 0.5 * self.ridge * theta @ theta), best.features - self.seen + self.ridge * theta
