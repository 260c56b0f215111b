"""Occupancies x[T, S, A] that some policy has, as a polytope: steps that stay in it, entropic and Euclidean.

Where transitions do not depend on the population: the x >= 0 with sum_a x[0] = mu0 and sum_a x[t+1] = P x[t].
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from envs.mean_field.game import FiniteMFG
from mfmarl.solvers.solution import Array


def gains(game: FiniteMFG, pi: Array, mu: Array) -> Array:
    """Rewards [T, S, A] in the population of pi; those after the last decision are counted with it, in expectation."""
    r = np.array(game.rewards(mu, pi))
    if game.terminal is not None:
        r[-1] += game.kernel.expect(game.horizon - 1, game.terminals(mu[-1]), mu[-2])
    return r if game.action_mask is None else np.where(game.action_mask, r, 0.0)


def entropic_step(game: FiniteMFG, log_pi: Array, gained: Array, mu: Array, size: float) -> Array:
    """ln of the policy that maximises size <x, gained> - D(x, x of pi) while the population is mu: [T, S, A].

    D is `divergence`. The maximum is found by one backward pass: ln pi' = ln pi + size Q - V with soft values
    V = ln sum_a pi exp(size Q), Q = gained + E V' / size (Neu, Jonsson and Gomez 2017).
    """
    found, values = np.empty(log_pi.shape), np.zeros(game.num_states)
    for t in reversed(range(game.horizon)):
        raised = log_pi[t] + size * gained[t] + game.kernel.expect(t, values, mu[t])
        top = raised.max(-1)
        values = top + np.log(np.exp(raised - top[:, None]).sum(-1))
        found[t] = raised - values[:, None]
    return found


def divergence(mu: Array, log_pi: Array, other: Array) -> float:
    """sum_t sum_s mu_t(s) KL(pi_t(.|s) || other_t(.|s)), the Bregman divergence of occupancies; mu the flow of pi."""
    with np.errstate(invalid="ignore"):
        # actions that a state does not have are -inf in both
        gone = np.where(np.isfinite(log_pi), log_pi - other, 0.0)
    return float((mu[:-1, :, None] * np.exp(log_pi) * gone).sum())


def policy_of(game: FiniteMFG, x: Array) -> Array:
    """The policy of an occupancy; uniform where nobody is."""
    total = x.sum(-1, keepdims=True)
    pi: Array = np.where(total > 0, x / np.where(total > 0, total, 1.0), game.uniform_policy())
    return pi


def check_fixed(game: FiniteMFG) -> None:
    """Refuse a game whose occupancies are no polytope.

    Raises:
        ValueError: where transitions depend on the population.
    """
    if not game.kernel.fixed:
        raise ValueError(f"{game.name}: transitions depend on the population; want a kernel that does not")


def constraints(game: FiniteMFG) -> tuple[Any, Array]:
    """Sparse A [T S, T S A] and b [T S] with A x = b for occupancies.

    Raises:
        ValueError: where transitions depend on the population, so that occupancies are no polytope.
    """
    check_fixed(game)
    T, S, A = game.shape
    successors, prob = game.kernel.rows(0, game.initial)
    pair = np.repeat(np.arange(S * A), successors.shape[2])
    P = sparse.csr_array((prob.ravel(), (successors.ravel(), pair)), shape=(S, S * A))
    own = sparse.csr_array((np.ones(S * A), (np.repeat(np.arange(S), A), np.arange(S * A))), shape=(S, S * A))
    found = sparse.kron(sparse.eye_array(T), own) - sparse.kron(sparse.eye_array(T, k=-1), P)
    mask = np.ones((S, A)) if game.action_mask is None else game.action_mask
    b = np.zeros(T * S)
    b[:S] = game.initial
    return sparse.csr_array(found @ sparse.diags_array(np.tile(mask.ravel().astype(float), T))), b


def project(A: Any, b: Array, y: Array, dual: Array, tol: float = 1e-10, most: int = 100) -> tuple[Array, Array]:
    """The x >= 0 with A x = b that is nearest to y, and its multipliers.

    x = max(0, y + A' dual); Newton's method on the dual, whose Hessian is A D A' with D the places where x > 0 (Qi and
    Sun 1993). A `dual` from a near y shortens it.

    Raises:
        ValueError: where A x = b is not reached.
    """

    def at(point: Array) -> tuple[float, Array]:
        x = np.maximum(0.0, y + A.T @ point)
        return float(0.5 * x @ x - b @ point), x

    height, x = at(dual)
    for _ in range(most):
        off = A @ x - b
        if np.abs(off).max() <= tol:
            return x, dual
        active = A @ sparse.diags_array((x > 0).astype(float)) @ A.T
        ridge = 1e-9 + 1e-3 * min(1.0, float(np.abs(off).sum()))
        towards = -splu(sparse.csc_array(active + ridge * sparse.eye_array(len(b)))).solve(off)
        slope, size = float(off @ towards), 1.0
        while True:
            tried = at(dual + size * towards)
            # near the minimum heights differ by rounding only
            if tried[0] <= height + 1e-4 * size * slope + 1e-14 * abs(height) or size < 1e-8:
                break
            size /= 2
        dual = dual + size * towards
        height, x = tried
    off = float(np.abs(A @ x - b).max())
    if off > 1e-8:
        raise ValueError(f"projection on occupancies: A x is off by {off:.3g} after {most} iterations; want {tol:g}")
    return x, dual
