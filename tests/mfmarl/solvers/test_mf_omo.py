"""MF-OMO: its gradient is that of its objective, and its zeros are equilibria."""

import dataclasses

import numpy as np
import pytest

from envs.mean_field import make
from mfmarl.solvers import solve
from mfmarl.solvers.mf_omo import MFOMO, objective


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("garnet", {"pull": 1.0, "states": 4, "horizon": 3, "successors": 2}),
        ("linear-quadratic", {"reach": 2, "horizon": 2}), ("left-right", {}), ("crowd-1d", {"size": 4, "horizon": 3}),
    ],
)  # fmt: skip
def test_the_gradient_is_that_of_the_objective(name: str, parameters: dict[str, float]) -> None:
    game, rng = make(name, **parameters), np.random.default_rng(0)
    state = MFOMO().init(game)
    at = {key: getattr(state, key) for key in ("logits", "roots", "values")}
    state = dataclasses.replace(state, **{key: v + 0.2 * rng.normal(size=v.shape) for key, v in at.items()})
    for key, slope in zip(at, objective(game, state)[1], strict=True):
        way, here = rng.normal(size=slope.shape), getattr(state, key)
        ends = [objective(game, dataclasses.replace(state, **{key: here + e * way}))[0] for e in (1e-5, -1e-5)]
        assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(float((slope * way).sum()), rel=1e-5)


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
