"""Settings of the supply network. Presets and command lines state differences from these defaults."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, model_validator

GRIDS: dict[str, tuple[float, ...]] = {
    "levels": (0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5, 3),
    "absolute": (0, 5, 10, 15, 20, 30, 40, 50, 60, 80, 100),
    "order_up_to": (0, 15, 30, 45, 60, 80, 100, 130, 160, 200, 250),
}
"""Actions of each mode where no grid is given."""
MEAN_DEMAND = {"sine": 15.0, "poisson": 5.0}
"""Customers' mean demand where none is given, u/period."""


class NetworkConfig(BaseModel):
    """The supply network: an agent is one product at one node of a tree and orders from the node above."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    tree: str = Field(
        "10-node", description="a published tree (5-node, 7-node, 10-node, 25-node), or the path of a YAML file"
    )
    products: int = Field(3, ge=1, le=10_000, description="products; every node trades all of them")
    types: Literal["echelon", "node", "agent"] = Field(
        "echelon", description="agents of one type: those at one distance from the factory, at one node, or one each"
    )
    horizon: int = Field(365, ge=1, le=100_000, description="periods of an episode, T")
    ending: Literal["truncated", "finite"] = Field(
        "truncated", description="truncated: play is cut at T and value goes on; finite: it ends at T, t/T is observed"
    )
    terminal_value: float = Field(
        1.0, ge=0, le=1, description="ending=finite: worth of a unit in stock or on order at T, as a share of its cost"
    )
    initial_stock: int = Field(100, ge=0, le=1_000_000, description="stock at the start, u")
    stock_cap: int = Field(100, ge=1, le=1_000_000, description="room for stock, u; what exceeds it is scrapped")
    order_cap: int = Field(100, ge=1, le=1_000_000, description="largest order, u")
    target: int = Field(15, ge=0, le=1_000_000, description="stock at which holding=target costs nothing, u")
    lead_time: int = Field(1, ge=1, le=8, description="periods from shipment to arrival")
    slip: float = Field(0.1, ge=0, le=1, description="probability that an arrival slips one period")
    price_base: float = Field(2.0, ge=0, le=1e6, description="price of a unit shipped is depth + this, $/u")
    cost_base: float = Field(1.0, ge=0, le=1e6, description="cost of a unit ordered is depth + this, $/u")
    holding_cost: float = Field(0.5, ge=0, le=1e6, description="holding cost, $/u/period")
    backlog_cost: float = Field(1.0, ge=0, le=1e6, description="cost of backlog, $/u/period")
    holding: Literal["target", "stock"] = Field(
        "target", description="holding cost is of |stock - target|, or of the stock"
    )
    reward: Literal["own", "mean"] = Field("own", description="each agent's own reward, or the mean over all of them")
    demand_mode: Literal["sine", "poisson", "uniform", "window", "series", "bootstrap"] = Field(
        "sine",
        description="customers at each leaf: Poisson with mean demand_mean + demand_amplitude sin(2 pi t / "
        "season_period), or with mean demand_mean; uniform on demand_low..demand_high; or how a record is played",
    )
    demand_mean: float | None = Field(
        None, ge=0, le=100_000, description="mean demand at a leaf, u/period; 15 for sine, 5 for poisson if not given"
    )
    demand_amplitude: float = Field(10.0, ge=0, le=100_000, description="swing of demand_mode=sine, u/period")
    season_period: int | None = Field(
        None, ge=1, le=100_000, description="periods of demand_mode=sine; the horizon if not given"
    )
    demand_low: int = Field(0, ge=0, le=100_000, description="least demand of demand_mode=uniform, u")
    demand_high: int = Field(30, ge=0, le=100_000, description="most demand of demand_mode=uniform, u")
    sales: str | None = Field(
        None, description="sales table, CSV or Parquet (agent, period, units), of the leaves, e.g. node_9/product_0"
    )
    gaps: Literal["missing", "zero", "interpolate"] = Field(
        "missing", description="an agent-period without a row: an error, no demand, or the line between neighbours"
    )
    action_mode: Literal["levels", "order_up_to", "absolute", "continuous"] = Field(
        "levels",
        description="actions are multiples of mu (the mean demand of all customers below), order-up-to positions in u, "
        "quantities in u, or numbers in 0..1 for 0..order_cap; none orders more than order_cap",
    )
    action_grid: tuple[NonNegativeFloat, ...] | None = Field(
        None,
        min_length=2,
        max_length=255,
        description="multiples, positions or quantities; the mode's own if not given",
    )

    @property
    def unmet(self) -> Literal["backlog"]:
        """Unmet demand waits."""
        return "backlog"

    @property
    def mean(self) -> float:
        """Mean demand at a leaf over a season, for the demand modes that are not recorded."""
        if self.demand_mode == "uniform":
            return (self.demand_low + self.demand_high) / 2
        return MEAN_DEMAND[self.demand_mode] if self.demand_mean is None else self.demand_mean

    @property
    def recorded(self) -> bool:
        """Whether customers are those of a sales table."""
        return self.demand_mode in ("window", "series", "bootstrap")

    @property
    def grid(self) -> tuple[float, ...]:
        """The grid of the action mode; empty for continuous actions."""
        if self.action_mode == "continuous":
            return ()
        return GRIDS[self.action_mode] if self.action_grid is None else self.action_grid

    @model_validator(mode="after")
    def _agree(self) -> NetworkConfig:
        if self.initial_stock > self.stock_cap:
            raise ValueError(
                f"initial_stock {self.initial_stock} is above stock_cap {self.stock_cap}: raise the cap, or start lower"
            )
        if self.demand_mode == "uniform" and self.demand_low > self.demand_high:
            raise ValueError(f"demand_low {self.demand_low} is above demand_high {self.demand_high}: swap them")
        if self.demand_mode == "sine" and self.demand_amplitude > self.mean:
            raise ValueError(
                f"demand_amplitude {self.demand_amplitude:g} is above the mean {self.mean:g}, so demand would be "
                "negative: lower it, or raise demand_mean"
            )
        if self.recorded and self.sales is None:
            raise ValueError(f"demand_mode is {self.demand_mode}, which plays recorded demand: set `sales` to a table")
        if self.sales is not None and not self.recorded:
            raise ValueError(
                f"demand_mode is {self.demand_mode}, but `sales` is recorded: choose window, series or bootstrap"
            )
        largest = max(self.grid, default=0)
        if self.action_mode == "absolute" and largest > self.order_cap:
            raise ValueError(
                f"action_grid has {largest:g}, above order_cap {self.order_cap}: leave it out, or raise order_cap"
            )
        return self
