"""Long-run distributions of finite Markov chains P[..., S, S'], by elimination.

Elimination as of Grassmann, Taksar and Heyman (1985) has no subtraction: even masses of 1e-40 are exact to their last
digits, and none is negative by rounding.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csgraph

from envs.mean_field.kernel import Array


class NoStationary(ValueError):
    """A chain without a single stationary distribution: names the sets of states that it does not leave again."""


def closed_classes(P: Array | NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """The sets of states that a chain P[S, S'] does not leave again and moves about in; there is one at least.

    Only where P is above 0 matters.
    """
    linked = P > 0
    number, label = csgraph.connected_components(linked, directed=True, connection="strong")
    start, end = np.nonzero(linked)
    left = np.zeros(number, bool)
    left[label[start][label[start] != label[end]]] = True
    return [np.flatnonzero(label == k) for k in range(number) if not left[k]]


def stationary(P: Array, what: str) -> Array:
    """mu[..., S] with mu = mu P; `what` names the chain.

    Raises:
        NoStationary: where there are several, or probabilities are too small to tell.
    """
    S = P.shape[-1]
    flat = P.reshape(-1, S, S)
    roots = []
    for links in flat > 0:
        classes = _classes_of(links.tobytes(), S)
        if len(classes) > 1:
            told = " and ".join(map(str, classes[:3]))
            raise NoStationary(
                f"{what}: its chain has {len(classes)} stationary distributions, on states {told}; want one"
            )
        roots.append(classes[0][0])
    return _eliminated(flat, np.array(roots, np.int64), what).reshape(P.shape[:-1])


@lru_cache(maxsize=256)
def _classes_of(links: bytes, S: int) -> list[list[int]]:
    """Closed classes by what leads where; policies of a solver mostly have the same."""
    linked = np.frombuffer(links, bool).reshape(S, S)
    return [members.tolist() for members in closed_classes(linked)]


def _eliminated(P: Array, roots: NDArray[np.int64], what: str) -> Array:
    """Stationary distributions [B, S] of chains [B, S, S'] that come to their root from everywhere."""
    B, S, _ = P.shape
    order = np.argsort(np.arange(S) != roots[:, None], axis=1, kind="stable")
    batch = np.arange(B)[:, None]
    Q = P[batch[..., None], order[:, :, None], order[:, None, :]]
    mass = np.zeros((B, S))
    mass[:, 0] = 1.0
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for n in range(S - 1, 0, -1):
            Q[:, :n, n] /= Q[:, n, :n].sum(-1)[:, None]
            Q[:, :n, :n] += Q[:, :n, n, None] * Q[:, n, None, :n]
        for n in range(1, S):
            mass[:, n] = (mass[:, :n] * Q[:, :n, n]).sum(-1)
        mass /= mass.sum(-1, keepdims=True)
    if not np.isfinite(mass).all():
        raise NoStationary(f"{what}: its chain has probabilities too small to tell a stationary distribution")
    found = np.empty((B, S))
    found[batch, order] = mass
    return found


def long_run(P: Array, start: Array, what: str) -> Array:
    """Mean distribution over infinitely many steps of a chain P[S, S'] from start[S]: also where it ends in several.

    Raises:
        NoStationary: where probabilities are too small to tell.
    """
    classes = closed_classes(P)
    if len(classes) == 1:
        return stationary(P, what)
    S = len(P)
    inside = np.concatenate(classes)
    passing = np.setdiff1d(np.arange(S), inside)
    # how much of the start comes into each state of the closed classes when it first leaves the others
    visits = np.linalg.solve(np.eye(len(passing)) - P[np.ix_(passing, passing)].T, start[passing])
    entered = start.copy()
    entered[passing] = 0.0
    entered[inside] += visits @ P[np.ix_(passing, inside)]
    found = np.zeros(S)
    for members in classes:
        found[members] = entered[members].sum() * stationary(P[np.ix_(members, members)], what)
    return found
