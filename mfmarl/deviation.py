"""Deviators in a population that stays as it is: a PopulationEnv whose agents are the deviators alone.

Everyone else is played inside by a frozen profile, so what trains a population trains deviators unchanged. Episodes are
finite: a deviator is to gain from the start to the horizon T, so it is told the time, and its game ends at T
(`terminated`), after which nothing has worth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from envs.population import PopulationEnv, Step, type_slices
from mfmarl.seeding import stream
from mfmarl.yardstick import Play, Player

Integers = NDArray[np.int64]
Sight = Callable[[Step, NDArray[Any] | None], NDArray[np.float32]]
"""(step, what all agents played at the step before, None at a start) -> what agents see beside the observation,
[B, N, F], in [0, 1]."""


def some_deviators(env: PopulationEnv, kind: int, number: int = 1, first: int = 0) -> Integers:
    """[B, number]: agents of type `kind` in every copy, the type's agents in turn from its `first`-th.

    Raises:
        ValueError: for more than there are.
    """
    agents = type_slices(env.agent_types)[kind]
    size = agents.stop - agents.start
    if not 1 <= number <= size:
        raise ValueError(f"{number} deviators of type {env.type_names[kind]}, which has {size} agents")
    turn: Integers = agents.start + (first + np.arange(env.num_envs * number)) % size
    return turn.reshape(env.num_envs, number)


def whole_type(env: PopulationEnv, kind: int) -> Integers:
    """[B, n]: all agents of type `kind` in every copy, who deviate together."""
    agents = type_slices(env.agent_types)[kind]
    return np.tile(np.arange(agents.start, agents.stop), (env.num_envs, 1))


def observed_mean(step: Step, last: NDArray[Any] | None) -> NDArray[np.float32]:
    """The environment's own mean action."""
    return step.mean_action


@dataclass(frozen=True)
class Potential:
    """Phi_t(obs) = level_t + slope . obs, 0 from the horizon on: what staying is worth, as far as this can say it.

    Rewards r are told as r + discount Phi_{t+1}(obs') - Phi_t(obs), which leaves every best response as it is (Ng,
    Harada and Russell 1999, theorem 1). A deviator's values are then of what it gains, not of the far larger sums that
    it would earn anyway, and goods that it buys now and sells later do not cost and earn it in turn.
    """

    slope: NDArray[np.float64]
    """[D + F + CLOCK]"""
    level: NDArray[np.float64]
    """[T]"""
    discount: float

    def of(self, obs: NDArray[np.float32], t: int) -> NDArray[np.float64]:
        """Of observations [..., D + F + CLOCK] as they are, at period t."""
        if t == self.level.size:
            return np.zeros(obs.shape[:-1])
        worth: NDArray[np.float64] = self.level[t] + obs @ self.slope
        return worth


