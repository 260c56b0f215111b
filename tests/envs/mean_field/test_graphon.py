"""Games on graphons: where all see all they are the plain game, and places are only names."""

import numpy as np
import pytest

from envs import UnknownName
from envs.mean_field import make
from envs.mean_field.game import FiniteMFG
from envs.mean_field.graphon import (
    at_places,
    by_place,
    erdos_renyi,
    on_graphon,
    power_law,
    ranked_attachment,
    uniform_attachment,
)  # fmt: skip
from envs.mean_field.kernel import BadKernel


def random_policies(game: FiniteMFG, rng: np.random.Generator, *lead: int) -> np.ndarray:
    return rng.dirichlet(np.ones(game.num_actions), (*lead, game.horizon, game.num_states))


@pytest.mark.parametrize(
    ("name", "options"),
    [("sis", {"horizon": 6}), ("garnet", {"pull": 1.5}), ("linear-quadratic", {"horizon": 4}), ("left-right", {})],
)
def test_where_all_see_all_it_is_the_plain_game(name: str, options: dict) -> None:
    plain = make(name, **options)
    placed = on_graphon(plain, np.ones((4, 4)))
    pi = random_policies(plain, np.random.default_rng(0))
    spread = np.tile(pi, (1, 4, 1))
    want, found = plain.audit(pi), placed.audit(spread)
    assert found.value == pytest.approx(want.value, abs=1e-12)
    assert found.exploitability == pytest.approx(want.exploitability, abs=1e-12)
    for u in range(4):
        np.testing.assert_allclose(4 * by_place(found.mu, 4, -1)[:, u], want.mu, atol=1e-12)
        np.testing.assert_allclose(by_place(found.best_response.q, 4, -2)[:, u], want.best_response.q, atol=1e-12)


def test_places_without_company_play_each_for_itself() -> None:
    # W = M times the identity: everyone sees only its own place, all of it
    plain = make("garnet", pull=1.0, states=5, horizon=4)
    placed = on_graphon(plain, 3 * np.eye(3))
    pi = random_policies(plain, np.random.default_rng(0), 3)
    together = np.concatenate(list(pi), 1)
    assert placed.exploitability(together) == pytest.approx(plain.exploitability(pi).mean(), abs=1e-12)


def test_relabelling_places_changes_nothing() -> None:
    plain, rng = make("garnet", pull=1.0, states=4, horizon=4), np.random.default_rng(1)
    W, order = at_places(uniform_attachment, 5), rng.permutation(5)
    initial = rng.dirichlet(np.ones(4), 5)
    game = on_graphon(plain, W, initial)
    renamed = on_graphon(plain, W[np.ix_(order, order)], initial[order])
    pi = random_policies(game, rng, 2)
    other = by_place(pi, 5, -2)[:, :, order].reshape(pi.shape)
    np.testing.assert_allclose(renamed.exploitability(other), game.exploitability(pi), atol=1e-13)


def test_left_right_among_few_is_left_right_with_less_at_stake() -> None:
    plain = make("left-right")
    placed = on_graphon(plain, at_places(erdos_renyi(0.3), 4))
    for left in (0.0, 0.5, 2 / 3, 0.9):
        pi = np.array([[[left, 1 - left]]])
        assert placed.exploitability(np.tile(pi, (1, 4, 1))) == pytest.approx(0.3 * plain.exploitability(pi), abs=1e-13)


def test_a_batch_is_its_loop_and_the_flow_keeps_its_places() -> None:
    game = make("sis-graphon", places=4, horizon=5)
    pi = random_policies(game, np.random.default_rng(0), 3)
    found = game.audit(pi)
    np.testing.assert_allclose(by_place(found.mu, 4, -1).sum(-1), 0.25, atol=1e-13)
    for i in range(3):
        assert game.exploitability(pi[i]) == pytest.approx(found.exploitability[i], abs=1e-13)


def test_rows_are_what_push_does() -> None:
    game = make("sis-graphon", places=3, horizon=2)
    rng = np.random.default_rng(0)
    mu, x = rng.dirichlet(np.ones(6)), rng.random((6, 2))
    successors, prob = game.kernel.rows(0, mu)
    want = np.zeros(6)
    np.add.at(want, successors, x[..., None] * prob)
    np.testing.assert_allclose(game.kernel.push(0, x, mu), want, atol=1e-15)


def test_graphons_by_hand() -> None:
    np.testing.assert_allclose(at_places(uniform_attachment, 2), [[0.75, 0.25], [0.25, 0.25]])
    np.testing.assert_allclose(at_places(ranked_attachment, 2), [[15 / 16, 13 / 16], [13 / 16, 7 / 16]])
    assert at_places(power_law(0.3), 500).mean() == pytest.approx(1.0, abs=0.03)


def test_what_is_no_graphon_is_refused() -> None:
    plain = make("sis", horizon=2)
    with pytest.raises(ValueError, match=r"sis-graphon: W has shape \(2,\)"):
        on_graphon(plain, np.ones(2))
    with pytest.raises(ValueError, match=r"W\[0, 1\] is -1"):
        on_graphon(plain, [[1, -1], [1, 1]])
    # three times the contacts would make all ill with more than certainty
    with pytest.raises(BadKernel, match=r"s=0, a=0\) at place 0 is"):
        on_graphon(plain, np.full((2, 2), 3.0))
    with pytest.raises(ValueError, match=r"exponent is 0\.5"):
        power_law(0.5)
    with pytest.raises(UnknownName, match="did you mean 'ranked-attachment'"):
        make("sis-graphon", graphon="ranked-atachment")
