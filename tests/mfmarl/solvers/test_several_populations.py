"""Games of several populations are solved by the solvers of one."""

import numpy as np
import pytest

from envs.mean_field import make
from mfmarl.solvers import CoupledSolution, solve


def test_predator_prey_is_solved() -> None:
    game = make("predator-prey", size=3, horizon=5)
    found = solve(game, tol=1e-3, max_iterations=500)
    assert isinstance(found, CoupledSolution)
    assert found.converged
    assert sorted(found.pi) == ["fox", "hen", "snake"]
    assert game.exploitability(found.pi) == pytest.approx(found.exploitability, abs=1e-15)
    for name, mu in game.flow(found.pi).items():
        np.testing.assert_array_equal(found.mu[name], mu)


def test_fictitious_play_averages_populations_each_for_itself() -> None:
    game = make("predator-prey", size=3, horizon=5)
    found = solve(game, "fictitious_play", tol=0, max_iterations=80)
    assert found.exploitability < 0.4 * found.history[0].exploitability


def test_it_resumes_bit_for_bit() -> None:
    game = make("predator-prey", size=3, horizon=3)
    whole = solve(game, tol=0, max_iterations=8)
    half = solve(game, tol=0, max_iterations=3)
    rest = solve(game, tol=0, max_iterations=8, resume_from=half)
    for name, pi in whole.pi.items():
        np.testing.assert_array_equal(pi, rest.pi[name])
    assert [p.exploitability for p in whole.history] == [p.exploitability for p in rest.history]
