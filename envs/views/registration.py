"""gymnasium ids of the games: `gymnasium.make(id)` and `gymnasium.make_vec(id, num_envs)` build their views."""

from __future__ import annotations

import gymnasium as gym

IDS = {
    "mfmarl/InventoryMarket-v0": "inventory/market-easy",
    "mfmarl/InventoryNetwork-v0": "inventory/network-30",
}
"""id -> the game it plays unless `name` says otherwise."""


def register() -> None:
    """Enter the ids that are not there yet in gymnasium's registry."""
    for view, name in IDS.items():
        if view not in gym.registry:
            gym.register(
                view,
                entry_point="envs.views.gym_env:PopulationGymEnv",
                vector_entry_point="envs.views.gym_vector:PopulationVectorEnv",
                kwargs={"name": name},
            )
