"""MF-OMO: its gradient is that of its objective, and its zeros are equilibria."""

import dataclasses

import numpy as np
import pytest

from envs.mean_field import FiniteMFG, make
from envs.mean_field.kernel import dense
from mfmarl.solvers import solve
from mfmarl.solvers.mf_omo import MFOMO, OMOState, exact_or_not, objective
from mfmarl.solvers.torch_omo import taken_over


def game_of(name: str, **parameters: float) -> FiniteMFG:
    game = make(name, **parameters)
    assert isinstance(game, FiniteMFG)
    return game


def disturbed(state: OMOState, rng: np.random.Generator) -> OMOState:
    at = {key: getattr(state, key) for key in ("logits", "roots", "values")}
    return dataclasses.replace(state, **{key: v + 0.2 * rng.normal(size=v.shape) for key, v in at.items()})


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("garnet", {"pull": 1.0, "states": 4, "horizon": 3, "successors": 2}),
        ("linear-quadratic", {"reach": 2, "horizon": 2}), ("left-right", {}), ("crowd-1d", {"size": 4, "horizon": 3}),
    ],
)  # fmt: skip
def test_the_gradient_is_that_of_the_objective(name: str, parameters: dict[str, float]) -> None:
    game, rng = game_of(name, **parameters), np.random.default_rng(0)
    state = disturbed(MFOMO().init(game), rng)
    for key, slope in zip(("logits", "roots", "values"), objective(game, state)[1], strict=True):
        way, here = rng.normal(size=slope.shape), getattr(state, key)
        ends = [objective(game, dataclasses.replace(state, **{key: here + e * way}))[0] for e in (1e-5, -1e-5)]
        assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(float((slope * way).sum()), rel=1e-5)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("garnet", {"pull": 1.0, "states": 4, "horizon": 3}), ("linear-quadratic", {"reach": 2, "horizon": 2}),
        ("rock-paper-scissors", {}), ("sis", {"horizon": 4}), ("crowd-1d", {"size": 4, "horizon": 3}), ("braess", {}),
    ],
)  # fmt: skip
def test_both_gradients_are_one(name: str, parameters: dict[str, float]) -> None:
    game, rng = game_of(name, **parameters), np.random.default_rng(0)
    state = disturbed(MFOMO().init(game), rng)
    assert taken_over(game) is taken_over(game)
    height, slopes = exact_or_not(game, state)
    want, differences = objective(game, state)
    assert height == pytest.approx(want, rel=1e-12)
    for slope, other in zip(slopes, differences, strict=True):
        np.testing.assert_allclose(slope, other, atol=1e-7 * np.abs(other).max())


def test_masses_below_all_differences() -> None:
    # crowds start in one place: -ln of masses of 1e-10, whose slopes differences of 1e-9 miss by ten times
    game, rng = game_of("crowd-2d", size=5, horizon=8), np.random.default_rng(0)
    state = disturbed(MFOMO().init(game), rng)
    slope = exact_or_not(game, state)[1][0]
    way = rng.normal(size=slope.shape)
    ends = [exact_or_not(game, dataclasses.replace(state, logits=state.logits + e * way))[0] for e in (1e-5, -1e-5)]
    along = (ends[0] - ends[1]) / 2e-5
    assert float((slope * way).sum()) == pytest.approx(along, rel=1e-6)
    assert abs(float((objective(game, state)[1][0] * way).sum()) / along - 1) > 0.1


def test_a_game_that_torch_does_not_know() -> None:
    def reward(t: np.ndarray, mu: np.ndarray) -> np.ndarray:
        return np.broadcast_to(-np.tanh(mu)[..., None], (*mu.shape, 2))

    P = np.broadcast_to(np.eye(2)[None], (2, 2, 2))
    game = FiniteMFG(name="own", horizon=2, initial=np.array([0.9, 0.1]), kernel=dense(P), reward=reward)
    assert taken_over(game) is None
    found = solve(game, "mf_omo", tol=1e-2, max_iterations=100)
    assert found.converged


def test_it_is_zero_at_an_equilibrium() -> None:
    # left-right at 2/3: both are worth -2/3, so no slack is needed
    game = make("left-right")
    state = dataclasses.replace(
        MFOMO().init(game), logits=np.log([[[2 / 3, 1 / 3]]]), roots=np.zeros((1, 1, 2)), values=np.array([[-2 / 3]])
    )
    height, slopes = objective(game, state)
    assert state.scale == 1.0
    assert height == pytest.approx(0.0, abs=1e-15)
    assert max(np.abs(g).max() for g in slopes) < 1e-7


@pytest.mark.parametrize("name", ["left-right", "rock-paper-scissors"])
def test_it_solves(name: str) -> None:
    assert solve(make(name), "mf_omo", tol=1e-3, max_iterations=200).converged
