"""Behavioural cloning by counting in small Markov games, and what it plays in states that were never demonstrated.

Where the expert was seen, its frequencies are played. Elsewhere data say nothing, and a `fallback` decides: how well a
clone can be exploited may be its fallback's doing alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from envs.markov.checks import numbers
from envs.markov.game import MarkovGame
from envs.markov.identifiability import identifiability
from mfmarl.errors import UserError
from mfmarl.imitation.magail.joint import joint_of
from mfmarl.imitation.soft_values import Array

Fallback = Literal["uniform", "first", "worst"]
FALLBACKS: tuple[Fallback, ...] = get_args(Fallback)
MOST_CHOICES = 100_000
"""Pure joint choices in states that a clone comes to without having seen them."""


def cloned(game: MarkovGame, seen: ArrayLike, fallback: Fallback = "uniform") -> list[Array]:
    """pi_i[..., S, A_i]: each agent's own frequencies in demonstrated steps seen[..., S, A_1..A_n], counts or shares.

    Args:
        fallback: in states that were not seen: every action equally often, the first one, or, with two agents, what
            makes the exploitability of the profile as great as it can be (see `worst_completion`).

    Raises:
        UserError: for another shape, or counts below 0; an unknown fallback; `worst` where it cannot be found.
    """
    counts = numbers(seen, f"{game.name}: demonstrated steps", UserError)
    shape = game.transitions.shape[:-1]
    if counts.shape[-len(shape) :] != shape or (counts < 0).any():
        want = f"[.., S, A_1, .., A_n] = {shape}"
        raise UserError(f"{game.name}: demonstrated steps have shape {counts.shape}; want {want}, 0 or more")
    if fallback not in FALLBACKS:
        raise UserError(f"fallback is {fallback!r}; want {', '.join(FALLBACKS)}")
    lead = counts.shape[: -len(shape)]
    if fallback == "worst":
        rows = [worst_completion(game, one) for one in counts.reshape(-1, *shape)]
        return [np.stack(each).reshape(*lead, *each[0].shape) for each in zip(*rows, strict=True)]
    return [_counted(game, counts, i, fallback) for i in range(game.num_agents)]


def worst_completion(game: MarkovGame, seen: Array) -> list[Array]:
    """pi_1[S, A_1], pi_2[S, A_2]: the clone of seen[S, A_1, A_2] of the greatest exploitability.

    Exact in unseen states that the clone does not come to (`envs.markov.identifiability`). In those that it does come
    to every pure choice is tried, but where nothing depends on it; the greatest is among these in games that do not
    come back to such a state, where gains are linear in each row.

    Raises:
        UserError: for more than two agents, or more pure choices than `MOST_CHOICES`.
    """
    if game.num_agents != 2:
        raise UserError(f"{game.name}: the worst clone is known of 2 agents only; got {game.num_agents}")
    joint = joint_of([_counted(game, seen, i, "uniform") for i in range(2)])
    known = seen.reshape(game.num_states, -1).sum(1) > 0
    reached = _reached(game, joint, known)
    open_states = [int(s) for s in np.flatnonzero(reached & ~known) if _matters(game, int(s))]
    cells = int(np.prod(game.num_actions))
    if float(cells) ** len(open_states) > MOST_CHOICES:
        raise UserError(
            f"{game.name}: the clone comes to {len(open_states)} unseen states of {cells} joint actions, more than "
            f"{MOST_CHOICES} choices; want more demonstrations, or another fallback"
        )
    pure = np.eye(cells).reshape(cells, *game.num_actions)
    best: tuple[float, float] | None = None
    found = joint
    for choices in product(range(cells), repeat=len(open_states)):
        filled = joint.copy()
        filled[open_states] = pure[list(choices)]
        shown = reached[:, None, None]
        report = identifiability(game, filled * shown, filled * (known[:, None, None] & ~shown))
        worth = (report.exploitability[1], report.nash_conv[1])
        if (best is None or worth > best) and report.greatest_policy is not None:
            best, found = worth, report.greatest_policy
    return [found.sum(2), found.sum(1)]


def _counted(game: MarkovGame, seen: Array, agent: int, fallback: Fallback) -> Array:
    """[..., S, A_i]"""
    n, size = game.num_agents, game.num_actions[agent]
    own = seen.sum(tuple(axis - n for axis in range(n) if axis != agent))
    visits = own.sum(-1, keepdims=True)
    otherwise = np.eye(size)[0] if fallback == "first" else np.full(size, 1 / size)
    out: Array = np.where(visits > 0, own / np.where(visits > 0, visits, 1.0), otherwise)
    return out


def _reached(game: MarkovGame, joint: Array, known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """[S]: states that play comes to, by the rows of known states and by any action in others."""
    played = np.where(known[:, None, None], joint, 1.0)
    leads = np.einsum("sab,sabt->st", played, game.transitions) > 0
    reached: NDArray[np.bool_] = game.start > 0
    while game.discount:
        longer = reached | leads[reached].any(0)
        if (longer == reached).all():
            break
        reached = longer
    return reached


def _matters(game: MarkovGame, state: int) -> bool:
    """Whether rewards or what comes next depend on what is played in a state."""
    arrays: Sequence[Array] = (game.transitions[state], *(pay[state] for pay in game.rewards))
    return any((array != array[:1, :1]).any() for array in arrays)
