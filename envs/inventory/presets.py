"""The named games: each a kind of settings, differences from its defaults, and a builder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from envs.inventory.backend import Backend
from envs.inventory.backend import backend as backend_of
from envs.inventory.config import EASY_TYPES, MarketConfig
from envs.inventory.market import InventoryMarket, make_market
from envs.inventory.network.presets import NETWORK_PRESETS
from envs.inventory.orange_juice import OrangeJuiceConfig, make_orange_juice
from envs.inventory.preset import Preset
from envs.inventory.record import DECIDED, RecordConfig
from envs.inventory.recorded import SalesConfig, make_recorded
from envs.inventory.types import TYPES, AgentType
from envs.population import PopulationEnv
from envs.settings import checked_settings


def _market(
    config: MarketConfig, *, num_envs: int, num_agents: int | None, seed: int, backend: Backend
) -> InventoryMarket:
    """100 agents where their number is not given."""
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
    name: str, *, num_envs: int, num_agents: int | None, seed: int, backend: str, **overrides: Any
) -> PopulationEnv:
    """Build the preset `name`.

    Raises:
        UnknownName: for a setting or backend that does not exist.
        ValueError: for a value out of range.
    """
    chosen = backend_of(backend)
    preset = preset_of(name, overrides)
    config = _settings(preset.kind, {**preset.defaults, **overrides})
    return preset.build(config, num_envs=num_envs, num_agents=num_agents, seed=seed, backend=chosen)


def preset_of(name: str, overrides: Mapping[str, Any]) -> Preset:
    """The preset `name`; with a sales table among the overrides, the same market on that record."""
    preset = PRESETS[name]
    if preset.kind is MarketConfig and "sales" in overrides:
        # seasons, shocks and length are the record's own
        kept = {key: value for key, value in preset.defaults.items() if key not in (*DECIDED, "horizon")}
        return Preset(SalesConfig, make_recorded, kept)
    return preset


def option_names(name: str) -> list[str]:
    """Settings of the preset `name`, those of a sales table included where it plays one."""
    kind = PRESETS[name].kind
    return list(SalesConfig.model_fields if kind is MarketConfig else kind.model_fields)


def has_held_out(name: str, overrides: Mapping[str, Any]) -> bool:
    """Whether the preset with these overrides holds data out, so that it has `split=test`."""
    preset = preset_of(name, overrides)
    config = _settings(preset.kind, {**preset.defaults, **overrides})
    return isinstance(config, RecordConfig) and config.periods_held_out > 0


def _settings(kind: type[BaseModel], values: dict[str, Any]) -> BaseModel:
    for key in values:
        if kind is MarketConfig and key in SalesConfig.model_fields and key not in kind.model_fields:
            raise ValueError(f"environment option {key} is of recorded demand: set `sales` to a table as well")
    return checked_settings(kind, values)
