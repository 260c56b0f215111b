"""The learned part of an audit: which deviators are trained, which are finished, and which of an earlier call stay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from analysis.equilibrium.audit_file import Audit, Deviation, audit_path
from analysis.equilibrium.audit_settings import Settings
from analysis.equilibrium.distances import two_sample
from analysis.equilibrium.gaps import Gaps, TypeGap, What
from analysis.equilibrium.learned import (
    WHAT,
    LearnedGap,
    gaps_from,
    learned_gaps,
    numbers_in_words,
    starts,
    turns_of,
)
from analysis.equilibrium.pieces import Pieces, digest
from analysis.equilibrium.where_they_differ import distance_of
from envs.population import PopulationEnv
from mfmarl.deviator import RULES
from mfmarl.deviator_config import DeviatorConfig
from mfmarl.subject import Subject, Who

PERIODS, LEAST_MEASURED = 52, 256
"""The longest horizon with the episodes that `DeviatorConfig` says; longer games have fewer in turn, but deviators are
measured on no fewer than these."""


@dataclass(frozen=True)
class Learned:
    """What is kept of the learned gap of one type."""

    gap: TypeGap
    deviation: Deviation

    @property
    def chosen(self) -> str:
        """fresh, checkpoint or stay."""
        return self.deviation.start

    @property
    def episodes(self) -> int:
        """That deviators were trained on; 0 where that was not kept."""
        return self.deviation.episodes

    @property
    def measured(self) -> int:
        """Episodes that the better one was measured on."""
        return len(self.deviation.base_returns)


def learned_part(
    pieces: Pieces, folder: Path, subject: Subject, types: Sequence[str], every: Sequence[str], wanted: Settings,
    before: Audit | None, told: Callable[[str], None], noted: Callable[[str], None],
) -> tuple[list[Gaps], tuple[Deviation, ...]]:  # fmt: skip
    """Gaps of single deviators and of whole types, and the deviators themselves.

    Args:
        types: that are asked for; of the others of `every`, what was finished before is there as well.
        before: what the file says by now. What more episodes found by the same rules is the better: it stays,
            and is not trained again.
    """
    gaps: list[Gaps] = []
    deviations: list[Deviation] = []
    for who, what in WHAT.items():
        config = training(wanted, who, horizon_of(subject.make(1)))
        settings = {"rules": RULES, **config.model_dump(mode="json")}
        size = {name: turns_of(subject, name, who, config).episodes for name in every}
        stands = {} if before is None else _standing(before, what)
        same = {name: one for name, one in stands.items() if one.deviation.rules == RULES}
        longer = {name: one for name, one in same.items() if one.episodes > size[name]}
        if mine := [name for name in types if name in longer]:
            more = numbers_in_words({name: longer[name].episodes for name in mine})
            fewer = numbers_in_words({name: size[name] for name in mine})
            noted(
                f"{what} of {', '.join(mine)}: {audit_path(folder.parents[1], wanted.policy)} has learned ones of "
                f"deviators trained on {more} episodes; those stay, this call would train on {fewer}"
            )
        kept = {name: pieces.found(f"learned-{who}-{name}", Learned, settings) for name in every}
        finished = {name: _counted(one, size[name]) for name, one in kept.items() if one is not None}
        missing = [name for name in types if name not in finished | longer]
        found = {name: one for name, one in stands.items() if name not in missing} | finished | longer
        if missing:
            each = "one agent leaves" if who == "one" else "a whole type learns again"
            told(f"learning {len(missing) * len(starts(subject))} deviators: {each}")
            learned = learned_gaps(
                subject, folder / digest((*pieces.subject, settings)), config, types=missing, who=who,
                local=wanted.local, address=wanted.address, told=told,
            )  # fmt: skip
            for one in learned:
                name = one.gap.type_name
                found[name] = _counted(Learned(one.gap, _deviation(one, what, who, subject, wanted.seed)), size[name])
                pieces.write(f"learned-{who}-{name}", Learned, found[name], settings)
        whole = [found[name] for name in every if name in found]
        gaps.append(gaps_from(whole, who))
        deviations += [one.deviation for one in whole]
    return gaps, tuple(deviations)


def _standing(before: Audit, what: What) -> dict[str, Learned]:
    """The learned gaps of an earlier call."""
    found = before.found("learned", what)
    gaps = {} if found is None else {one.type_name: one for one in found.types}
    return {one.type_name: Learned(gaps[one.type_name], one) for one in before.deviations if one.what == what}


def _counted(one: Learned, episodes: int) -> Learned:
    """With the number that earlier versions did not keep, and the rules that it is by."""
    return replace(one, deviation=replace(one.deviation, episodes=episodes, rules=RULES))


def training(wanted: Settings, who: Who, horizon: int) -> DeviatorConfig:
    """How deviators are trained in a game of so many periods."""
    usual, less = DeviatorConfig(), max(1.0, horizon / PERIODS)
    episodes = wanted.episodes or int(usual.num_episodes / less)
    measured = wanted.measured_episodes or max(LEAST_MEASURED, int(usual.evaluation_episodes / less))
    if who == "type":
        # it bounds nothing, so it is not worth as long a training; and its returns are means over many agents
        episodes, measured = max(1, episodes // 5), wanted.measured_episodes or max(LEAST_MEASURED, measured // 4)
    return DeviatorConfig(seed=wanted.seed, num_episodes=episodes, evaluation_episodes=measured)


def _deviation(one: LearnedGap, what: What, who: Who, subject: Subject, seed: int) -> Deviation:
    return Deviation(
        one.gap.type_name, what, one.chosen, tuple(one.base_returns.tolist()), tuple(one.best_returns.tolist()),
        distance_of(subject, one, who, seed), two_sample(one.base_returns, one.best_returns),
    )  # fmt: skip


def horizon_of(env: PopulationEnv) -> int:
    """Every game with gaps has one."""
    return int(cast(Any, env).horizon)
