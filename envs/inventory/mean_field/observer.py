"""What agents of the mean field would observe in the market, row by row and bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from envs.inventory import loops
from envs.inventory.formulas import OBSERVED_LIMIT
from envs.inventory.mean_field.couplings import season_of
from envs.inventory.mean_field.model import MeanFieldMarket
from envs.inventory.mean_field.profiles import type_parameters
from envs.inventory.observation import market_observation, observed_of_all

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Yesterday:
    """What the population did in the period before, as everyone observes it; the defaults are of the start."""

    order: float = 0.0
    """Mean order, u."""
    premium: float = 0.0
    """$ on every unit bought."""
    price: float = 1.0
    """Retail price / p0."""
    fill: float = 1.0
    """Share of all orders that the supplier met."""


@dataclass(frozen=True)
class Holdings:
    """What R agents of one type have before they order, u: [R] each, float32 whole numbers."""

    net: Floats
    """Stock, less backlog."""
    last_demand: Floats
    on_order: Sequence[Floats]
    """[L]: what arrives in this period, in the next, ..."""


class Observer:
    """Builds observations in the layout that policies of `known` were made for.

    Own constants and the one-hot type are those of `known`, the market that the policies were made for; what all agents
    observe alike is in units of the market that is played, whose types are among those of `known`.
    """

    def __init__(self, game: MeanFieldMarket, known: MeanFieldMarket | None = None) -> None:
        """`known` is `game` where not given."""
        known = known or game
        self.game, self.type_names = game, [kind.name for kind in known.types]
        self._known = known
        parameters, types = type_parameters(known), np.arange(len(known.types))
        seen = market_observation(parameters, types, self.type_names, known.config, known.reference)
        self._template = seen.template
        self._unit = (1 / (4 * parameters.mu)).astype(np.float32)
        self._slots = int(parameters.L.max()) + 1
        self._mean_cost = float(game.shares @ [kind.agent.c for kind in game.types])
        self._season = season_of(game.config)
        self.size = int(self._template.shape[1])
        """D."""

    def place(self, name: str) -> int:
        """Which type of `known` has this name."""
        return self.type_names.index(name)

    def shared(self, t: int, before: Yesterday) -> Floats:
        """[S]: what all agents observe alike in period t."""
        told = [np.array([value]) for value in (before.order, before.premium, before.price, before.fill)]
        columns = observed_of_all(
            self._known.config, self.game.reference, self._mean_cost, order=told[0], premium=told[1], price=told[2],
            fill=told[3], season=float(self._season[t]), time=t / self.game.horizon,
        )  # fmt: skip
        limited = loops.as_float32(loops.stacked(columns).clip(0, float(OBSERVED_LIMIT)))
        return np.asarray(limited[0], np.float32)

    def rows(self, k: int, held: Holdings, shared: Floats) -> Floats:
        """[R, D]: observations of agents of type k of `known`."""
        number, lead = held.net.size, len(held.on_order)
        pipeline = np.zeros((self._slots, 1, number), np.float32)
        for ahead, units in enumerate(held.on_order):
            pipeline[ahead, 0] = units
        none = np.float32(0)
        # in period `lead`, what arrives `ahead` periods later stands in slot `ahead`
        seen = loops.observe(
            np.repeat(self._template[k : k + 1], number, 0), np.repeat(self._unit[k], number), pipeline,
            np.full(number, lead), lead, np.maximum(held.net, none)[None], (none - np.minimum(held.net, none))[None],
            held.last_demand[None], np.ascontiguousarray(shared)[None],
        )  # fmt: skip
        rows: Floats = seen[0]
        return rows
