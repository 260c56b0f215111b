"""The audit of a run: gaps of every type by every way there is, resumable piece by piece.

RUN/audit/ holds deviators/ (each deviator's checkpoints), pieces/ (what is finished, a JSON each, told by the hash of
all that it depends on) and audit.json, which reports read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from pydantic import TypeAdapter, ValidationError

from analysis.equilibrium.audit_file import FOLDER, Audit, Deviation, Line, TypeLeftOut, write_audit
from analysis.equilibrium.bound import bound_gaps
from analysis.equilibrium.distances import two_sample
from analysis.equilibrium.exact import exact_gaps, market_config
from analysis.equilibrium.gaps import By, Estimate, Gaps, TypeGap, What, check_gaps
from analysis.equilibrium.learned import WHAT, LearnedGap, estimate, gaps_from, learned_gaps, starts
from analysis.equilibrium.leave_out import leave_type_out
from analysis.equilibrium.where_they_differ import distance_of
from envs.inventory.config import MarketConfig
from envs.inventory.market import InventoryMarket
from envs.inventory.mean_field import split
from envs.inventory.mean_field.model import RECORDED
from envs.inventory.reference.mean_field import solved
from mfmarl.config import TrainConfig
from mfmarl.deviator_config import DeviatorConfig
from mfmarl.errors import DamagedFile, UserError
from mfmarl.policy import Policy
from mfmarl.registry import suggestion
from mfmarl.runs.checkpoint import latest_checkpoint
from mfmarl.runs.files import read_capped, storing, write_whole
from mfmarl.runs.lock import hold
from mfmarl.runs.schema import RunInfo, open_run
from mfmarl.seeding import stream
from mfmarl.subject import Subject, Who, reference_subject, run_subject

WAYS: tuple[By, ...] = ("exact", "learned", "bound")
PIECES, DEVIATORS = "pieces", "deviators"
FORMULAS = 2
"""Counted up where exact gaps, bounds or values are worked out in another way: pieces of the old one are not taken."""
MAX_BYTES, VALUE_EPISODES = 64 << 20, 64
DEFAULT_JITTER = float(MarketConfig.model_fields["jitter"].default)
BOUND_EPISODES, BOUNDED_AGENTS = 64, 64
"""Episodes and, of each type, agents that are bounded where demand has a law: some 15 seconds at N = 100."""
RECORDED_EPISODES, RECORDED_AGENTS = 16, 8
"""Where it has none (recorded demand): under a minute for 83 stores."""
T = TypeVar("T")


@dataclass(frozen=True)
class Settings:
    """What an audit is asked for."""

    types: tuple[str, ...] = ()
    """Types that are excluded one after another; all where none is given."""
    by: tuple[By, ...] = ()
    """Ways to the best response; all that the game has where none is given."""
    policy: str = "trained"
    """Or the name of a reference policy, which is then audited in the run's game."""
    split: str | None = None
    """Of recorded data, where the game holds some out."""
    episodes: int | None = None
    """That a deviator is trained on; `DeviatorConfig` says how many where not given, and of the next."""
    measured_episodes: int | None = None
    """That it is measured on, and as many before them to choose it on."""
    bound_episodes: int | None = None
    """That bounds are worked out on; as many as fit into a minute or two where not given."""
    seed: int = 0
    local: bool = False
    """One deviator after another in this process, instead of in parallel on Ray."""
    address: str | None = None


