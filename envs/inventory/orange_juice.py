"""83 real stores as 83 agents, or 83 stores x 11 products as 913: weekly orange-juice demand (see data/*/README.md)."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, model_validator

from envs.inventory.backend import Backend
from envs.inventory.grouping import grouped, standardised
from envs.inventory.market import InventoryMarket
from envs.inventory.record import RecordConfig, play, played_whole, refuse_decided
from envs.inventory.sales_table import pivot, read_sales
from envs.inventory.types import Parameters

DATA = Path(__file__).parent / "data" / "dominicks_orange_juice"
TRAIN_WEEKS = (40, 130)
TEST_WEEKS = (131, 160)
FEATURES = {
    "age60": "older", "educ": "educated", "ethnic": "diverse", "income": "affluent", "hhlarge": "large-household",
    "workwom": "working", "hval150": "high-value", "sstrdist": "remote", "sstrvol": "outsold",
    "cpdist5": "spread-out", "cpwvol5": "contested",
}  # fmt: skip


class OrangeJuiceConfig(RecordConfig):
    """The market on recorded demand: what the stores share, and what their costs are taken to be."""

    product: Literal[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, "all"] = Field(
        4, description="product 1..11 of brands.csv (4: Tropicana 64 oz), or all: an agent per store and product"
    )
    split: Literal["train", "test"] = Field("train", description="weeks 40-130, or the held-out weeks 131-160")
    types_by: Literal["store", "product"] = Field(
        "store", description="an agent's type: the cluster of its store's neighbourhood, or its product"
    )
    num_types: int = Field(3, ge=1, le=8, description="types_by=store: clusters, by k-means on the neighbourhoods")
    gaps: Literal["missing", "zero", "interpolate"] = Field(
        "interpolate", description="what a store-week without a row is: an error, no demand, or the line between weeks"
    )
    price_coupling: float = Field(0.0, ge=0, le=1, description="retail coupling; recorded sales hold their prices")
    stock_cap: float = Field(1000.0, gt=0, le=1000, description="room for stock, in weeks of mean demand: ample")
    holding_share: float = Field(0.02, ge=0, description="holding cost per unit and week, as a share of the unit cost")
    lost_share: float = Field(0.25, ge=0, description="goodwill lost per unit short, as a share of the margin")
    order_share: float = Field(0.02, ge=0, description="fixed cost of an order, as a share of a week's mean revenue")

    @model_validator(mode="before")
    @classmethod
    def _whole_test(cls, given: Any) -> Any:
        return played_whole(given, TEST_WEEKS[1] - TEST_WEEKS[0] + 1)

    @property
    def periods_held_out(self) -> int:
        """See `RecordConfig.periods_held_out`."""
        return TEST_WEEKS[1] - TEST_WEEKS[0] + 1


class Agents(NamedTuple):
    """Who plays, sorted by type."""

    stores: list[int]
    products: list[int]
    kinds: NDArray[np.int64]
    type_names: list[str]


@lru_cache(maxsize=1)
def _sales() -> pd.DataFrame:
    """All products' rows, in cartons and $ per carton; read once a process."""
    rename = {"store": "agent", "week": "period", "ounces": "units", "price_per_ounce": "price"}
    table = read_sales(DATA / "sales.csv.gz", rename)
    table["brand"] = table["brand"].astype(int)
    ounces = pd.read_csv(DATA / "brands.csv").set_index("brand")["ounces_per_unit"].astype(float)
    cartons = ounces.loc[table["brand"]].to_numpy()
    table["units"] = table["units"] / cartons
    table["price"] = table["price"] * cartons
    table["margin"] = table["gross_margin_percent"].astype(float) / 100
    return table


