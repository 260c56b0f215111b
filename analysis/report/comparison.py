"""What is compared on one page: evaluated runs of one game, against which method, and how each policy looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from analysis.figures.style import Look, looks
from analysis.load import REFERENCES, Study
from analysis.report.numbers import spanned
from analysis.statistics import BOOTSTRAP_FROM, MIN_RUNS
from mfmarl.errors import UserError
from mfmarl.registry import suggestion

USUAL = "mf"
"""The method that others are compared against, where it is among them and nobody names another."""


@dataclass(frozen=True)
class Comparison:
    """Runs of one game, and against which method all others are compared."""

    study: Study
    against: str

    @cached_property
    def policies(self) -> list[str]:
        """Trained methods first, then the reference policies that were played."""
        played = set(self.study.agents["policy"].unique())
        return [*self.study.methods, *(name for name in REFERENCES if name in played)]

    @cached_property
    def looks(self) -> dict[str, Look]:
        """The look of each policy, the same in all figures of the page."""
        return looks(self.policies)

    @cached_property
    def counts(self) -> dict[str, int]:
        """Seeds of each method."""
        return {method: self.study.labels.count(method) for method in self.study.methods}

    @property
    def others(self) -> list[str]:
        """The methods that are compared against it."""
        return [method for method in self.study.methods if method != self.against]

    @property
    def seeds(self) -> str:
        """How many there are of a method, as `3` or `3 to 10`."""
        return spanned(self.counts.values())

    @property
    def how(self) -> str:
        """What is to be said of intervals of means wherever they stand: number of seeds and method; or why none."""
        least, most = min(self.counts.values()), max(self.counts.values())
        if most < MIN_RUNS:
            return f"no intervals: {self.seeds} seed{'s' * (most != 1)} of a method are too few, {MIN_RUNS} give one"
        ways = ["t"] * (least < BOOTSTRAP_FROM) + ["BCa bootstrap"] * (most >= BOOTSTRAP_FROM)
        few = f"; below {MIN_RUNS} seeds none" if least < MIN_RUNS else ""
        return f"95 % intervals (n = {self.seeds}; {', '.join(ways)}{few})"


def reference_of(methods: Sequence[str], against: str | None) -> str:
    """The method against which the others are compared: the named one, else mf, else the first.

    Raises:
        UserError: where there is no method of that name.
    """
    if against is None:
        return USUAL if USUAL in methods else methods[0]
    if against not in methods:
        raise UserError(
            f"--against {against}: no run is of that method; there are {', '.join(map(repr, methods))}"
            f"{suggestion(against, methods)}"
        )
    return against
