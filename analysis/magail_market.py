"""MAGAIL and behavioural cloning of a whole profile of the inventory market, audited: `mfmarl imitate magail-market`.

A folder has, for each seed, s0/demonstrations (a file a type), s0/agent (MAGAIL, which an interrupted study goes on
from), s0/rows.csv and s0/orders.csv; and over seeds gaps.csv, orders.csv, results.json and figures.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.equilibrium.bound import bound_gaps
from analysis.equilibrium.exact import exact_gaps, market_config
from analysis.equilibrium.gaps import Gaps
from analysis.imitation_audit import EXPERT
from analysis.magail_market_results import ORDERS, ROWS, STUDY, is_done, read_seed, write_results
from envs.inventory.mean_field import split
from mfmarl.imitation.imitated import Imitated, ImitatedTypes, StateLaw, whole_profile
from mfmarl.imitation.magail.market import MarketMAGAIL, cloned_type
from mfmarl.imitation.magail.market_demonstrations import demonstrated, read, store
from mfmarl.imitation.magail.market_play import MarketGame, market_game, play_types
from mfmarl.imitation.magail.market_settings import MarketMAGAILConfig, check_ways
from mfmarl.imitation.magail.study_folder import CHECKPOINT, claimed
from mfmarl.imitation.networks import Actor
from mfmarl.imitation.rollout import Act
from mfmarl.imitation.saved import TENSORS
from mfmarl.imitation.settings import checked
from mfmarl.imitation.type_experts import expert_of
from mfmarl.runs.files import replacing, to_json, write_whole
from mfmarl.seeding import stream

DEMONSTRATED = "settings.json"
"""Written last of what demonstrating writes."""
KEPT_EVERY = 10
"""Rounds between two checkpoints."""
BC_UPDATES = 2000
"""Gradient steps of cloning where MAGAIL does not start from it."""
SHOWN_COPIES = 16
"""Episodes of the game that orders are counted in."""


@dataclass(frozen=True)
class Study:
    """What is asked for."""

    env: str
    profile: str
    episodes: int
    """Of the game, that all types demonstrate."""
    seeds: tuple[int, ...]
    """Each has demonstrations of its own."""
    iterations: int
    """Rounds of MAGAIL."""
    by: tuple[str, ...]
    """Ways of the audit, of `market_settings.WAYS`."""
    config: Mapping[str, Any]
    """Of MAGAIL."""


def study(
    env: str,
    *,
    profile: str,
    episodes: int,
    seeds: tuple[int, ...],
    iterations: int,
    by: tuple[str, ...],
    config: Mapping[str, Any],
    out: Path,
    told: Callable[[str], None] = lambda text: None,
) -> list[Path]:
    """Demonstrate, clone, imitate and audit for each seed, or what is left of it; the paths of the results.

    Raises:
        UserError: for settings that are wrong, and a folder that has another study or is in use.
        DamagedFile: for a table or results.json that cannot be read; names the file.
    """
    settings = checked(MarketMAGAILConfig, config)
    asked = Study(env, profile, episodes, seeds, iterations, by, settings.model_dump(mode="json"))
    check_ways(by)
    game = market_game(env, profile)
    # refuses a profile that cannot demonstrate before the folder is taken
    expert_of(game.types[0])
    folders = [out / f"s{seed}" for seed in seeds]
    # without seeds: the same study takes more of them
    words = {name: value for name, value in asdict(asked).items() if name != "seeds"}
    with claimed(out, STUDY, words):
        # a damaged table is told before hours of work on other seeds
        for folder in folders:
            if is_done(folder):
                read_seed(folder, by)
        # without one a study that was killed counts as never begun, though seeds' folders keep what it did
        write_whole(out / CHECKPOINT, b"")
        for seed, folder in zip(seeds, folders, strict=True):
            if not is_done(folder):
                _one_seed(game, settings, asked, seed, folder, told)
        told("")
        return write_results(out, words, seeds, folders)


def _one_seed(
    game: MarketGame, config: MarketMAGAILConfig, asked: Study, seed: int, folder: Path, told: Callable[[str], None]
) -> None:
    where = folder / "demonstrations"
    if not (where / DEMONSTRATED).exists():
        told(f"seed {seed}: demonstrating")
        store(game, demonstrated(game, asked.episodes, seed), where)
        write_whole(where / DEMONSTRATED, to_json({"seed": seed, "episodes": asked.episodes}).encode() + b"\n")
    shown = read(game, where)
    told(f"seed {seed}: cloning")
    began = time.process_time()
    updates = config.bc_start or BC_UPDATES
    clones = {
        one.type_name: cloned_type(of, updates, stream(seed, "clone", one.type_name), config.hidden_dims).actors[0]
        for one, of in zip(game.types, shown, strict=True)
    }
    spent = {EXPERT: 0.0, "bc": time.process_time() - began}
    agent_folder = folder / "agent"
    if (agent_folder / TENSORS).exists():
        magail = MarketMAGAIL.load(agent_folder, game, shown)
    else:
        magail = MarketMAGAIL(config, game, shown, seed)
        if config.bc_start:
            magail.start_from(clones)

    def kept(row: Mapping[str, Any]) -> None:
        told(f"seed {seed}: round {row['round']} of {asked.iterations}")
        if row["round"] % KEPT_EVERY == 0 or row["round"] == asked.iterations:
            magail.save(agent_folder)

    began = time.process_time()
    if len(magail.history) < asked.iterations:
        magail.train(asked.iterations, kept)
    # of an interrupted study the seconds since it went on
    spent["magail"] = time.process_time() - began + config.bc_start / updates * spent["bc"]
    profiles: dict[str, ImitatedTypes | None] = {
        EXPERT: None, "bc": imitators(game, clones), "magail": imitators(game, magail.policies),
    }  # fmt: skip
    rows, orders = [], []
    for method, profile in profiles.items():
        told(f"seed {seed}: auditing {method}")
        for by in asked.by:
            rows += _rows(audited(game, profile, by, seed), method, seed, by)
        orders.append(ordered(game, profile, seed).assign(method=method, seed=seed))
    table = pd.DataFrame(rows)
    table["cpu_s"] = table["method"].map(spent)
    table["interactions"] = table["method"].map({"magail": magail.interactions}).fillna(0).astype(int)
    _write(pd.DataFrame(magail.history), folder / "history.csv")
    _write(pd.concat(orders, ignore_index=True), folder / ORDERS)
    _write(table, folder / ROWS)


def imitators(game: MarketGame, policies: Mapping[str, Actor | StateLaw]) -> ImitatedTypes:
    """All types play these."""
    return ImitatedTypes(tuple(Imitated(one, policies[one.type_name]) for one in game.types))


def audited(game: MarketGame, profile: ImitatedTypes | None, by: str = "exact", seed: int = 0) -> Gaps:
    """Gaps of a profile of imitators, or of the game's own where it is None, in the shares that its agents have."""
    first = game.types[0]
    if by == "bound":
        subject = first.subject if profile is None else profile.subject
        return bound_gaps(subject.make, subject.player, discount=subject.discount, seed=seed, agents=64)
    market = split(market_config(first.env, first.options), first.one.num_agents)
    return exact_gaps(market, profile or whole_profile(first), discount=first.subject.discount)


