"""What the two families share as population environments: seeds, orders from actions, restarts, state."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from envs.inventory.backend import Array, Backend
from envs.inventory.streams import Keys, episode_keys, seed_keys
from envs.population import Step

EXACT = 2**24
"""Whole numbers up to here are counted exactly in float32."""


class InventoryGame(ABC):
    """B copies x N agents that order units; a family says what becomes of the orders."""

    family: ClassVar[str]
    """As messages call it."""
    remembered: ClassVar[Mapping[str, str]]
    """name in the state -> attribute, of all arrays that the future depends on; one of them is ``pipeline``."""
    pipeline_axes: ClassVar[str]
    """The axes of ``pipeline``, in words."""

    config: Any
    backend: Backend
    num_envs: int
    num_agents: int
    agent_names: Sequence[str]
    horizon: int
    t: int
    stock: Array
    """[B, N], u."""
    pipeline: Array
    action_space: gym.spaces.Space[Any]
    mean_action_space: gym.spaces.Box
    _levels: Array
    _most: Array
    _seeds: NDArray[np.uint64]
    _keys: Keys
    _episode: int

    @property
    @abstractmethod
    def inventory_position(self) -> Array:
        """[B, N]: stock plus what is on order minus backlog, in u, as seen before ordering."""

    @abstractmethod
    def _begin(self) -> None:
        """Everything as it is before the first period."""

    @abstractmethod
    def _draw_demand(self) -> None:
        """Take up the demand of the episode whose `_keys` are set."""

    @abstractmethod
    def _observe(self) -> Array:
        """[B, N, D]."""

    @abstractmethod
    def _mean_action(self, actions: Array, counts: Array) -> Array:
        """[B, N, M] of these actions [B, N]; counts as `order_levels` gives them."""

    def reset(self, seed: int | Sequence[int] | None = None) -> Step:
        """Start every copy anew; see `PopulationEnv.reset`."""
        if seed is not None:
            self._seeds = copy_seeds(seed, self.num_envs)
            self._episode = -1
        self._start_episode(self._episode + 1)
        never = self.backend.array(np.zeros(self.num_envs, np.bool_))
        nothing = self.backend.zeros(self.num_envs, self.num_agents)
        return Step(self._observe(), self._no_mean_action(), nothing, never, never)

    def _start_episode(self, episode: int) -> None:
        self._take_up(episode)
        self._begin()
        self.t = 0

    def _take_up(self, episode: int) -> None:
        self._episode = episode
        self._keys = episode_keys(self._seeds, episode)
        self._draw_demand()

    def _no_mean_action(self) -> Array:
        return self.backend.zeros(self.num_envs, self.num_agents, *self.mean_action_space.shape)

    def _place_orders(self, actions: Any) -> tuple[Array, Array, Array, Array]:
        """Actions and units ordered [B, N], counts [B, A] or sums [B, 1] of the actions, and mean orders [B].

        Raises:
            ValueError: for actions of another shape or kind, and one out of range or NaN, with its agent and copy.
        """
        x, device = self.backend.passes, self.backend.device
        if isinstance(actions, list | tuple):
            actions = np.asarray(actions)
        shape = tuple(np.shape(actions))
        if shape != (self.num_envs, self.num_agents):
            raise ValueError(
                f"actions have shape {shape}; the {self.family} needs {(self.num_envs, self.num_agents)}, "
                "copies x agents"
            )
        if self.config.action_mode == "continuous":
            allowed, taken = "0..1", x.continuous(actions, device)
            refused, order, counts, mean_order = x.order_shares(taken, self._most)
        else:
            allowed = f"0..{self._levels.shape[1] - 1}"
            if not _whole_numbers(actions):
                raise ValueError(f"actions are {actions.dtype}; the {self.family} needs whole numbers {allowed}")
            taken, up_to = x.discrete(actions, device), self.config.action_mode == "order_up_to"
            position = self.inventory_position if up_to else self.stock
            refused, order, counts, mean_order = x.order_levels(taken, self._levels, position, up_to)
        if refused >= 0:
            copy, agent = divmod(int(refused), self.num_agents)
            raise ValueError(
                f"{self.agent_names[agent]} (agent {agent}, copy {copy}): action {actions[copy, agent]} "
                f"is outside {allowed}"
            )
        return taken, order, counts, mean_order

    def _finish_step(
        self, actions: Array, counts: Array, reward: Array, metrics: Mapping[str, Array], observe: bool
    ) -> Step:
        """The step, with copies that end restarted in it."""
        over = self.t >= self.horizon
        ended = self.backend.array(np.full(self.num_envs, over))
        never = self.backend.array(np.zeros(self.num_envs, np.bool_))
        finite = self.config.ending == "finite"
        final = self._observe() if over and observe else None
        if over:
            self._start_episode(self._episode + 1)
        if not observe:
            obs = mean_action = self.backend.zeros(self.num_envs, self.num_agents, 0)
        else:
            obs = self._observe()
            mean_action = self._no_mean_action() if over else self._mean_action(actions, counts)
        return Step(
            obs=obs,
            mean_action=mean_action,
            reward=reward,
            terminated=ended if finite else never,
            truncated=never if finite else ended,
            final_obs=final,
            metrics=metrics,
        )

    def get_state(self) -> dict[str, Any]:
        """Flat mapping; demand is drawn again from the copies' streams, so it is not part of it."""
        to_numpy = self.backend.passes.to_numpy
        return {
            "seeds": self._seeds.copy(),
            "episode": self._episode,
            "t": self.t,
            **{name: to_numpy(getattr(self, attribute)) for name, attribute in self.remembered.items()},
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `get_state` gave, bit for bit; raises ValueError for a state of another game."""
        missing = [name for name in ("seeds", "episode", "t", *self.remembered) if name not in state]
        if missing:
            raise ValueError(
                f"the state has no {', '.join(missing)}: it is not of a {self.family}, or of an older version"
            )
        for name, attribute in sorted(self.remembered.items(), key=lambda item: item[0] != "pipeline"):
            told, own = np.shape(state[name]), tuple(getattr(self, attribute).shape)
            if told != own:
                axes = f": {self.pipeline_axes}" if name == "pipeline" else ""
                raise ValueError(f"the state is of a {self.family} with {name} {told}, this one has {own}{axes}")
        if not 0 <= int(state["t"]) < self.horizon:
            raise ValueError(f"the state is of period {state['t']}; this {self.family} has {self.horizon} periods")
        self._seeds = np.array(state["seeds"], np.uint64)
        self._take_up(int(state["episode"]))
        self.t = int(state["t"])
        for name, attribute in self.remembered.items():
            setattr(self, attribute, self.backend.array(np.array(state[name])))


def copy_seeds(seed: int | Sequence[int], copies: int) -> NDArray[np.uint64]:
    """[B]: 64 bits a copy, of one seed or of B seeds that name the copies' streams; raises ValueError for others.

    Copy 0 of the one seed s has the stream that the seed s names for a copy: a view of one copy plays it.
    """
    paths: list[tuple[int, ...]]
    if isinstance(seed, Sequence | np.ndarray):
        paths = [(_whole_seed(one),) for one in seed]
    else:
        paths = [(_whole_seed(seed), copy) for copy in range(copies)]
    if len(paths) != copies:
        raise ValueError(f"{len(paths)} seeds for {copies} copies: give one seed, or one a copy")
    if min(path[0] for path in paths) < 0:
        raise ValueError(f"seeds are whole numbers from 0; got {min(path[0] for path in paths)}")
    return seed_keys(paths)


def _whole_seed(seed: Any) -> int:
    try:
        return operator.index(seed)
    except TypeError:
        raise ValueError(f"seeds are whole numbers from 0; got {seed!r}") from None


def _whole_numbers(actions: Any) -> bool:
    kind = getattr(actions.dtype, "kind", None)
    return kind in "iu" if kind is not None else not (actions.dtype.is_floating_point or actions.dtype.is_complex)
