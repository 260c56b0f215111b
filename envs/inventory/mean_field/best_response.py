"""Best responses to a given field by exact dynamic programming, and what a profile's agents could gain by them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from envs.inventory.mean_field.field import Path, Prices, private_prices
from envs.inventory.mean_field.flow import Evaluation, Profile, arriving, end_position, evaluate, order_costs
from envs.inventory.mean_field.model import MeanFieldMarket
from envs.inventory.mean_field.process import Feature, TypeModel
from envs.inventory.mean_field.units import Passage, before_joining, before_visits

Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class BestResponse:
    """The best an agent of one type can do against a path."""

    value: float
    """Discounted profit from the start, $."""
    actions: Integers
    """[T, *state_shape]; of equally good actions the first."""


@dataclass(frozen=True)
class NashConv:
    """What agents gain by their best responses, everyone else staying."""

    gaps: Doubles
    """[K], $ per agent of the type."""
    total: float
    """Mean over the population, $."""
    share: float
    """total / size of the profile's mean value."""
    evaluation: Evaluation


def _on_time(game: MeanFieldMarket, kind: TypeModel, prices: Prices) -> tuple[float, Doubles, Doubles]:
    """Discounted $ of the first periods, and of positions before and after the order of each period, [T, n]."""
    horizon, lag = game.horizon, kind.lag

    def parts(feature: Feature, weight: Doubles) -> tuple[float, Doubles, Doubles]:
        late = np.concatenate([weight[lag:], np.zeros(min(lag, horizon))])[:, None]
        first = float(weight[: feature.start.size] @ feature.start)
        return first, late * feature.before, late * feature.after

    gamma = game.discount
    sold = parts(kind.sold, gamma * prices.sale)
    money = parts(kind.money, gamma)
    start, before, after = sold[0] + money[0], sold[1] + money[1], sold[2] + money[2]
    if prices.offer.any():
        offered = parts(kind.offered, gamma * prices.offer)
        start, before, after = start + offered[0], before + offered[1], after + offered[2]
    return start, before, after


def backward(
    game: MeanFieldMarket,
    kind: TypeModel,
    prices: Prices,
    passage: Passage,
    choose: Callable[[int, Doubles], Doubles],
    own: Doubles | None = None,
) -> float:
    """Backward induction over the states of one type at given prices: discounted profit from the start, $.

    Args:
        choose: given t and the worth of every action there [*state_shape, A], $ as of period 0 and less what no action
            changes any more, says the worth of the states [*state_shape]: of the best action, or of a policy's. The
            array that it returns is added to.
        own: [T, n, A]: expected $ more that an agent pays in a period by what it moves the prices itself; none where
            agents are infinitely many.
    """
    n = kind.size
    start, before, after = _on_time(game, kind, prices)
    paid = prices.buy[:, None] * passage.granted + prices.order[:, None] * kind.levels + order_costs(kind)
    cost = game.discount[:, None] * paid
    value = kind.end_worth * game.discount[-1] * end_position(kind, passage.granted)
    for t in range(game.horizon - 1, -1, -1):
        kernel = kind.kernels[kind.kernel_of[t]]
        if not kind.order_first and t < game.horizon - 1:
            # [n, next to arrive, ..., action]: an order joins what demand leaves
            value = before_joining(value, arriving(kind, passage.granted, t))
        left = _of_what_is_left(game, kind, prices, passage, value, t)
        met = (kernel @ left.reshape(n, -1)).reshape(left.shape)
        worth = before_joining(after[t] + met, passage.granted[t]) if kind.order_first else met
        worth = worth - cost[t]
        if own is not None:
            worth -= (game.discount[t] * own[t]).reshape(n, *(1,) * kind.pipeline, -1)
        value = choose(t, worth)
        value += before[t].reshape(-1, *(1,) * kind.pipeline)
    return start + float(value[kind.start])


def respond(
    game: MeanFieldMarket, kind: TypeModel, prices: Prices, passage: Passage, own: Doubles | None = None
) -> BestResponse:
    """The best policy of one type at given prices; arguments as for `backward`."""
    actions = np.empty((game.horizon, *kind.state_shape), np.int64)

    def best(t: int, worth: Doubles) -> Doubles:
        actions[t] = worth.argmax(-1)
        return np.asarray(np.take_along_axis(worth, actions[t][..., None], -1)[..., 0])

    return BestResponse(backward(game, kind, prices, passage, best, own), actions)


def _of_what_is_left(
    game: MeanFieldMarket, kind: TypeModel, prices: Prices, passage: Passage, value: Doubles, t: int
) -> Doubles:
    """Value [n, ...] of what demand leaves in period t, before visitors buy of it and some of the rest spoils."""
    if kind.agent.delta > 0:
        value = value[kind.kept]
    visitors = float(passage.visitors[t])
    if visitors <= 0:
        return value
    units = kind.positions - before_visits(kind.positions, visitors)
    worth = before_visits(kind.left_worth, visitors) - kind.left_worth
    gain = game.discount[t] * (prices.sale[t] * units + worth)
    return np.asarray(before_visits(value, visitors) + gain.reshape(-1, *(1,) * (value.ndim - 1)))


def as_policy(kind: TypeModel, actions: Integers) -> Doubles:
    """[T, *state_shape, A]: probability 1 on actions [T, *state_shape]."""
    return np.asarray(actions[..., None] == np.arange(kind.levels.size), float)


def best_response(game: MeanFieldMarket, path: Path, k: int) -> BestResponse:
    """The best an agent of type k can do on the path."""
    return respond(game, game.types[k], private_prices(game, path, k), path.passages[k])


def gaps_of(game: MeanFieldMarket, found: Evaluation) -> NashConv:
    """What agents gain by their best responses to the path of an evaluation."""
    best = np.array([best_response(game, found.path, k).value for k in range(len(game.types))])
    gaps = best - found.values
    total = float(game.shares @ gaps)
    return NashConv(gaps, total, total / abs(found.mean) if found.mean else float("nan"), found)


def nash_conv(game: MeanFieldMarket, profile: Profile) -> NashConv:
    """What agents gain by leaving `profile` one by one; see `evaluate` for what is refused."""
    return gaps_of(game, evaluate(game, profile))
