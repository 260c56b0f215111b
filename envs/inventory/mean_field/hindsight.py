"""What an agent could have earned that knew an episode beforehand, at a penalty for knowing it.

Information relaxation (Brown, Smith and Sun 2010, "Information relaxations and duality in stochastic dynamic programs",
section 3): with w_t = r_t + V_t+1, rewards at expected prices and V any function of the agent's own state, the penalty

    z_t = w_t(s_t, a_t, D_t) - E[w_t | s_t, a_t]

has mean zero under every policy that does not know the future, so that the mean over episodes of the largest sum of
rewards less penalties is an upper bound of what such a policy earns. With V the best response's value to expected
prices, w_t's mean is V_t - loss_t (`advantage`), the sum telescopes, and what is left to maximise is

    V_0 + sum_t [what prices of the episode bring more than expected ones] - loss_t(s_t, a_t).

It is V_0 itself in every episode where prices are as expected, as they are among infinitely many.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from envs.compiled import compiled
from envs.inventory.mean_field.advantage import Advantage, trade_worth

Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]
SALES, STOCK, ORDERS = 0, 1, 2
SIGNALS = {"sales": SALES, "stock": STOCK, "orders": ORDERS}


@dataclass(frozen=True)
class Met:
    """What one agent met in B episodes, [T, B] each."""

    demand: Integers
    """u."""
    premium: Doubles
    """Wholesale price less c as the others make it, $/u."""
    ratio: Doubles
    """Retail price / p0 as the others make it, before the floor."""
    paid_ratio: Doubles
    """Retail price / p0 that the agent sold at, own part and floor included."""
    actions: Integers
    """What it did: the order, or what it got of it where supply is scarce."""
    visitors: Integers
    """Customers of others who came, u."""


@dataclass(frozen=True)
class Hindsight:
    """Discounted $ less penalties, [B] each; the mean of either is that without penalties."""

    best: Doubles
    """Of the best orders in hindsight: its mean is an upper bound."""
    played: Doubles
    """Of what the agent did: its mean is the value of its policy, mostly with far less noise than its returns."""


def hindsight(known: Advantage, met: Met, floor: float) -> Hindsight:
    """The best orders of every episode, knowing it, and what the agent did, both with the penalties of `known`.

    Args:
        known: of the agent's own parameters and weight.
        met: by the agent.
        floor: least retail price / p0.

    Raises:
        ValueError: for episodes of another length, or an action that is none.
    """
    p = known.process
    horizon = p.means.size
    if met.demand.shape[0] != horizon:
        raise ValueError(f"the episodes have {met.demand.shape[0]} periods; the process has {horizon}")
    if met.visitors.max() > p.most_visitors:
        raise ValueError(f"{met.visitors.max()} customers of others came; the process has {p.most_visitors} at most")
    if met.actions.min() < 0 or met.actions.max() >= p.levels.size:
        raise ValueError(f"actions are {met.actions.min()}..{met.actions.max()}; allowed are 0..{p.levels.size - 1}")
    discount = known.gamma ** np.arange(horizon, dtype=float)
    dearer = discount[:, None] * (met.premium - known.premium[:, None])
    demand = np.full_like(met.demand, p.size) if p.sell_all else met.demand
    if p.backlog:
        # the agent's own part in the retail price is left out of the bound, and is in what it earned
        ratios = np.maximum(met.ratio, floor), met.paid_ratio
        best, played = (_waiting_trade(known, demand, ratio) for ratio in ratios)
    else:
        nothing = np.zeros(demand.shape[1])
        best = played = (np.zeros_like(dearer), nothing)
    found = _search(
        known.loss, p.levels, p.joining.astype(np.int64), p.kept, p.agent.L, p.start, int(np.argmax(p.levels == 0)),
        p.low, p.backlog, demand, np.ascontiguousarray(met.actions), met.visitors, dearer, best[0], played[0],
        met.ratio, _sale(known), known.ratio, known.weight.retail, SIGNALS[known.weight.signal], floor,
    )  # fmt: skip
    return Hindsight(known.value + best[1] + found[0], known.value + played[1] + found[1])


def _waiting_trade(known: Advantage, demand: Integers, ratio: Doubles) -> tuple[Doubles, Doubles]:
    """With backlog: $ more than expected for a unit left unmet [T, B], and for all that was asked for [B]."""
    p = known.process
    more = _sale(known)[:, None] * (ratio - known.ratio[:, None])
    return trade_worth(p, more), (more * demand).sum(0)


def _sale(known: Advantage) -> Doubles:
    """[T]: discounted $ for a unit at list price."""
    return np.asarray(known.gamma ** np.arange(known.process.means.size, dtype=float) * known.process.agent.p0)


@compiled
def _closed(
    z: int, q: float, wanted: int, visitors: int, kept: Integers, low: int, backlog: bool, dearer: float,
    unmet_worth: float, ratio: float, sale: float, expected: float, retail: float, signal: int, floor: float,
) -> tuple[int, float]:  # fmt: skip
    """Index that a period leaves of net stock index z, and the $ that its prices bring more than expected ones.

    Of lost sales with the agent's own part in the retail price, which `advantage` expects without the floor.
    """
    gain = -dearer * q
    if backlog:
        left = z - wanted
        # deeper than the lowest is as good as impossible, see `own_process`
        return kept[max(left, 0)], gain + unmet_worth * max(-(low + left), 0)
    units = min(z, wanted)
    units += min(visitors, z - units)
    own = q
    if signal == 0:
        own = units
    elif signal == 1:
        own = z
    gain += sale * (max(ratio - retail * own, floor) - expected + retail * own) * units
    return kept[z - units], gain


@compiled
def _search(
    loss: NDArray[np.float32], levels: Doubles, joining: Integers, kept: Integers, lead: int, start: int, none: int,
    low: int, backlog: bool, demand: Integers, actions: Integers, visitors: Integers, dearer: Doubles,
    best_unmet: Doubles, played_unmet: Doubles, ratio: Doubles, sale: Doubles, expected: Doubles, retail: float,
    signal: int, floor: float,
) -> tuple[Doubles, Doubles]:  # fmt: skip
    """Best and played sums [B] of gains less losses; see `hindsight`."""
    _, periods, size, codes, choices = loss.shape
    copies = demand.shape[1]
    top = size - 1
    # a code's first digit is the order that arrives next; so many codes share it
    later = max(codes // choices, 1)
    first_code = 0
    for _ in range(lead - 1):
        first_code = first_code * choices + none
    best, played = np.zeros(copies), np.zeros(copies)
    value, before = np.zeros((size, codes)), np.zeros((size, codes))
    left, gain = np.empty(choices, np.int64), np.empty(choices)
    for b in range(copies):
        value[:] = 0.0
        for t in range(periods - 1, -1, -1):
            came = visitors[t, b]
            for i in range(size):
                for a in range(choices):
                    z = min(i + joining[a], top) if lead == 0 else i
                    left[a], gain[a] = _closed(
                        z, levels[a], demand[t, b], came, kept, low, backlog, dearer[t, b], best_unmet[t, b],
                        ratio[t, b], sale[t], expected[t], retail, signal, floor,
                    )  # fmt: skip
                for c in range(codes):
                    most = -np.inf
                    if lead <= 1:
                        for a in range(choices):
                            after = left[a] if lead == 0 else min(left[a] + joining[a], top)
                            most = max(most, gain[a] - loss[came, t, i, c, a] + value[after, 0])
                    else:
                        after = min(left[0] + joining[c // later], top)
                        rest = (c % later) * choices
                        for a in range(choices):
                            most = max(most, gain[a] - loss[came, t, i, c, a] + value[after, rest + a])
                    before[i, c] = most
            value, before = before, value
        best[b] = value[start, first_code]
        i, c = start, first_code
        for t in range(periods):
            a, came = actions[t, b], visitors[t, b]
            z = min(i + joining[a], top) if lead == 0 else i
            after, more = _closed(
                z, levels[a], demand[t, b], came, kept, low, backlog, dearer[t, b], played_unmet[t, b], ratio[t, b],
                sale[t], expected[t], retail, signal, floor,
            )  # fmt: skip
            played[b] += more - loss[came, t, i, c, a]
            if lead == 0:
                i = after
            elif lead == 1:
                i = min(after + joining[a], top)
            else:
                i = min(after + joining[c // later], top)
                c = (c % later) * choices + a
    return best, played
