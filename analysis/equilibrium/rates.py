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
    copies = np.array([one.copies for one in sizes], float)
    if not (errors > 0).all() or copies.min() <= 3:
        raise ValueError("a value without spread over 4 or more copies has no standard error: play more copies")
    # a gap over an error estimated from few copies has Student's variance, (copies - 1) / (copies - 3)
    errors = errors * np.sqrt((copies - 1) / (copies - 3))
    return (*(_given("C/N", -1.0, n, gaps, errors), _given("C/sqrt(N)", -0.5, n, gaps, errors)), _free(n, gaps, errors))


def in_words(sizes: Sequence[Size]) -> str:
    """Which of C/N and C/sqrt(N) describes the gaps, in a sentence.

    Where neither does, the smallest N are left out one after another: rates are of many agents, and few may not have
    come to them yet.
    """
    for first in range(len(sizes) - LEAST_SIZES + 1):
        *given, free = fitted_rates(sizes[first:])
        right = [one for one in given if one.describes]
        if right:
            break
    else:
        *given, free = fitted_rates(sizes)
    power = f"fitted power {free.power:.2f} ± {free.power_error:.2f}"
    if not right:
        return f"neither C/N nor C/sqrt(N) describes the gaps; {power} (p {_told(free.p_value)})"
    where = f"from N = {sizes[first].num_agents:,} on " if first else ""
    if len(right) == 2:
        if all(abs(one.constant) < 2 * one.constant_error for one in right):
            return f"{where}the values do not differ from the limit by more than their errors"
        told = " and ".join(f"{one.name} (p {_told(one.p_value)})" for one in right)
        return f"{where}the distances from the limit are too small against their errors to tell {told} apart; {power}"
    (one,), (other,) = right, [rate for rate in given if rate not in right]
    constant = f"C = {one.constant:,.0f} ± {one.constant_error:,.0f} $, p {_told(one.p_value)}"
    not_it = f"{other.name} does not (p {_told(other.p_value)})"
    return f"{where}{one.name} describes the gaps ({constant}), {not_it}; {power}"


def _told(p_value: float) -> str:
    return f"= {p_value:.2g}" if p_value >= 0.001 else "< .001"


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
