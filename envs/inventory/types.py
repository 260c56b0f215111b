"""Agent types of the inventory market, and the population drawn from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

Vector = NDArray[np.float64]


class AgentType(BaseModel):
    """What the agents of one type have in common before jitter. Units: u (units), $ and period."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    share: float = Field(1.0, gt=0, description="relative weight of the type in the population")
    mu: float = Field(gt=0, le=1e6, description="mean demand, u/period")
    cv2: float = Field(0.0, ge=0, le=100, description="dispersion: demand has variance mu + cv2 mu^2")
    p0: float = Field(gt=0, description="retail price, $/u")
    c: float = Field(ge=0, description="unit cost at the reference mean order, $/u")
    h: float = Field(ge=0, description="holding cost, $/u/period")
    b: float = Field(0.0, ge=0, description="backlog cost, $/u/period")
    ell: float = Field(0.0, ge=0, description="lost-sale penalty, $/u")
    K: float = Field(0.0, ge=0, description="fixed cost of a positive order, $")
    phi: float = Field(0.0, ge=0, description="handling cost, $/u^2: phi q^2 / 2")
    L: int = Field(0, ge=0, le=8, description="lead time, periods")
    delta: float = Field(0.0, ge=0, le=1, description="share of the stock left over that spoils every period")
    v: float = Field(0.0, ge=0, description="salvage value, $/u spoiled")


TYPES: Mapping[str, AgentType] = {
    "convenience": AgentType(share=0.25, mu=6, p0=12, c=6, h=0.12, b=1.2, ell=1.0, K=0, L=0),
    "supermarket": AgentType(share=0.30, mu=12, p0=10, c=6.5, h=0.08, b=0.8, ell=0.8, K=6, L=1),
    "premium": AgentType(share=0.15, mu=4, cv2=0.25, p0=24, c=11, h=0.30, b=3, ell=3, K=0, L=2),
    "discounter": AgentType(share=0.20, mu=16, p0=8, c=5.6, h=0.05, b=0.5, ell=0.4, K=12, L=2),
    "online": AgentType(share=0.10, mu=10, cv2=0.15, p0=11, c=6, h=0.15, b=1, ell=1.5, K=4, L=3),
    "fresh": AgentType(share=0.10, mu=8, p0=9, c=4, h=0, ell=0.5, K=0, L=0, delta=1),
}
"""The published types."""


@dataclass(frozen=True)
class Parameters:
    """Per-agent parameters as vectors [N]; the fields of `AgentType` without its share, L as integers."""

    mu: Vector
    cv2: Vector
    p0: Vector
    c: Vector
    h: Vector
    b: Vector
    ell: Vector
    K: Vector
    phi: Vector
    L: NDArray[np.int64]
    delta: Vector
    v: Vector


def counts_of(shares: Sequence[float], num_agents: int) -> list[int]:
    """Whole numbers of agents per type in proportion to `shares`, by largest remainders; they sum to N."""
    exact = np.asarray(shares, float) / np.sum(shares) * num_agents
    counts = np.floor(exact).astype(int)
    # stable: of equal remainders the earlier type wins
    order = np.argsort(-(exact - counts), kind="stable")
    counts[order[: num_agents - counts.sum()]] += 1
    return [int(n) for n in counts]


def draw_population(
    types: Mapping[str, AgentType], num_agents: int, jitter: float, rng: np.random.Generator
) -> tuple[Parameters, NDArray[np.int64], list[str]]:
    """Parameters of N agents sorted by type, their types [N], and the names of the types that have agents.

    Every cost, price and mean demand is multiplied by its own lognormal factor of coefficient of variation `jitter`,
    scaled to mean 1 inside the type, so that types keep their table's means at any N; price and unit cost share one
    factor, so that no agent's margin turns negative by the draw. Lead times and spoilage belong to the type.
    """
    counts = counts_of([t.share for t in types.values()], num_agents)
    present = [(name, n) for name, n in zip(types, counts, strict=True) if n > 0]
    agent_types = np.repeat(np.arange(len(present)), [n for _, n in present])
    columns = {
        f.name: np.array([getattr(types[name], f.name) for name, n in present for _ in range(n)], float)
        for f in fields(Parameters)
    }
    if jitter > 0:
        sigma = np.sqrt(np.log1p(jitter**2))
        factors = rng.lognormal(-0.5 * sigma**2, sigma, (7, num_agents))
        for k in range(len(present)):
            factors[:, agent_types == k] /= factors[:, agent_types == k].mean(1, keepdims=True)
        together = (("mu",), ("p0", "c", "v"), ("h",), ("b",), ("ell",), ("K",), ("phi",))
        for factor, names in zip(factors, together, strict=True):
            for name in names:
                columns[name] = columns[name] * factor
    lead = columns.pop("L").astype(np.int64)
    return Parameters(**columns, L=lead), agent_types, [name for name, _ in present]
