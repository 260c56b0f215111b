"""Settings of the inventory market. Presets and command lines state differences from these defaults."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat

from envs.inventory.types import TYPES, AgentType

ORDER_MULTIPLES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0)


class MarketConfig(BaseModel):
    """The market: N sellers of K types, coupled through what all of them order."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    types: dict[str, AgentType] = Field(
        default={
            name: TYPES[name].model_copy(update={"L": 1}) for name in ("convenience", "supermarket", "discounter")
        },
        min_length=1,
        description="the agent types by name",
    )
    jitter: float = Field(0.1, ge=0, le=1, description="coefficient of variation of agents' parameters inside a type")
    population_seed: int = Field(0, ge=0, description="which draw of the agents' parameters; of the game, not of a run")
    horizon: int = Field(52, ge=1, le=100_000, description="periods of an episode, T")
    ending: Literal["truncated", "finite"] = Field(
        "truncated", description="truncated: play is cut at T and value goes on; finite: it ends at T, t/T is observed"
    )
    unmet: Literal["lost", "backlog"] = Field("lost", description="what happens to demand that stock cannot meet")
    congestion: float = Field(
        0.2,
        ge=0,
        lt=1,
        description="wholesale coupling: relative rise of the mean unit cost when the mean order doubles; "
        "the slope, one for all types, is congestion x mean c / m_ref $ per unit",
    )
    price_coupling: float = Field(
        0.3, ge=0, le=1, description="retail coupling: relative fall of all prices when mean sales are twice m_ref"
    )
    price_floor: float = Field(0.0, ge=0, le=1, description="lowest retail price, as a share of p0")
    stock_cap: float = Field(
        9.0, gt=0, le=1000, description="room for stock, in periods of mean demand; what exceeds it is scrapped"
    )
    initial_stock: float = Field(2.0, ge=0, le=100, description="stock at the start, in periods of mean demand")
    demand_mode: Literal["poisson", "window", "series", "bootstrap"] = Field(
        "poisson", description="Poisson, or how recorded demand is played"
    )
    sales: str | None = Field(
        None, description="sales table, CSV or Parquet (agent, period, units, optional price and type), to be played"
    )
    gaps: Literal["missing", "zero", "interpolate"] = Field(
        "missing", description="an agent-period without a row: an error, no demand, or the line between neighbours"
    )
    action_mode: Literal["levels", "order_up_to", "absolute"] = Field(
        "levels", description="actions are multiples of mu, order-up-to positions in u, or quantities in u"
    )
    action_grid: tuple[NonNegativeFloat, ...] = Field(
        ORDER_MULTIPLES, min_length=2, max_length=255, description="the multiples, positions or quantities"
    )
