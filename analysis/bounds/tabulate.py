"""Bound, simulated error and effective sample size of every estimator, over stored steps n and agents N."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.bounds.estimators import ESTIMATORS, FRESH, Form, check_estimators, forms_of, log_ratio_by_sum
from analysis.bounds.functions import FUNCTIONS, LIPSCHITZ, values
from analysis.bounds.populations import Drift, Population, parse_drift
from analysis.bounds.simulation import Estimates, Pool, draw_counts, draw_pool, estimates, fresh_share
from mfmarl.core.bounds import (
    WeightMoments,
    bernstein,
    clipped_joint_moments,
    error_bound,
    hoeffding,
    joint_moments,
    mean_field_term,
    mixture_moments_bound,
    moments_by_sum,
)
from mfmarl.errors import UserError
from mfmarl.seeding import draw_seed, generator

Array = NDArray[np.float64]
POOL_STEPS, POOL_DRAWS = 1_000_000, 100_000_000
"""Most steps, and most actions, that are drawn for one heterogeneous population."""


@dataclass(frozen=True)
class Settings:
    """What is tabulated; checked by `tabulate`."""

    drift: Drift
    agents: tuple[int, ...]
    steps: tuple[int, ...]
    estimators: tuple[str, ...]
    delta: float
    clip: float
    bandwidth: float
    floor: float
    """Least ESS / n with which a weight counts as usable."""
    repetitions: int
    seed: int


@dataclass(frozen=True)
class Row:
    """One estimator of the mean of one function at one N and n, in units of V_max; NaN is missing."""

    num_agents: int
    steps: int
    estimator: str
    form: str
    function: str
    repetitions: int
    """Fewer than asked for where a heterogeneous population would take too long to draw."""
    exact: bool
    """Whether the next four are the values, not bounds of them."""
    mean_weight: float
    second_moment: float
    largest_weight: float
    bias_bound: float
    """The largest bias of any 0 <= f <= V_max; with clipping E_new[(1 - c/w)_+]."""
    ess_share: float
    """E[w]^2 / E[w^2]"""
    ess_simulated: float
    """Mean ESS / n of the repetitions."""
    bernstein: float
    """For plain sums only, without the bias; so too the next."""
    hoeffding: float
    bound: float
    """On the error, with probability 1 - delta, bias included."""
    error: float
    """The 1 - delta quantile of |error|; missing below 1 / delta repetitions."""
    rms: float
    bias: float
    """Mean error."""
    violations: float
    """Share of repetitions whose error exceeds the bound."""
    gain: float
    """Root mean square error of no correction, over this."""
    mean_field_term: float
    """L_Q sd(abar) under the new policies: what E f(abar) differs from f(E abar) at most; missing without L_Q."""
    usable: str
    """yes, or why not, joined by +: ess (share below the floor), bound (not below V_max), worse (gain below 1)."""


@dataclass(frozen=True)
class Bounds:
    """The table and what it was made with."""

    settings: Settings
    rows: tuple[Row, ...]


def tabulate(
    *,
    drift: str = ".5:.6",
    actions: int = 2,
    agents: tuple[int, ...] = (10, 30, 50, 100, 300, 1000),
    steps: tuple[int, ...] = (100, 1000, 10_000, 100_000),
    estimators: tuple[str, ...] = (),
    delta: float = 0.05,
    clip: float = 20.0,
    bandwidth: float = 0.05,
    floor: float = 0.1,
    repetitions: int = 1000,
    seed: int | None = None,
    told: Callable[[str], None] | None = None,
) -> Bounds:
    """Tabulate bounds and simulated errors.

    Args:
        drift: see `parse_drift`.
        estimators: names of `ESTIMATORS`; all without any.
        told: is told what is being done.

    Raises:
        UserError: for settings that make no sense, each in one line.
    """
    settings = Settings(
        parse_drift(drift, actions), tuple(sorted(set(agents))), tuple(sorted(set(steps))), estimators or ESTIMATORS,
        delta, clip, bandwidth, floor, repetitions, draw_seed() if seed is None else seed,
    )  # fmt: skip
    _check(settings)
    rows: list[Row] = []
    for num_agents in settings.agents:
        population = settings.drift.population(num_agents, settings.seed)
        case = _Case(settings, population)
        for n, repetitions_n, draws in case.simulations(told or (lambda _: None)):
            rows += case.rows(n, repetitions_n, draws)
    if told is not None:
        told("")
    return Bounds(settings, tuple(rows))


def _check(settings: Settings) -> None:
    check_estimators(settings.estimators)
    if not 0.0 < settings.delta < 1.0:
        raise UserError(f"--delta {settings.delta:g}: want a probability above 0 and below 1, e.g. .05")
    if not settings.clip >= 1.0:
        raise UserError(f"--clip {settings.clip:g}: want 1 (the weight without drift) or more")
    if not 0.0 <= settings.bandwidth < np.inf:
        raise UserError(f"--bandwidth {settings.bandwidth:g}: want 0 or more")
    if not 0.0 <= settings.floor <= 1.0:
        raise UserError(f"--floor {settings.floor:g}: want a share from 0 to 1")
    for flag, numbers, low, high in (
        ("--agents", settings.agents, 2, 10_000),
        ("--steps", settings.steps, 1, 10_000_000),
        ("--repetitions", (settings.repetitions,), 2, 1_000_000),
    ):
        wrong = [x for x in numbers if not low <= x <= high]
        if wrong or not numbers:
            raise UserError(f"{flag}: got {wrong[0] if wrong else 'nothing'}; want {low:,} to {high:,}")


class _Case:
    """One population: its laws, moments and draws."""

    def __init__(self, settings: Settings, population: Population) -> None:
        self.settings, self.population = settings, population
        self.old, self.new = population.log_laws()
        self.sums = np.arange(self.old.size)
        self.values = values(population, self.sums)
        self.truth = self.values @ np.exp(self.new)
        self.terms = [mean_field_term(slope, population.new[1:]) for slope in LIPSCHITZ.values()]
        self.names = list(dict.fromkeys([*settings.estimators, "uncorrected"]))
        self.by_sum = {name: self._by_sum(name) for name in self.names}

    def _by_sum(self, name: str) -> Array | None:
        """log w of every sum, or None where it depends on more."""
        if name == "marginal":
            return self.new - self.old
        if not self.population.alike and name in ("joint", "mixture"):
            return None
        return log_ratio_by_sum(name, self.population, self.sums, self.settings.bandwidth)

    def sampled(self, name: str) -> Array:
        """Log-probabilities of the sums of stored steps, in the buffer of an estimator."""
        share = fresh_share(name)
        return np.logaddexp(self.old + np.log1p(-share), self.new + np.log(share)) if share else self.old

    def moments(self, name: str, form: Form) -> WeightMoments:
        """Exact where the weight depends on the sum only or there is a closed form."""
        clip = self.settings.clip if form.clip else np.inf
        log_weight = self.by_sum[name]
        if log_weight is not None:
            return moments_by_sum(self.sampled(name), self.new, np.minimum(log_weight, np.log(clip)))
        if name == "mixture":
            return mixture_moments_bound(FRESH, clip)
        laws = self.population.old[1:], self.population.new[1:]
        return clipped_joint_moments(*laws, clip) if form.clip else joint_moments(*laws)

    def simulations(
        self, told: Callable[[str], None]
    ) -> Iterator[tuple[int, int, dict[tuple[str, bool], Estimates]]]:
        """For every n: repetitions, and estimates by estimator and whether clipped."""
        settings, population = self.settings, self.population
        longest = max(settings.steps)
        pools: dict[float, Pool] = {}
        if not population.alike:
            size = min(settings.repetitions * longest, POOL_STEPS, POOL_DRAWS // population.num_agents)
            for share in dict.fromkeys(fresh_share(name) for name in self.names):
                told(f"N = {population.num_agents}: drawing {size:,} steps")
                mine = [name for name in self.names if fresh_share(name) == share]
                rng = generator(settings.seed, "pool", population.num_agents, str(share))
                pools[share] = draw_pool(rng, population, mine, max(size, longest), settings.bandwidth, share)
        for n in settings.steps:
            told(f"N = {population.num_agents}, n = {n:,}")
            if population.alike:
                yield n, settings.repetitions, self._from_counts(n)
            else:
                repetitions = min(settings.repetitions, *(pool.sums.size // n for pool in pools.values()))
                yield n, repetitions, self._from_pools(n, repetitions, pools)

    def _from_counts(self, n: int) -> dict[tuple[str, bool], Estimates]:
        out = {}
        for share in dict.fromkeys(fresh_share(name) for name in self.names):
            rng = generator(self.settings.seed, "counts", self.population.num_agents, n, str(share))
            mine = [name for name in self.names if fresh_share(name) == share]
            sums, counts = draw_counts(rng, self.sampled(mine[0]), n, self.settings.repetitions)
            for name in mine:
                log_weight = self.by_sum[name]
                assert log_weight is not None  # populations whose agents are alike have them all
                for clip in {form.clip for form in forms_of(name)}:
                    weight = self._clipped(log_weight[sums], clip)[None]
                    out[name, clip] = estimates(weight, self.values[:, None, sums], counts, n)
        return out

    def _from_pools(self, n: int, repetitions: int, pools: dict[float, Pool]) -> dict[tuple[str, bool], Estimates]:
        out = {}
        shape = (repetitions, n)
        for name in self.names:
            pool = pools[fresh_share(name)]
            f = self.values[:, pool.sums[: repetitions * n]].reshape(-1, *shape)
            for clip in {form.clip for form in forms_of(name)}:
                weight = self._clipped(pool.log_weight[name][: repetitions * n], clip).reshape(shape)
                out[name, clip] = estimates(weight, f, np.ones((1, 1)), n)
        return out

    def _clipped(self, log_weight: Array, clip: bool) -> Array:
        return np.minimum(log_weight, np.log(self.settings.clip)) if clip else log_weight

    def rows(self, n: int, repetitions: int, draws: dict[tuple[str, bool], Estimates]) -> Iterator[Row]:
        """A row per estimator, form and function."""
        settings = self.settings
        uncorrected = _rms(draws["uncorrected", False].plain - self.truth[:, None])
        for name in settings.estimators:
            for form in forms_of(name):
                known, drawn = self.moments(name, form), draws[name, form.clip]
                shown = known.normalised if form.self_normalise else known
                bound = error_bound(known, n, settings.delta, self_normalised=form.self_normalise)
                error = (drawn.self_normalised if form.self_normalise else drawn.plain) - self.truth[:, None]
                plain = not form.self_normalise
                for i, function in enumerate(FUNCTIONS):
                    enough = repetitions * settings.delta >= 1
                    rms = float(_rms(error)[i])
                    gain = float(uncorrected[i]) / rms if rms > 0 else np.inf
                    yield Row(
                        num_agents=self.population.num_agents,
                        steps=n,
                        estimator=name,
                        form=str(form),
                        function=function,
                        repetitions=repetitions,
                        exact=known.exact,
                        mean_weight=_exp(known.log_mean),
                        second_moment=_exp(shown.log_second),
                        largest_weight=_exp(shown.log_largest),
                        bias_bound=shown.bias,
                        ess_share=known.effective_share,
                        ess_simulated=float(drawn.effective_share.mean()),
                        bernstein=bernstein(known, n, settings.delta) if plain else np.nan,
                        hoeffding=hoeffding(known, n, settings.delta) if plain else np.nan,
                        bound=bound,
                        error=float(np.quantile(abs(error[i]), 1.0 - settings.delta)) if enough else np.nan,
                        rms=rms,
                        bias=float(error[i].mean()),
                        violations=float((abs(error[i]) > bound).mean()),
                        gain=gain,
                        mean_field_term=self.terms[i] if np.isfinite(self.terms[i]) else np.nan,
                        usable=_usable(
                            ess=known.effective_share < settings.floor, bound=bound >= 1.0, worse=gain < 1.0
                        ),
                    )


def _usable(**against: bool) -> str:
    return "+".join(reason for reason, holds in against.items() if holds) or "yes"


def _rms(error: Array) -> Array:
    scale = np.maximum(abs(error).max(-1), 1e-300)
    return np.asarray(scale * np.sqrt(((error / scale[:, None]) ** 2).mean(-1)), float)


def _exp(log: float) -> float:
    return float(np.exp(log)) if log < 700.0 else np.inf
