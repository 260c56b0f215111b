"""Crowds: agents like some places and dislike company, on a ring, in rooms, at a bar, or anywhere at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.compiled import compiled
from envs.logarithm import logarithm
from envs.mean_field.game import FiniteMFG
from envs.mean_field.games.grid import MOVES, four_rooms_plan, moves_on
from envs.mean_field.kernel import Array, sparse_kernel
from envs.mean_field.loops import Loops
from envs.mean_field.ranges import check_number, check_probability, check_whole

EPSILON = 1e-25
"""Added to a mass before its logarithm is taken, so that places without anybody have a finite reward."""


def crowd_1d(size: int = 10, horizon: int = 10, name: str = "crowd-1d") -> FiniteMFG:
    """Cells 0 to S-1 in a ring; actions -1, 0, 1 and noise uniform on them; r = 1 - |x - S//2| / (S//2) - ln mu(x).

    Perrin et al. (2020), section 4.2; OpenSpiel's `mfg_crowd_modelling`.

    Raises:
        ValueError: for a setting out of its range, such as a ring of fewer than 3 cells.
    """
    check_whole(name, "size", size, least=3)
    cells = np.arange(size)
    steps = np.array([-1, 0, 1])
    successors = (cells[:, None, None] + steps[:, None] + steps) % size
    near = 1 - np.abs(cells - size // 2) / (size // 2)
    return _crowd(name, horizon, np.full(size, 1 / size), successors, np.full(successors.shape, 1 / 3), near)


def beach_bar(size: int = 20, horizon: int = 20, noise: float = 0.1, name: str = "beach-bar") -> FiniteMFG:
    """A beach of cells with a bar in the middle: r = -|x - bar| / S - |a| / S - ln mu(x), actions -1, 0, 1.

    Perrin et al. (2020). With probability `noise` each way an agent ends one cell beside; the beach has ends.

    Raises:
        ValueError: for a setting out of its range.
    """
    check_whole(name, "size", size, least=1)
    check_number(name, "noise", noise, least=0, most=0.5)
    cells = np.arange(size)
    steps = np.array([-1, 0, 1])
    successors = np.clip(cells[:, None, None] + steps[:, None] + steps, 0, size - 1)
    prob = np.broadcast_to(np.array([noise, 1 - 2 * noise, noise]), successors.shape).copy()
    base = -np.abs(cells - size // 2)[:, None] / size - np.abs(steps) / size
    return _crowd(name, horizon, np.full(size, 1 / size), successors, prob, base)


def crowd_2d(size: int = 11, horizon: int = 40, noise: float = 0.1) -> FiniteMFG:
    """Four rooms: all start in the upper left corner and spread, r = -ln mu(x); five moves, walls stop them.

    Geist et al. (2022), section 6: the equilibrium is the uniform distribution as far as it can be reached.

    Raises:
        ValueError: for a setting out of its range.
    """
    check_whole("crowd-2d", "size", size, least=5)
    check_probability("crowd-2d", "noise", noise)
    plan = four_rooms_plan(size)
    cells, successors, prob = moves_on(plan, noise)
    initial = np.zeros(len(cells))
    initial[0] = 1.0
    return _crowd("crowd-2d", horizon, initial, successors, prob, np.zeros((len(cells), len(MOVES))))


def teleport_crowd(size: int = 10, horizon: int = 5, seed: int = 0) -> FiniteMFG:
    """Actions are the next cell: r = f_t(s) - ln mu_t(s), f drawn from N(0, 1), mu0 = softmax f_0.

    Its equilibrium is pi_t = softmax f_{t+1}, worth sum_t logsumexp f_t.

    Raises:
        ValueError: for a setting out of its range.
    """
    check_whole("teleport-crowd", "size", size, least=1)
    check_whole("teleport-crowd", "horizon", horizon, least=1)
    check_whole("teleport-crowd", "seed", seed, least=0)
    f = teleport_values(size, horizon, seed)
    raised = np.exp(f[0] - f[0].max())
    successors = np.broadcast_to(np.arange(size)[:, None], (size, size, 1)).copy()

    def reward(t: NDArray[np.int64], mu: Array) -> Array:
        return np.repeat((f[t] - np.log(mu + EPSILON))[..., None], size, -1)

    return FiniteMFG(
        name="teleport-crowd",
        horizon=horizon,
        initial=raised / raised.sum(),
        kernel=sparse_kernel(successors, np.ones(successors.shape)),
        reward=reward,
        local=True,
        loops=Loops(_teleport_loop, (f,), felt=_company_loop),
    )


def _teleport_loop(t: int, company: Array, x: Array, params: Any, out: Array) -> None:
    (f,) = params
    for s in range(len(company)):
        worth = f[t, s] - company[s]
        for a in range(len(company)):
            out[s, a] = worth


_logarithm = compiled(logarithm)


def _company_loop(mu: Array, out: Array) -> None:
    for i in range(len(mu)):
        out[i] = _logarithm(mu[i] + EPSILON)


def teleport_values(size: int, horizon: int, seed: int) -> Array:
    """f_t(s) of `teleport_crowd`: [T, S]."""
    return np.random.default_rng(seed).normal(size=(horizon, size))


def _crowd(
    name: str, horizon: int, initial: Array, successors: NDArray[np.int64], prob: Array, base: Array
) -> FiniteMFG:
    """r = base - ln mu(s), of base[S] or base[S, A]."""
    actions = successors.shape[1]
    table = np.ascontiguousarray(np.broadcast_to(base if base.ndim == 2 else base[:, None], (len(initial), actions)))

    def reward(t: NDArray[np.int64], mu: Array) -> Array:
        return table - np.log(mu + EPSILON)[..., None]

    return FiniteMFG(
        name=name,
        horizon=horizon,
        initial=initial,
        kernel=sparse_kernel(successors, prob),
        reward=reward,
        local=True,
        loops=Loops(_crowd_loop, (table,), felt=_company_loop),
    )


def _crowd_loop(t: int, company: Array, x: Array, params: Any, out: Array) -> None:
    (table,) = params
    for s in range(len(company)):
        for a in range(out.shape[1]):
            out[s, a] = table[s, a] - company[s]
