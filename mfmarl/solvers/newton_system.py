"""Newton's step for an equilibrium's optimality conditions: one sparse linear system over all of time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

from envs.mean_field.game import FiniteMFG
from mfmarl.solvers.slopes import law_slopes, reward_slopes, terminal_slopes
from mfmarl.solvers.solution import Array

RELATIVE = 1e-4
"""Steps of differences, as a share of the mass that is moved."""


def newton_step(
    game: FiniteMFG, pi: Array, values: Array, mu: Array, z: Array, wanted: Array, place: NDArray[np.bool_]
) -> tuple[Array, Array]:
    """Newton's step: d ln x [T, S, A] and dV [T+1, S].

    Linearised, with m = d ln mu:
        z d ln x + dV - dr - E dV' - dP V' = wanted
        m = E_pi d ln x
        mu' m' = P (x d ln x) + dP x

    Raises:
        ValueError: where that system is singular.
    """
    T, S, A = game.shape
    system = _System(T, S, A)
    scale = np.where(mu > 0, mu, 1.0)
    t, s, a = (grid.ravel() for grid in np.indices((T, S, A)))
    system.add(system.policy(t, s, a), system.policy(t, s, a), np.where(place, z, 1.0).ravel())
    system.add(system.policy(t, s, a), system.value(t, s), np.where(place, 1.0, 0.0).ravel())
    system.add(system.value(t, s), system.policy(t, s, a), pi.ravel())
    # of places that nobody comes to, values stay
    reached = place.any(-1)
    t, s = (grid.ravel() for grid in np.indices((T, S)))
    system.add(system.value(t, s), system.mass(t, s), -np.ones(t.size))
    system.add(system.value(t, s), system.value(t, s), np.where(reached, 0.0, 1.0).ravel())
    s = np.arange(S)
    last = np.full(S, T)
    system.add(system.value(last, s), system.value(last, s), np.ones(S))
    t, s = (grid.ravel() for grid in np.indices((T + 1, S)))
    system.add(system.mass(t, s), system.mass(t, s), np.ones(t.size))
    x = mu[:-1, :, None] * pi
    for step in range(T):
        successors, prob = game.kernel.rows(step, mu[step])
        s, a, k = (grid.ravel() for grid in np.indices(successors.shape))
        here, after, now = place[step, s, a], successors.ravel(), np.full(successors.size, step)
        p = prob.ravel() * here
        system.add(system.policy(now, s, a), system.value(now + 1, after), -p)
        system.add(system.mass(now + 1, after), system.policy(now, s, a), -x[step, s, a] * p / scale[step + 1, after])
        if not game.kernel.fixed:
            laws = law_slopes(game, step, mu[step], RELATIVE * mu[step]) * mu[step]
            s, a, k, seen = (grid.ravel() for grid in np.indices(laws.shape))
            value, now, after = laws.ravel() * place[step, s, a], np.full(s.size, step), successors[s, a, k]
            system.add(system.policy(now, s, a), system.mass(now, seen), -value * values[step + 1, after])
            system.add(
                system.mass(now + 1, after), system.mass(now, seen), -x[step, s, a] * value / scale[step + 1, after]
            )
    population = x if game.sees_actions else mu[:-1]
    slopes = reward_slopes(game, mu, pi, RELATIVE * population)
    t, s, a = slopes.t, slopes.s, slopes.a
    relative = slopes.value * population.reshape(T, -1)[t, slopes.place] * place[t, s, a]
    cause = system.mass(t, slopes.place)
    if game.sees_actions:
        cause = system.policy(t, *np.divmod(slopes.place, A))
    system.add(system.policy(t, s, a), cause, -relative)
    if game.terminal is not None:
        ends = terminal_slopes(game, mu, RELATIVE * mu[-1]) * mu[-1]
        s, seen = (grid.ravel() for grid in np.indices(ends.shape))
        last = np.full(s.size, T)
        system.add(system.value(last, s), system.mass(last, seen), -ends.ravel())
    try:
        return system.solve(wanted)
    except RuntimeError as singular:
        raise ValueError(f"{game.name}: Newton's step has no solution ({singular}); want another solver") from singular


class _System:
    """A sparse linear system in d ln x, dV and d ln mu, collected entry by entry and ordered by time."""

    def __init__(self, T: int, S: int, A: int) -> None:
        self.T, self.S, self.A = T, S, A
        self.rows: list[NDArray[np.int64]] = []
        self.columns: list[NDArray[np.int64]] = []
        self.entries: list[Array] = []

    def value(self, t: NDArray[np.int64], s: NDArray[np.int64]) -> NDArray[np.int64]:
        return t * self.S * (self.A + 2) + s

    def mass(self, t: NDArray[np.int64], s: NDArray[np.int64]) -> NDArray[np.int64]:
        return t * self.S * (self.A + 2) + self.S + s

    def policy(self, t: NDArray[np.int64], s: NDArray[np.int64], a: NDArray[np.int64]) -> NDArray[np.int64]:
        return t * self.S * (self.A + 2) + 2 * self.S + s * self.A + a

    def add(self, row: NDArray[np.int64], column: NDArray[np.int64], entry: Array) -> None:
        keep = entry != 0
        self.rows.append(row[keep])
        self.columns.append(column[keep])
        self.entries.append(entry[keep])

    def solve(self, wanted: Array) -> tuple[Array, Array]:
        T, S, A = self.T, self.S, self.A
        block = S * (A + 2)
        size = T * block + 2 * S
        index = np.concatenate(self.rows), np.concatenate(self.columns)
        matrix = sparse.csr_array((np.concatenate(self.entries), index), shape=(size, size))
        right = np.zeros(size)
        right[: T * block].reshape(T, block)[:, 2 * S :] = wanted.reshape(T, -1)
        found = _eliminated(matrix, right, (np.arange(size) < T * block) & (np.arange(size) % block >= 2 * S))
        body = found[: T * block].reshape(T, block)
        values = np.concatenate([body[:, :S], found[None, T * block : T * block + S]])
        return np.ascontiguousarray(body[:, 2 * S :]).reshape(T, S, A), values


def _eliminated(matrix: Any, right: Array, first: NDArray[np.bool_]) -> Array:
    """Solve, with the unknowns `first` taken out by hand where each stands in its own equation alone: much smaller."""
    inner, outer = np.flatnonzero(first), np.flatnonzero(~first)
    rows = matrix[inner]
    square = rows[:, inner]
    if square.nnz > len(inner):
        return np.asarray(splu(matrix.tocsc()).solve(right))
    below, beside = matrix[outer], rows[:, outer]
    inverse = sparse.diags_array(1 / square.diagonal())
    across = below[:, inner] @ inverse
    found = np.empty(len(right))
    # they are in the order of time, so that the matrix is banded as it is
    rest = splu((below[:, outer] - across @ beside).tocsc(), permc_spec="NATURAL")
    found[outer] = rest.solve(right[outer] - across @ right[inner])
    found[inner] = inverse @ (right[inner] - beside @ found[outer])
    return found
