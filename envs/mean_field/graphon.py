"""Games on a graphon: agents have a place, and see the population as it is around them (Caines and Huang 2019).

Places are M points of [0, 1] with 1/M of the agents each. What an agent at u sees instead of mu is the field
z_u = (1/M) sum_v W(u, v) mu_v, whose mass is how connected u is. With states (u, s) in one row, place by place, this is
a finite game like any other: mu holds 1/M of mass at every place, and the fields are W times it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from envs.mean_field.checks import check_simplex
from envs.mean_field.game import FiniteMFG
from envs.mean_field.graphon_loops import loops_at_places
from envs.mean_field.kernel import Array, BadKernel, Kernel, Seen

Graphon = Callable[[Array, Array], Array]
"""(u, v) -> how much the place u sees of the place v, 0 or more; arrays that broadcast."""


def uniform_attachment(u: Array, v: Array) -> Array:
    """1 - max(u, v): the limit of graphs in which later nodes link to all before them equally (Lovasz 2012, 11.4)."""
    return np.asarray(1 - np.maximum(u, v))


def ranked_attachment(u: Array, v: Array) -> Array:
    """1 - u v."""
    return np.asarray(1 - u * v)


def erdos_renyi(p: float) -> Graphon:
    """The constant p: every place sees p of everybody."""
    return lambda u, v: np.full(np.broadcast_shapes(u.shape, v.shape), p)


def power_law(exponent: float) -> Graphon:
    """(1 - e)^2 (u v)^-e for 0 <= e < 1/2: few see much. Its double integral is 1; it is not bounded."""
    if not 0 <= exponent < 0.5:
        raise ValueError(f"power_law: exponent is {exponent}; want 0 or more, below 1/2")
    return lambda u, v: np.asarray((1 - exponent) ** 2 * (u * v) ** -exponent)


GRAPHONS: dict[str, Graphon] = {"ranked-attachment": ranked_attachment, "uniform-attachment": uniform_attachment}


def at_places(graphon: Graphon, places: int) -> Array:
    """W[M, M] at the midpoints of M equal parts of [0, 1]."""
    middle = (np.arange(places) + 0.5) / places
    return np.asarray(graphon(middle[:, None], middle[None, :]), float)


@dataclass(frozen=True, kw_only=True)
class GraphonMFG(FiniteMFG):
    """A finite game whose states are (u, s), made by `on_graphon`."""

    plain: FiniteMFG
    """The game at each place."""
    W: Array
    """[M, M]"""


def on_graphon(game: FiniteMFG, W: ArrayLike, initial: ArrayLike | None = None, name: str = "") -> GraphonMFG:
    """The game at places that see each other by W[M, M]: states s at place u are u S + s, values means over places.

    Args:
        game: its rewards and transitions take fields, whose sum may be other than 1.
        W: 0 or more.
        initial: [M, S], where places begin differently; without it all begin as the game.
        name: of the game; without it `-graphon` is added to the game's.

    Raises:
        ValueError: for a W of another shape, or with an entry below 0 or not finite.
        BadPolicy: for an initial distribution that is none.
        BadKernel: where the fields make transitions that are no probabilities, at the initial distribution.
    """
    weights = np.asarray(W, float)
    name = name or f"{game.name}-graphon"
    if weights.ndim != 2 or weights.shape[0] != weights.shape[1] or not len(weights):
        raise ValueError(f"{name}: W has shape {weights.shape}; want [M, M]")
    if not np.isfinite(weights).all() or (weights < 0).any():
        u, v = (int(i) for i in np.argwhere(~(np.isfinite(weights) & (weights >= 0)))[0])
        raise ValueError(f"{name}: W[{u}, {v}] is {weights[u, v]}; want a number, 0 or more")
    M, S = len(weights), game.num_states
    start = np.broadcast_to(game.initial, (M, S)) if initial is None else np.asarray(initial, float)
    check_simplex(start, (M, S), f"{name}: the initial distribution")
    kernel = GraphonKernel(game.kernel, weights)
    mu0 = (start / M).reshape(-1)
    kernel.check(mu0, name)
    terminal, mask = game.terminal, game.action_mask

    def reward(t: NDArray[np.int64], x: Array) -> Array:
        # places before steps, as rewards take them: [..., M, T, S] or [..., M, T, S, A]
        size = 2 if game.sees_actions else 1
        fields = np.moveaxis(kernel.fields(x, size), -size - 1, -size - 2)
        found = np.moveaxis(game.reward(t, fields), -4, -3)
        return found.reshape(*found.shape[:-3], M * S, -1)

    def last(mu: Array) -> Array:
        if terminal is None:
            return np.zeros(mu.shape)
        return np.asarray(terminal(kernel.fields(mu, 1))).reshape(mu.shape)

    return GraphonMFG(
        name=name,
        horizon=game.horizon,
        initial=mu0,
        kernel=kernel,
        reward=reward,
        sees_actions=game.sees_actions,
        terminal=None if terminal is None else last,
        action_mask=None if mask is None else np.tile(mask, (M, 1)),
        loops=None if game.loops is None else loops_at_places(game.loops, weights, game.sees_actions),
        plain=game,
        W=weights,
    )


def by_place(array: Array, places: int, axis: int) -> Array:
    """An array of a game on a graphon with its axis of states M S as [M, S]; policies have it at -2, flows at -1."""
    axis = axis % array.ndim
    return array.reshape(*array.shape[:axis], places, -1, *array.shape[axis + 1 :])


@dataclass(frozen=True)
class GraphonKernel:
    """A kernel at each of M places, told the field there instead of the distribution."""

    of: Kernel
    W: Array
    """[M, M]"""

    @property
    def num_states(self) -> int:
        """M S."""
        return len(self.W) * self.of.num_states

    @property
    def num_actions(self) -> int:
        """A."""
        return self.of.num_actions

    @property
    def fixed(self) -> bool:
        """As at one place."""
        return self.of.fixed

    def fields(self, x: Array, size: int) -> Array:
        """z[..., M, S, ...] of x[..., M S, ...] with `size` axes from the states on; z_u = sum_v W(u, v) x_v."""
        apart = by_place(x, len(self.W), x.ndim - size)
        flat = apart.reshape(*apart.shape[: x.ndim - size + 1], -1)
        return np.asarray(self.W @ flat).reshape(apart.shape)

    def push(self, t: int, x: Array, mu: Seen) -> Array:
        """Where occupancy x[..., M S, A] goes at step t when the population is mu[..., M S]: [..., M S]."""
        found = self.of.push(t, by_place(x, len(self.W), -2), self.fields(mu, 1))
        return found.reshape(*found.shape[:-2], -1)

    def expect(self, t: int, values: Array, mu: Seen) -> Array:
        """E[values[..., M S'] | u, s, a] at step t when the population is mu[..., M S]: [..., M S, A]."""
        found = self.of.expect(t, by_place(values, len(self.W), -1), self.fields(mu, 1))
        return found.reshape(*found.shape[:-3], self.num_states, -1)

    def rows(self, t: int, mu: Seen) -> tuple[NDArray[np.int64], Array]:
        """next[M S, A, K], prob[..., M S, A, K]."""
        successors, prob = self.of.rows(t, self.fields(mu, 1))
        M, S = len(self.W), self.of.num_states
        moved = successors + S * np.arange(M)[:, None, None, None]
        at = np.broadcast_to(prob, (*mu.shape[:-1], M, *successors.shape))
        return moved.reshape(M * S, *successors.shape[1:]), at.reshape(*mu.shape[:-1], M * S, *successors.shape[1:])

    def check(self, mu: Array, name: str) -> None:
        """Refuse transitions that are no probabilities at mu[M S]."""
        _, prob = self.rows(0, mu)
        wrong = (prob < 0).any(-1) | (np.abs(prob.sum(-1) - 1) > 1e-12)
        if wrong.any():
            row, a = (int(i) for i in np.argwhere(wrong)[0])
            u, s = divmod(row, self.of.num_states)
            raise BadKernel(f"{name}: P(. | s={s}, a={a}) at place {u} is {prob[row, a].tolist()}; want a distribution")
