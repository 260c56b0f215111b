"""Intervals and comparisons over runs; a score is one run's number, so n is the number of seeds.

Percentile-bootstrap "95 %" intervals cover 73 % at 3 runs, so below 10 runs intervals are Student's t, from 10 on the
bias-corrected and accelerated bootstrap (Efron 1987). Fewer than 3 runs give no interval. Needs neither Ray nor torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

MIN_RUNS = 3
BOOTSTRAP_FROM = 10
RESAMPLES = 9999


@dataclass(frozen=True)
class Interval:
    """An estimate of a mean with its confidence interval."""

    estimate: float
    low: float
    high: float
    n: int
    method: str
    """How low and high were found: `t`, `BCa`, or `constant` where all scores are equal and say nothing of spread."""

    def __str__(self) -> str:
        if self.method == "constant":
            return f"{self.estimate:.4g} (all {self.n} equal)"
        return f"{self.estimate:.4g} [{self.low:.4g}, {self.high:.4g}] (n = {self.n}, {self.method})"


@dataclass(frozen=True)
class PairedDifference:
    """x - y over pairs of runs with the same seed."""

    interval: Interval
    p_value: float
    """Two-sided, of the hypothesis that the mean difference is zero: paired t below 10 pairs, Wilcoxon from 10."""
    test: str
    probability: float
    """Probability that a run of x beats a run of y."""


def scores_of(scores: ArrayLike, least: int = MIN_RUNS) -> NDArray[np.float64]:
    """`scores` as a vector; raises ValueError for NaN, infinities, or fewer than `least`."""
    values = np.asarray(scores, float)
    if values.ndim != 1:
        raise ValueError(f"scores have shape {values.shape}; want one number per run")
    if not np.isfinite(values).all():
        bad = int(np.flatnonzero(~np.isfinite(values))[0])
        raise ValueError(f"score {bad} is {values[bad]}: leave that run out, or mend it")
    if values.size < least:
        raise ValueError(f"{values.size} run{'s' * (values.size != 1)} give no interval; {least} or more do")
    return values


def iqm(scores: ArrayLike) -> float:
    """Interquartile mean: the mean of the middle half, whole values only (scipy's 25 % trimmed mean)."""
    return float(stats.trim_mean(scores_of(scores, 1), 0.25))


def interval(scores: ArrayLike, level: float = 0.95, seed: int = 0) -> Interval:
    """Confidence interval of the mean of `scores`, one per run.

    Raises:
        ValueError: for fewer than 3 scores, or one that is not finite.
    """
    values = scores_of(scores)
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; want a probability such as 0.95")
    mean, n = float(values.mean()), values.size
    if np.ptp(values) == 0:
        return Interval(mean, mean, mean, n, "constant")
    if n < BOOTSTRAP_FROM:
        half = float(stats.t.ppf((1 + level) / 2, n - 1) * stats.sem(values))
        return Interval(mean, mean - half, mean + half, n, "t")
    rng = np.random.default_rng(seed)
    found = stats.bootstrap((values,), np.mean, confidence_level=level, n_resamples=RESAMPLES, method="BCa", rng=rng)
    return Interval(mean, float(found.confidence_interval.low), float(found.confidence_interval.high), n, "BCa")


def probability_of_improvement(x: ArrayLike, y: ArrayLike) -> float:
    """P(X > Y) + P(X = Y) / 2 over all pairs of runs (the Mann-Whitney statistic); X over itself gives 1/2."""
    a, b = scores_of(x, 1), scores_of(y, 1)
    return float(np.mean((a[:, None] > b) + 0.5 * (a[:, None] == b)))


def paired_difference(x: ArrayLike, y: ArrayLike, level: float = 0.95) -> PairedDifference:
    """x - y, where x[i] and y[i] are runs of the same seed.

    Raises:
        ValueError: for unequal lengths, fewer than 3 pairs, or a score that is not finite.
    """
    a, b = scores_of(x), scores_of(y)
    if a.size != b.size:
        raise ValueError(f"{a.size} runs against {b.size}: pairs need equal lengths")
    difference = a - b
    found = interval(difference, level)
    if found.method == "constant":
        # no spread, no test: equal everywhere is p = 1, a constant shift cannot be judged
        p = 1.0 if found.estimate == 0 else float("nan")
        return PairedDifference(found, p, "none: the difference is constant", probability_of_improvement(a, b))
    if a.size < BOOTSTRAP_FROM:
        return PairedDifference(
            found, float(stats.ttest_rel(a, b).pvalue), "paired t", probability_of_improvement(a, b)
        )
    p_value = float(stats.wilcoxon(difference).pvalue)
    return PairedDifference(found, p_value, "Wilcoxon", probability_of_improvement(a, b))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction of a family of tests (Holm 1979); NaN stays NaN and is not counted."""
    p = np.asarray(p_values, float)
    known = np.flatnonzero(~np.isnan(p))
    corrected = np.full(p.size, np.nan)
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * (order.size - np.arange(order.size))
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(steps)) if order.size else steps
    return [float(v) for v in corrected]


def stars(p_value: float) -> str:
    """Significance marks: *** below .001, ** below .01, * below .05, else n.s.; a dash where there was no test."""
    if np.isnan(p_value):
        return "–"
    return next((mark for limit, mark in ((0.001, "***"), (0.01, "**"), (0.05, "*")) if p_value < limit), "n.s.")
