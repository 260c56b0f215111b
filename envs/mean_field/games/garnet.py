"""Random games, to test on and to compare solvers over many."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.mean_field.game import FiniteMFG
from envs.mean_field.games.crowding import crowding_loop
from envs.mean_field.kernel import Array, moving, sparse_kernel
from envs.mean_field.loops import Loops
from envs.mean_field.ranges import check_number, check_whole


def garnet(
    states: int = 10,
    actions: int = 3,
    successors: int = 4,
    horizon: int = 10,
    crowd: float = 1.0,
    pull: float = 0.0,
    seed: int = 0,
) -> FiniteMFG:
    """A random game: each state and action leads to some states, with Dirichlet probabilities (Archibald et al. 1995).

    r = uniform(-1, 1) - crowd mu(s). With `pull` > 0 transitions follow the population: with probability min(1, pull
    mu(s)) an agent goes to a state drawn for its own.

    Raises:
        ValueError: for a setting out of its range, or more successors than states.
    """
    for setting, value in {"states": states, "actions": actions, "successors": successors}.items():
        check_whole("garnet", setting, value, least=1)
    check_number("garnet", "crowd", crowd)
    check_number("garnet", "pull", pull, least=0)
    check_whole("garnet", "seed", seed, least=0)
    if successors > states:
        raise ValueError(f"garnet: {successors} successors of {states} states; want at most as many")
    rng = np.random.default_rng(seed)
    order = rng.random((states, actions, states)).argsort(-1)[..., :successors]
    prob = rng.dirichlet(np.ones(successors), (states, actions))
    prob /= prob.sum(-1, keepdims=True)
    base = rng.uniform(-1, 1, (states, actions))
    initial = rng.dirichlet(np.ones(states))
    slope = np.full(states, -float(crowd))

    def reward(t: NDArray[np.int64], mu: Array) -> Array:
        return base - crowd * mu[..., None]

    if pull == 0:
        kernel = sparse_kernel(order, prob)
        loops = Loops(crowding_loop, (base, slope))
        return FiniteMFG(
            name="garnet", horizon=horizon, initial=initial, kernel=kernel, reward=reward, local=True, loops=loops
        )
    drawn = np.broadcast_to(rng.integers(states, size=(states, 1, 1)), (states, actions, 1))

    def law(t: int, mu: Array) -> Array:
        pulled = np.minimum(1.0, pull * mu)[..., None, None]
        shape = (*mu.shape[:-1], states, actions)
        return np.concatenate(
            [np.broadcast_to((1 - pulled) * prob, (*shape, successors)), np.broadcast_to(pulled, (*shape, 1))], -1
        )

    moved = moving(np.concatenate([order, drawn], -1), law)
    loops = Loops(crowding_loop, (base, slope, prob, float(pull)), pulled_loop)
    return FiniteMFG(
        name="garnet", horizon=horizon, initial=initial, kernel=moved, reward=reward, local=True, loops=loops
    )


def pulled_loop(t: int, mu: Array, params: Any, out: Array) -> None:
    """By min(1, pull mu(s)) to the last successor, else by prob; params: the rewards', then prob[S, A, K], pull."""
    prob, pull = params[2], params[3]
    states, actions, last = prob.shape
    for s in range(states):
        pulled = min(1.0, pull * mu[s])
        for a in range(actions):
            for k in range(last):
                out[s, a, k] = (1 - pulled) * prob[s, a, k]
            out[s, a, last] = pulled
