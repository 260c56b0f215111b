"""Playing the reference policies on an environment, and the table of what they are worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

import envs
from envs.inventory.market import InventoryMarket
from envs.inventory.metrics import EpisodeMetrics
from envs.inventory.population_metrics import PopulationMetrics, by_type
from envs.inventory.reference import POLICIES, reference_policy
from envs.inventory.reference.clairvoyant import Field, bound_steps, clairvoyant_bound
from envs.inventory.reference.mean_field import solved
from envs.population import PopulationEnv
from mfmarl.errors import UserError
from mfmarl.registry import suggestion
from mfmarl.seeding import draw_seed, stream

Doubles = NDArray[np.float64]
MAX_COPIES = 32
MOST_BOUNDED = 5e9
"""Steps up to which the clairvoyant bound is computed: some 5 seconds a policy."""
DISCOUNT = 0.99
NAN = float("nan")


@dataclass(frozen=True)
class Row:
    """What one policy is worth where all agents follow it; NaN where there is no value, for a reason in `notes`."""

    policy: str
    value: float = NAN
    """Mean discounted return per agent, $."""
    low: float = NAN
    high: float = NAN
    """95 % interval of `value` over episodes, Student's t; NaN for a single episode."""
    exact: float = NAN
    """Value in the exact mean field without jitter, $."""
    nash_conv: float = NAN
    """What agents gain there by their best responses, as a share of `exact`."""
    bound: float = NAN
    """Clairvoyant bound on what an agent could have earned against this play, $."""
    profits: Mapping[str, float] = field(default_factory=dict)
    """Type -> $/period."""
    beta_fill: float = NAN
    bullwhip: float = NAN
    gini: float = NAN
    drift: float = NAN
    notes: tuple[str, ...] = ()
    """Why the policy cannot be played, or why a value is missing."""


@dataclass(frozen=True)
class References:
    """The table, and what was played for it."""

    env: str
    num_agents: int
    episodes: int
    seed: int
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    """What holds for all rows."""


def tabulate(
    env: str,
    *,
    policies: Sequence[str] = (),
    episodes: int = 20,
    num_agents: int | None = None,
    seed: int | None = None,
    options: Mapping[str, Any] | None = None,
    told: Callable[[str], None] = lambda policy: None,
) -> References:
    """Play each policy for `episodes` episodes, on the same demand, all agents following it.

    Args:
        env: name, e.g. ``inventory/market-easy``.
        policies: names of `POLICIES`; all where none is given.
        seed: of demand and of the policies' own draws; drawn where not given.
        options: settings of the environment.
        told: called with what is being done, and with nothing at the end.

    Raises:
        UserError: for an unknown policy, or an environment without inventories.
        ValueError: for a bad environment or setting.
    """
    for name in policies:
        if name not in POLICIES:
            raise UserError(f"unknown policy {name!r}{suggestion(name, POLICIES)}; there are {', '.join(POLICIES)}")
    root = draw_seed() if seed is None else seed
    game = envs.make(
        env, num_envs=min(episodes, MAX_COPIES), num_agents=num_agents, seed=stream(root, "env"), **(options or {})
    )
    if not hasattr(game, "horizon"):
        raise UserError(f"{env} has no inventories, which reference policies manage")
    rows = []
    for name in dict.fromkeys(policies or POLICIES):
        told(f"{name}: solving and playing")
        rows.append(_row(name, game, episodes, root))
    told("exact values")
    if isinstance(game, InventoryMarket):
        rows, notes = _with_exact(rows, game)
    else:
        notes = ["no exact value, NashConv or bound: they are of the market"]
    told("")
    common = _common_notes(rows)
    rows = [replace(row, notes=tuple(note for note in row.notes if note not in common)) for row in rows]
    return References(env, game.num_agents, episodes, root, tuple(rows), (*common, *notes))


def _common_notes(rows: Sequence[Row]) -> list[str]:
    """What every policy that was played has among its notes, where there are several."""
    played = [row.notes for row in rows if row.profits]
    return [note for note in played[0] if all(note in notes for notes in played)] if len(played) > 1 else []


