"""The named games: each a kind of settings, differences from its defaults, and a builder."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError

from envs import UnknownName
from envs.inventory.backend import Backend
from envs.inventory.config import EASY_TYPES, MarketConfig
from envs.inventory.market import InventoryMarket, make_market
from envs.inventory.network.presets import NETWORK_PRESETS
from envs.inventory.orange_juice import OrangeJuiceConfig, make_orange_juice
from envs.inventory.preset import Preset
from envs.inventory.recorded import make_recorded
from envs.inventory.types import TYPES, AgentType
from envs.population import PopulationEnv


def _market(
    config: MarketConfig, *, num_envs: int, num_agents: int | None, seed: int, backend: Backend
) -> InventoryMarket:
    """100 agents where neither their number nor a sales table is given."""
    if config.sales is not None:
        return make_recorded(config, num_envs=num_envs, num_agents=num_agents, seed=seed, backend=backend)
    agents = 100 if num_agents is None else num_agents
    return make_market(config, num_envs=num_envs, num_agents=agents, seed=seed, backend=backend)


def _types(*names: str) -> dict[str, AgentType]:
    return {name: TYPES[name] for name in names}


PRESETS: dict[str, Preset] = {
    "market-easy": Preset(MarketConfig, _market),
    "market-medium": Preset(
        MarketConfig,
        _market,
        {
            "types": _types("convenience", "supermarket", "premium", "discounter"),
            "capacity": 1.15,
            "spill": 0.2,
            "season_amplitude": 0.3,
        },
    ),
    "market-hard": Preset(
        MarketConfig,
        _market,
        {
            "types": _types("convenience", "supermarket", "premium", "discounter", "online"),
            "capacity": 1.05,
            "shock_rho": 0.8,
            "shock_sigma": 0.15,
            "horizon": 104,
        },
    ),
    "market-perishable": Preset(
        MarketConfig, _market, {"types": {**EASY_TYPES, "fresh": TYPES["fresh"]}}
    ),
    "market-decoupled": Preset(MarketConfig, _market, {"congestion": 0.0, "price_coupling": 0.0}),
    "market-orders-price": Preset(
        MarketConfig, _market, {"congestion": 0.0, "price_coupling": 0.5, "price_signal": "orders"}
    ),
    "market-orange-juice": Preset(OrangeJuiceConfig, make_orange_juice),
    **NETWORK_PRESETS,
}


def make_preset(
    name: str, *, num_envs: int, num_agents: int | None, seed: int, backend: Backend, **overrides: Any
) -> PopulationEnv:
    """Build the preset `name`.

    Raises:
        UnknownName: for a setting that does not exist.
        ValueError: for a value out of range.
    """
    preset = PRESETS[name]
    config = _settings(preset.kind, {**preset.defaults, **overrides})
    return preset.build(config, num_envs=num_envs, num_agents=num_agents, seed=seed, backend=backend)


def _settings(kind: type[BaseModel], values: dict[str, Any]) -> BaseModel:
    for key in values:
        if key not in kind.model_fields:
            raise UnknownName("environment option", key, list(kind.model_fields))
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(p) for p in first["loc"])
        raise ValueError(f"environment option {place}: {first['msg']}; got {first['input']!r}") from None
