"""In which order the states of a game are worked out: a state after all that come after it in play."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from envs.markov.checks import Array

Index = NDArray[np.int64]


@dataclass(frozen=True)
class Layout:
    """Where play can go from each state, whatever the actions."""

    successors: tuple[Index, ...]
    """Of each state."""
    components: tuple[Index, ...]
    """Sets of states that lead to each other, each after those that it leads to. Most games of interest have sets of
    one, whose values are quotients; larger sets are systems of linear equations."""


def layout(transitions: Array, discount: float) -> Layout:
    """Of transitions [S, A_1, .., A_n, S]; with discount 0 nothing comes after a state."""
    S = transitions.shape[0]
    support = np.asarray((transitions > 0).any(tuple(range(1, transitions.ndim - 1)))) & (discount > 0)
    reach = support | np.eye(S, dtype=bool)
    while True:
        # in floats, which are multiplied by BLAS
        longer = (reach.astype(np.float32) @ reach.astype(np.float32)) > 0
        if (longer == reach).all():
            break
        reach = longer
    mutual = reach & reach.T
    # what leads to another set and not back reaches more states than it
    sets = [np.flatnonzero(mutual[s]) for s in np.unique(mutual.argmax(1))]
    components = sorted(sets, key=lambda members: int(reach[members[0]].sum()))
    return Layout(tuple(np.flatnonzero(row) for row in support), tuple(components))
