"""Learned best responses: what a deviator that was trained gains, on episodes that it was not trained on.

A lower bound on the gap. Deviators are trained fresh and, where the profile is of networks, from those. Which of them
counts, or whether staying does better than either, is decided on some episodes and measured on others, so the choice
does not flatter the measure. A deviator and the agent that stays meet the same demand and the same draws of everyone
else, as far as the game's own play does not move them apart; the interval is of their paired differences.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from analysis.equilibrium.gaps import Estimate, Gaps, TypeGap, What
from envs.population import type_slices
from mfmarl.deviation import DeviationEnv
from mfmarl.deviator import together, train_deviator
from mfmarl.deviator_config import DeviatorConfig
from mfmarl.deviator_networks import greedy
from mfmarl.errors import UserError
from mfmarl.policy import Policy
from mfmarl.registry import suggestion
from mfmarl.seeding import stream
from mfmarl.subject import Start, Subject, Who

Doubles = NDArray[np.float64]
Chosen = Literal["fresh", "checkpoint", "stay"]
Act = Callable[[NDArray[np.float32]], NDArray[Any]]
WHAT: dict[Who, What] = {"one": "unilateral gap", "type": "type deviation"}


@dataclass(frozen=True)
class LearnedGap:
    """The learned gap of one type, and the deviator that it was measured with."""

    gap: TypeGap
    chosen: Chosen
    """stay: no deviator gained where the choice was made; the gap is 0, which staying is certain of."""
    policy: Path | None
    """Folder of the deviator's policy, for `Policy.load`; None for stay."""
    tried: dict[Start, Estimate]
    """What each deviator gained on the episodes that it was chosen on, $."""
    episodes: int
    """That a fresh deviator was trained on, see `Turns`; 0 where that is not known."""
    base_returns: Doubles = field(compare=False, repr=False)
    """[E]: of who stays, $."""
    best_returns: Doubles = field(compare=False, repr=False)
    """[E]: of the deviator in the same episodes; of a type that deviates the agents' mean."""

    @property
    def measured(self) -> int:
        """Episodes that it was measured on."""
        return self.base_returns.size


@dataclass(frozen=True)
class Turns:
    """How `train_deviator` plays: copies that begin and end together play in turns, so never a part of them."""

    agents: int
    """Deviators in a copy."""
    copies: int
    turns: int

    @property
    def episodes(self) -> int:
        """Of deviators, all together: those asked for, or up to a turn more."""
        return self.agents * self.copies * self.turns


def turns_of(subject: Subject, type_name: str, who: Who, config: DeviatorConfig, start: Start = "fresh") -> Turns:
    """How a deviator of a type is trained by `config`.

    Raises:
        UserError: for a type that does not exist; lists them.
    """
    kind, _ = kind_of(subject, type_name)
    agents, copies = together(subject.make(1), kind, who, config)
    return Turns(agents, copies, ceil(ceil(config.episodes(start) / agents) / copies))


def starts(subject: Subject) -> tuple[Start, ...]:
    """The deviators that are trained of every type."""
    return ("fresh",) if subject.trained is None else ("fresh", "checkpoint")


def piece(folder: Path, type_name: str, who: Who, start: Start) -> Path:
    """Folder of one deviator."""
    return folder / f"{'type_' if who == 'type' else ''}{type_name}_{start}"


def estimate(values: Doubles) -> Estimate:
    """Mean of independent values with its 95 % interval by Student's t.

    Raises:
        ValueError: for fewer than two values.
    """
    if values.size < 2:
        raise ValueError(f"an interval needs 2 values or more; got {values.size}")
    mean = float(values.mean())
    half = float(stats.t.ppf(0.975, values.size - 1) * values.std(ddof=1) / values.size**0.5)
    return Estimate(mean, mean - half, mean + half, values.size)


