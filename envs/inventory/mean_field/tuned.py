"""Tuned rules: base stock and (s, S) per type, tuned for the population's mean value or until no type gains.

A rule orders, where the inventory position is at or below s, the action nearest to S minus the position; base stock
is s = S. Both searches go from type to type over whole units: a coarse grid first, then steps that halve down to one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from envs.inventory.mean_field.best_response import nash_conv
from envs.inventory.mean_field.field import Path, private_prices
from envs.inventory.mean_field.flow import (
    Evaluated,
    Evaluation,
    Flow,
    evaluate,
    evaluate_flows,
    flow,
    value_of,
)
from envs.inventory.mean_field.model import MeanFieldMarket
from envs.inventory.mean_field.profiles import (
    Order,
    base_stock_levels,
    nearest_action,
    next_action,
    s_S_actions,
    s_S_profile,
    stationary,
)
from envs.inventory.mean_field.units import Passage

Doubles = NDArray[np.float64]
Rule = Literal["base_stock", "s_S"]
Pair = tuple[int, int]
"""(s, S), u."""
Worth = Callable[[Pair], float]
MOVES: dict[Rule, list[Pair]] = {
    "base_stock": [(-1, -1), (1, 1)],
    "s_S": [(-1, -1), (1, 1), (-1, 0), (1, 0), (0, -1), (0, 1), (-1, 1), (1, -1)],
}


@dataclass(frozen=True)
class Tuned(Evaluated):
    """A tuned rule for every type."""

    levels: tuple[Pair, ...]
    """(s, S) of each type, u."""
    nash_conv: float
    """What agents gain by any other policy, as a share of the mean value."""
    rule_gap: float
    """Most that an agent of any type gains by another rule of the same kind that the search finds, $; tuning for the
    population does not seek to make it 0."""
    sweeps: int


class _Rules:
    """What rules are worth. Where the field moves no units a rule's flow is the same in any field and played once."""

    def __init__(self, game: MeanFieldMarket, order: Order = nearest_action) -> None:
        self.game, self.order = game, order
        self._known: dict[tuple[int, Pair], Flow] = {}
        none = np.zeros(game.horizon)
        self._passages = tuple(Passage(np.tile(k.levels, (game.horizon, 1)), none) for k in game.types)

    def _flow(self, k: int, pair: Pair, passage: Passage) -> Flow:
        kind = self.game.types[k]
        known = not self.game.units_follow_field
        if not known or (k, pair) not in self._known:
            actions = s_S_actions(kind, *pair, self.order)
            played = flow(self.game, kind, stationary(self.game, kind, actions), passage)
            if not known:
                return played
            self._known[k, pair] = played.without_occupancy()
        return self._known[k, pair]

    def evaluation(self, pairs: Sequence[Pair]) -> Evaluation:
        """Everyone follows the rules."""
        if self.game.units_follow_field:
            return evaluate(self.game, s_S_profile(self.game, pairs, self.order))
        flows = tuple(self._flow(k, pair, self._passages[k]) for k, pair in enumerate(pairs))
        return evaluate_flows(self.game, flows, self._passages)

    def own_worth(self, k: int, path: Path) -> Worth:
        """What a pair is worth to an agent of type k on the path."""
        prices = private_prices(self.game, path, k)
        return lambda pair: value_of(self.game, self._flow(k, pair, path.passages[k]), prices)

    def gap(self, rule: Rule, pairs: Sequence[Pair]) -> float:
        """The most that an agent of any type gains by another rule that the search finds."""
        path = self.evaluation(pairs).path
        gaps = []
        for k, pair in enumerate(pairs):
            worth = self.own_worth(k, path)
            gaps.append(worth(_search(self.game, k, rule, pair, worth)) - worth(pair))
        return max(gaps)


def _climb(best: Pair, step: int, moves: Sequence[Pair], allowed: Callable[[Pair], bool], worth: Worth) -> Pair:
    """From `best` by the best of `moves` x step while that helps; then the step halves, down to 1."""
    while True:
        near = [(best[0] + a * step, best[1] + b * step) for a, b in moves]
        better = max([best, *filter(allowed, near)], key=worth)
        if better != best:
            best = better
        elif step > 1:
            step //= 2
        else:
            return best


def _search(game: MeanFieldMarket, k: int, rule: Rule, start: Pair, worth: Worth) -> Pair:
    """The best pair found for type k: of `start` and a grid of half periods of demand, then by ever smaller steps."""
    kind = game.types[k]
    span, top = kind.agent.mu, kind.room + int(kind.levels.max())
    lowest = -1 if game.config.unmet == "lost" else kind.low
    halves = np.rint(np.arange(0, 2 * (kind.agent.L + 6) + 1) * span / 2)
    marks = [int(mark) for mark in np.unique(halves) if mark <= top]
    coarse = [(S, S) for S in marks] if rule == "base_stock" else [(s, S) for s in marks for S in marks if s <= S]
    known = cache(worth)
    best = max([start, *coarse], key=known)
    step = max(1, int(np.ceil(span / 4)))
    return _climb(best, step, MOVES[rule], lambda pair: lowest <= pair[0] <= pair[1] <= top, known)


