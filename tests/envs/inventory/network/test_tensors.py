"""The torch backend of the network: the same numbers, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from envs.inventory.network.network import InventoryNetwork
from envs.inventory.network.tree import Tree
from envs.population import Step
from tests.envs.inventory.network.games import configs, make, on_tree, random_actions, trees

FIELDS = ("obs", "mean_action", "reward", "terminated", "truncated")


def numbers(value: Any) -> NDArray[Any]:
    return np.asarray(value if isinstance(value, np.ndarray) else value.cpu().numpy())


def equal(one: Step, two: Step) -> None:
    for field in FIELDS:
        np.testing.assert_array_equal(numbers(getattr(one, field)), numbers(getattr(two, field)), err_msg=field)
    assert (one.final_obs is None) == (two.final_obs is None)
    if one.final_obs is not None:
        np.testing.assert_array_equal(one.final_obs, numbers(two.final_obs))
    for name in one.metrics:
        np.testing.assert_array_equal(one.metrics[name], numbers(two.metrics[name]), err_msg=name)


def play_alike(network: InventoryNetwork, twin: InventoryNetwork, steps: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    equal(network.reset(seed), twin.reset(seed))
    for _ in range(steps):
        actions = random_actions(network, rng)
        equal(network.step(actions), twin.step(actions))
        np.testing.assert_array_equal(network.echelon_position, numbers(twin.echelon_position))


@given(trees(), configs(), st.integers(0, 2**31))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_network_plays_the_same(tree: Tree, options: dict[str, Any], seed: int) -> None:
    network = on_tree(tree, num_envs=2, **options)
    play_alike(network, on_tree(tree, num_envs=2, backend="torch:cpu", **options), network.horizon + 3, seed)


@pytest.mark.parametrize("name", ["30", "100-wide"])
def test_a_preset_plays_the_same_in_short_supply(name: str) -> None:
    options: dict[str, Any] = {"num_envs": 4, "initial_stock": 5, "order_cap": 30, "horizon": 30}
    play_alike(make(name, **options), make(name, backend="torch:cpu", **options), 40, 7)


def test_a_state_moves_between_backends() -> None:
    network, twin = make(num_envs=2), make(num_envs=2, backend="torch:cpu")
    rng = np.random.default_rng(0)
    for _ in range(20):
        network.step(random_actions(network, rng))
    twin.set_state(network.get_state())
    for _ in range(5):
        actions = random_actions(network, rng)
        equal(network.step(actions), twin.step(actions))
    for name, value in twin.get_state().items():
        np.testing.assert_array_equal(value, network.get_state()[name], err_msg=name)


def test_bad_actions_are_refused_alike() -> None:
    twin = make(num_envs=2, backend="torch:cpu")
    actions = np.zeros((2, 30), int)
    actions[1, 4] = -1
    with pytest.raises(ValueError, match=r"node_1/product_1 \(agent 4, copy 1\): action -1 is outside 0\.\.10"):
        twin.step(actions)
