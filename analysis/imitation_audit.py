"""Imitators back in the profile whose type they imitate: what they earn, and what leaving them is worth.

NashConv and gaps are those of `analysis.equilibrium.gaps`. The Nash imitation gap (NIG) is what agents gain by leaving
the imitated population, less what they gain by leaving the expert's: NashConv less the expert's NashConv. Of an
equilibrium that is 0, and NIG and NashConv are one number.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.equilibrium.audit_learned import horizon_of, training
from analysis.equilibrium.audit_settings import Settings
from analysis.equilibrium.bound import bound_gaps
from analysis.equilibrium.exact import Played, exact_gaps, market_config
from analysis.equilibrium.gaps import By, Estimate, Gaps
from analysis.equilibrium.learned import gaps_from, learned_gaps
from analysis.statistics import MIN_RUNS, interval
from envs.inventory.mean_field import split
from mfmarl.imitation.imitated import Acting, Imitated, StateLaw, whole_profile
from mfmarl.imitation.networks import Policy
from mfmarl.imitation.type_game import TypeGame
from mfmarl.subject import Subject

EXPERT = "expert"
FIGURES = ("return", "gap", "NashConv", "NIG")
"""Return and gap are of the type that is imitated, NashConv and NIG of all; discounted $ per agent and episode."""


@dataclass(frozen=True)
class Imitator:
    """One imitator that is to be audited."""

    method: str
    seed: int
    policy: Policy | StateLaw
    """Its network, or any law of what learners of the type see."""


@dataclass(frozen=True)
class Way:
    """How gaps are found."""

    by: By = "exact"
    episodes: int | None = None
    """Of each deviator's training (learned), or that are bounded (bound); the ways' own numbers where not given."""
    folder: Path | None = None
    """Where deviators are kept (learned)."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.by == "learned" and self.folder is None:
            raise ValueError("by learned deviators are kept in a folder: give one")


def audit_imitators(
    game: TypeGame,
    imitators: Iterable[Imitator],
    way: Way | None = None,
    acting: Sequence[Acting] = ("sampled", "mode"),
) -> pd.DataFrame:
    """Every imitator in its profile, beside the expert that is there without it.

    Columns method, seed, acting, and for each of `FIGURES` its value, name_low and name_high; the expert's row comes
    first. By ``exact`` all three are the same. By ``learned`` and ``bound`` intervals are over episodes, and NIG is a
    difference of two lower, or of two upper bounds, which bounds nothing itself.

    Raises:
        UserError: for a game or profile that has no gaps by this way.
        Unsolvable: likewise, of markets that have no exact mean field or no bound.
    """
    way = way or Way()
    expert = _gaps(game, None, way, EXPERT)
    rows = [_row(game, EXPERT, 0, "sampled", expert, expert)]
    for one in imitators:
        for kind in acting:
            found = _gaps(game, Imitated(game, one.policy, kind), way, f"{one.method}-{one.seed}-{kind}")
            rows.append(_row(game, one.method, one.seed, kind, found, expert))
    return pd.DataFrame(rows)


def over_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """Mean and 95 % t interval over seeds of each method: columns method, acting, figure, estimate, low, high, n.

    Of fewer than 3 seeds there is no interval; nor of the expert, which has none to be over.
    """
    rows = []
    for (method, acting), mine in table.groupby(["method", "acting"], sort=False):
        for name in FIGURES:
            values = mine[name].to_numpy(float)
            low = high = float("nan")
            if len(values) >= MIN_RUNS:
                found = interval(values)
                low, high = found.low, found.high
            rows.append((method, acting, name, float(values.mean()), low, high, len(values)))
    return pd.DataFrame(rows, columns=["method", "acting", "figure", "estimate", "low", "high", "n"])


def _gaps(game: TypeGame, imitated: Imitated | None, way: Way, name: str) -> Gaps:
    if way.by == "exact":
        return _exact(game, imitated or whole_profile(game))
    subject: Subject = game.subject if imitated is None else imitated.subject
    if way.by == "bound":
        return bound_gaps(
            subject.make, subject.player, episodes=way.episodes or 64, discount=subject.discount, seed=way.seed,
            agents=64,
        )  # fmt: skip
    assert way.folder is not None
    config = training(Settings(episodes=way.episodes, seed=way.seed), "one", horizon_of(game.one))
    return gaps_from(learned_gaps(subject, way.folder / name, config), "one")


def _exact(game: TypeGame, played: Played) -> Gaps:
    """Among infinitely many, in the shares that the game's agents have."""
    market = split(market_config(game.env, game.options), game.one.num_agents)
    return exact_gaps(market, played, discount=game.subject.discount)


def _row(
    game: TypeGame, method: str, seed: int, acting: Acting, found: Gaps, expert: Gaps
) -> dict[str, str | int | float]:
    mine = next(one for one in found.types if one.type_name == game.type_name)
    figures = {"return": mine.base, "gap": mine.gap, "NashConv": found.nash_conv}
    figures["NIG"] = _difference(found.nash_conv, expert.nash_conv) if found is not expert else Estimate.exactly(0.0)
    row: dict[str, str | int | float] = {"method": method, "seed": seed, "acting": acting}
    for name, one in figures.items():
        row |= {name: one.value, f"{name}_low": one.low, f"{name}_high": one.high}
    return row


def _difference(one: Estimate, other: Estimate) -> Estimate:
    """Of two estimates from separate episodes: half-widths add in squares."""
    value = one.value - other.value
    below = float(np.hypot(one.value - one.low, other.high - other.value))
    above = float(np.hypot(one.high - one.value, other.value - other.low))
    return Estimate(value, value - below, value + above)