@dataclass(frozen=True)
class Units:
    """What observations and rewards are told in, for learning is far faster in even units."""

    centre: NDArray[np.float32]
    """[D + F + CLOCK]"""
    scale: NDArray[np.float32]
    """[D + F + CLOCK], above 0: observations x are told as (x - centre) / scale, entry by entry."""
    potential: Potential

    def of(self, obs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Observations [..., D + F + CLOCK] in these units."""
        told: NDArray[np.float32] = (obs - self.centre) / self.scale
        return told


EDGE = 8
CLOCK = 2 * EDGE + 1


def clock(t: int, horizon: int) -> NDArray[np.float32]:
    """[CLOCK]: which of the first and of the last `EDGE` periods it is, one-hot, then t / T.

    There prices move from one period to the next as a smooth function of the time does not follow.
    """
    told = np.zeros(CLOCK, np.float32)
    if t < EDGE:
        told[t] = 1
    if 1 <= horizon - t <= EDGE:
        told[EDGE + horizon - t - 1] = 1
    told[-1] = t / horizon
    return told


class DeviationEnv:
    """A PopulationEnv of the deviators in B copies of `inner`; they have no neighbours among themselves.

    An observation is the agent's own, then what `sight` shows of the others, then the `clock`; with `units`, it and the
    rewards are told in these.
    """

    def __init__(
        self,
        inner: PopulationEnv,
        player: Player,
        deviators: Integers,
        *,
        seed: int,
        sight: Sight = observed_mean,
        units: Units | None = None,
    ) -> None:
        """Args:
        inner: the game; it has a `horizon` at which all copies end together.
        player: the profile that plays everyone else; it draws anew in each episode, from a stream of its own.
        deviators: [B, n], all of one type: see `some_deviators` and `whole_type`.
        seed: of the first episodes and of the profile's draws.

        Raises:
            ValueError: for a game without horizon, deviators that are not [B, n] agents of one type, and units of
                another horizon.
        """
        horizon = getattr(inner, "horizon", None)
        if not isinstance(horizon, int) or horizon < 1:
            raise ValueError(
                f"{type(inner).__name__} has no horizon, which the value of a deviation is counted to: give it a whole "
                "number of periods as `horizon`"
            )
        places = np.asarray(deviators, np.int64)
        if places.ndim != 2 or places.shape[0] != inner.num_envs or not places.shape[1]:
            raise ValueError(f"deviators have shape {places.shape}; want copies x deviators, {inner.num_envs} x n")
        kinds = np.unique(np.asarray(inner.agent_types)[places])
        if kinds.size != 1:
            raise ValueError(f"deviators are of types {[inner.type_names[k] for k in kinds]}; train one type at a time")
        if units is not None and units.potential.level.size != horizon:
            raise ValueError(f"the potential is of {units.potential.level.size} periods, the game has {horizon}")
        self.inner, self.player, self.places = inner, player, places
        self.sight, self.units = sight, units
        self.horizon: int = horizon
        self.kind = int(kinds[0])
        self.num_envs, self.num_agents = places.shape
        self.type_names: Sequence[str] = [inner.type_names[self.kind]]
        self.agent_types: Integers = np.zeros(self.num_agents, np.int64)
        self.agent_names = [f"{self.type_names[0]}_deviator_{i}" for i in range(self.num_agents)]
        self.action_space = inner.action_space
        self.mean_action_space = inner.mean_action_space
        self.neighbours: NDArray[np.bool_] | None = np.zeros((self.num_agents, self.num_agents), np.bool_)
        self._row = np.arange(self.num_envs)[:, None]
        self._seed, self._episode = seed, -1
        first = self.reset(seed)
        own, width = inner.observation_space, first.obs.shape[-1]
        low, high = np.zeros(width, np.float32), np.ones(width, np.float32)
        low[: own.low.size], high[: own.high.size] = own.low, own.high
        if units is not None:
            low, high = units.of(low), units.of(high)
        self.observation_space = gym.spaces.Box(low, high, dtype=np.float32)

    @property
    def t(self) -> int:
        """Period of the episode."""
        return len(self._played)

    @property
    def inner_step(self) -> Step:
        """What all agents of the game see at this moment: what the profile plays next is played on."""
        return self._step

    @property
    def last_actions(self) -> NDArray[Any] | None:
        """[B, N]: what everyone played in the period before; None at a start."""
        return self._last

    def reset(self, seed: int | Sequence[int] | None = None) -> Step:
        """Start every copy anew; see `PopulationEnv.reset`."""
        if seed is not None:
            self._seed = seed if isinstance(seed, int) else stream(0, *(int(one) for one in seed))
            self._episode = -1
        start = self.inner.reset(seed)
        self._begin(self._episode + 1, self.inner.get_state(), start.obs)
        return self._told(self._step, np.zeros((self.num_envs, self.num_agents), np.float32), self._seen(self._step))

    def step(self, actions: NDArray[Any]) -> Step:
        """Play the deviators' actions [B, n] and the profile's for everyone else.

        Raises:
            ValueError: for actions of another shape, and where the game's copies do not end together at its horizon.
        """
        given = np.asarray(actions)
        if given.shape != (self.num_envs, self.num_agents):
            raise ValueError(
                f"actions have shape {given.shape}; want {(self.num_envs, self.num_agents)}, copies x deviators"
            )
        return self._go_on(given)

    def stay(self) -> Step:
        """One step in which the deviators, too, play the profile: what they would have got by staying."""
        return self._go_on(None)

    def _go_on(self, actions: NDArray[Any] | None) -> Step:
        before = 0.0 if self.units is None else self._worth(self.units, self._seen(self._step))
        after = self._advance(actions)
        over = self.t == self.horizon
        ended = after.terminated | after.truncated
        if not (ended == over).all():
            copies, when = np.flatnonzero(ended != over)[:5].tolist(), "go on at" if over else "end before"
            raise ValueError(
                f"copies {copies} {when} the horizon {self.horizon} (period {self.t}): deviations are valued in games "
                "whose copies end there together"
            )
        reward = after.reward[self._row, self.places]
        shown = after
        if over:
            assert after.final_obs is not None
            shown = Step(after.final_obs, after.mean_action, after.reward, after.terminated, after.truncated)
        seen = self._seen(shown)
        if self.units is not None:
            following = self.units.potential.discount * self._worth(self.units, seen)
            reward = (reward + following - before).astype(np.float32)
        if not over:
            return self._told(after, reward, seen)
        self._begin(self._episode + 1, self.inner.get_state(), after.obs)
        return self._told(self._step, reward, self._seen(self._step), final=seen)

    def _worth(self, units: Units, seen: NDArray[np.float32]) -> NDArray[np.float64]:
        """[B, n]: the potential of what is seen now."""
        return units.potential.of(seen, self.t)

    def _begin(self, episode: int, state: Mapping[str, Any], obs: NDArray[np.float32]) -> None:
        """The start of an episode, which `inner` stands at, and the profile ready to play it."""
        self._episode, self._start, self._start_obs = episode, dict(state), obs
        self._played: list[NDArray[Any]] = []
        self._last: NDArray[Any] | None = None
        lead, never = (self.num_envs, self.inner.num_agents), np.zeros(self.num_envs, np.bool_)
        nobody = np.zeros((*lead, *self.mean_action_space.shape), np.float32)
        self._step = Step(obs, nobody, np.zeros(lead, np.float32), never, never)
        self._play: Play = self.player(self.inner, stream(self._seed, "profile", episode))

    def _advance(self, actions: NDArray[Any] | None) -> Step:
        joint = np.array(self._play(self._step))
        if actions is not None:
            joint[self._row, self.places] = actions
        self._played.append(joint[self._row, self.places])
        self._last = joint
        self._step = self.inner.step(joint)
        return self._step

    def _seen(self, step: Step) -> NDArray[np.float32]:
        """[B, n, D + F + CLOCK], as they are."""
        parts = [step.obs[self._row, self.places], self.sight(step, self._last)[self._row, self.places]]
        times = np.broadcast_to(clock(self.t, self.horizon), (self.num_envs, self.num_agents, CLOCK))
        return np.concatenate([*parts, times], -1, dtype=np.float32)

    def _told(
        self,
        step: Step,
        reward: NDArray[np.float32],
        seen: NDArray[np.float32],
        *,
        final: NDArray[np.float32] | None = None,
    ) -> Step:
        """Args:
        final: what is seen at the horizon, where this is a start again.
        """
        nobody = np.zeros((self.num_envs, self.num_agents, *self.mean_action_space.shape), np.float32)
        even = (lambda obs: obs) if self.units is None else self.units.of
        return Step(
            obs=even(seen),
            mean_action=nobody,
            reward=reward,
            terminated=np.full(self.num_envs, final is not None),
            truncated=np.zeros(self.num_envs, np.bool_),
            final_obs=None if final is None else even(final),
        )

    def get_state(self) -> dict[str, Any]:
        """The start of the episode and what the deviators have played since: a profile's own state cannot be taken."""
        played = np.zeros((0, self.num_envs, self.num_agents)) if not self._played else np.stack(self._played)
        state = {f"start/{name}": _copied(value) for name, value in self._start.items()}
        return state | {
            "start_obs": self._start_obs.copy(), "played": played, "seed": self._seed, "episode": self._episode,
        }  # fmt: skip

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `get_state` gave, by playing the episode again up to there."""
        start = {k.removeprefix("start/"): _copied(v) for k, v in state.items() if k.startswith("start/")}
        if "start_obs" not in state or not start:
            raise ValueError("the state has no start: it is not of a DeviationEnv")
        self._seed = int(state["seed"])
        self.inner.set_state(start)
        self._begin(int(state["episode"]), start, np.array(state["start_obs"]))
        for actions in state["played"]:
            self._advance(actions)


def _copied(value: Any) -> Any:
    return value.copy() if isinstance(value, np.ndarray) else value


