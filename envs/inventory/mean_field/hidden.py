"""The joint law of all that an agent of one type may observe of itself: stock, last demand, every order on its way.

A type's decision process (`TypeModel`) leaves out what does not bear on costs: how a position splits into stock and
orders, and what demand was. A network sees it, so it is followed here, and averaged over for the process's own states.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from envs.compiled import compiled
from envs.inventory.mean_field.couplings import season_of
from envs.inventory.mean_field.demand_law import probabilities
from envs.inventory.mean_field.model import MeanFieldMarket
from envs.inventory.mean_field.observer import Holdings
from envs.inventory.mean_field.process import TypeModel
from envs.inventory.mean_field.units import before_visits, joined, rounded, visited
from envs.unsolvable import Unsolvable

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
Integers = NDArray[np.int64]
LARGEST = 12_000_000
"""Most cells of the joint law of one type: 100 MB."""
PRUNED = 1e-12
"""What an agent has with less probability than this its policy is not asked about."""
TAIL = 1e-15
"""Demand is followed up to the units that are exceeded with this probability; there they are lumped."""
CHUNK = 1 << 16
"""Cases that a policy is asked about at a time."""
NOTHING = 1e-40
"""Probability that is left out, before it turns into numbers too small to be computed fast."""


@dataclass(frozen=True)
class Cases:
    """What the order of one period may bring: G cases, sorted by action."""

    action: Integers
    """[G]."""
    units: Doubles
    """[G], whole numbers."""
    chance: Doubles
    """[G]: given the action."""

    @classmethod
    def of(cls, granted: Doubles) -> Cases:
        """Of what the actions bring on average [A], in whole units around it."""
        cases = [(a, units, chance) for a, mean in enumerate(granted) for units, chance in rounded(float(mean))]
        action, units, chance = zip(*cases, strict=True)
        return cls(np.array(action), np.array(units, float), np.array(chance))


class Hidden:
    """One type on its way through time: `order`, `meet` and `leave` in every period."""

    def __init__(self, game: MeanFieldMarket, kind: TypeModel) -> None:
        """Raises ValueError where the joint law has too many cells."""
        self.kind = kind
        self._lost, self._sell_all = game.config.unmet == "lost", game.config.demand_mode == "sell_all"
        means = kind.agent.mu * season_of(game.config)
        laws = {mean: _counts(mean, kind.agent.cv2) for mean in set(means.tolist())}
        self._laws = [laws[mean] for mean in means.tolist()]
        self._means = means
        self._check_size(game)
        # nothing is on its way at the start, which is the action that orders nothing
        waiting = Cases(np.array([int(np.argmax(kind.levels == 0))]), np.zeros(1), np.ones(1))
        self.on_order = [waiting] * kind.agent.L
        """What was granted in the last L periods, the oldest first."""
        self.state = np.zeros((kind.size, *(1,) * kind.agent.L, 1))
        """[n, G, ..., G, last demand]: the joint law before orders; n of net stock."""
        self.state[kind.start[0]] = 1.0
        self.pruned = 0.0
        """Probability, summed over periods, of what no law was asked about."""
        self.rows = 0
        """What it was asked about."""
        self._ordered, self._left, self._short = self.state[..., 0], self.state, 0.0

    def _check_size(self, game: MeanFieldMarket) -> None:
        kind = self.kind
        cases = kind.levels.size * (1 if game.couplings.capacity is None else 2)
        demands = kind.size if self._sell_all else max(law.size for law in self._laws)
        cells = kind.size * cases**kind.agent.L * demands
        if cells > LARGEST:
            raise Unsolvable(
                f"{kind.name}: with L = {kind.agent.L} its agents may observe any of {cells:,} cases of their own in a "
                f"period, more than the {LARGEST:,} that are followed exactly: give it a shorter lead time or fewer "
                "action levels, or audit by learned and bound"
            )

    def order(self, law: Callable[[Holdings], NDArray[np.floating]]) -> Doubles:
        """Everyone orders by the law of what it has: the probabilities of state and action [*state_shape, A].

        Args:
            law: what R agents hold -> probabilities [R, A]. It is asked about what is likely enough to matter; the rest
                orders like those that differ in last demand alone, or else like the average.
        """
        flat, size = self.state.reshape(-1), self.state.shape[-1]
        cells = np.flatnonzero(flat > PRUNED)
        total = self.state.sum(-1).reshape(-1)
        known = np.zeros((total.size, self.kind.levels.size))
        for start in range(0, cells.size, CHUNK):
            part = cells[start : start + CHUNK]
            told, place = flat[part, None] * law(self._held(part)), part // size
            first = np.flatnonzero(np.diff(place, prepend=-1))
            known[place[first]] += np.add.reduceat(told, first, 0)
        self.rows += cells.size
        self.pruned += max(0.0, float(total.sum() - flat[cells].sum()))
        asked = known.sum(1, keepdims=True)
        mass = np.broadcast_to(known.sum(0) / known.sum(), known.shape).copy()
        np.divide(known, asked, out=mass, where=asked > 0)
        mass *= total[:, None]
        mass = mass.reshape(*self.state.shape[:-1], -1)
        self._short = self._backlog(self.state)
        # what arrives now joins before demand, and so do orders where they arrive at once
        self._ordered = joined(mass, self.on_order[0].units) if self.on_order else mass
        return self._of_process(mass)

    def _held(self, cells: Integers) -> Holdings:
        """What agents in these cells [R] of the joint law have."""
        net, *orders, demand = np.unravel_index(cells, self.state.shape)
        on_order = [case.units[index].astype(np.float32) for case, index in zip(self.on_order, orders, strict=True)]
        return Holdings((net + self.kind.low).astype(np.float32), demand.astype(np.float32), on_order)

    def _of_process(self, mass: Doubles) -> Doubles:
        """mass [n, G, ..., G, A] by the states of the type's process."""
        if not self._lost:
            for cases in self.on_order:
                mass = joined(mass, cases.units)
            return mass
        if not self.on_order:
            return mass
        by_action = self._ordered
        for cases in self.on_order[1:]:
            which = (cases.action[:, None] == np.arange(self.kind.levels.size)).astype(float)
            by_action = np.tensordot(by_action, which, (1, 0))
        return np.moveaxis(by_action, 1, -1) if len(self.on_order) > 1 else by_action

    def meet(self, t: int, granted: Doubles) -> tuple[float, float, float]:
        """What is granted [A] is on its way, and demand comes: units sold, on offer and unmet, an agent's means."""
        if self.on_order:
            cases = Cases.of(granted)
            offered = self._ordered[..., cases.action] * cases.chance
            self.on_order = [*self.on_order[1:], cases]
        else:
            offered = joined(self._ordered, granted)
        law = self._laws[t]
        n, rest = offered.shape[0], offered.shape[1:]
        rows = np.ascontiguousarray(offered).reshape(n, -1)
        if self._sell_all:
            left = np.zeros((n, rows.shape[1], n))
            left[0] = rows.T
        else:
            left = np.zeros((n, rows.shape[1], law.size))
            _demanded(rows, law, left)
        self._left = left.reshape(n, *rest, -1)
        before, stock = rows.sum(1), self.kind.positions
        if self._lost:
            kind = self.kind
            sold, lost = kind.sold.before[t] + kind.sold.after[t], kind.lost.before[t] + kind.lost.after[t]
            return float(before @ sold), float(before @ stock), float(before @ lost)
        # what is on offer is net stock and the backlog it has already been set against
        short, after = self._short, self._backlog(self._left)
        return float(self._means[t] + short - after), float(before @ stock + short), after

    def _backlog(self, law: Doubles) -> float:
        """Mean backlog, u, of a law [n, ...]."""
        return float(law.reshape(law.shape[0], -1).sum(1) @ np.maximum(-self.kind.positions, 0.0))

    def leave(self, visitors: float) -> float:
        """Visitors buy of what is left, and some of the rest spoils; returns the units that visitors bought."""
        kind, left = self.kind, self._left
        bought = 0.0
        if visitors > 0:
            stock = left.reshape(kind.size, -1).sum(1)
            bought = float(stock @ (kind.positions - before_visits(kind.positions, visitors)))
            left = visited(left, visitors)
        if kind.agent.delta > 0:
            fresh = np.zeros_like(left)
            np.add.at(fresh, kind.kept, left)
            left = fresh
        self.state = left
        return bought


def _counts(mean: float, cv2: float) -> Doubles:
    """[D]: probabilities of 0, 1, ... units, what is beyond the last in the last."""
    law = stats.poisson(mean) if cv2 == 0 else stats.nbinom(1 / cv2, 1 / (1 + cv2 * mean))
    pmf, above = probabilities(mean, cv2, int(law.isf(TAIL)) + 1)
    pmf[-1] += above[-1]
    return pmf


@compiled
def _demanded(law: Doubles, demand: Doubles, left: Doubles) -> None:
    """left [n, R, D] += law [n, R] x demand [D], moved down by the demand and no lower than 0."""
    n, rest = law.shape
    for x in range(n):
        for r in range(rest):
            mass = law[x, r]
            if mass > NOTHING:
                for d in range(demand.size):
                    left[max(x - d, 0), r, d] += mass * demand[d]
