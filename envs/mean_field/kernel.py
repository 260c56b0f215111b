"""Transition kernels P(s' | s, a, mu) of finite games, as an adjoint pair: mass forward, expectations backward.

A kernel is dense, `P[S, A, S']`, or sparse, `next[S, A, K]` with `prob[S, A, K]`, and either is fixed or a function of
the step and the distribution. Arrays may have leading dimensions, a batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

Array = NDArray[np.float64]
Seen = Any
"""What a kernel is told of the population: mu[..., S], or, of several populations, a mapping name -> mu[..., S_k]."""
Law = Callable[[int, Seen], Array]
"""(t, mu) -> probabilities [..., S, A, K] of the successors."""

ROW_TOLERANCE = 1e-12
DENSE_BELOW = 2_000_000
"""Entries up to which a fixed sparse kernel is multiplied as a dense matrix, which is faster for small games."""


class BadKernel(ValueError):
    """Probabilities that are none: names the first state and action."""


class Kernel(Protocol):
    """What moves the population."""

    @property
    def num_states(self) -> int:
        """S."""
        ...

    @property
    def num_actions(self) -> int:
        """A."""
        ...

    @property
    def fixed(self) -> bool:
        """Whether it is the same for every distribution and step."""
        ...

    def push(self, t: int, x: Array, mu: Seen) -> Array:
        """Where occupancy x[..., S, A] goes at step t when the population is mu[..., S]: [..., S]."""
        ...

    def expect(self, t: int, values: Array, mu: Seen) -> Array:
        """E[values[..., S'] | s, a] at step t when the population is mu[..., S]: [..., S, A]."""
        ...

    def rows(self, t: int, mu: Seen) -> tuple[NDArray[np.int64], Array]:
        """The sparse form at mu[..., S]: next[S, A, K] and prob[..., S, A, K], without batch where it is fixed."""
        ...


@dataclass(frozen=True)
class FixedKernel:
    """The same transitions whatever the population does."""

    next: NDArray[np.int64]
    """[S, A, K]"""
    prob: Array
    """[S, A, K]"""

    @property
    def num_states(self) -> int:
        """S."""
        return int(self.next.shape[0])

    @property
    def num_actions(self) -> int:
        """A."""
        return int(self.next.shape[1])

    @property
    def fixed(self) -> bool:
        """It is."""
        return True

    @cached_property
    def matrix(self) -> Any:
        """[S A, S'], dense where it is small."""
        s, a, k = self.next.shape
        index = np.repeat(np.arange(s * a), k), self.next.ravel()
        # equal entries add up
        found = sparse.csr_array((self.prob.ravel(), index), shape=(s * a, s))
        return found.toarray() if s * a * s <= DENSE_BELOW else found

    @cached_property
    def transposed(self) -> Any:
        """[S', S A], laid out for products from the left."""
        return np.ascontiguousarray(self.matrix.T) if isinstance(self.matrix, np.ndarray) else self.matrix.T.tocsr()

    def push(self, t: int, x: Array, mu: Seen) -> Array:
        """Where occupancy x[..., S, A] goes: [..., S]."""
        flat = x.reshape(*x.shape[:-2], -1)
        if isinstance(self.matrix, np.ndarray) or flat.ndim == 1:
            return np.asarray(flat @ self.matrix)
        return np.asarray((self.transposed @ flat.reshape(-1, flat.shape[-1]).T).T).reshape(*x.shape[:-2], -1)

    def expect(self, t: int, values: Array, mu: Seen) -> Array:
        """E[values[..., S'] | s, a]: [..., S, A]."""
        lead = values.shape[:-1]
        if not lead:
            return np.asarray(self.matrix @ values).reshape(self.num_states, self.num_actions)
        flat = np.asarray((self.matrix @ values.reshape(-1, values.shape[-1]).T).T)
        return flat.reshape(*lead, self.num_states, self.num_actions)

    def rows(self, t: int, mu: Seen) -> tuple[NDArray[np.int64], Array]:
        """next[S, A, K], prob[S, A, K]."""
        return self.next, self.prob


@dataclass(frozen=True)
class MovingKernel:
    """Transitions that depend on the population, over successors that do not."""

    next: NDArray[np.int64]
    """[S, A, K]"""
    law: Law

    @property
    def num_states(self) -> int:
        """S."""
        return int(self.next.shape[0])

    @property
    def num_actions(self) -> int:
        """A."""
        return int(self.next.shape[1])

    @property
    def fixed(self) -> bool:
        """It is not."""
        return False

    @cached_property
    def _everywhere(self) -> bool:
        """Whether every state is a successor of every pair, in order: then no gather is needed."""
        return self.next.shape[2] == self.num_states and bool((self.next == np.arange(self.num_states)).all())

    def push(self, t: int, x: Array, mu: Seen) -> Array:
        """Where occupancy x[..., S, A] goes at step t when the population is mu[..., S]: [..., S]."""
        prob = self.law(t, mu)
        if self._everywhere:
            return np.asarray(np.einsum("...sa,...sak->...k", x, prob))
        moved = x[..., None] * prob
        flat = moved.reshape(-1, self.next.size)
        index = np.arange(len(flat))[:, None] * self.num_states + self.next.ravel()
        summed = np.bincount(index.ravel(), flat.ravel(), len(flat) * self.num_states)
        return np.asarray(summed, float).reshape(*moved.shape[:-3], self.num_states)

    def expect(self, t: int, values: Array, mu: Seen) -> Array:
        """E[values[..., S'] | s, a] at step t when the population is mu[..., S]: [..., S, A]."""
        prob = self.law(t, mu)
        if self._everywhere:
            return np.asarray(np.einsum("...k,...sak->...sa", values, prob))
        return np.asarray((values[..., self.next] * prob).sum(-1))

    def rows(self, t: int, mu: Seen) -> tuple[NDArray[np.int64], Array]:
        """next[S, A, K], prob[..., S, A, K] at mu[..., S]."""
        return self.next, self.law(t, mu)


def dense(P: Array) -> FixedKernel:
    """A kernel from P[S, A, S'].

    Raises:
        BadKernel: for a wrong shape, or a row that is no distribution; names it.
    """
    P = np.asarray(P, float)
    if P.ndim != 3 or P.shape[0] != P.shape[2]:
        raise BadKernel(f"P has shape {P.shape}; want [S, A, S] with as many successors as states")
    successors = np.broadcast_to(np.arange(P.shape[0]), P.shape)
    return sparse_kernel(np.ascontiguousarray(successors), P)


def sparse_kernel(next: ArrayLike, prob: Array) -> FixedKernel:
    """A kernel from its successors next[S, A, K] and their probabilities prob[S, A, K].

    Raises:
        BadKernel: for wrong shapes, a successor that is no state, or a row that is no distribution; names it.
    """
    next = whole_successors(next)
    prob = np.asarray(prob, float)
    if prob.shape != next.shape:
        raise BadKernel(f"prob has shape {prob.shape} and next {next.shape}; want the same [S, A, K]")
    check_rows(prob)
    return FixedKernel(next, prob)


def moving(next: ArrayLike, law: Law, uniform: Seen = None) -> MovingKernel:
    """A kernel whose probabilities follow the population: `law(t, mu[..., S]) -> [..., S, A, K]`.

    Checked at the uniform distribution, or at `uniform`, when made; games check it where their population is.

    Raises:
        BadKernel: for a successor that is no state, or a row that is no distribution; names it.
    """
    next = whole_successors(next)
    at = np.full(next.shape[0], 1 / next.shape[0]) if uniform is None else uniform
    prob = np.asarray(law(0, at), float)
    if prob.shape != next.shape:
        raise BadKernel(f"the law gives shape {prob.shape} at one distribution; want {next.shape} as of next")
    check_rows(prob)
    return MovingKernel(next, law)


def whole_successors(next: ArrayLike) -> NDArray[np.int64]:
    """Successors [S, A, K] as integers; refuses what are no states."""
    found = np.asarray(next)
    if found.ndim != 3 or not found.size:
        raise BadKernel(f"next has shape {found.shape}; want [S, A, K], 1 or more of each")
    # NaN is not 0 or more
    bad = np.argwhere(~((found >= 0) & (found < len(found)) & (found == np.floor(found))))
    if len(bad):
        s, a, k = (int(i) for i in bad[0])
        raise BadKernel(f"next[{s}, {a}, {k}] is {found[s, a, k]}; want a state, 0 to {len(found) - 1}")
    return found.astype(np.int64)


def check_rows(prob: Array, game: str = "", at: str = "", slack: float = 0.0) -> None:
    """Refuse rows prob[..., S, A, K] that are no distributions; names the first state and action.

    `game` and `at` say whose and when; `slack` is for laws, whose populations are distributions but for rounding.
    """
    with np.errstate(invalid="ignore"):
        near = np.abs(prob.sum(-1) - 1) <= ROW_TOLERANCE + slack
    # NaN and infinity compare false
    wrong = ~(near & (prob >= -slack).all(-1))
    if wrong.any():
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        row = prob[place]
        told = "has NaN or infinity" if not np.isfinite(row).all() else f"sums to {row.sum():.15g}"
        told = "has a negative probability" if (row < 0).any() else told
        where = f"{game}P(. | s={place[-2]}, a={place[-1]}){at}"
        raise BadKernel(f"{where} {told}; want a distribution (sum 1 within {ROW_TOLERANCE + slack:g})")
