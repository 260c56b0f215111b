"""The population as gymnasium (Env, VectorEnv), PettingZoo (ParallelEnv) and RLlib (MultiAgentEnv) see it.

A module is imported when its view is asked for, since each needs the library it is for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from envs.views.parallel_env import PopulationParallelEnv

__all__ = ["parallel_env"]


def parallel_env(name: str, **options: Any) -> PopulationParallelEnv:
    """PettingZoo's view of the environment `name`; `options` and errors as those of `PopulationParallelEnv`."""
    from envs.views.parallel_env import PopulationParallelEnv

    return PopulationParallelEnv(name, **options)
