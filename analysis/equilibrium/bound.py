"""Upper bounds on what an agent gains by leaving a profile, by information relaxation.

Markets have two on the same episodes: without penalties the agent knows all its demand and all prices beforehand
(`clairvoyant_bound`); with penalties it pays for what it knows (`hindsight`), which leaves little to gain. Both hold
for every policy that does not know the future. Networks have one of another kind, see `network_bound`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from analysis.equilibrium.gaps import Gaps, check_gaps
from analysis.equilibrium.market_bound import market_bounds
from analysis.equilibrium.network_bound import network_bounds
from analysis.equilibrium.relaxed import Bounds
from envs.inventory.market import InventoryMarket
from envs.inventory.mean_field.field import Path
from envs.inventory.network.network import InventoryNetwork
from envs.population import PopulationEnv
from envs.unsolvable import Unsolvable
from mfmarl.errors import UserError
from mfmarl.registry import suggestion
from mfmarl.yardstick import Player

Maker = Callable[[int], PopulationEnv]
"""Copies -> the game with so many of them, of the NumPy backend."""
MAX_COPIES = 32


def bounds(
    make: Maker, player: Player, *, episodes: int = 64, discount: float = 0.99, seed: int = 0,
    types: Sequence[str] = (), agents: int = 16, path: Path | None = None,
) -> Bounds:  # fmt: skip
    """Upper bounds on the gaps of the profile that `player` plays, all types in one play.

    Args:
        make: the game; it is made once, with at most `MAX_COPIES` copies.
        player: of the profile.
        episodes: independent; intervals are Student's t over them, of differences within an episode.
        discount: per period.
        seed: of demand, the player's draws and the choice of agents.
        types: names; all where none is given.
        agents: of a type of a market, at most; drawn at random. Without jitter agents of a type are alike; with it the
            spread over agents is part of the intervals.
        path: expected prices of a market, which penalties are made from; where not given, means over episodes of their
            own. Whatever it says, the bound is valid; the better it is, the tighter.

    Raises:
        UserError: for an unknown type.
        Unsolvable: for a game that has no inventory, or a market that has no bound, with the reason.
        ValueError: for fewer than 2 episodes or 1 agent, and a discount out of range.
    """
    if episodes < 2 or agents < 1:
        raise ValueError(f"episodes is {episodes} and agents {agents}; an interval takes 2 episodes and 1 agent")
    if not 0 < discount <= 1:
        raise ValueError(f"discount is {discount}; it is above 0 and at most 1")
    env = make(min(episodes, MAX_COPIES))
    for name in types:
        if name not in env.type_names:
            known = list(env.type_names)
            raise UserError(f"unknown type {name!r}{suggestion(name, known)}; there are {', '.join(known)}")
    asked = [k for k, name in enumerate(env.type_names) if not types or name in types]
    if isinstance(env, InventoryNetwork):
        return network_bounds(env, player, asked, episodes=episodes, discount=discount, seed=seed)
    if isinstance(env, InventoryMarket):
        return market_bounds(
            env, player, asked, episodes=episodes, discount=discount, seed=seed, agents=agents, path=path
        )
    raise Unsolvable(f"upper bounds are worked out for inventory markets and networks; this is {type(env).__name__}")


def bound_gaps(
    make: Maker, player: Player, *, episodes: int = 64, discount: float = 0.99, seed: int = 0,
    types: Sequence[str] = (), agents: int = 16, path: Path | None = None,
) -> Gaps:  # fmt: skip
    """The smaller of the `bounds` of every type.

    Raises:
        ImpossibleGap: for a bound below zero by more than its interval.
        Unsolvable, ValueError: as `bounds`.
    """
    found = bounds(
        make, player, episodes=episodes, discount=discount, seed=seed, types=types, agents=agents, path=path
    )
    return check_gaps(found.gaps)
