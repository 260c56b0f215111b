"""Best-response gaps and NashConv with what each certifies.

J_k(pi') is the expected discounted own return of an agent of type k that plays pi' while everyone else plays pi. The
unilateral gap of type k is max_pi' J_k(pi') - J_k(pi_k), one deviator; NashConv = sum_k share_k gap_k. A type deviation
lets all agents of a type re-learn together: a coalition, and another number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, cast

import numpy as np

from mfmarl.errors import TrainingFailed

By = Literal["exact", "learned", "bound"]
What = Literal["unilateral gap", "type deviation"]
CERTIFIES: dict[By, str] = {
    "exact": "the gap itself, of agents who are alike within their type; notes say among how many",
    "learned": "a lower bound: what a deviator that was trained gains",
    "bound": "an upper bound: what an agent could gain that knew the future",
}


FAR = 3.29 / 1.96
"""Half-widths of normal intervals: of 99.9 % over 95 %."""


class ImpossibleGap(TrainingFailed):
    """A gap below zero by more than its interval: the best response was not found, or values do not belong together."""


@dataclass(frozen=True)
class Estimate:
    """A mean over independent episodes with its 95 % interval, Student's t; exact numbers have none: low = value =
    high."""

    value: float
    low: float
    high: float
    episodes: int = field(default=0, compare=False)
    """n of the interval; 0 where there is none, or where an older version wrote it."""

    @classmethod
    def exactly(cls, value: float) -> Estimate:
        """A number that was not estimated."""
        return cls(value, value, value)


@dataclass(frozen=True)
class TypeGap:
    """What an agent of one type gains by leaving the profile, discounted $ per episode from the start."""

    type_name: str
    share: float
    """Of the population."""
    base: Estimate
    """J_k(pi_k): of an agent that stays."""
    best: Estimate
    """Of the deviator, or the bound on it."""
    gap: Estimate
    """best - base, on common random numbers where both are simulated, so narrower than their intervals say."""


@dataclass(frozen=True)
class Gaps:
    """One kind of gap of every type that was asked for, found in one way."""

    what: What
    by: By
    types: tuple[TypeGap, ...]
    notes: tuple[str, ...] = ()
    """What was left out, or how it was computed, where a reader must know."""

    @property
    def certifies(self) -> str:
        """What the numbers prove."""
        return CERTIFIES[self.by]

    @property
    def complete(self) -> bool:
        """Whether all types are here; else `nash_conv` is their part of it."""
        return abs(sum(one.share for one in self.types) - 1) < 1e-6

    @property
    def nash_conv(self) -> Estimate:
        """sum_k share_k gap_k over the types here, shares as they are in the whole population, $ per agent.

        Learned gaps of the types come from separate episodes, so their half-widths add in squares. Bounds of all types
        come from the same episodes, where a bad one is bad for all: there the half-widths themselves add, which holds
        whatever the types' correlation.
        """
        shares = np.array([one.share for one in self.types])
        gaps = np.array([(one.gap.value, one.gap.low, one.gap.high) for one in self.types])
        value = float(shares @ gaps[:, 0])
        order = 1 if self.by == "bound" else 2
        below, above = (
            float(np.linalg.norm(shares * halves, order))
            for halves in (gaps[:, 0] - gaps[:, 1], gaps[:, 2] - gaps[:, 0])
        )
        return Estimate(value, value - below, value + above, min(one.gap.episodes for one in self.types))


def check_gaps(gaps: Gaps, tolerance: float = 1e-6) -> Gaps:
    """`gaps` as they are.

    Raises:
        ImpossibleGap: for a gap below zero by more than its interval and `tolerance` of its base value.
    """
    for one in gaps.types:
        least = -tolerance * max(1.0, abs(one.base.value))
        # 99.9 % in place of 95 %: of several types at a gap of 0 some would lie below their intervals by chance
        if one.gap.value + FAR * (one.gap.high - one.gap.value) < least:
            why = (
                "the deviator learned less than it could have kept; train it longer"
                if gaps.by == "learned"
                else "staying cannot beat the best response; the game or the policies changed between the two values"
            )
            raise ImpossibleGap(
                f"{one.type_name}: the {gaps.by} {gaps.what} is {one.gap.value:.6g} $ "
                f"[{one.gap.low:.6g}, {one.gap.high:.6g}], below zero: {why}"
            )
    return gaps


def at_least_nothing(gap: Estimate, by: By) -> bool:
    """Whether a learned gap is what staying is certain of, since no deviator gained: 0 or more, not 0."""
    return by == "learned" and gap.low == gap.value == gap.high == 0


def largest(gaps: Sequence[TypeGap]) -> TypeGap:
    """max_k gap_k."""
    return max(gaps, key=lambda one: one.gap.value)


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
