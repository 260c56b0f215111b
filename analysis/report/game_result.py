"""What the page of a whole study keeps of each game, so that one game's runs are in memory at a time."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from analysis.report.comparison import Comparison
from analysis.report.comparisons import Differences
from analysis.report.normalised import Normalised, normalised
from analysis.report.tables import ALL


@dataclass(frozen=True)
class GameResult:
    """One game's runs in numbers."""

    folder: str
    """Of its page, below the study's."""
    env: str
    agents: int
    against: str
    scores: dict[str, pd.Series]
    """Policy -> profit by seed."""
    normalised: Normalised
    tests: pd.DataFrame
    """Of all agents together, one row per method that was tested against the reference method."""
    pairs: pd.DataFrame
    """Columns method, seed, difference."""
    methods: list[str]
    corrected: set[str]
    """Methods that weigh stored steps for drift."""

    @property
    def name(self) -> str:
        """What it is called on the page; games that differ in their options alone differ by their folder."""
        leaf = self.env.split("/")[-1]
        plain = f"{leaf}, N = {self.agents}"
        number = self.folder.rsplit(f"-n{self.agents}", 1)[-1]
        return f"{plain} ({number.lstrip('-')})" if number.lstrip("-").isdigit() else plain

    @property
    def keys(self) -> dict[str, str]:
        """What a filter may hide it by."""
        return {"env": self.env, "agents": str(self.agents)}


def game_result(compared: Comparison, found: Differences, folder: str) -> GameResult:
    """Of the runs of one game and their differences; its page is in `folder`."""
    study = compared.study
    overall = found.pairs[found.pairs["type"] == ALL]
    return GameResult(
        folder,
        study.evaluations[0].env,
        study.evaluations[0].num_agents,
        compared.against,
        {policy: study.scores("profit", policy) for policy in compared.policies},
        normalised(study),
        found.overall.reset_index(drop=True),
        overall[["method", "seed", "difference"]],
        study.methods,
        {name for name, run in zip(study.labels, study.runs, strict=True) if run.config.corrected},
    )
