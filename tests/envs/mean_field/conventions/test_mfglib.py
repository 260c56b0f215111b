"""MFGLib's environments are the games they become: the same exploitability and mean field, and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from envs.mean_field.checks import BadPolicy
from envs.mean_field.conventions import mfglib as convert
from envs.mean_field.kernel import BadKernel
from envs.mean_field.two_moves import in_one_move, in_two_moves

SHIPPED = {
    "beach_bar": ("nothing", {"n": 6, "T": 4}),
    "building_evacuation": ("nothing", {"n_floor": 2, "floor_l": 2, "floor_w": 2}),
    "crowd_motion": ("nothing", {"torus_l": 3, "torus_w": 3}),
    "equilibrium_price": ("nothing", {}),
    "left_right": ("nothing", {}),
    "rock_paper_scissors": ("nothing", {}),
    "susceptible_infected": ("states", {"T": 8}),
    "linear_quadratic": ("states", {"el": 2, "m": 1}),
    "random_linear": ("actions", {"n": 3}),
    "conservative_treasure_hunting": ("actions", {}),
}


@pytest.fixture(params=[torch.float32, torch.float64], ids=["32 bits", "64 bits"])
def precision(request: pytest.FixtureRequest) -> Iterator[float]:
    """How near sums of numbers of order 1 come to each other in MFGLib's type."""
    torch.set_default_dtype(request.param)
    yield 2e-5 if request.param == torch.float32 else 1e-12
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("case", SHIPPED)
def test_exploitability_and_mean_field_are_theirs(case: str, precision: float) -> None:
    environment = pytest.importorskip("mfglib.env").Environment
    pytest.importorskip("mfglib.alg")  # first: mfglib.scoring and it import each other
    from mfglib.scoring import exploitability_score
    from mfglib.utils import mean_field_from_policy

    sees, parameters = SHIPPED[case]
    env = getattr(environment, case)(**parameters)
    game = convert.game_from_environment(env, transitions_see=sees, name=case)
    for pi in np.random.default_rng(0).dirichlet(np.ones(env.n_actions), (3, env.T + 1, env.n_states)):
        tensor = convert.tensor_from_policy(env, pi)
        ours = in_two_moves(pi) if sees == "actions" else pi
        found = float(game.exploitability(ours))
        assert found == pytest.approx(exploitability_score(env, tensor), abs=precision * env.r_max)
        assert found > 0.01
        mean_field = mean_field_from_policy(tensor, env=env)
        flow = game.flow(ours)[0::2, : env.n_states] if sees == "actions" else game.flow(ours)[:-1]
        np.testing.assert_allclose(flow[: env.T + 1], convert.flow_from_mean_field(env, mean_field), atol=precision)


@dataclass
class Stub:
    """MFGLib's left-right: agents go from 0 to 1 or 2, where they pay 1 or 2 times how many came. T is 1 there."""

    T: int = 1
    S: tuple[int, ...] = (3, 1)
    A: tuple[int, ...] = (1, 2)
    n_states: int = 3
    n_actions: int = 2
    mu0: Any = None
    leak: float = 0.0
    """What rows of transitions lack."""
    crowd: float = 0.0
    """How far transitions depend on the population."""

    def __post_init__(self) -> None:
        self.mu0 = torch.tensor([1.0, 0, 0]).reshape(self.S)

    def prob(self, t: int, L: Any) -> Any:
        P = torch.zeros(3, 1, 3, 1, 1, 2)
        follow = self.crowd * L.sum((1, 2, 3))[0]
        P[1, ..., 0], P[2, ..., 1] = 1 - self.leak - follow, 1.0
        P[2, ..., 0] = follow
        return P

    def reward(self, t: int, L: Any) -> Any:
        pay = L.sum((1, 2, 3)) * torch.tensor([0.0, -1, -2])
        return pay.reshape(3, 1, 1, 1).expand(3, 1, 1, 2)


@pytest.mark.parametrize(("left", "gap"), [(1.0, 1.0), (0.0, 2.0), (0.5, 0.25), (2 / 3, 0.0)])
@pytest.mark.parametrize("sees", ["nothing", "states", "actions"])
def test_left_right_by_hand(sees: Any, left: float, gap: float) -> None:
    game = convert.game_from_environment(Stub(), transitions_see=sees)
    pi = np.broadcast_to([left, 1 - left], (2, 3, 2))
    assert game.exploitability(in_two_moves(pi) if sees == "actions" else pi) == pytest.approx(gap, abs=1e-6)


def test_there_and_back() -> None:
    env = Stub()
    pi = np.random.default_rng(0).dirichlet(np.ones(2), (2, 3))
    tensor = convert.tensor_from_policy(env, pi)
    assert tuple(tensor.shape) == (2, 3, 1, 1, 2)
    back = convert.policy_from_tensor(env, tensor)
    np.testing.assert_allclose(back, pi, atol=1e-7)
    np.testing.assert_allclose(back.sum(-1), 1, atol=1e-15)
    game = convert.game_from_environment(env, transitions_see="nothing")
    mu = game.flow(pi)
    joint = convert.mean_field_from_flow(env, mu, pi)
    np.testing.assert_allclose(convert.flow_from_mean_field(env, joint), mu[:-1], atol=1e-7)
    np.testing.assert_array_equal(in_one_move(in_two_moves(pi)), pi)


def test_what_is_refused() -> None:
    env = Stub()
    pi = convert.tensor_from_policy(env, np.full((2, 3, 2), 0.5))
    with pytest.raises(BadPolicy, match=r"want 12 numbers, for \(2, 3, 2\)"):
        convert.policy_from_tensor(env, pi[:1])
    with pytest.raises(BadPolicy, match=r"the policy sums to 0\.98"):
        convert.policy_from_tensor(env, pi * 0.98)
    with pytest.raises(BadPolicy, match=r"at \[0, 0\] sums to 0\.9999999 \(of 32-bit"):
        convert.policy_from_tensor(env, pi.double() * (1 - 1e-7))
    with pytest.raises(BadKernel, match=r"at t=0 sums to 0\.99"):
        convert.game_from_environment(Stub(leak=0.01), transitions_see="states")
    with pytest.raises(BadKernel, match="transitions at t=0 see more than nothing"):
        convert.game_from_environment(Stub(crowd=0.5), transitions_see="nothing")
    convert.game_from_environment(Stub(crowd=0.5), transitions_see="states")