def audit(run: Path, settings: Settings | None = None, told: Callable[[str], None] = lambda doing: None) -> Path:
    """Audit a run, going on where an earlier call stopped; returns the path of its file, RUN/audit/audit.json.

    Args:
        told: is called with what is being done.

    Raises:
        UserError: for a run without checkpoint, a type, way, policy or split that does not exist, and a way that the
            game does not have, where it was asked for by name.
        ImpossibleGap: for a gap below zero by more than its interval.
        TrainingFailed: where a deviator's training was stopped by a guard, or its worker died.
        StorageFailed: where the disk does not take what is written.
    """
    wanted = settings or Settings()
    info, checkpoint = open_run(run), latest_checkpoint(run)
    config = info.config
    types = _types(info, wanted)
    subject = _subject(run, config, wanted)
    folder = run / FOLDER
    with storing(folder):
        (folder / PIECES).mkdir(parents=True, exist_ok=True)
    shared = (info.config_hash, checkpoint.iteration, wanted.policy, wanted.split, wanted.seed)
    kept = partial(_kept, folder / PIECES, (*shared, FORMULAS))
    notes: list[str] = []
    found: list[Gaps] = []
    deviations: tuple[Deviation, ...] = ()
    left_out: tuple[TypeLeftOut, ...] = ()
    lines: tuple[Line, ...] = ()
    with hold(folder):
        played = Policy.load(run) if wanted.policy == "trained" else wanted.policy
        options = dict(config.env_options)
        if "exact" in (wanted.by or WAYS):
            told("exact gaps")
            try:
                market = split(market_config(config.env, options), info.num_agents)
                exact = kept("exact", Gaps, partial(_exact, config, market, played, info.num_agents))
            except ValueError as error:
                _not_there("exact", error, wanted, notes)
            else:
                found.append(_of_types(exact, types))
                told("leaving types out, equilibrium and planner")
                left_out = kept("left-out", tuple[TypeLeftOut, ...], partial(_left_out, config, market, played))
                left_out = tuple(one for one in left_out if one.left_out in types)
                lines = kept("lines", tuple[Line, ...], partial(_lines, config, market))
        if "bound" in (wanted.by or WAYS):
            told("upper bounds")
            recorded = _is_recorded(subject)
            sizes = (RECORDED_EPISODES, RECORDED_AGENTS) if recorded else (BOUND_EPISODES, BOUNDED_AGENTS)
            episodes, agents = wanted.bound_episodes or sizes[0], sizes[1]
            make = partial(
                bound_gaps, subject.make, subject.player, episodes=episodes, discount=config.discount,
                seed=wanted.seed, agents=agents,
            )  # fmt: skip
            try:
                found.append(_of_types(kept(f"bound-{episodes}-{agents}", Gaps, make), types))
            except ValueError as error:
                _not_there("bound", error, wanted, notes)
        if "learned" in (wanted.by or WAYS):
            gaps, deviations = _learned(folder, shared, subject, types, wanted, told)
            found += gaps
        jitter = dict(config.env_options).get("jitter", DEFAULT_JITTER) if found and found[0].by == "exact" else 0
        if jitter:
            notes.append(
                "the exact numbers are of agents who are alike within their type, learned gaps and bounds of the run's "
                f"own agents (jitter {jitter:g}): they compare to the last dollar only with env_options.jitter=0"
            )
        notes += out_of_order(found)
        value = kept("value", Estimate, partial(_value, subject, wanted.seed))
        result = Audit(
            info.name, wanted.policy, config.label, config.env, info.num_agents, checkpoint.iteration, wanted.seed,
            config.discount, value, tuple(found), left_out, deviations, lines, tuple(notes),
        )  # fmt: skip
        path = write_audit(run, result)
    for one in found:
        check_gaps(one)
    return path


def out_of_order(found: Sequence[Gaps]) -> list[str]:
    """Where learned <= exact <= bound does not hold beyond the intervals: a note for each type."""
    gaps = {one.by: {t.type_name: t.gap for t in one.types} for one in found if one.what == "unilateral gap"}
    notes = []
    for below, above in (("learned", "exact"), ("exact", "bound"), ("learned", "bound")):
        lower, upper = gaps.get(cast(By, below), {}), gaps.get(cast(By, above), {})
        notes += [
            f"{name}: the {below} gap, {lower[name].value:,.1f} $, lies above the {above} one, "
            f"{upper[name].value:,.1f} $, beyond their intervals: the two are not of the same game, see the notes"
            for name in lower
            if name in upper and lower[name].low > upper[name].high
        ]
    return notes


def _types(info: RunInfo, wanted: Settings) -> tuple[str, ...]:
    for name in wanted.types:
        if name not in info.type_names:
            known = info.type_names
            raise UserError(f"there is no type {name!r}{suggestion(name, known)}; there are {', '.join(known)}")
    # in the game's own order, each once: rows of a table are of one type in every column
    return tuple(name for name in info.type_names if not wanted.types or name in wanted.types)


def _subject(run: Path, config: TrainConfig, wanted: Settings) -> Subject:
    if wanted.policy == "trained":
        return run_subject(run, split=wanted.split)
    options = dict(config.env_options) | ({} if wanted.split is None else {"split": wanted.split})
    return reference_subject(
        wanted.policy, config.env, num_agents=config.num_agents, options=options, discount=config.discount
    )


def _not_there(by: By, error: ValueError, wanted: Settings, notes: list[str]) -> None:
    """A way that the game does not have: refused where it was asked for, else a note."""
    if by in wanted.by:
        raise UserError(f"--by {by}: {error}") from error
    notes.append(f"no {by} gaps: {error}")


