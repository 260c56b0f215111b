"""The audit of a run: gaps of every type by every way there is, resumable piece by piece.

RUN/audit/ holds deviators/ (each deviator's checkpoints), pieces/ (what is finished) and audit.json, which reports read
and which gathers what all calls for the same checkpoint found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.spaces import Discrete
from numpy.typing import NDArray

import envs
from analysis.equilibrium.audit_file import (
    FOLDER,
    Absent,
    Audit,
    Deviation,
    Line,
    TypeLeftOut,
    earlier,
    gathered,
    write_audit,
)
from analysis.equilibrium.audit_learned import horizon_of, learned_part
from analysis.equilibrium.audit_settings import Settings
from analysis.equilibrium.bound import bound_gaps
from analysis.equilibrium.exact import exact_gaps, market_config
from analysis.equilibrium.finite_agents import finite_agents
from analysis.equilibrium.gaps import By, Estimate, Gaps, check_gaps
from analysis.equilibrium.learned import estimate
from analysis.equilibrium.leave_out import leave_type_out
from analysis.equilibrium.pieces import Pieces, digest
from analysis.equilibrium.rates import FiniteAgents
from envs.inventory.config import MarketConfig
from envs.inventory.market import InventoryMarket
from envs.inventory.mean_field import split
from envs.inventory.mean_field.model import RECORDED
from envs.inventory.reference.mean_field import solved
from envs.population import PopulationEnv
from envs.unsolvable import Unsolvable
from mfmarl.config import TrainConfig
from mfmarl.errors import UserError
from mfmarl.policy import Policy
from mfmarl.registry import suggestion
from mfmarl.runs.checkpoint import latest_checkpoint
from mfmarl.runs.files import storing
from mfmarl.runs.lock import hold
from mfmarl.runs.schema import RunInfo, open_run
from mfmarl.seeding import stream
from mfmarl.subject import Subject, options_in, reference_subject, run_subject

WAYS: tuple[By, ...] = ("exact", "learned", "bound")
PIECES, DEVIATORS = "pieces", "deviators"
TRAINING = "train"
"""Split of recorded data where the run says none."""
FORMULAS = 4
"""Counted up where exact gaps, bounds or values are worked out in another way: pieces of the old one are not taken."""
VALUE_EPISODES = 64
DEFAULT_JITTER = float(MarketConfig.model_fields["jitter"].default)
BOUND_EPISODES, BOUNDED_AGENTS = 64, 64
"""Episodes and, of each type, agents that are bounded where demand has a law: some 15 seconds at N = 100."""
RECORDED_EPISODES, RECORDED_AGENTS = 16, 8
"""Where it has none (recorded demand): under a minute for 83 stores."""


@dataclass(frozen=True)
class _Exactly:
    """What is worked out exactly."""

    gaps: tuple[Gaps, ...] = ()
    left_out: tuple[TypeLeftOut, ...] = ()
    lines: tuple[Line, ...] = ()
    absent: tuple[Absent, ...] = ()


@dataclass(frozen=True)
class Played:
    """The profile's own play."""

    value: Estimate
    """Mean discounted return over the population, $."""
    mean_actions: tuple[tuple[float, ...], ...]
    """[T, M]: shares of one-hot actions, or means of continuous ones, over the population and the episodes."""


def _nothing(text: str) -> None:
    """Tell nobody."""


