"""Intervals and comparisons over runs; a score is one run's number, so n is the number of seeds.

Percentile-bootstrap "95 %" intervals cover 73 % at 3 runs, so below 10 runs intervals are Student's t, from 10 on the
bias-corrected and accelerated bootstrap (Efron 1987), at the level that makes up for the spread that resampling n runs
loses (Hesterberg 2015): without that, 10 runs cover 90 %. Over several games runs are resampled within each of them
(stratified; Agarwal et al. 2021). Fewer than 3 runs give no interval. Needs neither Ray nor torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special, stats

MIN_RUNS = 3
BOOTSTRAP_FROM = 10
RESAMPLES = 9999
TRIM = 0.25
"""Share that the interquartile mean leaves out at either end."""

Statistic = Literal["mean", "iqm", "median"]
STATISTICS: dict[Statistic, Callable[..., Any]] = {
    "mean": np.mean,
    "iqm": lambda scores, axis=-1: stats.trim_mean(scores, TRIM, axis=axis),
    "median": np.median,
}


@dataclass(frozen=True)
class Interval:
    """An estimate with its confidence interval."""

    estimate: float
    low: float
    high: float
    n: int
    method: str
    """How low and high were found: `t`, `BCa`, `Newcombe`; or `constant` where all scores are
    equal and say nothing of spread, `degenerate` where all resamples are, so that low and high are NaN."""

    def within(self, span: tuple[float, float]) -> Interval:
        """Cut to the least and the most that the statistic can be, which covers it no less often."""
        low, high = np.clip([self.low, self.high], *span)
        return replace(self, low=float(low), high=float(high))

    def __str__(self) -> str:
        if self.method == "constant":
            return f"{self.estimate:.4g} (all {self.n} equal)"
        return f"{self.estimate:.4g} [{self.low:.4g}, {self.high:.4g}] (n = {self.n}, {self.method})"


@dataclass(frozen=True)
class PairedDifference:
    """x - y over pairs of runs with the same seed."""

    interval: Interval
    p_value: float
    """Two-sided, of the hypothesis that the mean difference is zero: the paired t test, of what the estimate is of."""
    test: str
    probability: float
    """Probability that a run of x beats a run of y."""
    effect: float
    """Mean difference in standard deviations of the differences: Cohen's d_z with Hedges' correction."""

    @property
    def cliffs_delta(self) -> float:
        """P(X > Y) - P(X < Y) over all pairs of runs (Cliff 1993)."""
        return 2 * self.probability - 1


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
    return float(stats.trim_mean(scores_of(scores, 1), TRIM))


def interval(scores: ArrayLike, level: float = 0.95, seed: int = 0, statistic: Statistic = "mean") -> Interval:
    """Confidence interval of a statistic of `scores`, one per run.

    Below 10 runs Student's t: of the trimmed mean for the IQM (Tukey and McLaughlin 1963, in Yuen's form), and with the
    normal law's standard error for the median. From 10 on the BCa bootstrap.

    Raises:
        ValueError: for fewer than 3 scores, or one that is not finite.
    """
    values = scores_of(scores)
    _check_level(level)
    estimate, n = float(STATISTICS[statistic](values)), values.size
    if _constant(values):
        return Interval(estimate, estimate, estimate, n, "constant")
    if n < BOOTSTRAP_FROM:
        error, freedom = _standard_error(values, statistic)
        if error == 0:
            # the middle scores are equal, the others are not: nothing is known of the spread
            return Interval(estimate, float("nan"), float("nan"), n, "degenerate")
        half = float(stats.t.ppf((1 + level) / 2, freedom) * error)
        return Interval(estimate, estimate - half, estimate + half, n, "t")
    return _bootstrap([values], STATISTICS[statistic], level, seed)


def _constant(values: NDArray[np.float64]) -> bool:
    """Whether all scores are equal but for rounding."""
    return bool(np.ptp(values) <= 1e-12 * np.abs(values).max())


def _standard_error(values: NDArray[np.float64], statistic: Statistic) -> tuple[float, int]:
    """Of the statistic of a few runs, with its degrees of freedom."""
    n = values.size
    if statistic == "mean":
        return float(stats.sem(values)), n - 1
    if statistic == "median":
        # Laplace's approximation of a normal median's density, exp(-x^2 ((n - 1) / pi + 1 / 2))
        return float(np.sqrt(np.pi / (2 * (n - 1) + np.pi) * n) * stats.sem(values)), n - 1
    cut = int(TRIM * n)
    kept = n - 2 * cut
    winsorised = np.asarray(stats.mstats.winsorize(values, (cut / n, cut / n)), float)
    return float(np.sqrt(((winsorised - winsorised.mean()) ** 2).sum() / (kept * (kept - 1)))), kept - 1


def stratified_interval(
    strata: Sequence[ArrayLike], level: float = 0.95, seed: int = 0, statistic: Statistic = "mean"
) -> Interval:
    """Confidence interval of a statistic of all scores of several games together, runs resampled within each game.

    `strata` holds the scores of each game, comparable between them (normalised); the estimate is the statistic of all
    of them in one. n is the number of all runs. The bootstrap holds for 10 runs or more altogether.

    Raises:
        ValueError: for no game, fewer than 3 runs of one or 10 of all, or a score that is not finite.
    """
    values = [scores_of(scores) for scores in strata]
    _check_level(level)
    n = sum(v.size for v in values)
    if n < BOOTSTRAP_FROM:
        raise ValueError(f"{n} runs of {len(values)} games are too few to resample; {BOOTSTRAP_FROM} or more do")
    if all(map(_constant, values)):
        estimate = float(STATISTICS[statistic](np.concatenate(values)))
        return Interval(estimate, estimate, estimate, n, "constant")
    return _bootstrap(values, lambda *parts, axis=-1: STATISTICS[statistic](_joined(parts), axis=axis), level, seed)


def _joined(parts: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Samples side by side; scipy jackknifes one at a time, so the others may lack leading axes."""
    lead = np.broadcast_shapes(*(p.shape[:-1] for p in parts))
    return np.concatenate([np.broadcast_to(p, (*lead, p.shape[-1])) for p in parts], axis=-1)


