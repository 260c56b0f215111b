"""The named markets: each a kind of settings, differences from its defaults, and a builder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from envs import UnknownName
from envs.inventory.config import MarketConfig
from envs.inventory.market import InventoryMarket, make_market
from envs.inventory.orange_juice import OrangeJuiceConfig, make_orange_juice
from envs.inventory.recorded import make_recorded
from envs.population import PopulationEnv


@dataclass(frozen=True)
class Preset:
    """A named market."""

    kind: type[MarketConfig]
    build: Callable[..., PopulationEnv]
    """(settings, num_envs, num_agents or None, seed) -> environment"""
    defaults: Mapping[str, Any] = field(default_factory=dict)


def _market(config: MarketConfig, *, num_envs: int, num_agents: int | None, seed: int) -> InventoryMarket:
    """100 agents where neither their number nor a sales table is given."""
    if config.sales is not None:
        return make_recorded(config, num_envs=num_envs, num_agents=num_agents, seed=seed)
    return make_market(config, num_envs=num_envs, num_agents=100 if num_agents is None else num_agents, seed=seed)


PRESETS: dict[str, Preset] = {
    "market-easy": Preset(MarketConfig, _market),
    "market-decoupled": Preset(MarketConfig, _market, {"congestion": 0.0, "price_coupling": 0.0}),
    "market-orange-juice": Preset(OrangeJuiceConfig, make_orange_juice),
}


def make_preset(name: str, *, num_envs: int, num_agents: int | None, seed: int, **overrides: Any) -> PopulationEnv:
    """Build the preset `name`.

    Raises:
        UnknownName: for a setting that does not exist.
        ValueError: for a value out of range.
    """
    preset = PRESETS[name]
    config = _settings(preset.kind, {**preset.defaults, **overrides})
    return preset.build(config, num_envs=num_envs, num_agents=num_agents, seed=seed)


def _settings(kind: type[MarketConfig], values: dict[str, Any]) -> MarketConfig:
    for key in values:
        if key not in kind.model_fields:
            raise UnknownName("environment option", key, list(kind.model_fields))
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(p) for p in first["loc"])
        raise ValueError(f"environment option {place}: {first['msg']}; got {first['input']!r}") from None
