"""What a named game is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from envs.population import PopulationEnv


@dataclass(frozen=True)
class Preset:
    """A named market or network."""

    kind: type[BaseModel]
    build: Callable[..., PopulationEnv]
    """(settings, num_envs, num_agents or None, seed, backend) -> environment"""
    defaults: Mapping[str, Any] = field(default_factory=dict)
