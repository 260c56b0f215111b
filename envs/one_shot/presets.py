"""The named games: each its settings and its rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from envs.one_shot.congestion import Congestion, CongestionConfig
from envs.one_shot.coordination import Coordination, CoordinationConfig
from envs.one_shot.cournot import CournotConfig, CournotRules
from envs.one_shot.game import OneShotGame
from envs.one_shot.identity import Identity, IdentityConfig
from envs.one_shot.prisoners_dilemma import PrisonersDilemma, PrisonersDilemmaConfig
from envs.one_shot.rules import GameConfig, Rules
from envs.settings import checked_settings

AGENTS = 20
"""Where their number is not given."""


@dataclass(frozen=True)
class Game:
    """A kind of settings, and what makes rules of them."""

    kind: type[GameConfig]
    rules: Callable[[Any, int], Rules]
    """(settings, num_agents) -> rules"""


PRESETS: dict[str, Game] = {
    "coordination": Game(CoordinationConfig, Coordination),
    "prisoners-dilemma": Game(PrisonersDilemmaConfig, PrisonersDilemma),
    "congestion": Game(CongestionConfig, Congestion),
    "cournot": Game(CournotConfig, CournotRules),
    "identity": Game(IdentityConfig, Identity),
}


def make_preset(
    name: str, *, num_envs: int, num_agents: int | None, seed: int, backend: str, **overrides: Any
) -> OneShotGame:
    """Build the game `name`.

    Raises:
        UnknownName: for a setting that does not exist.
        ValueError: for a value out of range, or a backend other than NumPy.
    """
    if backend != "numpy":
        raise ValueError(f"backend is {backend!r}; one-shot games are played on NumPy alone: leave `backend` out")
    game = PRESETS[name]
    config = checked_settings(game.kind, overrides)
    rules = game.rules(config, AGENTS if num_agents is None else num_agents)
    return OneShotGame(rules, horizon=config.horizon, num_envs=num_envs, seed=seed)


def option_names(name: str) -> list[str]:
    """Settings of the game `name`."""
    return list(PRESETS[name].kind.model_fields)


def has_held_out(name: str, overrides: Mapping[str, Any]) -> bool:
    """Never: nothing here is recorded. The settings are checked, as in the other families."""
    checked_settings(PRESETS[name].kind, overrides)
    return False