def store_types(num_types: int) -> tuple[list[int], list[int], list[str]]:
    """Stores sorted by type: their ids, their types, and the types' names after what sets them apart most."""
    stores = pd.read_csv(DATA / "stores.csv").set_index("store").sort_index()
    values = stores[list(FEATURES)].to_numpy(float)
    labels, z = grouped(values, num_types), standardised(values)
    # types in the order of their neighbourhoods' income, so that numbering does not depend on the start
    income = z[:, list(FEATURES).index("income")]
    rank = {int(k): i for i, k in enumerate(np.argsort([income[labels == k].mean() for k in range(num_types)]))}
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


def _agents(config: OrangeJuiceConfig) -> Agents:
    """Stores within types and products within stores; or, with types by product, stores within products."""
    brands = pd.read_csv(DATA / "brands.csv").set_index("brand")["name"]
    products: list[int] = [int(b) for b in brands.index]
    if config.product != "all":
        products = [config.product]
    stores, kinds, names = store_types(config.num_types)
    if config.types_by == "store":
        size = len(products)
        return Agents(
            [s for s in stores for _ in products],
            products * len(stores),
            np.repeat(np.array(kinds, np.int64), size),
            names,
        )
    stores.sort()
    return Agents(
        stores * len(products),
        [p for p in products for _ in stores],
        np.repeat(np.arange(len(products)), len(stores)),
        [str(brands[p]) for p in products],
    )


def make_orange_juice(
    config: OrangeJuiceConfig, *, num_envs: int, num_agents: int | None, seed: int, backend: Backend
) -> InventoryMarket:
    """The market of 83 stores, or of 913 stores and products. Prices and unit costs are the data's means over the
    training weeks; holding, lost-sale and order costs are not in the data and follow from the shares in `config`.

    Raises:
        ValueError: where another number of agents is asked for, or settings that the data decides.
    """
    refuse_decided(config, "market-orange-juice", ("types",))
    if config.types_by == "product" and "num_types" in config.model_fields_set:
        raise ValueError("environment option num_types: types_by=product has a type for each product; leave it out")
    agents = _agents(config)
    if num_agents not in (None, len(agents.stores)):
        what = "a store and product" if config.product == "all" else "a store"
        raise ValueError(f"market-orange-juice has {len(agents.stores)} agents, one {what}; num_agents is {num_agents}")
    table = _sales()
    if config.product == "all":
        names = [f"store_{s}/product_{p}" for s, p in zip(agents.stores, agents.products, strict=True)]
        table = table.assign(agent="store_" + table["agent"] + "/product_" + table["brand"].astype(str))
    else:
        names = [f"store_{s}" for s in agents.stores]
        table = table[table["brand"] == config.product]
        table = table.assign(agent="store_" + table["agent"])
    units, columns, weeks = pivot(DATA / "sales.csv.gz", table, config.gaps, cuts=(TEST_WEEKS[0],))
    place = {name: i for i, name in enumerate(columns)}
    units = units[:, [place[name] for name in names]]
    cut = weeks.index(TEST_WEEKS[0])
    played = play(config, units[:cut], units[cut:], agents.kinds)
    seen = table[table["period"] <= TRAIN_WEEKS[1]].groupby("agent")[["price", "margin"]].mean().loc[names]
    price = seen["price"].to_numpy()
    cost = price * (1 - seen["margin"].to_numpy())
    zeros = np.zeros(len(names))
    parameters = Parameters(
        mu=played.mu,
        cv2=played.cv2,
        p0=price,
        c=cost,
        h=config.holding_share * cost,
        b=config.holding_share * cost,
        ell=config.lost_share * (price - cost),
        K=config.order_share * price * played.mu,
        phi=zeros,
        L=np.ones(len(names), np.int64),
        delta=zeros,
        v=zeros,
    )
    market = InventoryMarket(
        config.model_copy(update={"season_amplitude": played.season_amplitude}),
        num_envs=num_envs,
        parameters=parameters,
        agent_types=agents.kinds,
        type_names=agents.type_names,
        agent_names=names,
        demand=played.demand,
        seed=seed,
        backend=backend,
    )
    # what agents know beforehand is the training weeks, in the held-out weeks too
    market.known_demand = played.known
    return market
