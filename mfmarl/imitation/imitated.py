"""An imitator back in the profile that it imitates a type of: what audits take beside runs and reference policies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray

from envs.inventory.mean_field import Profile
from envs.population import PopulationEnv, Step, type_slices
from mfmarl.core.laws import Categorical
from mfmarl.errors import UserError
from mfmarl.imitation.networks import Policy
from mfmarl.imitation.type_experts import draw, profile_of, states_of
from mfmarl.imitation.type_game import TypeGame
from mfmarl.policy import Policy as TrainedPolicy
from mfmarl.seeding import stream
from mfmarl.subject import Subject
from mfmarl.yardstick import Play

Acting = Literal["sampled", "mode"]
StateLaw = Callable[[NDArray[np.float32]], NDArray[np.floating]]
"""States [n, D + F + CLOCK] -> probabilities [n, A]."""


def law_of(policy: Policy, acting: Acting) -> StateLaw:
    """The law of numbered actions that an imitator plays.

    Raises:
        UserError: for continuous actions, which have densities.
    """
    if policy.spaces.continuous:
        raise UserError("imitators of continuous actions have no probabilities: audit them by learned and bound")

    def law(states: NDArray[np.float32]) -> NDArray[np.floating]:
        with torch.no_grad():
            found = policy.law(torch.from_numpy(np.ascontiguousarray(states, np.float32)))
        assert isinstance(found, Categorical)
        probs: NDArray[np.floating] = found.probs.double().numpy()
        return probs if acting == "sampled" else np.eye(probs.shape[-1])[probs.argmax(-1)]

    return law


def whole_profile(game: TypeGame) -> Profile | TrainedPolicy:
    """What everyone plays before a type is an imitator's: a profile of the mean field, or trained policies.

    Raises:
        UserError: for a policy that is neither.
    """
    trained = game.subject.trained
    return profile_of(game, game.profile)[1] if trained is None else TrainedPolicy(trained.network)


@dataclass(frozen=True)
class Imitated:
    """A profile in which all agents of one type play an imitator, and everyone else what they played before."""

    game: TypeGame
    policy: Policy | StateLaw
    """An imitator's network, or any law of numbered actions."""
    acting: Acting = "sampled"

    @property
    def law(self) -> StateLaw:
        """Of the type."""
        return law_of(self.policy, self.acting) if isinstance(self.policy, Policy) else self.policy

    @property
    def others(self) -> Profile | TrainedPolicy:
        """See `whole_profile`."""
        return whole_profile(self.game)

    def shown(self, mean_action: NDArray[Any], by_type: NDArray[Any]) -> NDArray[np.float32]:
        """[F]: what the imitator is shown of the others among infinitely many."""
        others = self.others
        if isinstance(others, Profile):
            return np.asarray(mean_action, np.float32)
        return others.shown_to_all(mean_action, by_type)

    @property
    def subject(self) -> Subject:
        """The profile in its game, for deviators and bounds."""
        return replace(self.game.subject, player=self.player, trained=None)

    def player(self, env: PopulationEnv, seed: int) -> Play:
        """The profile as a player."""
        return _player((self,), (seed,), env)

    def drawn(self, seed: int) -> Callable[[NDArray[np.float32]], NDArray[Any]]:
        """What draws actions [n] of states [n, D + F + CLOCK]."""
        policy = self.policy
        if isinstance(policy, Policy):
            draws = torch.Generator().manual_seed(seed) if self.acting == "sampled" else None
            return lambda rows: policy.act(rows, draws)
        rng, law = np.random.default_rng(seed), self.law
        return lambda rows: draw(law(rows), rng)


@dataclass(frozen=True)
class ImitatedTypes:
    """A profile in which several types, or all of them, play an imitator each, and everyone else as before."""

    parts: tuple[Imitated, ...]
    """Of one game, no two of one type."""

    @property
    def subject(self) -> Subject:
        """The profile in its game, for deviators and bounds."""
        return replace(self.parts[0].game.subject, player=self.player, trained=None)

    def player(self, env: PopulationEnv, seed: int) -> Play:
        """The profile as a player."""
        return _player(self.parts, [stream(seed, "imitator", one.game.type_name) for one in self.parts], env)


def _player(parts: Sequence[Imitated], seeds: Sequence[int], env: PopulationEnv) -> Play:
    """Imitators that draw from a stream of `seeds` each; the game's own profile, from the first, plays the rest."""
    base, slices = parts[0].game.subject.player(env, seeds[0]), type_slices(env.agent_types)
    drawn = [one.drawn(seed) for one, seed in zip(parts, seeds, strict=True)]
    horizon, last = int(cast(Any, env).horizon), None

    def play(step: Step) -> NDArray[Any]:
        nonlocal last
        t = int(cast(Any, env).t)
        joint = np.array(base(step))
        before = None if t == 0 else last
        for one, draws in zip(parts, drawn, strict=True):
            part = slices[one.game.kind]
            shown, seen = one.game.sight(step, before)[:, part], step.obs[:, part]
            rows = states_of(seen.reshape(-1, seen.shape[-1]), shown.reshape(-1, shown.shape[-1]), t, horizon)
            joint[:, part] = draws(rows).reshape(joint[:, part].shape)
        last = joint
        return joint

    return play