def _bootstrap(
    samples: Sequence[NDArray[np.float64]], statistic: Callable[..., Any], level: float, seed: int
) -> Interval:
    """BCa interval of `statistic(*samples, axis)`, each sample resampled by itself."""
    found = stats.bootstrap(
        tuple(samples),
        statistic,
        confidence_level=expanded_level(level, [s.size for s in samples]),
        n_resamples=RESAMPLES,
        method="BCa",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    estimate, n = float(statistic(*samples, axis=-1)), sum(s.size for s in samples)
    if not np.isfinite([found.low, found.high]).all():
        # all resamples alike (most scores equal): nothing is known of the spread
        return Interval(estimate, float("nan"), float("nan"), n, "degenerate")
    return Interval(estimate, float(found.low), float(found.high), n, "BCa")


def expanded_level(level: float, sizes: Sequence[int]) -> float:
    """The level at which a bootstrap of samples of these sizes covers `level`.

    Resampling n scores has (n - 1) / n of their variance and a normal, not a t quantile; the level makes up for both
    (Hesterberg 2015, "expanded percentile interval").
    """
    freedom = sum(n - 1 for n in sizes)
    lost = np.sqrt(sum(sizes) / freedom)
    return float(1 - 2 * stats.norm.cdf(-lost * stats.t.ppf((1 + level) / 2, freedom)))


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; want a probability such as 0.95")


def probability_of_improvement(x: ArrayLike, y: ArrayLike) -> float:
    """P(X > Y) + P(X = Y) / 2 over all pairs of runs (the Mann-Whitney statistic); X over itself gives 1/2."""
    a, b = scores_of(x, 1), scores_of(y, 1)
    return float(np.mean((a[:, None] > b) + 0.5 * (a[:, None] == b)))


def improvement_interval(x: ArrayLike, y: ArrayLike, level: float = 0.95) -> Interval:
    """P(X > Y) + P(X = Y) / 2 of any run of either, with Newcombe's interval (2006, method 5).

    It solves (estimate - theta)^2 = z^2 V(theta), V the variance for exponential scores (Hanley and McNeil 1982), so
    it is one also where all of X beat all of Y, of which a bootstrap knows no spread. Of 3 runs each it covers about
    .90 at .95, from 5 on .93 or more.

    Raises:
        ValueError: for fewer than 3 scores of either, or one that is not finite.
    """
    return stratified_improvement([(x, y)], level)


def stratified_improvement(pairs: Sequence[tuple[ArrayLike, ArrayLike]], level: float = 0.95) -> Interval:
    """Mean over games of P(X > Y) + P(X = Y) / 2; its interval is Newcombe's where there is one game.

    Of several it solves the same for the mean, as all games' probabilities move together by their logits. The games'
    variances are then those at estimates, whose own spread makes them small; they are enlarged by what is missing on
    average. X and Y count as independent; of runs that are paired by seeds the interval is wider than it need be.

    Raises:
        ValueError: for no game, fewer than 3 scores of either in one, or one that is not finite.
    """
    _check_level(level)
    scores = [(scores_of(x), scores_of(y)) for x, y in pairs]
    if not scores:
        raise ValueError("no games to take the mean over")
    estimates = np.array([probability_of_improvement(x, y) for x, y in scores])
    m, n = np.array([(x.size, y.size) for x, y in scores], float).T
    low, high = _ends(estimates, m, n, float(stats.norm.ppf((1 + level) / 2)))
    return Interval(float(estimates.mean()), low, high, int((m + n).sum()), "Newcombe")


def _ends(
    estimates: NDArray[np.float64], m: NDArray[np.float64], n: NDArray[np.float64], z: float
) -> tuple[float, float]:
    """Of the mean of `estimates` [G], of `m` and `n` [G] scores each."""
    games, mean, pairs = estimates.size, estimates.mean(), m * n
    # E[p (1 - p)] falls short of theta (1 - theta) by Var(p), (m + n + 1) / (3 m n) of it where theta is 1/2
    short = (m + n + 1) / (3 * pairs)
    enlarged = 1 + (1 - 1 / games) * short / (1 - short)
    # half a pair each way, so that estimates of 0 and 1 have logits
    start = special.logit((estimates * pairs + 0.5) / (pairs + 1))

    def mean_at(shift: float) -> float:
        return float(special.expit(start + shift).mean())

    def beyond(shift: float) -> float:
        theta = special.expit(start + shift)
        spread = 1 + ((m + n) / 2 - 1) * ((1 - theta) / (2 - theta) + theta / (1 + theta))
        variance = enlarged * theta * (1 - theta) * spread / pairs
        return float((mean - theta.mean()) ** 2 - z * z * variance.sum() / games**2)

    far, tiny = 60.0, 1e-9
    middle = min(max(mean, tiny), 1 - tiny)
    centre = float(optimize.brentq(lambda shift: mean_at(shift) - middle, -far, far))
    low = 0.0 if mean < tiny else mean_at(float(optimize.brentq(beyond, -far, centre)))
    high = 1.0 if mean > 1 - tiny else mean_at(float(optimize.brentq(beyond, centre, far)))
    return low, high


def performance_profile(
    strata: Sequence[ArrayLike], thresholds: ArrayLike, level: float = 0.95, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Share of runs that score above each threshold, with pointwise intervals: (share, low, high), each [thresholds].

    Percentile bootstrap, runs resampled within each game of `strata` (Agarwal et al. 2021); low and high are NaN below
    10 runs altogether.

    Raises:
        ValueError: for fewer than 3 runs of a game, or a score that is not finite.
    """
    values = [scores_of(scores) for scores in strata]
    _check_level(level)
    at = np.asarray(thresholds, float)
    n = sum(v.size for v in values)
    above = [(v[:, None] > at).astype(float) for v in values]
    share = sum(a.sum(0) for a in above) / n
    if n < BOOTSTRAP_FROM:
        return share, np.full(at.shape, np.nan), np.full(at.shape, np.nan)
    rng = np.random.default_rng(seed)
    # how often each run is drawn: a game's resamples are one multinomial
    resampled = sum(rng.multinomial(len(a), np.full(len(a), 1 / len(a)), 2000) @ a for a in above) / n
    wide = expanded_level(level, [v.size for v in values])
    low, high = np.quantile(resampled, [(1 - wide) / 2, (1 + wide) / 2], axis=0)
    return share, low, high


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
    probability = probability_of_improvement(a, b)
    if found.method == "constant":
        # no spread, no test: equal everywhere is p = 1, a constant shift cannot be judged
        p = 1.0 if found.estimate == 0 else float("nan")
        effect = 0.0 if found.estimate == 0 else float("nan")
        return PairedDifference(found, p, "none: the difference is constant", probability, effect)
    # Hedges' factor takes off what small samples overstate
    effect = float(found.estimate / difference.std(ddof=1) * (1 - 3 / (4 * (a.size - 1) - 1)))
    return PairedDifference(found, float(stats.ttest_rel(a, b).pvalue), "paired t", probability, effect)


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