def _rows(found: Gaps, method: str, seed: int, by: str) -> list[dict[str, Any]]:
    rows = []
    for one in found.types:
        for figure, of in (("return", one.base), ("gap", one.gap)):
            rows.append((one.type_name, figure, of))
    rows.append(("all", "NashConv", found.nash_conv))
    return [
        {"method": method, "seed": seed, "by": by, "type": name, "figure": figure, "value": of.value, "low": of.low,
         "high": of.high}
        for name, figure, of in rows
    ]  # fmt: skip


def ordered(game: MarketGame, profile: ImitatedTypes | None, seed: int) -> pd.DataFrame:
    """Columns type, action, share: how often each type plays each action among the game's own number of agents."""
    acts: list[Act]
    if profile is None:
        acts = [expert_of(one, seed=stream(seed, "shown expert", one.type_name)) for one in game.types]
    else:
        acts = [one.drawn(stream(seed, "shown imitator", one.game.type_name)) for one in profile.parts]
    played = play_types(game, game.types[0].subject.make(SHOWN_COPIES), acts, stream(seed, "shown orders"))
    parts = []
    for one, rollout in zip(game.types, played, strict=True):
        share = np.bincount(rollout.actions.ravel(), minlength=game.actions) / rollout.actions.size
        parts.append(pd.DataFrame({"type": one.type_name, "action": range(game.actions), "share": share}))
    return pd.concat(parts, ignore_index=True)


def _write(table: pd.DataFrame, path: Path) -> None:
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