def paired_returns(
    subject: Subject,
    kind: int,
    deviators: Sequence[tuple[Start, Act]],
    *,
    who: Who,
    episodes: int,
    copies: int,
    seed: int,
) -> Doubles:
    """[1 + deviators, episodes]: discounted returns of who stays and of the deviators, an episode a column.

    All of a column meet the same random numbers. Where a whole type deviates a return is its agents' mean.
    """
    rounds = -(-episodes // copies)
    columns = []
    for r in range(rounds):
        begin = stream(seed, "round", r)
        rows = []
        for start, act in (("fresh", None), *deviators):
            env = subject.deviation(kind, who, copies, begin, start=start, first=r * copies)
            rows.append(_returns(env, act, subject.discount, begin))
        columns.append(np.stack(rows))
    return np.concatenate(columns, 1)[:, :episodes]


def _returns(env: DeviationEnv, act: Act | None, discount: float, seed: int) -> Doubles:
    step = env.reset(seed)
    total: Doubles = np.zeros((env.num_envs, env.num_agents))
    for t in range(env.horizon):
        step = env.stay() if act is None else env.step(act(step.obs))
        total += discount**t * step.reward
    mean: Doubles = total.mean(1)
    return mean


def kind_of(subject: Subject, type_name: str) -> tuple[int, float]:
    """(index, share of the population) of a type.

    Raises:
        UserError: for a type that does not exist; lists them.
    """
    env = subject.make(1)
    if type_name not in env.type_names:
        known = list(env.type_names)
        raise UserError(f"there is no type {type_name!r}; types are {', '.join(known)}{suggestion(type_name, known)}")
    kind = list(env.type_names).index(type_name)
    agents = type_slices(env.agent_types)[kind]
    return kind, (agents.stop - agents.start) / env.num_agents


def measured_gap(
    subject: Subject, type_name: str, policies: dict[Start, Path], config: DeviatorConfig, *, who: Who = "one",
    episodes: int = 0,
) -> LearnedGap:  # fmt: skip
    """The gap by the better of some trained deviators.

    Args:
        policies: start -> folder that `train_deviator` returned.
        episodes: that a fresh one was trained on, where that is known.
    """
    kind, share = kind_of(subject, type_name)
    deviators = [(start, greedy(Policy.load(path).network)) for start, path in policies.items()]
    root = stream(config.seed, "evaluation", kind, who)

    def played(chosen: Sequence[tuple[Start, Act]], episodes: int, *path: str) -> Doubles:
        return paired_returns(
            subject, kind, chosen, who=who, episodes=episodes, copies=min(config.evaluation_copies, episodes),
            seed=stream(root, *path),
        )  # fmt: skip

    stay, *others = played(deviators, config.choice_episodes, "choice")
    tried = {start: estimate(other - stay) for (start, _), other in zip(deviators, others, strict=True)}
    best = max(tried, key=lambda start: tried[start].value)
    if tried[best].value <= 0:
        (returns,) = played([], config.evaluation_episodes, "measure")
        base = estimate(returns)
        zero = TypeGap(type_name, share, base, base, Estimate(0.0, 0.0, 0.0, returns.size))
        return LearnedGap(zero, "stay", None, tried, episodes, returns, returns)
    chosen = [one for one in deviators if one[0] == best]
    base_returns, best_returns = played(chosen, config.evaluation_episodes, "measure")
    gap = TypeGap(
        type_name, share, estimate(base_returns), estimate(best_returns), estimate(best_returns - base_returns)
    )
    return LearnedGap(gap, best, policies[best], tried, episodes, base_returns, best_returns)


def learned_gap(
    subject: Subject,
    type_name: str,
    folder: Path,
    config: DeviatorConfig | None = None,
    *,
    who: Who = "one",
    told: Callable[[str], None] = lambda doing: None,
) -> LearnedGap:
    """Train the deviators of a type, one after another in this process, and measure the better one.

    Args:
        folder: of the audit; every deviator has its own below, and what is finished there is not done again.
        who: one agent of the type, or all together, which is a coalition and another number.
        told: is called with how far it has come.

    Raises:
        UserError: for a type that does not exist, and a folder that was begun with other settings.
        TrainingFailed: where a guard stopped training.
    """
    config = config or DeviatorConfig()
    kind, _ = kind_of(subject, type_name)
    policies: dict[Start, Path] = {}
    for start in starts(subject):
        turns = turns_of(subject, type_name, who, config, start)

        def playing(copies_episodes: int, start: Start = start, turns: Turns = turns) -> None:
            played = copies_episodes * turns.agents
            told(f"{_called(type_name, who)}, {start}: {played:,} of {turns.episodes:,} episodes")

        policies[start] = train_deviator(
            subject, kind, piece(folder, type_name, who, start), config, who=who, start=start, told=playing
        )
    told(f"{_called(type_name, who)}: measuring on {_measures(config)}")
    episodes = turns_of(subject, type_name, who, config).episodes
    return measured_gap(subject, type_name, policies, config, who=who, episodes=episodes)


def _called(type_name: str, who: Who) -> str:
    return f"deviator of {type_name}" if who == "one" else f"all of {type_name} together"


def _measures(config: DeviatorConfig) -> str:
    return f"{config.choice_episodes:,} + {config.evaluation_episodes:,} episodes"


class Told(Protocol):
    """What `gaps_from` reads of a `LearnedGap`, or of what was kept of one."""

    @property
    def gap(self) -> TypeGap:
        """Of one type."""
        ...

    @property
    def chosen(self) -> str:
        """fresh, checkpoint or stay."""
        ...

    @property
    def episodes(self) -> int:
        """That deviators were trained on; 0 where that is not known."""
        ...

    @property
    def measured(self) -> int:
        """Episodes that the better one was measured on."""
        ...


def gaps_from(found: Sequence[Told], who: Who) -> Gaps:
    """What the types' learned gaps say together."""
    stays = [one.gap.type_name for one in found if one.chosen == "stay"]
    trained = numbers_in_words({one.gap.type_name: one.episodes for one in found})
    measured = numbers_in_words({one.gap.type_name: one.measured for one in found})
    notes = [
        f"fresh deviators trained on {trained} episodes, chosen on some others and measured on {measured} more",
        *([f"no trained deviator of {', '.join(stays)} gained: there the bound is staying's, 0"] if stays else []),
    ]
    return Gaps(WHAT[who], "learned", tuple(one.gap for one in found), tuple(notes))


ALIKE = 1.1
"""Numbers of episodes within this ratio are told as a range, without the types."""


def numbers_in_words(numbers: Mapping[str, int]) -> str:
    """A number of episodes for each type, the types named where the numbers are far apart; 0 is unknown."""
    some = sorted(set(numbers.values()), reverse=True)
    if not some or some == [0]:
        return "an unknown number of"
    if len(some) == 1:
        return f"{some[0]:,}"
    if some[0] <= ALIKE * some[-1]:
        return f"{some[-1]:,} to {some[0]:,}"
    parts = []
    for number in some:
        names = ", ".join(name for name, its in numbers.items() if its == number)
        parts.append(f"{f'{number:,}' if number else 'an unknown number'} ({names})")
    return ", ".join(parts)


def learned_gaps(
    subject: Subject,
    folder: Path,
    config: DeviatorConfig | None = None,
    *,
    types: Sequence[str] = (),
    who: Who = "one",
    local: bool = True,
    address: str | None = None,
    told: Callable[[str], None] = lambda doing: None,
) -> tuple[LearnedGap, ...]:
    """The learned gap of every type, or of some; `gaps_from` puts them together.

    Args:
        types: their names; all of them where none is given.
        local: one after another in this process; else on Ray, a task for each type and start, where `folder` must be
            one that all nodes see.
        address: of the Ray cluster.
        told: is called with how far it has come.

    Raises:
        UserError: as `learned_gap`, before anything is trained.
        TrainingFailed: where a guard stopped training, or workers died; names their pieces, which the same call goes
            on with.
    """
    config = config or DeviatorConfig()
    names = list(types) or list(subject.make(1).type_names)
    kinds = {name: kind_of(subject, name)[0] for name in names}
    if local:
        return tuple(learned_gap(subject, name, folder, config, who=who, told=told) for name in names)
    from mfmarl.rllib.quiet import take_token

    take_token(address)
    from mfmarl.rllib.tasks import run_pieces

    each = "whole types" if who == "type" else "deviators"
    parts = {(name, start): piece(folder, name, who, start) for name in names for start in starts(subject)}
    trained = run_pieces(
        {
            part.name: partial(train_deviator, subject, kinds[name], part.resolve(), config, who=who, start=start)
            for (name, start), part in parts.items()
        },
        address=address,
        told=lambda done: told(f"training {each}: {done}"),
    )
    policies = {name: {start: trained[parts[name, start].name] for start in starts(subject)} for name in names}
    told(f"measuring {len(names)} {each} on {_measures(config)}")
    found = run_pieces(
        {
            name: partial(
                measured_gap, subject, name, policies[name], config, who=who,
                episodes=turns_of(subject, name, who, config).episodes,
            )
            for name in names
        },
        address=address,
        told=lambda done: told(f"measuring {each}: {done}"),
    )  # fmt: skip
    return tuple(found[name] for name in names)
