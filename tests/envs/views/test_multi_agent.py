"""RLlib's multi-agent view; needs Ray's package, starts no Ray."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import envs

D = 18
"""Entries of an agent's observation in `market-easy`."""

pytestmark = pytest.mark.ray


def make(**options: Any) -> Any:
    from envs.views.multi_agent import PopulationMultiAgentEnv

    return PopulationMultiAgentEnv({"name": "inventory/market-easy", "num_agents": 4, "seed": 0} | options)


def test_spaces_of_every_agent() -> None:
    view = make()
    assert view.possible_agents == view.agents == ["agent_0", "agent_1", "agent_2", "agent_3"]
    assert view.num_agents == 4
    for agent in view.agents:
        assert view.get_observation_space(agent).shape == (D + 11,)
        assert view.get_action_space(agent).n == 11


def test_it_plays_as_the_population_does() -> None:
    view, population = make(horizon=5), envs.make("inventory/market-easy", num_agents=4, horizon=5)
    obs, infos = view.reset(seed=6)
    assert infos == {}
    step = population.reset(6)
    rng = np.random.default_rng(0)
    for t in range(11):
        for i, agent in enumerate(view.agents):
            np.testing.assert_array_equal(obs[agent], np.concatenate([step.obs[0, i], step.mean_action[0, i]]))
            assert view.get_observation_space(agent).contains(obs[agent])
        actions = rng.integers(11, size=4)
        # RLlib gives actions in any order
        played = {f"agent_{i}": actions[i] for i in (2, 0, 3, 1)}
        obs, rewards, terminateds, truncateds, _ = view.step(played)
        step = population.step(actions[None])
        assert rewards == {f"agent_{i}": float(step.reward[0, i]) for i in range(4)}
        over = t % 5 == 4
        assert truncateds == dict.fromkeys((*view.agents, "__all__"), over)
        assert terminateds == dict.fromkeys((*view.agents, "__all__"), False)
        if step.final_obs is not None:
            np.testing.assert_array_equal(obs["agent_3"][:D], step.final_obs[0, 3])
            with pytest.raises(RuntimeError, match=r"call reset\(\) before step\(\)"):
                view.step(played)
            obs, _ = view.reset()


def test_refusals() -> None:
    from envs.views.multi_agent import PopulationMultiAgentEnv

    view = make()
    view.reset(seed=0)
    with pytest.raises(ValueError, match="agent_1 and 1 others have no action"):
        view.step({"agent_0": 1, "agent_2": 1})
    with pytest.raises(ValueError, match="actions are float64"):
        view.step({f"agent_{i}": 1.5 for i in range(4)})
    with pytest.raises(ValueError, match="env_config needs the environment's `name`"):
        PopulationMultiAgentEnv({"num_agents": 4})
    with pytest.raises(envs.UnknownName, match="did you mean 'horizon'"):
        make(horizn=5)
