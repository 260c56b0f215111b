"""What an expert's occupancy leaves open: the least and the greatest exploitability of all that have this occupancy.

Policies are fixed by an occupancy in the states that are visited and free elsewhere. No one's own value depends on what
is free. What an agent could gain does, through the others' policies in unvisited states:

- The greatest gain is the value of a decision process in which the agent and, in unvisited states, the others choose
  together for it. Exact, and attained by pure choices.
- The least gain is the value of a zero-sum Markov game in which the others hold the agent down where they are free
  (Shapley 1953), a linear programme a state. With two agents exact; with more a lower bound, since the others are let
  correlate.

Both by policy iteration over what the others play (Hoffman and Karp 1966): the agent's best response is exact, the
others then choose anew where that helps, until nothing changes but rounding.

With two agents, what one leaves open matters for the other's gain alone, so that the extremes of both are attained at
once. With more the greatest exploitability is exact, the greatest NashConv an upper bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from envs.markov.checks import Array, numbers
from envs.markov.game import MarkovGame
from envs.markov.matrix_game import Settled, matrix_game
from envs.markov.solving import TOLERANCE, best_values, outcomes

End = Literal["least", "greatest"]
ENDS: tuple[End, End] = ("least", "greatest")


@dataclass(frozen=True)
class Identifiability:
    """Of all joint policies with one occupancy."""

    visited: NDArray[np.bool_]
    """[S]"""
    values: Array
    """[n], of the start: the same for all of them."""
    least_gaps: Array
    """[n]"""
    greatest_gaps: Array
    """[n]"""
    exact: bool
    """Whether all is exact, to rounding and the accuracy of linear programmes: with two agents. With more, least gaps
    and both ends of `nash_conv` are bounds from outside."""
    independent: float
    """Largest distance of a visited row from the product of its marginals. Above 0 no independent policies have this
    occupancy, and gaps are those of leaving a joint policy (coarse correlated)."""
    least_policy: Array | None
    """[S, A_1, .., A_n], attains the least gaps; None with more than two agents."""
    greatest_policy: Array | None
    """[S, A_1, .., A_n], attains the greatest gaps; None with more than two agents."""

    @property
    def exploitability(self) -> tuple[float, float]:
        """The least and the greatest of the largest gap."""
        return float(self.least_gaps.max()), float(self.greatest_gaps.max())

    @property
    def nash_conv(self) -> tuple[float, float]:
        """The least and the greatest of the sum of gaps."""
        return float(self.least_gaps.sum()), float(self.greatest_gaps.sum())

    def __str__(self) -> str:
        """Two lines, for people."""
        low, high = self.exploitability
        free = int((~self.visited).sum())
        kind = "exact" if self.exact else "least: a lower bound, greatest: exact"
        of = "independent policies" if self.independent <= PRODUCT else "joint policies"
        return (
            f"{free} of {len(self.visited)} states are never visited; exploitability of {of} with this occupancy: "
            f"{low:.6g} to {high:.6g} ({kind})\nvalues {np.round(self.values, 6).tolist()}, greatest gaps "
            f"{np.round(self.greatest_gaps, 6).tolist()}"
        )


PRODUCT = 1e-9
"""Distance at which a row counts as a product."""


def identifiability(game: MarkovGame, occupancy: ArrayLike, known: ArrayLike | None = None) -> Identifiability:
    """The report of an occupancy [S, A_1, .., A_n], exact or counted: rows of visited states, and which those are.

    Args:
        known: [S, A_1, .., A_n], counts or shares, of states that are not visited and whose rows are fixed all the
            same; 0 in those that are free.

    Raises:
        ValueError: for another shape, negative entries, or visited states that play leaves for others: then values are
            open too, and more data or the exact occupancy is needed.
    """
    n, S = game.num_agents, game.num_states
    x = numbers(occupancy, f"{game.name}: the occupancy", ValueError)
    more = np.zeros_like(x) if known is None else numbers(known, f"{game.name}: known rows", ValueError)
    for what, one in (("the occupancy has", x), ("known rows have", more)):
        if one.shape != game.transitions.shape[:-1] or (one < 0).any() or not x.any():
            raise ValueError(f"{game.name}: {what} shape {one.shape}; want {game.transitions.shape[:-1]}, 0 or more")
    visited = x.reshape(S, -1).sum(1) > 0
    rows = np.where(visited.reshape(-1, *[1] * n), x, more)
    mass = rows.reshape(S, -1).sum(1)
    fixed = mass > 0
    joint = np.full(x.shape, 1 / np.prod(game.num_actions))
    joint[fixed] = rows[fixed] / mass[fixed].reshape(-1, *[1] * n)
    _check_closed(game, joint, visited)
    values = game.joint_values(joint)
    extremes = {end: [_extreme(game, joint, fixed, i, end) for i in range(n)] for end in ENDS}
    gaps = {end: np.array([found @ game.start for found, _ in each]) - values for end, each in extremes.items()}
    policies = {end: _completed(joint, fixed, [r for _, r in each]) for end, each in extremes.items() if n == 2}
    return Identifiability(
        visited,
        values,
        gaps["least"],
        gaps["greatest"],
        n == 2,
        max(_distance(row) for row in joint[fixed]),
        policies.get("least"),
        policies.get("greatest"),
    )


def _check_closed(game: MarkovGame, joint: Array, visited: NDArray[np.bool_]) -> None:
    S, name = game.num_states, game.name
    if (game.start[~visited] > 0).any():
        s = game.state_names[int(np.argmax((game.start > 0) & ~visited))]
        raise ValueError(f"{name}: play starts in {s}, which the occupancy never visits; want one of this game")
    moves = np.einsum("sj,sjk->sk", joint.reshape(S, -1), game.transitions.reshape(S, -1, S))
    left = (moves > 0) & visited[:, None] & ~visited
    if game.discount and left.any():
        s, after = (game.state_names[int(i)] for i in np.argwhere(left)[0])
        raise ValueError(
            f"{name}: play goes from {s} to {after}, which the occupancy never visits, so that values are open too; "
            "want the exact occupancy, or more samples"
        )


def _extreme(game: MarkovGame, joint: Array, fixed: NDArray[np.bool_], agent: int, end: End) -> tuple[Array, Array]:
    """An agent's extreme best-response values [S], and what the others play [S, J] to give it those."""
    S, own = game.num_states, game.num_actions[agent]
    others = joint.sum(1 + agent).reshape(S, -1)
    pay = np.moveaxis(game.rewards[agent], 1 + agent, 1).reshape(S, own, -1)
    moves = np.moveaxis(game.transitions, 1 + agent, 1).reshape(S, own, -1, S)
    free, played = np.flatnonzero(~fixed), others.copy()
    better = True
    while better:
        tables = outcomes(game.layout, game.transitions, game.rewards[agent], agent, played[..., None])
        values = best_values(game.layout, game.discount, tables)[:, 0]
        rounding, better = TOLERANCE * (1 + np.abs(values).max()), False
        for s in free:
            q = pay[s] + game.discount * moves[s] @ values
            found = matrix_game(q) if end == "least" else _highest(q)
            if (values[s] - found.value) * (1 if end == "least" else -1) > rounding:
                played[s], better = found.columns, True
    return values, played


def _highest(payoff: Array) -> Settled:
    """The best entry, where both choose for the row player."""
    return Settled(float(payoff.max()), np.eye(payoff.shape[1])[payoff.max(0).argmax()])


def _completed(joint: Array, fixed: NDArray[np.bool_], others: list[Array]) -> Array:
    """A joint policy of two: as it was where it is fixed, elsewhere what each plays against the other."""
    second, first = others
    found = joint.copy()
    found[~fixed] = first[~fixed][:, :, None] * second[~fixed][:, None]
    return found


def _distance(row: Array) -> float:
    """Of a joint distribution [A_1, .., A_n] from the product of its marginals."""
    product = np.ones(())
    for i in range(row.ndim):
        marginal = row.sum(tuple(j for j in range(row.ndim) if j != i))
        product = product * marginal.reshape([-1 if j == i else 1 for j in range(row.ndim)])
    return float(np.abs(row - product).max())
