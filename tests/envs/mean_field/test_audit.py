"""Audits have one set of fields, for one population and several, and state their rounding truly."""

import numpy as np
import pytest

from envs.mean_field import CoupledMFG, Population, make
from envs.mean_field.games.garnet import garnet
from envs.mean_field.kernel import dense
from tests.envs.mean_field.test_stacked import random_policies, unequal

FIELDS = [
    "value", "best_response_value", "exploitability", "nash_conv", "per_population", "per_state", "best_response", "mu",
    "reached", "rounding",
]  # fmt: skip


def test_of_one_population() -> None:
    game = garnet(states=5, horizon=4)
    pi = np.random.default_rng(0).dirichlet(np.ones(3), (2, 4, 5))
    found = game.audit(pi)
    assert all(hasattr(found, field) for field in FIELDS)
    np.testing.assert_array_equal(found.nash_conv, found.exploitability)
    assert list(found.per_population) == ["garnet"]
    np.testing.assert_array_equal(found.per_population["garnet"], found.exploitability)
    np.testing.assert_allclose(found.best_response_value - found.value, found.exploitability, atol=1e-13)


@pytest.mark.parametrize("name", ["crowd-1d-stationary", "beach-bar-closing"])
def test_of_other_kinds(name: str) -> None:
    game = make(name, size=5)
    found = game.audit(game.uniform_policy())
    assert all(hasattr(found, field) for field in FIELDS)
    assert found.per_population == {name: found.exploitability}
    assert found.exploitability == pytest.approx(found.best_response_value - found.value, abs=1e-12)


def test_what_is_never_reached() -> None:
    game = make("braess")
    pi = np.zeros(game.shape)
    # all over B and on to D: 0 -> 1 -> 5 -> 7
    pi[..., 0] = 1.0
    reached = game.audit(pi).reached
    assert [row.nonzero()[0].tolist() for row in reached] == [[0], [1], [5], [7], [7]]


def test_of_several_populations() -> None:
    game = unequal()
    pi = random_policies(game, np.random.default_rng(0))
    found, flows = game.audit(pi), game.flow(pi)
    assert all(hasattr(found, field) for field in FIELDS)
    own, best = game.evaluate(pi, flows), game.best_response(flows)
    for name, population in game.populations.items():
        np.testing.assert_array_equal(found.mu[name], flows[name])
        np.testing.assert_array_equal(found.reached[name], flows[name] > 0)
        np.testing.assert_array_equal(found.best_response[name].policy, best[name].policy)
        np.testing.assert_array_equal(found.per_state[name], best[name].values[0] - own[name][0])
        assert found.value[name] == own[name][0] @ population.initial
        assert found.best_response_value[name] == best[name].values[0] @ population.initial
        assert found.per_population[name] == pytest.approx(
            found.best_response_value[name] - found.value[name], abs=1e-13
        )
        assert found.per_population[name] == pytest.approx(game.gains(pi)[name], abs=1e-13)
    assert found.nash_conv == found.exploitability == sum(found.per_population.values())
    assert found.exploitability == pytest.approx(game.exploitability(pi), abs=1e-13)


def coupled(seed: int, scale: float) -> CoupledMFG:
    rng = np.random.default_rng(seed)
    populations = {}
    for name, (S, A) in {"few": (2, 3), "many": (5, 2)}.items():
        base = scale * rng.normal(size=(S, A))
        other = scale * rng.normal(size=(S, A, 2))
        populations[name] = Population(
            initial=rng.dirichlet(np.ones(S)),
            kernel=dense(rng.dirichlet(np.ones(S), (S, A))),
            reward=lambda t, mu, base=base, other=other: base + np.einsum("...k,sak->...sa", mu["few"], other),
        )
    return CoupledMFG(name="coupled", horizon=6, populations=populations)


def test_exploitability_of_several_populations_is_never_below_its_rounding() -> None:
    below = 0
    for seed in range(40):
        game = coupled(seed, 10.0 ** (seed % 7))
        # best responses to themselves, again and again: gains of 0 but for rounding are met
        pi = random_policies(game, np.random.default_rng(seed))
        for _ in range(6):
            found = game.audit(pi)
            assert found.exploitability >= -found.rounding
            assert game.exploitability(pi) >= -found.rounding
            assert found.rounding == sum(part.rounding for part in found.parts.values())
            largest = max(np.abs(best.values).max() for best in found.best_response.values())
            assert 0 < found.rounding < 1e-10 * largest
            below += int(game.exploitability(pi) < 0)
            pi = {name: best.policy for name, best in found.best_response.items()}
    assert below > 0