def _row(name: str, env: PopulationEnv, episodes: int, root: int) -> Row:
    try:
        play = reference_policy(name, env, stream(root, "reference", name), discount=DISCOUNT)  # type: ignore[arg-type]  # it refuses what is no market
    except ValueError as error:
        return Row(name, notes=(f"cannot be played: {error}",))
    horizon: int = env.horizon  # type: ignore[attr-defined]  # inventories have one
    agents = EpisodeMetrics(env.num_envs, env.num_agents, DISCOUNT)
    number = getattr(env.action_space, "n", None)
    population = PopulationMetrics(env.num_envs, env.num_agents, None if number is None else int(number))
    notes: list[str] = []
    bounded = isinstance(env, InventoryMarket) and bound_steps(env) <= MOST_BOUNDED
    if isinstance(env, InventoryMarket) and not bounded:
        notes.append("no bound: too many agents, or units, for its dynamic program")
    mine: list[dict[str, Doubles]] = []
    whole: list[dict[str, Doubles]] = []
    bounds: list[Doubles] = []
    step = env.reset(stream(root, "env"))
    for _ in range(-(-episodes // env.num_envs)):
        seen = Field(env) if isinstance(env, InventoryMarket) and bounded else None
        for _ in range(horizon):
            actions = play(step)
            step = env.step(actions)
            if seen is not None:
                seen.add(step)
            ended, shared = agents.add(step), population.add(step, actions)
        assert ended is not None
        assert shared is not None
        mine.append(ended)
        whole.append(shared)
        if seen is not None:
            assert isinstance(env, InventoryMarket)
            try:
                bounds.append(clairvoyant_bound(env, seen, discount=DISCOUNT).mean(1))
            except ValueError as error:
                bounded = False
                notes.append(f"no bound: {error}")
    rows = {metric: np.concatenate([one[metric] for one in mine])[:episodes] for metric in mine[0]}
    means = {metric: np.concatenate([one[metric] for one in whole])[:episodes] for metric in whole[0]}
    returns = rows["return"].mean(1)
    half = NAN
    if episodes > 1:
        half = float(stats.t.ppf(0.975, episodes - 1) * returns.std(ddof=1) / np.sqrt(episodes))
    value = float(returns.mean())
    profit = by_type({"profit": rows["profit"]}, env.agent_types)["profit"].mean(0)
    return Row(
        policy=name,
        value=value,
        low=value - half,
        high=value + half,
        bound=float(np.concatenate(bounds)[:episodes].mean()) if bounds else NAN,
        profits=dict(zip(env.type_names, profit.tolist(), strict=True)),
        beta_fill=_mean(rows["beta_fill"]),
        bullwhip=_mean(rows["bullwhip"]),
        gini=_mean(means["gini"]),
        drift=_mean(means["drift"]),
        notes=tuple(notes),
    )


def _mean(values: Doubles) -> float:
    """Of the values that there are."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else NAN


def _with_exact(rows: list[Row], env: InventoryMarket) -> tuple[list[Row], list[str]]:
    """The rows with value and NashConv of the exact mean field, and what it leaves out, or why there is none."""
    try:
        field_of = solved(env.config, DISCOUNT)
    except ValueError as error:
        return rows, [f"no exact value or NashConv: {error}"]
    without = field_of.game.left_out
    notes = [f"exact value and NashConv are of infinitely many agents, without {what}" for what in without]
    found = []
    for row in rows:
        try:
            exact = field_of.exact(row.policy)
        except ValueError as error:
            found.append(replace(row, notes=(*row.notes, f"no exact value: {error}")))
            continue
        remark = field_of.remark(row.policy)
        value = exact.evaluation.mean
        gap = exact.total / abs(value) if value else NAN
        told = (*row.notes, remark) if remark else row.notes
        found.append(replace(row, exact=value, nash_conv=gap, notes=told))
    return found, notes
