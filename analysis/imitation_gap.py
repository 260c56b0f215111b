"""Proxies of the imitation error beside the Nash imitation gap (NIG), as tables: what figures of the toys are drawn of.

`model_cls` is one of the three toys of `envs.mean_field.games.toys`, made as `model_cls(horizon, **extra_kwargs)`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from analysis.statistics import MIN_RUNS, holm, paired_difference
from envs.mean_field.games.toys import AttractorMFG, CrowdAvoidanceMFG, TriStateCongestionMFG

Toy = type[AttractorMFG] | type[CrowdAvoidanceMFG] | type[TriStateCongestionMFG]
PROXIES = ("BC", "VAN", "MFC")
BOUNDS = ("flows", *reversed(PROXIES))
"""What the gap is bounded by, the tightest first: distances of flows, or the largest error of a proxy."""
ROUNDING = 1e-14
"""Of a gap, for each step."""


def learners(model_cls: Toy, alphas: ArrayLike) -> NDArray[np.float64]:
    """Parameters of several learners, [K] or, of a toy with two, [K, 2]; one learner becomes a list of one.

    Raises:
        ValueError: for an array of another shape; prints it.
    """
    found = np.asarray(alphas, float)
    want = 1 if model_cls.parameters == 1 else 2
    found = found[None] if found.ndim == want - 1 else found
    if found.ndim != want or (want == 2 and found.shape[1] != model_cls.parameters):
        shape = "[K]" if want == 1 else f"[K, {model_cls.parameters}]"
        raise ValueError(f"{model_cls.__name__}: the parameters have shape {np.shape(alphas)}; want {shape} or one row")
    return found


def pareto(model_cls: Toy, param_grid: ArrayLike, horizon: int, extra_kwargs: Mapping[str, float]) -> pd.DataFrame:
    """Columns learner, proxy, error, NIG: largest error over steps and the gap of each learner, one row per proxy."""
    grid = learners(model_cls, param_grid)
    model = model_cls(horizon, **extra_kwargs)
    worst, gap = model.errors(grid).max(), model.NIG(grid)
    parts = [
        pd.DataFrame({"learner": np.arange(len(grid)), "proxy": proxy, "error": getattr(worst, proxy), "NIG": gap})
        for proxy in PROXIES
    ]
    return pd.concat(parts, ignore_index=True)


def pareto_grid(
    model_cls: Toy, param_grid: ArrayLike, horizons: Sequence[int], couplings: Sequence[Mapping[str, float]]
) -> pd.DataFrame:
    """`pareto` of every horizon with every coupling: columns horizon, coupling (its words) and those of `pareto`."""
    parts = [
        pareto(model_cls, param_grid, horizon, coupling).assign(horizon=horizon, coupling=words(coupling))
        for horizon in horizons
        for coupling in couplings
    ]
    return pd.concat(parts, ignore_index=True)


def error_curves(model_cls: Toy, alphas: ArrayLike, horizon: int, extra_kwargs: Mapping[str, float]) -> pd.DataFrame:
    """Columns learner (its parameters in words), proxy, n, error: the three errors of each step."""
    grid = learners(model_cls, alphas)
    found = model_cls(horizon, **extra_kwargs).errors(grid)
    parts = [
        pd.DataFrame({"learner": _alpha(row), "proxy": proxy, "n": np.arange(horizon), "error": errors})
        for proxy in PROXIES
        for row, errors in zip(grid, getattr(found, proxy), strict=True)
    ]
    return pd.concat(parts, ignore_index=True)


def gap_growth(
    model_cls: Toy, alpha: ArrayLike, horizon: int, couplings: Sequence[Mapping[str, float]]
) -> pd.DataFrame:
    """How the gap outgrows the errors: columns coupling, proxy, n, NIG, error, loglog = ln ln(1 + NIG_n / err_n).

    NIG_n is the gap of the first n steps: that of the same learner in the game with horizon n, rewards of 0..n-1. err_n
    is the largest error of those steps. Rows begin at the first n with NIG_n above its rounding; n = 1..horizon.

    Raises:
        ValueError: for more than one learner, or one that never has a gap.
    """
    grid = learners(model_cls, alpha)
    if len(grid) > 1:
        raise ValueError(f"{model_cls.__name__}: {len(grid)} learners; the growth of the gap is drawn of one")
    parts = []
    for coupling in couplings:
        steps = np.arange(1, horizon + 1)
        gaps = np.array([model_cls(int(n), **coupling).NIG(grid)[0] for n in steps])
        found = model_cls(horizon, **coupling).errors(grid)
        # at n = 1 some gaps are sums of numbers that cancel
        begun = gaps > ROUNDING * steps
        if not begun.any():
            raise ValueError(f"{model_cls.__name__}, {words(coupling)}: this learner has no gap, so none that grows")
        for proxy in PROXIES:
            error = np.maximum.accumulate(getattr(found, proxy)[0])
            table = pd.DataFrame({"coupling": words(coupling), "proxy": proxy, "n": steps, "NIG": gaps, "error": error})
            parts.append(table[begun].assign(loglog=np.log(np.log1p(gaps[begun] / error[begun]))))
    return pd.concat(parts, ignore_index=True)


def gap_bounds(model_cls: Toy, param_grid: ArrayLike, horizon: int, extra_kwargs: Mapping[str, float]) -> pd.DataFrame:
    """Columns learner, BC (its largest error), NIG, and the upper bound by each of BOUNDS."""
    grid = learners(model_cls, param_grid)
    model = model_cls(horizon, **extra_kwargs)
    found = model.bounds(grid)
    told = {"learner": np.arange(len(grid)), "BC error": model.errors(grid).max().BC, "NIG": model.NIG(grid)}
    return pd.DataFrame(told | {by: getattr(found, by) for by in BOUNDS})


def gap_surface(horizon: int, extra_kwargs: Mapping[str, float], points: int = 41) -> pd.DataFrame:
    """Columns a1, a2, NIG of the tri-state toy on a square grid; above a sum of 1 learners are rescaled to it."""
    side = np.linspace(0, 1, points)
    grid = np.stack(np.meshgrid(side, side, indexing="ij"), -1).reshape(-1, 2)
    gap = TriStateCongestionMFG(horizon, **extra_kwargs).NIG(grid)
    return pd.DataFrame({"a1": grid[:, 0], "a2": grid[:, 1], "NIG": gap})


def words(coupling: Mapping[str, float]) -> str:
    """ "L = 0.5" """
    return ", ".join(f"{name} = {value:g}" for name, value in coupling.items())


def _alpha(row: NDArray[np.float64]) -> str:
    if row.ndim == 0:
        return f"alpha = {row:g}"
    return ", ".join(f"a{i + 1} = {value:g}" for i, value in enumerate(row))


def gap_intervals(table: pd.DataFrame, of: str = "NIG") -> pd.DataFrame:
    """Mean and 95 % interval over seeds of what `mfmarl.imitation.population.nig_against_samples` found.

    Columns learner, samples, mean, low, high, n, interval: t, clipped nowhere; constant where seeds are equal;
    NaN below 3.
    """
    rows = []
    for (learner, samples), mine in table.groupby(["learner", "samples"], sort=False):
        mean, low, high = _t_interval(mine[of].to_numpy(float))
        way = None if len(mine) < MIN_RUNS else "t" if low < high else "constant"
        rows.append((learner, samples, mean, low, high, len(mine), way))
    return pd.DataFrame(rows, columns=["learner", "samples", "mean", "low", "high", "n", "interval"])


def gap_differences(table: pd.DataFrame, pairs: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """NIG of one learner less that of another from the same trajectories: columns first, second, samples, mean, low,
    high, n, p (two-sided paired t), p_holm (over all rows). Below 0 the first is the better imitator.

    Raises:
        ValueError: for fewer than 3 seeds.
    """
    rows = []
    for first, second in pairs:
        for samples in table["samples"].unique():
            at = table[table["samples"] == samples].pivot(index="seed", columns="learner", values="NIG")
            difference = (at[first] - at[second]).to_numpy(float)
            found = paired_difference(at[first], at[second])
            rows.append((first, second, samples, *_t_interval(difference), len(difference), found.p_value))
    made = pd.DataFrame(rows, columns=["first", "second", "samples", "mean", "low", "high", "n", "p"])
    return made.assign(p_holm=holm(made["p"].tolist()))


def _t_interval(values: NDArray[np.float64], level: float = 0.95) -> tuple[float, float, float]:
    mean, n = float(values.mean()), len(values)
    if n < MIN_RUNS:
        return mean, float("nan"), float("nan")
    half = float(stats.t.ppf((1 + level) / 2, n - 1) * stats.sem(values))
    return mean, mean - half, mean + half
