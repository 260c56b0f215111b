"""Environments that can be brought back to where they were, though they cannot be stored: by playing it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from mfmarl.seeding import stream


@dataclass(frozen=True)
class Place:
    """Where an environment is."""

    episode: int
    """Of those that it began, from 0."""
    actions: NDArray[Any]
    """[k] or [k, A]: what was played in it so far."""


class Repeatable(gym.Wrapper[Any, Any, Any, Any]):
    """Begins episode i with seed `stream(seed, i)`, whatever seed it is asked for, and remembers what is played in it.

    Gymnasium asks of environments that a seed and actions decide an episode, so these few numbers are its state.
    """

    def __init__(self, env: gym.Env[Any, Any], seed: int) -> None:
        super().__init__(env)
        self.seed = seed
        self.episode = -1
        self.actions: list[Any] = []

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin the next episode."""
        self.episode += 1
        self.actions = []
        return self.env.reset(seed=stream(self.seed, self.episode) % 2**31, options=options)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Play one step."""
        self.actions.append(action)
        return self.env.step(action)

    @property
    def place(self) -> Place:
        """Of now."""
        return Place(self.episode, np.array(self.actions))

    def go_to(self, place: Place) -> Any:
        """The observation there."""
        self.episode = place.episode - 1
        found = self.reset()[0]
        for action in place.actions:
            found = self.step(action)[0]
        return found


def places_as_arrays(places: Sequence[Place]) -> dict[str, NDArray[Any]]:
    """To be stored."""
    arrays = {f"actions_{b}": place.actions for b, place in enumerate(places)}
    return arrays | {"episodes": np.array([place.episode for place in places], np.int64)}


def places_of(arrays: dict[str, NDArray[Any]]) -> list[Place]:
    """As stored."""
    return [Place(int(episode), arrays[f"actions_{b}"]) for b, episode in enumerate(arrays["episodes"])]
