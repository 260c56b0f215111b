"""What is compared on one page: runs of several methods, against which of them, and how each policy looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, Protocol, TypeVar

import pandas as pd

from analysis.figures.style import Look, looks
from analysis.interval_words import spanned
from analysis.load import Study
from analysis.statistics import BOOTSTRAP_FROM, MIN_RUNS
from mfmarl.errors import UserError
from mfmarl.registry import suggestion

USUAL = "mf"
"""The method that others are compared against, where it is among them and nobody names another."""


class Scored(Protocol):
    """Runs of several methods, each with a number by metric."""

    @property
    def labels(self) -> list[str]:
        """What each run is called."""

    @property
    def methods(self) -> list[str]:
        """Labels, each once."""

    @property
    def references(self) -> list[str]:
        """Policies beside them that were not learned."""

    @property
    def type_names(self) -> list[str]:
        """Kinds of agents, or none where all are one."""

    def scores(self, metric: str, policy: str, type_name: str | None = None) -> pd.Series:
        """By seed."""


Runs = TypeVar("Runs", bound=Scored)


@dataclass(frozen=True)
class Compared(Generic[Runs]):
    """Runs of one game or environment, and against which method all others are compared."""

    study: Runs
    against: str

    @cached_property
    def policies(self) -> list[str]:
        """Trained methods first, then the reference policies that were played."""
        return [*self.study.methods, *self.study.references]

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


Comparison = Compared[Study]
"""Of evaluated runs of one game."""


def reference_of(methods: Sequence[str], against: str | None, usual: str = USUAL) -> str:
    """The method against which the others are compared: the named one, else the usual one, else the first.

    Raises:
        UserError: where there is no method of that name.
    """
    if against is None:
        return usual if usual in methods else methods[0]
    if against not in methods:
        raise UserError(
            f"--against {against}: no run is of that method; there are {', '.join(map(repr, methods))}"
            f"{suggestion(against, methods)}"
        )
    return against
