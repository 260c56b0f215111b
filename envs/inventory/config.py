"""Settings of the inventory market. Presets and command lines state differences from these defaults."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, model_validator

from envs.inventory.types import TYPES, AgentType

ORDER_MULTIPLES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0)

EASY_TYPES = {name: TYPES[name].model_copy(update={"L": 1}) for name in ("convenience", "supermarket", "discounter")}
"""The types of `easy`: three of the published ones, all with lead time 1."""


class MarketConfig(BaseModel):
    """The market: N sellers of K types, coupled through what all of them order."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    types: dict[str, AgentType] = Field(
        default=EASY_TYPES,
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
    price_signal: Literal["sales", "stock", "orders"] = Field(
        "sales", description="what prices fall with: mean sales, mean stock offered for sale, or the mean order"
    )
    price_floor: float = Field(0.0, ge=0, le=1, description="lowest retail price, as a share of p0")
    capacity: float | None = Field(
        None, gt=0, le=1000, description="units the supplier has a period, in multiples of N m_ref; else unlimited"
    )
    allocation: Literal["proportional", "uniform", "linear"] = Field(
        "proportional",
        description="who gets what when orders exceed the capacity: in proportion to the orders; all the same, "
        "none more than ordered; or every order cut by the same quantity",
    )
    spill: float = Field(
        0.0, ge=0, le=1, description="share of unmet demand that tries one other seller; of lost sales only"
    )
    season_amplitude: float = Field(
        0.0, ge=0, lt=1, description="seasonal swing of mean demand: 1 + amplitude x sin(2 pi t / period)"
    )
    season_period: int = Field(52, ge=2, le=10_000, description="periods of a season")
    shock_rho: float = Field(0.0, ge=0, lt=1, description="AR(1) coefficient of the demand shock that all agents share")
    shock_sigma: float = Field(0.0, ge=0, le=2, description="standard deviation of that shock's innovations; 0: none")
    stock_cap: float = Field(
        9.0, gt=0, le=1000, description="room for stock, in periods of mean demand; what exceeds it is scrapped"
    )
    initial_stock: float | None = Field(
        None, ge=0, le=100, description="stock at the start, in periods of mean demand; L + 1 if not given"
    )
    terminal_value: float = Field(
        1.0, ge=0, le=1, description="ending=finite: worth of a unit in stock or on order at T, as a share of its c"
    )
    demand_mode: Literal["counts", "sell_all", "window", "series", "bootstrap", "fitted"] = Field(
        "counts",
        description="counts: Poisson, or negative binomial where a type has cv2; sell_all: whatever is offered is "
        "sold; or how recorded demand is played",
    )
    action_mode: Literal["levels", "order_up_to", "absolute", "continuous"] = Field(
        "levels",
        description="actions are multiples of mu, order-up-to positions in u, quantities in u, or numbers in 0..1 for "
        "0..4 mu",
    )
    action_grid: tuple[NonNegativeFloat, ...] = Field(
        ORDER_MULTIPLES, min_length=2, max_length=255, description="the multiples, positions or quantities"
    )

    @model_validator(mode="after")
    def _agree(self) -> MarketConfig:
        if self.spill > 0 and self.unmet == "backlog":
            raise ValueError("spill is of lost sales: set unmet=lost, or spill=0")
        return self
