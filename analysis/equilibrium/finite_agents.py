"""How a profile of the mean field fares among N agents, and the rate at which N agents approach the mean field."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import gcd, lcm

import numpy as np

from analysis.equilibrium.exact import MUCH, Played, exact_profile
from analysis.equilibrium.rates import LEAST_SIZES, FiniteAgents, Size, fitted_rates
from envs.inventory.backend import backend
from envs.inventory.config import MarketConfig
from envs.inventory.market import InventoryMarket, make_market
from envs.inventory.mean_field import MeanFieldMarket, evaluate, mean_field, split
from envs.inventory.types import counts_of
from envs.population import type_slices
from envs.unsolvable import Unsolvable
from mfmarl.imitation.imitated import Imitated, ImitatedTypes
from mfmarl.network import types_of
from mfmarl.players import network_player, profile_player
from mfmarl.policy import Policy
from mfmarl.seeding import stream
from mfmarl.yardstick import Play

SIZES = (10, 30, 100, 300, 1000, 3000, 10_000)
"""Numbers of agents are about these."""
LEAST_COPIES = 8
SAME = 1e-9
"""Standard errors below this share of the value are rounding."""


def finite_agents(
    config: MarketConfig,
    played: Played,
    *,
    discount: float = 0.99,
    sizes: Sequence[int] | None = None,
    agents: int = 40_000,
    seed: int = 0,
    told: Callable[[str], None] = lambda size: None,
) -> FiniteAgents:
    """Play a profile among N agents for each N of `sizes`, copies x N being about `agents`, and fit the rates.

    Types are counted in whole agents, so the limit of each N is that of the shares which N agents really have; agents
    are alike within their type (jitter 0). Trained policies play by their own networks, and their limit is what the
    same networks play where they observe the mean field of these shares. A reference policy is the one that was worked
    out for the shares of `config`.

    Args:
        config: the market.
        played: a reference policy by name, trained policies, or a mean-field profile of `config`.
        sizes: about `SIZES` where not given; see `sizes_of`.
        agents: at large N at least 8 copies are played, and at most as many agents as that takes.
        told: is called with the size that is played.

    Raises:
        Unsolvable: for policies of one network an agent, of which there are none for other numbers of agents; for a
            market without a mean field, policies that are no profile of it, types too rare for `SIZES`, or a market
            and profile in which nothing is random.
        UserError: for policies of another game.
        ValueError: for fewer than 3 sizes, or one at which a type has no agent.
    """
    own = config.model_copy(update={"jitter": 0.0})
    if isinstance(played, Policy) and played.network.shape.sharing == "agent":
        raise Unsolvable(
            "these policies are one network an agent (sharing=agent), so there are none for other numbers of agents: "
            "train with sharing=type"
        )
    wanted = _sizes(own, sizes)
    if isinstance(played, str):
        played = exact_profile(mean_field(own, gamma=discount), played).profile
    limits: dict[tuple[int, ...], float] = {}
    notes: dict[str, None] = {}
    found = []
    for size in wanted:
        copies = max(LEAST_COPIES, agents // size)
        told(f"N = {size}, {copies} copies")
        exact = split(own, size)
        game = mean_field(exact, gamma=discount)
        shares = _shares(exact, size)
        if shares not in limits:
            limits[shares], left_out = _limit(game, played)
            notes |= dict.fromkeys(left_out)
        env = make_market(
            exact, num_envs=copies, num_agents=size, seed=stream(seed, "env", size), backend=backend("numpy")
        )
        play = _play(game, played, env, stream(seed, "action", size))
        step, value = env.reset(stream(seed, "env", size)), np.zeros(copies)
        for t in range(env.horizon):
            step = env.step(play(step))
            value += discount**t * step.reward.mean(1, dtype=float)
        error = float(value.std(ddof=1)) / copies**0.5
        # equal values differ from their mean by its rounding
        if error <= SAME * max(1.0, abs(float(value.mean()))):
            raise Unsolvable(
                f"all {copies} copies of {size} agents earn the same, so their gap to the limit has no standard error "
                "and no rate is fitted: nothing is random in this market and profile, one play of N agents tells all"
            )
        found.append(Size(size, copies, float(value.mean()), error, limits[shares]))
    return FiniteAgents(tuple(found), fitted_rates(found), tuple(notes))


def sizes_of(config: MarketConfig) -> tuple[int, ...]:
    """Numbers of agents near `SIZES` that the types' shares split into whole agents.

    One limit and one constant then serve them all; of shares that are whole for no such numbers, those of `SIZES` at
    which every type has an agent.
    """
    parts = [Fraction(kind.share).limit_denominator(10_000) for kind in config.types.values()]
    sizes: set[int] = set()
    # a type rarer than 1 in 20,000 has no agent at any of the sizes
    if min(parts) > 0:
        whole = lcm(*((part / sum(parts)).denominator for part in parts))
        sizes = {whole * max(1, round(size / whole)) for size in SIZES}
    if len(sizes) < LEAST_SIZES:
        sizes = {size for size in SIZES if min(_counts(config, size)) > 0}
    return tuple(sorted(sizes))


def _sizes(config: MarketConfig, sizes: Sequence[int] | None) -> list[int]:
    if sizes is None:
        found = sizes_of(config)
        if len(found) < LEAST_SIZES:
            raise Unsolvable(f"a type of the market is so rare that not even {LEAST_SIZES} of {SIZES} agents have one")
        return list(found)
    wanted = sorted(set(sizes))
    if len(wanted) < LEAST_SIZES or wanted[0] < 2:
        raise ValueError(f"sizes are {wanted}: a rate wants {LEAST_SIZES} or more, each of 2 or more agents")
    for size in wanted:
        for name, count in zip(config.types, _counts(config, size), strict=True):
            if count == 0:
                raise ValueError(f"among {size} agents there is no {name}: take more agents")
    return wanted


def _counts(config: MarketConfig, size: int) -> list[int]:
    return counts_of([kind.share for kind in config.types.values()], size)


def _shares(config: MarketConfig, size: int) -> tuple[int, ...]:
    """The shares as the smallest whole numbers, which sizes of equal shares have in common."""
    counts = _counts(config, size)
    return tuple(count // gcd(*counts) for count in counts)


def _limit(game: MeanFieldMarket, played: Played) -> tuple[float, tuple[str, ...]]:
    exact = exact_profile(game, played)
    found = evaluate(game, exact.profile)
    if found.residual > MUCH:
        raise Unsolvable(
            f"a bound of the exact mean field's grid of positions would bind in {found.residual:.3g} periods, so the "
            "limit of many agents is not known"
        )
    return found.mean, exact.notes


def _play(game: MeanFieldMarket, played: Played, env: InventoryMarket, seed: int) -> Play:
    if isinstance(played, Imitated | ImitatedTypes):
        raise Unsolvable("an imitator is of a game with its own number of agents: it is played among no other")
    if isinstance(played, Policy):
        return network_player(played.network.among(types_of(type_slices(env.agent_types))))(env, seed)
    # a name has become its profile
    assert not isinstance(played, str)
    return profile_player(game, played)(env, seed)
