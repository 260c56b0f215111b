"""The torch backend plays what the NumPy backend plays, bit for bit."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import envs
from envs.inventory import streams, tensors
from envs.inventory.market import InventoryMarket
from envs.population import Step
from tests.envs.inventory.test_market import markets, random_actions

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def same(one: Step, two: Step) -> None:
    for field in ("obs", "mean_action", "reward", "terminated", "truncated", "final_obs"):
        left, right = getattr(one, field), getattr(two, field)
        assert (left is None) == (right is None)
        if left is not None:
            assert right.dtype is {"f": torch.float32, "b": torch.bool}[left.dtype.kind]
            np.testing.assert_array_equal(left, right.cpu().numpy(), err_msg=field)
    for name, value in one.metrics.items():
        np.testing.assert_array_equal(value, two.metrics[name].cpu().numpy(), err_msg=name)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", [name for name in envs.names() if name.startswith("inventory/")])
def test_every_preset(name: str, device: str) -> None:
    one = envs.make(name, num_envs=3, seed=0)
    two = envs.make(name, num_envs=3, seed=0, backend=f"torch:{device}")
    same(one.reset(5), two.reset(5))
    rng = np.random.default_rng(0)
    for _ in range(60):
        actions = rng.integers(11, size=(3, one.num_agents))
        same(one.step(actions), two.step(torch.from_numpy(actions)))


def rebuilt(market: InventoryMarket, device: str) -> InventoryMarket:
    """The same market on torch, at the same state."""
    from envs.inventory.backend import backend

    other = InventoryMarket(
        market.config, num_envs=market.num_envs, parameters=market.parameters, agent_types=market.agent_types,
        type_names=market.type_names, agent_names=market.agent_names, demand=market.demand, seed=0,
        backend=backend(f"torch:{device}"),
    )  # fmt: skip
    other.set_state(market.get_state())
    return other


@pytest.mark.parametrize("device", DEVICES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(market=markets(), seed=st.integers(0, 2**32))
def test_any_market(device: str, market: InventoryMarket, seed: int) -> None:
    other = rebuilt(market, device)
    rng = np.random.default_rng(seed)
    for _ in range(market.horizon + 1):
        actions = random_actions(market, rng)
        same(market.step(actions), other.step(actions))
    state, copied = market.get_state(), other.get_state()
    for name in state:
        np.testing.assert_array_equal(state[name], copied[name], err_msg=name)


def test_random_bits_are_the_same() -> None:
    keys = streams.episode_keys(np.array([0, 1, 2**64 - 1], np.uint64), 3)
    bits = tensors.uniforms32(tensors.array(keys, "cpu"), streams.SLIP, 7, 5)
    expected = [
        [streams.uniform32(np.uint64(streams.stream(key, streams.SLIP, 7)), n) for n in range(5)] for key in keys
    ]
    assert bits.tolist() == expected


def test_bad_actions_are_refused_alike() -> None:
    market = envs.make("inventory/market-easy", num_envs=2, num_agents=5, seed=0, backend="torch:cpu")
    actions = torch.zeros((2, 5), dtype=torch.int64)
    actions[1, 3] = 11
    with pytest.raises(ValueError, match=r"\(agent 3, copy 1\): action 11 is outside 0\.\.10"):
        market.step(actions)
    with pytest.raises(ValueError, match=r"actions are torch\.float32; the market needs whole numbers"):
        market.step(actions.float())
    shares: Any = envs.make(
        "inventory/market-easy", num_envs=2, num_agents=5, seed=0, backend="torch:cpu", action_mode="continuous"
    )
    part = torch.full((2, 5), 0.5)
    part[0, 2] = torch.nan
    with pytest.raises(ValueError, match=r"\(agent 2, copy 0\): action nan is outside 0\.\.1"):
        shares.step(part)


def test_devices_and_backends_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ValueError, match=r"unknown backend 'tensorflow'.*numpy, torch"):
        envs.make("inventory/market-easy", backend="tensorflow")
    with pytest.raises(ValueError, match="backend torch:cuda:99: torch has no such device here"):
        envs.make("inventory/market-easy", backend="torch:cuda:99")


def test_it_runs_without_ray() -> None:
    code = (
        "import sys; sys.modules['ray'] = None; import envs, torch; "
        "env = envs.make('inventory/market-hard', num_envs=2, seed=0, backend='torch:cpu'); "
        "print(env.step(torch.zeros((2, 100), dtype=torch.int64)).reward.shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "torch.Size([2, 100])"
