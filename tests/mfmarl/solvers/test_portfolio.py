"""Every game of one population is solved by one name, without settings."""

import numpy as np
import pytest

from envs.mean_field import FiniteMFG, make, names
from mfmarl.solvers import solve
from mfmarl.solvers.portfolio import Portfolio

SMALLER = {
    "beach-bar": {"size": 10, "horizon": 8},
    "building-evacuation": {"size": 3, "horizon": 8},
    "crowd-2d": {"size": 5, "horizon": 8},
    "inventory-market": {"demand": 2.0, "horizon": 5},
}
"""Games that take seconds at their own size."""


@pytest.mark.parametrize("name", [name for name in names() if isinstance(make(name), FiniteMFG)])
def test_it_solves_every_game_untuned(name: str) -> None:
    game = make(name, **SMALLER.get(name, {}))
    found = solve(game, "portfolio", tol=1e-3, max_iterations=60)
    assert found.converged
    assert game.exploitability(found.pi) == found.exploitability <= 1e-3


def test_it_is_the_nearest_of_its_members() -> None:
    game, solver = make("garnet", pull=1.0), Portfolio()
    state = solver.step(game, solver.step(game, solver.init(game)))
    gaps = [game.exploitability(m.policy(game, s)) for m, s in zip(solver.members, state.states, strict=True)]
    assert game.exploitability(solver.policy(game, state)) == min(gaps)
    assert len({float(np.round(gap, 9)) for gap in gaps}) == 3