def _start(game: MeanFieldMarket) -> list[Pair]:
    """Newsvendor base stock."""
    return [(int(level), int(level)) for level in base_stock_levels(game)]


def _result(rules: _Rules, rule: Rule, pairs: Sequence[Pair], sweeps: int) -> Tuned:
    profile = s_S_profile(rules.game, pairs, rules.order)
    found = nash_conv(rules.game, profile)
    return Tuned(profile, found.evaluation, tuple(pairs), found.share, rules.gap(rule, pairs), sweeps)


def population_tuned(game: MeanFieldMarket, *, rule: Rule = "s_S", sweeps: int = 10) -> Tuned:
    """The rules that maximise the population's mean value, type after type until none changes.

    Args:
        game: as from `mean_field`.
        rule: ``base_stock`` (s = S) or ``s_S``.
        sweeps: rounds over the types at most; it starts from base stock.
    """
    rules, pairs = _Rules(game), _start(game)
    done = 0
    while done < sweeps:
        before = list(pairs)
        for k in range(len(pairs)):

            def mean(pair: Pair, k: int = k) -> float:
                return rules.evaluation([*pairs[:k], pair, *pairs[k + 1 :]]).mean

            pairs[k] = _search(game, k, rule, pairs[k], mean)
        done += 1
        if pairs == before:
            break
    return _result(rules, rule, pairs, done)


def common_tuned(game: MeanFieldMarket) -> Tuned:
    """One (s, S) in periods of demand for all types that pay for ordering, for the population's mean value.

    Types without a fixed cost (K = 0) keep base stock, s = S, at the newsvendor's level. s and S are multiples of
    mu / 8, rounded to units. On `easy` its value is within .3 % of the specification's "population-tuned (s, S)".
    """
    rules, start = _Rules(game), _start(game)

    def pairs(eighths: Pair) -> list[Pair]:
        return [
            (round(eighths[0] * kind.agent.mu / 8), round(eighths[1] * kind.agent.mu / 8)) if kind.agent.K > 0 else own
            for kind, own in zip(game.types, start, strict=True)
        ]

    def mean(eighths: Pair) -> float:
        return rules.evaluation(pairs(eighths)).mean

    known = cache(mean)
    longest = max(kind.agent.L for kind in game.types) + 6
    halves = range(0, 8 * longest + 1, 4)
    best = max([(s, S) for s in halves for S in halves if s <= S], key=known)
    best = _climb(best, 2, MOVES["s_S"], lambda pair: 0 <= pair[0] <= pair[1] <= 8 * longest, known)
    return _result(rules, "s_S", pairs(best), 1)


def reorder_tuned(game: MeanFieldMarket) -> Tuned:
    """S at the newsvendor's base stock, and the s that earns the population most, type after type, once.

    Orders are of the next level up. Types without a fixed cost (K = 0) keep base stock. On `easy` this is within 1 % of
    the value and 2 % of the NashConv that the specification has for "population-tuned (s, S)", 1500.8 and 27 %.
    """
    rules, pairs = _Rules(game, next_action), _start(game)
    for k, kind in enumerate(game.types):
        S = pairs[k][1]

        def mean(s: int, k: int = k, S: int = S) -> float:
            return rules.evaluation([*pairs[:k], (s, S), *pairs[k + 1 :]]).mean

        if kind.agent.K > 0:
            pairs[k] = max(range(S + 1), key=mean), S
    return _result(rules, "s_S", pairs, 1)


def nash_tuned(game: MeanFieldMarket, *, rule: Rule = "s_S", sweeps: int = 30) -> Tuned:
    """Rules from which no agent gains by another rule of the same kind, by replies of one type at a time.

    Whole units and orders that everyone places in the same periods leave it open whether such rules exist: replies can
    run in a circle. Then the rules of the smallest `rule_gap` on the way are returned, and it tells what is left.

    Args:
        game: as from `mean_field`.
        rule: ``base_stock`` (s = S) or ``s_S``.
        sweeps: rounds over the types at most.
    """
    rules, pairs = _Rules(game), _start(game)
    seen: dict[tuple[Pair, ...], float] = {}
    done = 0
    while done < sweeps and tuple(pairs) not in seen:
        seen[tuple(pairs)] = rules.gap(rule, pairs)
        for k in range(len(pairs)):
            worth = rules.own_worth(k, rules.evaluation(pairs).path)
            pairs[k] = _search(game, k, rule, pairs[k], worth)
        done += 1
    best = min(seen, key=lambda known: seen[known])
    return _result(rules, rule, best, done)
