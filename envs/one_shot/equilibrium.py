"""Equilibria of anonymous games by definition: what an agent would gain by playing something else.

K types, A actions. `payoffs` takes how many play each action [..., A], the agent that is asked about included, and
gives what an agent of each type gets for each action [..., K, A]; see `AnonymousRules`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Payoffs = Callable[[Doubles], Doubles]


def gains(payoffs: Payoffs, counts: NDArray[np.int64]) -> Doubles:
    """What one agent gains by going from action a to action b alone: [K, A, A], row a, column b.

    Exact: a pure profile `counts` [K, A] is an equilibrium where no entry is positive. Rows of actions that no agent
    of the type plays are -inf: nobody is there to leave them.
    """
    types, actions = counts.shape
    total = counts.sum(0).astype(np.float64)
    unit = np.eye(actions)
    # row a, column b: the counts after one agent has gone from a to b
    moved = payoffs(total - unit[:, None] + unit[None])
    after = np.einsum("abkb->kab", moved)
    before = payoffs(total)
    found: Doubles = np.where(counts[:, :, None] > 0, after - before[:, :, None], -np.inf)
    assert found.shape == (types, actions, actions)
    return found


def settled(payoffs: Payoffs, counts: NDArray[np.int64], max_moves: int = 1_000_000) -> NDArray[np.int64]:
    """A pure equilibrium [K, A], reached from `counts` by the best move of one agent after another.

    It ends in games with a potential, where every such move raises it (Monderer and Shapley 1996), as all anonymous
    games of this folder are.

    Raises:
        ValueError: where some agent still gains after `max_moves`.
    """
    now = counts.copy()
    for _ in range(max_moves):
        found = gains(payoffs, now)
        k, a, b = (int(i) for i in np.unravel_index(found.argmax(), found.shape))
        # differences of equal payoffs are not exactly 0
        if found[k, a, b] <= 1e-12 * max(1.0, float(np.abs(payoffs(now.sum(0).astype(np.float64))).max())):
            return now
        now[k, a] -= 1
        now[k, b] += 1
    raise ValueError(f"some agent still gains after {max_moves} moves: the game may have no potential")


def expected_payoffs(payoffs: Payoffs, sizes: NDArray[np.int64], shares: Doubles) -> Doubles:
    """[K, A]: expected payoff of each action where everyone else draws from its type's law.

    Exact where payoffs are affine in the counts: the others' expected counts stand for their law.

    Args:
        sizes: [K], agents of each type.
        shares: [K, A], each type's law over actions.
    """
    types, actions = shares.shape
    others = (sizes @ shares)[None] - shares
    table = payoffs(others[:, None] + np.eye(actions))
    # table [K of the agent, A of its action, K, A]: of each, its own type and action
    k, a = np.arange(types)[:, None], np.arange(actions)
    found: Doubles = table[k, a, k, a]
    return found


def regret(payoffs: Payoffs, sizes: NDArray[np.int64], shares: Doubles) -> Doubles:
    """[K]: what an agent of each type gains by its best reply, where everyone draws from `shares` [K, A]; 0 in an
    equilibrium."""
    value = expected_payoffs(payoffs, sizes, shares)
    found: Doubles = value.max(-1) - (shares * value).sum(-1)
    return found
