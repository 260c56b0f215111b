"""Histories of a finite Markov chain, as a tree: what a noise common to all agents may have been so far."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from envs.mean_field.checks import check_simplex
from envs.mean_field.kernel import Array

MOST_NODES = 100_000


class TooManyHistories(ValueError):
    """A tree that is too large: says how many histories there are at which step."""


@dataclass(frozen=True)
class Histories:
    """Nodes are histories z_0 .. z_t of positive probability, t = 0..T-1, earlier steps first, siblings by their z."""

    first: NDArray[np.int64]
    """[T+1]: the nodes of step t are first[t] to first[t+1] - 1."""
    step: NDArray[np.int64]
    """[N]: t of every node."""
    z: NDArray[np.int64]
    """[N]: the last state of the chain."""
    parent: NDArray[np.int64]
    """[N]: the history without its last state; -1 at step 0."""
    given: Array
    """[N]: probability of the last state given the history before it."""
    probability: Array
    """[N]: of the history; those of a step sum to 1."""

    @property
    def horizon(self) -> int:
        """T."""
        return len(self.first) - 1

    @property
    def number(self) -> int:
        """N."""
        return len(self.z)

    def at(self, t: int) -> slice:
        """The nodes of step t."""
        return slice(int(self.first[t]), int(self.first[t + 1]))

    @property
    def ends(self) -> int:
        """How many whole histories there are: nodes of the last step."""
        return int(self.first[-1] - self.first[-2])


def histories(initial: Array, matrix: Array, horizon: int, name: str) -> Histories:
    """All histories of a chain that begins as initial[Z] and moves by matrix[Z, Z'], over `horizon` steps.

    Raises:
        BadPolicy: for rows that are no distributions.
        TooManyHistories: for more than 100,000 nodes.
    """
    Z = len(initial)
    check_simplex(initial, (Z,), f"{name}: the noise's initial distribution")
    check_simplex(matrix, (Z, Z), f"{name}: the noise's transitions")
    z = np.flatnonzero(initial > 0)
    levels = [(z, np.full(len(z), -1), initial[z], initial[z])]
    branches = (matrix > 0).sum(1)
    begins, total = 0, len(z)
    for t in range(1, horizon):
        z, _, _, probability = levels[-1]
        total += int(branches[z].sum())
        if total > MOST_NODES:
            raise TooManyHistories(
                f"{name}: the noise has over {MOST_NODES:,} histories by step {t} of {horizon}; want fewer: a shorter "
                "horizon, fewer states of the noise, or transitions that are 0"
            )
        at, after = np.nonzero(matrix[z] > 0)
        given = matrix[z[at], after]
        levels.append((after, begins + at, given, probability[at] * given))
        begins += len(z)
    sizes = [len(level[0]) for level in levels]
    return Histories(
        np.concatenate([[0], np.cumsum(sizes)]),
        np.repeat(np.arange(horizon), sizes),
        *(np.concatenate([level[i] for level in levels]) for i in range(4)),
    )
