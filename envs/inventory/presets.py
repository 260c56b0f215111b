"""The named markets: each a function from settings to an environment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from envs import UnknownName
from envs.inventory.config import MarketConfig
from envs.inventory.market import InventoryMarket, make_market
from envs.inventory.orange_juice import OrangeJuiceConfig, make_orange_juice
from envs.population import PopulationEnv


def _market(**defaults: Any) -> Callable[..., InventoryMarket]:
    def build(*, num_envs: int, num_agents: int | None, seed: int, **overrides: Any) -> InventoryMarket:
        config = settings(MarketConfig, defaults | overrides)
        return make_market(config, num_envs=num_envs, num_agents=100 if num_agents is None else num_agents, seed=seed)

    return build


def _orange_juice(*, num_envs: int, num_agents: int | None, seed: int, **overrides: Any) -> InventoryMarket:
    config = settings(OrangeJuiceConfig, overrides)
    return make_orange_juice(config, num_envs=num_envs, num_agents=num_agents, seed=seed)


Settings = TypeVar("Settings", bound=BaseModel)

PRESETS: dict[str, Callable[..., PopulationEnv]] = {
    "market-easy": _market(),
    "market-decoupled": _market(congestion=0.0, price_coupling=0.0),
    "market-orange-juice": _orange_juice,
}


def make_preset(name: str, **arguments: Any) -> PopulationEnv:
    """Build the preset `name`."""
    return PRESETS[name](**arguments)


def settings(kind: type[Settings], values: dict[str, Any]) -> Settings:
    """Validated settings; one line names what is wrong.

    Raises:
        UnknownName: for a key that does not exist.
        ValueError: for a value out of range.
    """
    for key in values:
        if key not in kind.model_fields:
            raise UnknownName("environment option", key, list(kind.model_fields))
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(p) for p in first["loc"])
        raise ValueError(f"environment option {place}: {first['msg']}; got {first['input']!r}") from None
