"""Finite mean-field games, exactly: `make("crowd-1d")` builds one, `names()` lists them.

Kinds: `FiniteMFG` of one population and T decisions, also on a graphon (`graphon.on_graphon`); `CoupledMFG` of several
populations; `StationaryMFG` without an end, discounted; `CommonNoiseMFG` with a noise that all agents see.
`protocol.Game` is what they have in common, several populations by `stacked.StackedMFG`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from envs import UnknownName
from envs.mean_field.audit import Audit, CoupledAudit
from envs.mean_field.checks import BadPolicy
from envs.mean_field.common_noise import CommonNoiseMFG
from envs.mean_field.game import FiniteMFG
from envs.mean_field.games.closing_bar import closing_bar
from envs.mean_field.games.crowd import beach_bar, crowd_1d, crowd_2d, teleport_crowd
from envs.mean_field.games.epidemic import sis
from envs.mean_field.games.evacuation import building_evacuation
from envs.mean_field.games.garnet import garnet
from envs.mean_field.games.linear_quadratic import linear_quadratic
from envs.mean_field.games.market import inventory_market
from envs.mean_field.games.on_graphons import beach_bar_graphon, sis_graphon
from envs.mean_field.games.one_shot import left_right, rock_paper_scissors
from envs.mean_field.games.predator_prey import predator_prey
from envs.mean_field.games.price import equilibrium_price
from envs.mean_field.games.routing import braess
from envs.mean_field.games.stationary import crowd_1d_stationary, left_right_stationary, sis_stationary
from envs.mean_field.games.toys import AttractorMFG, CrowdAvoidanceMFG, TriStateCongestionMFG
from envs.mean_field.populations import CoupledMFG, Population
from envs.mean_field.stationary import StationaryMFG

__all__ = [
    "AttractorMFG",
    "Audit",
    "BadPolicy",
    "CommonNoiseMFG",
    "CoupledAudit",
    "CoupledMFG",
    "CrowdAvoidanceMFG",
    "FiniteMFG",
    "Population",
    "StationaryMFG",
    "TriStateCongestionMFG",
    "make",
    "names",
    "settings",
]

AnyGame = FiniteMFG | CoupledMFG | StationaryMFG | CommonNoiseMFG

GAMES: dict[str, Callable[..., AnyGame]] = {
    "attractor": lambda horizon=10, L=0.5, rho0=0.0: AttractorMFG(horizon, L, rho0).game,
    "beach-bar": beach_bar,
    "beach-bar-closing": closing_bar,
    "beach-bar-graphon": beach_bar_graphon,
    "braess": braess,
    "building-evacuation": building_evacuation,
    "crowd-1d": crowd_1d,
    "crowd-1d-stationary": crowd_1d_stationary,
    "crowd-2d": crowd_2d,
    "crowd-avoidance": lambda horizon=10, L=0.5, rho0=0.0: CrowdAvoidanceMFG(horizon, L, rho0).game,
    "equilibrium-price": equilibrium_price,
    "garnet": garnet,
    "inventory-market": inventory_market,
    "left-right": left_right,
    "left-right-stationary": left_right_stationary,
    "linear-quadratic": linear_quadratic,
    "predator-prey": predator_prey,
    "rock-paper-scissors": rock_paper_scissors,
    "sis": sis,
    "sis-graphon": sis_graphon,
    "sis-stationary": sis_stationary,
    "teleport-crowd": teleport_crowd,
    "tri-state-congestion": lambda horizon=10, L1=0.5, L2=0.5, rho0=0.0: (
        TriStateCongestionMFG(horizon, L1, L2, rho0).game
    ),
}


def names() -> list[str]:
    """Every game that can be made."""
    return sorted(GAMES)


def settings(name: str) -> list[str]:
    """What `make` may be told of a game."""
    return [setting for setting in inspect.signature(GAMES[name]).parameters if setting != "name"]


def make(name: str, **parameters: Any) -> AnyGame:
    """A game by its name, with its parameters.

    Raises:
        UnknownName: for a game, or a parameter of it, that there is not; suggests the nearest.
        ValueError: for a parameter out of its range.
    """
    if name not in GAMES:
        raise UnknownName("mean-field game", name, names())
    known = settings(name)
    for parameter in parameters:
        if parameter not in known:
            raise UnknownName(f"setting of {name}", parameter, known)
    return GAMES[name](**parameters)
