"""The market's finite game: the exact mean field of the inventory market, a newsvendor, and dynamic programming."""

import numpy as np
import pytest
from scipy import stats

from envs.inventory.config import MarketConfig
from envs.inventory.mean_field import Profile, evaluate, mean_field, nash_conv
from envs.inventory.types import TYPES
from envs.mean_field import make
from envs.mean_field.game import FiniteMFG


def random_policy(game: FiniteMFG, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(game.num_actions), (game.horizon, game.num_states))


@pytest.mark.parametrize("lead", [0, 1])
def test_it_is_the_mean_field_of_the_inventory_market(lead: int) -> None:
    kind = TYPES["supermarket"].model_copy(update={"L": lead, "mu": 4.0, "phi": 0.1})
    market = mean_field(MarketConfig(types={"one": kind}, jitter=0, horizon=6), gamma=1.0)
    game = make(
        "inventory-market", demand=4.0, price=kind.p0, cost=kind.c, holding=kind.h, lost=kind.ell, fixed=kind.K,
        handling=kind.phi, lead=lead, horizon=6,
    )  # fmt: skip
    pi = random_policy(game, lead)
    found, want = game.audit(pi), evaluate(market, Profile((pi,)))
    assert found.value == pytest.approx(want.mean, abs=1e-9)
    np.testing.assert_allclose(found.mu[:-1], want.flows[0].occupancy.sum(-1), atol=1e-12)
    assert found.exploitability == pytest.approx(nash_conv(market, Profile((pi,))).gaps[0], abs=1e-9)


def test_the_newsvendor() -> None:
    # Poisson 20, price 10, cost 4, one period, what is left is worth nothing
    game = make(
        "inventory-market", demand=20.0, price=10.0, cost=4.0, holding=0.0, lost=0.0, lead=0, congestion=0.0,
        price_coupling=0.0, initial_stock=0.0, horizon=1, multiples=tuple(k / 20 for k in range(41)),
    )  # fmt: skip
    found = game.audit(game.uniform_policy())
    assert found.best_response.policy[0, 0].argmax() == 21
    q = found.best_response.q[0, 0]
    assert q[20:23] == pytest.approx([102.2329, 102.6420, 102.2050], abs=1e-4)


def test_without_coupling_dynamic_programming_is_the_equilibrium() -> None:
    game = make("inventory-market", congestion=0.0, price_coupling=0.0, horizon=8)
    best = game.best_response(game.flow(game.uniform_policy()), game.uniform_policy())
    assert game.exploitability(best.policy) == pytest.approx(0.0, abs=1e-10)
    P = np.zeros((game.num_states, game.num_actions, game.num_states))
    for s, a, k in np.ndindex(game.kernel.next.shape):
        P[s, a, game.kernel.next[s, a, k]] += game.kernel.prob[s, a, k]
    # rewards by summing over demand
    d = np.arange(200)
    chance = stats.poisson.pmf(d, 6.0)
    orders = np.rint(np.array([0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 2.5, 3, 4]) * 6.0)
    z = np.arange(game.num_states)[:, None]
    sold = np.minimum(z, d) @ chance
    r = (12 * sold - 0.12 * (z[:, 0] - sold) - 1.0 * (6.0 - sold))[:, None] - 6 * orders
    values = np.zeros(game.num_states)
    for _ in range(8):
        values = (r + P @ values).max(-1)
    np.testing.assert_allclose(best.values[0], values, atol=1e-9)


def test_who_orders_more_makes_it_dearer_for_all() -> None:
    game = make("inventory-market", horizon=3)
    little, much = np.zeros(game.shape), np.zeros(game.shape)
    little[..., 2], much[..., -1] = 1.0, 1.0
    first = np.array([game.rewards(game.flow(pi), pi)[0] for pi in (little, much)])
    # 3 against 24 ordered of a demand of 6: w rises by 6 x .2 x 21/6 = 4.2 a unit
    np.testing.assert_allclose(first[0, :, 4] - first[1, :, 4], 4.2 * 6, atol=1e-12)


def test_what_it_has_not_is_refused() -> None:
    with pytest.raises(ValueError, match="lead is 2; want 0 or 1"):
        make("inventory-market", lead=2)
    with pytest.raises(ValueError, match="demand is 0; want a number above 0"):
        make("inventory-market", demand=0)
