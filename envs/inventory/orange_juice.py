"""83 real stores as 83 agents: weekly orange-juice demand of one Chicago grocery chain (see data/*/README.md)."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field
from scipy.cluster.vq import kmeans2

from envs.inventory.backend import Backend
from envs.inventory.config import MarketConfig
from envs.inventory.market import InventoryMarket
from envs.inventory.sales_table import pivot, read_sales
from envs.inventory.trace import TraceDemand
from envs.inventory.types import Parameters

DATA = Path(__file__).parent / "data" / "dominicks_orange_juice"
TRAIN_WEEKS = (40, 130)
TEST_WEEKS = (131, 160)
FEATURES = {
    "age60": "older", "educ": "educated", "ethnic": "diverse", "income": "affluent", "hhlarge": "large-household",
    "workwom": "working", "hval150": "high-value", "sstrdist": "remote", "sstrvol": "outsold",
    "cpdist5": "spread-out", "cpwvol5": "contested",
}  # fmt: skip


class OrangeJuiceConfig(MarketConfig):
    """The market on recorded demand: what the stores share, and what their costs are taken to be."""

    product: int = Field(4, ge=1, le=11, description="product 1..11 of brands.csv (4: Tropicana 64 oz)")
    split: Literal["train", "test"] = Field("train", description="weeks 40-130, or the held-out weeks 131-160")
    num_types: int = Field(3, ge=1, le=8, description="store types, by k-means on the stores' neighbourhoods")
    gaps: Literal["missing", "zero", "interpolate"] = Field(
        "interpolate", description="what a store-week without a row is: an error, no demand, or the line between weeks"
    )
    price_coupling: float = Field(0.0, ge=0, le=1, description="retail coupling; recorded sales hold their prices")
    stock_cap: float = Field(1000.0, gt=0, le=1000, description="room for stock, in weeks of mean demand: ample")
    horizon: int | None = Field(None, ge=1, le=121, description="weeks of an episode; 52 in training, all 30 in test")  # type: ignore[assignment]
    demand_mode: Literal["window", "series", "bootstrap"] | None = Field(  # type: ignore[assignment]
        None, description="how weeks are played: a window from a random start in training, the series in test"
    )
    holding_share: float = Field(0.02, ge=0, description="holding cost per unit and week, as a share of the unit cost")
    lost_share: float = Field(0.25, ge=0, description="goodwill lost per unit short, as a share of the margin")
    order_share: float = Field(0.02, ge=0, description="fixed cost of an order, as a share of a week's mean revenue")


@lru_cache(maxsize=16)
def _sales(product: int) -> pd.DataFrame:
    rename = {"store": "agent", "week": "period", "ounces": "units", "price_per_ounce": "price"}
    table = read_sales(DATA / "sales.csv.gz", rename)
    table = table[table["brand"].astype(int) == product].copy()
    brands = pd.read_csv(DATA / "brands.csv").set_index("brand")
    ounces = float(brands["ounces_per_unit"][product])
    table["units"] = table["units"] / ounces
    table["price"] = table["price"] * ounces
    table["margin"] = table["gross_margin_percent"].astype(float) / 100
    return table


def store_types(num_types: int) -> tuple[list[int], list[int], list[str]]:
    """Stores sorted by type: their ids, their types, and the types' names after what sets them apart most."""
    stores = pd.read_csv(DATA / "stores.csv").set_index("store").sort_index()
    values = stores[list(FEATURES)].to_numpy(float)
    z = (values - values.mean(0)) / values.std(0)
    centres, labels = kmeans2(z, num_types, minit="++", seed=np.random.default_rng(0), iter=100)
    # types in the order of their neighbourhoods' income, so that numbering does not depend on the start
    income = list(FEATURES).index("income")
    rank = {int(k): i for i, k in enumerate(np.argsort(centres[:, income]))}
    kinds = np.array([rank[int(k)] for k in labels])
    names: list[str] = []
    for k in range(num_types):
        mean = z[kinds == k].mean(0)
        for feature in np.argsort(-np.abs(mean)):
            word = list(FEATURES.values())[feature]
            name = word if mean[feature] > 0 else f"less-{word}"
            if name not in names:
                names.append(name)
                break
    order = np.argsort(kinds, kind="stable")
    return [int(s) for s in stores.index[order]], [int(k) for k in kinds[order]], names


def make_orange_juice(
    config: OrangeJuiceConfig, *, num_envs: int, num_agents: int | None, seed: int, backend: Backend
) -> InventoryMarket:
    """The 83-store market. Prices and unit costs are the data's means over the training weeks; holding, lost-sale and
    order costs are not in the data and follow from the shares in `config`.

    Raises:
        ValueError: where another number of agents is asked for, or settings that the data decides.
    """
    decided = sorted(config.model_fields_set & {"types", "jitter", "population_seed", "sales"})
    if decided:
        raise ValueError(f"environment option {decided[0]}: market-orange-juice takes its agents from its data")
    if num_agents not in (None, 83):
        raise ValueError(f"market-orange-juice has 83 agents, one a store; num_agents is {num_agents}")
    table = _sales(config.product)
    units, stores, weeks = pivot(DATA / "sales.csv.gz", table, config.gaps)
    ids, kinds, type_names = store_types(config.num_types)
    columns = [stores.index(str(i)) for i in ids]
    index = np.array(weeks)
    train = (index >= TRAIN_WEEKS[0]) & (index <= TRAIN_WEEKS[1])
    test = (index >= TEST_WEEKS[0]) & (index <= TEST_WEEKS[1])
    mu = units[train][:, columns].mean(0)
    seen = table[table["period"] <= TRAIN_WEEKS[1]].groupby("agent")
    price = seen["price"].mean().loc[[str(i) for i in ids]].to_numpy()
    cost = price * (1 - seen["margin"].mean().loc[[str(i) for i in ids]].to_numpy())
    zeros = np.zeros(len(ids))
    parameters = Parameters(
        mu=mu,
        cv2=zeros,
        p0=price,
        c=cost,
        h=config.holding_share * cost,
        b=config.holding_share * cost,
        ell=config.lost_share * (price - cost),
        K=config.order_share * price * mu,
        phi=zeros,
        L=np.ones(len(ids), np.int64),
        delta=zeros,
        v=zeros,
    )
    weeks_played = test if config.split == "test" else train
    mode = config.demand_mode or ("series" if config.split == "test" else "window")
    horizon = config.horizon or (int(test.sum()) if config.split == "test" else 52)
    market = InventoryMarket(
        config.model_copy(update={"horizon": horizon, "demand_mode": mode}),
        num_envs=num_envs,
        parameters=parameters,
        agent_types=np.array(kinds),
        type_names=type_names,
        agent_names=[f"store_{i}" for i in ids],
        demand=TraceDemand(units[weeks_played][:, columns], mode),
        seed=seed,
        backend=backend,
    )
    # what agents know beforehand is the training weeks, in the held-out weeks too
    market.known_demand = TraceDemand(units[train][:, columns], "series")
    return market
