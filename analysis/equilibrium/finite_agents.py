"""How a profile of the mean field fares among N agents, and the rate at which N agents approach the mean field."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from envs.inventory.backend import backend
from envs.inventory.config import MarketConfig
from envs.inventory.market import make_market
from envs.inventory.mean_field import Profile, evaluate, mean_field, profile_policy
from mfmarl.seeding import stream

Doubles = NDArray[np.float64]
SIZES = (10, 30, 100, 300, 1000, 3000, 10_000)


@dataclass(frozen=True)
class Size:
    """The profile among N agents, and in the mean field of the same shares of types."""

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


@dataclass(frozen=True)
class FiniteAgents:
    """Values over N with the fitted rates."""

    sizes: tuple[Size, ...]
    rates: tuple[Rate, ...]
    """1/N, 1/sqrt(N), and the power that fits best."""


def with_shares_of(config: MarketConfig, counts: Sequence[int]) -> MarketConfig:
    """`config` without jitter, whose types have the shares of `counts` agents."""
    shares = zip(config.types.items(), counts, strict=True)
    types = {name: kind.model_copy(update={"share": count / sum(counts)}) for (name, kind), count in shares}
    return config.model_copy(update={"types": types, "jitter": 0.0})


def finite_agents(
    config: MarketConfig,
    profile: Profile,
    *,
    gamma: float = 0.99,
    sizes: Sequence[int] = SIZES,
    agents: int = 40_000,
    seed: int = 0,
    told: Callable[[str], None] = lambda size: None,
) -> FiniteAgents:
    """Play `profile` among N agents for each N of `sizes`, copies x N being about `agents`, and fit the rates.

    Types are counted in whole agents, so the limit of each N is that of the shares which N agents really have.

    Raises:
        ValueError: for fewer than 3 sizes, one below 2, or a market without a mean field.
    """
    if len(sizes) < 3 or min(sizes) < 2:
        raise ValueError(f"sizes are {list(sizes)}: a rate wants 3 or more, each of 2 or more agents")
    found = []
    for size in sorted(set(sizes)):
        copies = max(8, agents // size)
        told(f"N = {size}, {copies} copies")
        found.append(_size(config, profile, gamma, size, copies, seed))
    return FiniteAgents(tuple(found), fitted_rates(found))


def _size(
    config: MarketConfig, profile: Profile, gamma: float, agents: int, copies: int, seed: int
) -> Size:
    own = config.model_copy(update={"jitter": 0.0})
    market = make_market(own, num_envs=1, num_agents=agents, seed=0, backend=backend("numpy"))
    exact = with_shares_of(own, np.bincount(market.agent_types, minlength=len(config.types)).tolist())
    game = mean_field(exact, gamma=gamma)
    env = make_market(
        exact, num_envs=copies, num_agents=agents, seed=stream(seed, "env", agents), backend=backend("numpy")
    )
    play = profile_policy(game, profile, env, stream(seed, "action", agents))
    step, value = env.reset(stream(seed, "env", agents)), np.zeros(copies)
    for t in range(env.horizon):
        step = env.step(play(step))
        value += gamma**t * step.reward.mean(1, dtype=float)
    error = float(value.std(ddof=1)) / copies**0.5
    return Size(agents, copies, float(value.mean()), error, evaluate(game, profile).mean)


def fitted_rates(sizes: Sequence[Size]) -> tuple[Rate, ...]:
    """The gaps as C/N, C/sqrt(N) and C N^a."""
    n = np.array([one.num_agents for one in sizes], float)
    gaps, errors = np.array([one.gap for one in sizes]), np.array([one.error for one in sizes])
    if not (errors > 0).all():
        raise ValueError("a value without spread over copies has no standard error: play more copies")
    return (*(_given("C/N", -1.0, n, gaps, errors), _given("C/sqrt(N)", -0.5, n, gaps, errors)), _free(n, gaps, errors))


def _p_value(left: Doubles, parameters: int) -> float:
    freedom = left.size - parameters
    return float(stats.chi2.sf((left**2).sum(), freedom)) if freedom > 0 else float("nan")


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