def audit(
    run: Path,
    settings: Settings | None = None,
    told: Callable[[str], None] = _nothing,
    noted: Callable[[str], None] = _nothing,
) -> Path:
    """Audit a run, going on where an earlier call stopped; returns the path of its file, RUN/audit/audit.json.

    What earlier calls found for the same checkpoint, policy, split and seed by ways that are not asked for now stays in
    the file, and so do learned gaps of deviators that were trained on more episodes.

    Args:
        told: is called with what is being done.
        noted: is called with what is not done as it may be expected: a file that is replaced, a gap that stays.

    Raises:
        UserError: for a run without checkpoint, a type, way, policy or split that does not exist, and a way that the
            game does not have, where it was asked for by name.
        ImpossibleGap: for a gap below zero by more than its interval.
        TrainingFailed: where a deviator's training was stopped by a guard, or its worker died.
        StorageFailed: where the disk does not take what is written.
    """
    wanted = settings or Settings()
    by = wanted.by or WAYS
    info, checkpoint = open_run(run), latest_checkpoint(run)
    config = info.config
    types = _types(info, wanted)
    if wanted.policy == "trained":
        subject = run_subject(run, split=wanted.split, checkpoint=checkpoint)
    else:
        subject = reference_subject(
            wanted.policy, config.env, num_agents=config.num_agents, discount=config.discount,
            options=options_in(config.env, config.env_options, wanted.split),
        )  # fmt: skip
    folder = run / FOLDER
    with storing(folder):
        (folder / PIECES).mkdir(parents=True, exist_ok=True)
    # the run's own part of the data is the same by name and without
    other = None if wanted.split == config.env_options.get("split", TRAINING) else wanted.split
    about = (info.config_hash, checkpoint.iteration, wanted.policy, other, wanted.seed, FORMULAS)
    with hold(folder):
        pieces = Pieces(folder / PIECES, about)
        before = earlier(
            run, wanted.policy, digest(about), seed=wanted.seed, split=_split(info, wanted),
            checkpoint=checkpoint.iteration,
        )  # fmt: skip
        if before.told:
            noted(before.told)
        finite = _finite(pieces, info, subject, wanted, told) if wanted.finite else None
        exact = _exactly(pieces, info, subject, wanted, told) if "exact" in by else _Exactly()
        found, absent = [*exact.gaps], [*exact.absent]
        deviations: tuple[Deviation, ...] = ()
        if "bound" in by:
            told("upper bounds")
            try:
                found.append(_bound(pieces, subject, wanted))
            except Unsolvable as error:
                absent.append(_absent("bound", error, wanted))
        if "learned" in by:
            learned, deviations = learned_part(
                pieces, folder / DEVIATORS, subject, types, info.type_names, wanted, before.audit, told, noted
            )
            found += learned
        told("value")
        played = pieces.kept("played", Played, partial(_played, subject, wanted.seed))
        result = Audit(
            info.name, wanted.policy, config.label, config.env, info.num_agents, checkpoint.iteration, wanted.seed,
            config.discount, played.value, tuple(found), exact.left_out, deviations, exact.lines, digest(about),
            tuple(absent), float(config.env_options.get("jitter", DEFAULT_JITTER)), played.mean_actions, finite,
            _split(info, wanted),
        )  # fmt: skip
        whole = gathered(result, before.audit)
        path = write_audit(run, whole)
    for one in whole.gaps:
        check_gaps(one)
    return path


def _types(info: RunInfo, wanted: Settings) -> tuple[str, ...]:
    for name in wanted.types:
        if name not in info.type_names:
            known = info.type_names
            there = f"there are {', '.join(known)}{suggestion(name, known)}"
            raise UserError(f"--exclude: there is no type {name!r}; {there}")
    return tuple(name for name in info.type_names if not wanted.types or name in wanted.types)


def _split(info: RunInfo, wanted: Settings) -> str | None:
    """The part of the data that is played, None where there is but one."""
    options = info.config.env_options
    held_out = envs.has_held_out(info.config.env, **options)
    return (wanted.split or str(options.get("split", TRAINING))) if held_out else None


def _exactly(
    pieces: Pieces, info: RunInfo, subject: Subject, wanted: Settings, told: Callable[[str], None]
) -> _Exactly:
    """What is worked out exactly, as far as the game has it."""
    config, played = info.config, _profile(subject, wanted)
    told("exact gaps")
    try:
        market = split(_market(config, wanted), info.num_agents)
        gaps = pieces.kept("exact", Gaps, partial(_exact, config, market, played, info.num_agents))
    except Unsolvable as error:
        return _Exactly(absent=(_absent("exact", error, wanted),))
    absent = []
    told("leaving types out")
    left_out: tuple[TypeLeftOut, ...] = ()
    try:
        left_out = pieces.kept("left-out", tuple[TypeLeftOut, ...], partial(_left_out, config, market, played))
    except Unsolvable as error:
        absent.append(Absent("exact", f"play without a type: {error}"))
    told("equilibrium and planner")
    lines: tuple[Line, ...] = ()
    try:
        lines = pieces.kept("lines", tuple[Line, ...], partial(_lines, config, market))
    except Unsolvable as error:
        absent.append(Absent("exact", f"equilibrium and planner: {error}"))
    return _Exactly((gaps,), left_out, lines, tuple(absent))


def _market(config: TrainConfig, wanted: Settings) -> MarketConfig:
    return market_config(config.env, options_in(config.env, config.env_options, wanted.split))


def _profile(subject: Subject, wanted: Settings) -> Policy | str:
    return wanted.policy if subject.trained is None else Policy(subject.trained.network)