def _of_types(gaps: Gaps, types: Sequence[str]) -> Gaps:
    return replace(gaps, types=tuple(one for one in gaps.types if one.type_name in types))


def _kept(folder: Path, shared: tuple[object, ...], name: str, kind: type[T], compute: Callable[[], T]) -> T:
    """A piece from its file, or computed and written there."""
    path = folder / f"{name}-{_digest((*shared, name))}.json"
    if path.exists():
        return _read(path, kind)
    piece = compute()
    _write(path, piece, kind)
    return piece


def _digest(of: tuple[object, ...]) -> str:
    return hashlib.sha256(json.dumps(of).encode()).hexdigest()[:12]


def _read(path: Path, kind: type[T]) -> T:
    try:
        found: T = TypeAdapter(kind).validate_json(read_capped(path, MAX_BYTES))
    except ValidationError as error:
        faults = error.error_count()
        raise DamagedFile(f"{path} is no finished piece of an audit ({faults} faults): delete it") from None
    return found


def _write(path: Path, piece: T, kind: type[T]) -> None:
    write_whole(path, TypeAdapter(kind).dump_json(piece, indent=1) + b"\n")


def _exact(config: TrainConfig, market: MarketConfig, played: Policy | str, agents: int) -> Gaps:
    """Among the run's own number of agents where that can be worked out, else among infinitely many in their shares."""
    whole = exact_gaps(market, played, discount=config.discount)
    try:
        few = exact_gaps(market, played, discount=config.discount, num_agents=agents)
    except ValueError as error:
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


@dataclass(frozen=True)
class Learned:
    """What is kept of the learned gap of one type."""

    gap: TypeGap
    deviation: Deviation

    @property
    def chosen(self) -> str:
        """fresh, checkpoint or stay."""
        return self.deviation.start


def _learned(
    folder: Path, shared: tuple[object, ...], subject: Subject, types: Sequence[str], wanted: Settings,
    told: Callable[[str], None],
) -> tuple[list[Gaps], tuple[Deviation, ...]]:  # fmt: skip
    """Gaps of single deviators and of whole types, and the deviators themselves."""
    sizes = {k: v for k, v in _sizes(wanted).items() if v is not None}
    gaps: list[Gaps] = []
    deviations: list[Deviation] = []
    for who, what in WHAT.items():
        config = DeviatorConfig(seed=wanted.seed, **sizes)
        if who == "type":
            # it bounds nothing, so it is not worth as long a training
            config = config.model_copy(update={"num_episodes": max(1, config.num_episodes // 3)})
        own = (*shared, config.model_dump(mode="json"))
        deviators = folder / DEVIATORS / _digest(own)
        paths = {name: folder / PIECES / f"learned-{who}-{name}-{_digest((*own, who, name))}.json" for name in types}
        found = {name: _read(path, Learned) for name, path in paths.items() if path.exists()}
        missing = [name for name in types if name not in found]
        if missing:
            each = "one agent leaves" if who == "one" else "a whole type learns again"
            told(f"learning {len(missing) * len(starts(subject))} deviators: {each}")
            learned = learned_gaps(
                subject, deviators, config, types=missing, who=who, local=wanted.local, address=wanted.address
            )
            for one in learned:
                name = one.gap.type_name
                found[name] = Learned(one.gap, _deviation(one, what, who, subject, wanted.seed))
                _write(paths[name], found[name], Learned)
        gaps.append(gaps_from([found[name] for name in types], who, config))
        deviations += [found[name].deviation for name in types]
    return gaps, tuple(deviations)


def _sizes(wanted: Settings) -> dict[str, Any]:
    return {"num_episodes": wanted.episodes, "evaluation_episodes": wanted.measured_episodes}


def _deviation(one: LearnedGap, what: What, who: Who, subject: Subject, seed: int) -> Deviation:
    return Deviation(
        one.gap.type_name, what, one.chosen, tuple(one.base_returns.tolist()), tuple(one.best_returns.tolist()),
        distance_of(subject, one, who, seed), two_sample(one.base_returns, one.best_returns),
    )  # fmt: skip


def _value(subject: Subject, seed: int) -> Estimate:
    """Mean discounted return over the population, $, over fresh episodes."""
    env = subject.make(VALUE_EPISODES)
    play, step = subject.player(env, stream(seed, "value", "player")), env.reset(stream(seed, "value"))
    total = np.zeros(env.num_envs)
    # every game with gaps has a horizon
    for t in range(int(cast(Any, env).horizon)):
        step = env.step(play(step))
        total += subject.discount**t * step.reward.mean(1, dtype=float)
    return estimate(total)
