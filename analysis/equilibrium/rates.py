"""Values among N agents against their limit, and the rates at which the gaps close: plain data and its fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

Doubles = NDArray[np.float64]
LEAST_SIZES = 3
"""Two parameters are fitted, and something is left to judge the fit by."""
DOUBTFUL = 0.05
"""p value below which a rate does not describe the gaps."""


@dataclass(frozen=True)
class Size:
    """A profile among N agents, and in the mean field of the same shares of types."""

    num_agents: int
    copies: int
    value: float
    """Mean discounted return of an agent, $, simulated."""
    error: float
    """Its standard error over copies."""
    limit: float
    """Value in the mean field whose types have the shares that N agents have, $."""

    @property
    def gap(self) -> float:
        """value - limit."""
        return self.value - self.limit


@dataclass(frozen=True)
class Rate:
    """gap = constant x N^power, fitted by least squares weighted with the standard errors."""

    name: str
    power: float
    power_error: float
    """Standard error; 0 where the power is given, not fitted."""
    constant: float
    constant_error: float
    p_value: float
    """Of a fit this bad by chance (chi squared): below .05 the rate does not describe the gaps."""

    @property
    def describes(self) -> bool:
        """Whether the gaps may follow this rate."""
        return self.p_value >= DOUBTFUL


@dataclass(frozen=True)
class FiniteAgents:
    """Values over N with the fitted rates."""

    sizes: tuple[Size, ...]
    rates: tuple[Rate, ...]
    """1/N, 1/sqrt(N), and the power that fits best."""
    notes: tuple[str, ...] = ()
    """What the limits leave out."""


def fitted_rates(sizes: Sequence[Size]) -> tuple[Rate, ...]:
    """The gaps as C/N, C/sqrt(N) and C N^a.

    Raises:
        ValueError: for fewer than 3 sizes, which leave nothing to judge a fit by, or a value without standard error.
    """
    if len(sizes) < LEAST_SIZES:
        raise ValueError(f"{len(sizes)} sizes: a rate wants {LEAST_SIZES} or more")
    n = np.array([one.num_agents for one in sizes], float)
    gaps, errors = np.array([one.gap for one in sizes]), np.array([one.error for one in sizes])
    if not (errors > 0).all():
        raise ValueError("a value without spread over copies has no standard error: play more copies")
    return (*(_given("C/N", -1.0, n, gaps, errors), _given("C/sqrt(N)", -0.5, n, gaps, errors)), _free(n, gaps, errors))


def _p_value(left: Doubles, parameters: int) -> float:
    return float(stats.chi2.sf((left**2).sum(), left.size - parameters))


def _given(name: str, power: float, n: Doubles, gaps: Doubles, errors: Doubles) -> Rate:
    x, y = n**power / errors, gaps / errors
    constant = float(x @ y / (x @ x))
    return Rate(name, power, 0.0, constant, float((x @ x) ** -0.5), _p_value(y - constant * x, 1))


def _free(n: Doubles, gaps: Doubles, errors: Doubles) -> Rate:
    # around the middle of the sizes on a log scale constant and power hardly depend on each other
    middle = float(np.exp(np.log(n).mean()))
    start = _given("", -1.0, n, gaps, errors).constant / middle

    def left(parameters: Doubles) -> Doubles:
        return np.asarray((parameters[0] * (n / middle) ** parameters[1] - gaps) / errors)

    bounds = ([-np.inf, -4.0], [np.inf, 2.0])
    found = optimize.least_squares(left, [start, -1.0], bounds=bounds, x_scale=[abs(start), 1])
    slope = np.asarray(found.jac)
    covariance = np.linalg.pinv(slope.T @ slope)
    at_middle, power = (float(x) for x in found.x)
    constant = at_middle * middle**-power
    slopes = np.array([middle**-power, -constant * np.log(middle)])
    spread = float(np.sqrt(slopes @ covariance @ slopes))
    return Rate("C N^a", power, float(covariance[1, 1] ** 0.5), constant, spread, _p_value(left(found.x), 2))