def _finite(
    pieces: Pieces, info: RunInfo, subject: Subject, wanted: Settings, told: Callable[[str], None]
) -> FiniteAgents:
    """The profile among other numbers of agents."""
    told("other numbers of agents")
    try:
        whole = _market(info.config, wanted)
        own = split(whole, info.num_agents)
        # shares of N agents serve few other numbers of agents, where those of the game serve many
        game = whole if len(whole.types) == len(own.types) else own
        compute = partial(
            finite_agents, game, _profile(subject, wanted), discount=info.config.discount, seed=wanted.seed, told=told
        )
        return pieces.kept("finite", FiniteAgents, compute)
    except Unsolvable as error:
        # another way to gaps is none to this
        advice = "; leave --finite out" if error.why != str(error) else ""
        raise UserError(f"--finite: {error.why}{advice}") from error


def _absent(by: By, error: Unsolvable, wanted: Settings) -> Absent:
    """A way that the game does not have: refused where it was asked for by name."""
    if by in wanted.by:
        raise UserError(f"--by {by}: {error}") from error
    return Absent(by, f"{by} gaps: {error}")


def _bound(pieces: Pieces, subject: Subject, wanted: Settings) -> Gaps:
    recorded = _is_recorded(subject)
    sizes = (RECORDED_EPISODES, RECORDED_AGENTS) if recorded else (BOUND_EPISODES, BOUNDED_AGENTS)
    episodes, agents = wanted.bound_episodes or sizes[0], sizes[1]
    compute = partial(
        bound_gaps, subject.make, subject.player, episodes=episodes, discount=subject.discount, seed=wanted.seed,
        agents=agents,
    )  # fmt: skip
    return pieces.kept("bound", Gaps, compute, episodes, agents)


def _exact(config: TrainConfig, market: MarketConfig, played: Policy | str, agents: int) -> Gaps:
    """Among the run's own number of agents where that can be worked out, else among infinitely many in their shares."""
    whole = exact_gaps(market, played, discount=config.discount)
    try:
        few = exact_gaps(market, played, discount=config.discount, num_agents=agents)
    except Unsolvable as error:
        return replace(whole, notes=(*whole.notes, f"not among {agents} agents: {error}"))
    return replace(few, notes=(*few.notes, f"among infinitely many agents NashConv is {whole.nash_conv.value:.6g} $"))


def _is_recorded(subject: Subject) -> bool:
    env = subject.make(1)
    return isinstance(env, InventoryMarket) and env.config.demand_mode in RECORDED


def _left_out(config: TrainConfig, market: MarketConfig, played: Policy | str) -> tuple[TypeLeftOut, ...]:
    names = list(market.types)
    rows = []
    for name in names if len(names) > 1 else []:
        found = leave_type_out(market, played, name, discount=config.discount)
        for before, after in zip(found.with_it.types, found.without_it.types, strict=True):
            rows.append(
                TypeLeftOut(
                    name, before.type_name, before.base.value, after.base.value, before.gap.value, after.gap.value
                )
            )
    return tuple(rows)


def _lines(config: TrainConfig, market: MarketConfig) -> tuple[Line, ...]:
    """The exact equilibrium and planner among infinitely many, in the shares that the run's agents have."""
    profiles = solved(market, config.discount)
    found = []
    for name in ("equilibrium", "planner"):
        exact = profiles.exact(name)
        found.append(Line(name, exact.evaluation.mean, exact.total))
    return tuple(found)


def _played(subject: Subject, seed: int) -> Played:
    """Values and mean actions of the profile over fresh episodes."""
    env = subject.make(VALUE_EPISODES)
    play, step = subject.player(env, stream(seed, "value", "player")), env.reset(stream(seed, "value"))
    total, means = np.zeros(env.num_envs), []
    for t in range(horizon_of(env)):
        actions = play(step)
        means.append(_mean_action(env, actions))
        step = env.step(actions)
        total += subject.discount**t * step.reward.mean(1, dtype=float)
    return Played(estimate(total), tuple(means))


def _mean_action(env: PopulationEnv, actions: NDArray[Any]) -> tuple[float, ...]:
    if not isinstance(env.action_space, Discrete):
        return tuple(np.asarray(actions, float).reshape(env.num_envs * env.num_agents, -1).mean(0).tolist())
    return tuple((np.bincount(actions.ravel(), minlength=int(env.action_space.n)) / actions.size).tolist())
