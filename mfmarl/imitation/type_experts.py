"""Experts of a type of a population game: what its profile plays, as a function of what a learner of it sees."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

import envs
from envs.inventory.market import InventoryMarket
from envs.inventory.mean_field import MeanFieldMarket, Profile
from envs.inventory.mean_field.flow import checked_policy
from envs.inventory.mean_field.profiles import type_parameters
from envs.inventory.observation import market_observation
from envs.inventory.reference import POLICIES
from envs.inventory.reference.mean_field import solved
from envs.unsolvable import Unsolvable
from mfmarl.core.laws import Categorical
from mfmarl.deviation import CLOCK, clock
from mfmarl.errors import UserError
from mfmarl.imitation.type_game import TypeGame
from mfmarl.network import PolicyNetwork

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


def states_of(obs: Floats, others: Floats, t: int, horizon: int) -> Floats:
    """[n, D + F + CLOCK] of observations [n, D] and what is shown of the others [F] or [n, F], at period t."""
    n = len(obs)
    shown = np.broadcast_to(others, (n, others.shape[-1]))
    return np.concatenate([obs, shown, np.broadcast_to(clock(t, horizon), (n, CLOCK))], -1, dtype=np.float32)


def draw(law: NDArray[np.floating], rng: np.random.Generator) -> NDArray[np.int64]:
    """An action [n] of each row of probabilities [n, A]."""
    below = law.cumsum(-1)
    drawn = (rng.random((len(law), 1)) * below[:, -1:] >= below).sum(-1)
    return np.asarray(np.minimum(drawn, below.shape[-1] - 1), np.int64)


class TypeExpert(ABC):
    """States [n, D + F + CLOCK] -> actions [n] or [n, 1], drawn; calling it again goes on with its own stream."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def __call__(self, states: Floats) -> NDArray[Any]:
        """Draws."""
        return draw(self.law(states), self.rng)

    @abstractmethod
    def law(self, states: Floats) -> Doubles:
        """Probabilities [n, A] of numbered actions."""


class NetworkExpert(TypeExpert):
    """The networks of a run, of type k."""

    def __init__(self, network: PolicyNetwork, kind: int, horizon: int, seed: int) -> None:
        """Raises:
        UserError: where each agent has a network of its own.
        """
        super().__init__(seed)
        if network.shape.sharing == "agent":
            raise UserError("these policies are one network an agent (sharing=agent): no type has one expert")
        self.network, self.kind, self.horizon = network, kind, horizon
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, states: Floats) -> NDArray[Any]:
        """Draws of the network's own law."""
        if self.network.shape.num_actions is not None:
            return super().__call__(states)
        seen = self._seen(states)
        drawn = self.network.law_of_type(self.kind, *seen).sample(self.generator).numpy()
        return np.asarray(drawn, np.float32).reshape(-1, 1)

    def law(self, states: Floats) -> Doubles:
        """Of numbered actions."""
        found = self.network.law_of_type(self.kind, *self._seen(states))
        assert isinstance(found, Categorical)
        probs: Doubles = found.probs.double().numpy()
        return probs

    def _seen(self, states: Floats) -> tuple[torch.Tensor, torch.Tensor]:
        given, width = torch.from_numpy(np.array(states, np.float32)), self.network.shape.observations
        return given[:, :width].contiguous(), given[:, width:-CLOCK].contiguous()


class ProfileExpert(TypeExpert):
    """A profile of the exact mean field, of type k: positions are read off observations (`mean_field.play` likewise).

    An agent whose mean demand differs from its type's (jitter) has its position scaled to the type's.
    """

    def __init__(self, game: MeanFieldMarket, profile: Profile, kind: int, reference: float, seed: int = 0) -> None:
        """Args:
        reference: m_ref of the market that is played, which observed mean demands are told in.
        """
        super().__init__(seed)
        self.game, self.model, self.reference = game, game.types[kind], reference
        self.policy = checked_policy(game, self.model, profile.policies[kind])
        parameters, names = type_parameters(game), [one.name for one in game.types]
        entries = market_observation(parameters, np.arange(len(names)), names, game.config, game.reference).entries
        self._at = {entry.name: i for i, entry in enumerate(entries)}

    def law(self, states: Floats) -> Doubles:
        """The profile's own."""
        t = np.rint(states[:, -1].astype(float) * self.game.horizon).astype(np.int64)
        return np.asarray(self.policy[(np.minimum(t, self.game.horizon - 1), *self.places(states))], float)

    def places(self, states: Floats) -> tuple[NDArray[np.int64], ...]:
        """Indices of the states of `model`, [n] each, of what learners see [n, D + F + CLOCK], or of observations."""
        obs = states.astype(float)
        kind, lead = self.model, self.model.agent.L
        mu = obs[:, self._at["own_mu"]] * self.reference

        def units(name: str) -> Doubles:
            return np.asarray(np.rint(obs[:, self._at[name]] * 4 * mu))

        held = units("stock") - units("backlog")
        due = [units(f"pipeline_{i}") for i in range(lead)]
        # with lost sales and a lead time, what comes later than now is no part of the position
        whole = kind.lag or kind.order_first
        position = held + sum(due if whole else due[:1])
        scaled = np.rint(position * kind.agent.mu / mu) - kind.low
        found = [np.clip(scaled, 0, kind.size - 1).astype(np.int64)]
        for ahead in range(1, 1 + kind.pipeline):
            away = abs(due[ahead][:, None] * (kind.agent.mu / mu)[:, None] - kind.levels)
            found.append(away.argmin(-1))
        return tuple(found)


def expert_of(game: TypeGame, name: str | None = None, seed: int = 0) -> TypeExpert:
    """An expert of the type; the game's own profile where no name is given.

    Args:
        name: a reference policy that is a profile of the exact mean field.

    Raises:
        UserError: for a policy that looks at more than learners of the type are shown.
    """
    name, trained = name or game.profile, game.subject.trained
    if name == "trained":
        if trained is None:
            raise UserError(f"{game.name}: no run is played here; name a reference policy as the expert")
        return NetworkExpert(trained.network, game.kind, game.horizon, seed)
    market, profile = profile_of(game, name)
    kind = [one.name for one in market.types].index(game.type_name)
    return ProfileExpert(market, profile, kind, float(cast(InventoryMarket, game.one).mean_demand), seed)


def profile_of(game: TypeGame, name: str) -> tuple[MeanFieldMarket, Profile]:
    """The mean field of a game, and a reference policy as a profile of it.

    Raises:
        UserError: for a game that has no mean field, and a policy that is no profile of it.
    """
    if not isinstance(game.one, InventoryMarket):
        raise UserError(f"{game.name}: experts of {game.env} are runs; write RUN:{game.type_name}")
    if name not in POLICIES:
        raise UserError(f"{game.name}: {envs.UnknownName('reference policy', name, list(POLICIES))}")
    try:
        found = solved(game.one.config, game.subject.discount)
        return found.game, found.profile(name)
    except Unsolvable as error:
        raise UserError(f"{game.name}: {name} is no profile here: {error}") from error
