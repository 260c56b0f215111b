"""The one place where names become environments: gymnasium's own, and `module:Id`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium as gym
from gymnasium.wrappers import FlattenObservation

from mfmarl.errors import UserError
from mfmarl.imitation.imported import module_named
from mfmarl.registry import suggestion

MakeEnv = Callable[[], gym.Env[Any, Any]]
LIMIT = 1000
"""Steps after which episodes are cut where gymnasium sets no limit: on CliffWalking-v1 a poor policy never ends."""


def maker(env: str | MakeEnv) -> MakeEnv:
    """What makes one environment whose observations are vectors: of a name, or of a function that makes it.

    Observations that are none, such as numbered states, are flattened as gymnasium does it: a number is one-hot.

    Raises:
        UserError: for a name that nothing is known by.
    """
    make = env if callable(env) else _gymnasium(spec_of(env))

    def made() -> gym.Env[Any, Any]:
        one = make()
        space = one.observation_space
        plain = isinstance(space, gym.spaces.Box) and len(space.shape) == 1
        return one if plain or not space.is_np_flattenable else FlattenObservation(one)

    return made


def _gymnasium(spec: gym.envs.registration.EnvSpec) -> MakeEnv:
    limit = spec.max_episode_steps or LIMIT
    return partial(gym.make, spec, max_episode_steps=limit, disable_env_checker=True)


def spec_of(env: str) -> gym.envs.registration.EnvSpec:
    """What gymnasium has registered by a name; of `module:Id` the module is imported first, which registers it.

    Raises:
        UserError: for a name that gymnasium does not know.
    """
    module, colon, name = env.rpartition(":")
    if colon:
        module_named(module, f"environment {env!r}")
    try:
        return gym.spec(name)
    except gym.error.Error as error:
        hint = "" if "did you mean" in str(error).lower() else suggestion(name, gym.registry)
        if env.startswith("inventory/"):
            hint = f"; agents of one type are imitated: give {env}:TYPE, as inventory/market-easy:discounter"
        raise UserError(f"unknown environment {env!r}: {str(error).rstrip('.')}{hint}") from error


def threshold_of(env: str) -> float | None:
    """The return from which on gymnasium calls an environment solved, where it has it and says so."""
    try:
        return spec_of(env).reward_threshold
    except UserError:
        return None
