"""NumPy, machine code and torch give the same exploitability to 1e-10, for every finite game of one population."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from envs.mean_field import FiniteMFG, make, names
from envs.mean_field.batch import machine_code
from envs.mean_field.checks import BadPolicy
from envs.mean_field.graphon import on_graphon
from mfmarl.solvers.torch_game import exploitability, flow, torch_game

SMALL: dict[str, dict[str, Any]] = {
    "beach-bar": {"size": 6, "horizon": 5},
    "beach-bar-graphon": {"places": 3, "size": 5, "horizon": 4},
    "building-evacuation": {"floors": 2, "size": 3, "horizon": 6},
    "crowd-2d": {"size": 5, "horizon": 6},
    "inventory-market": {"demand": 2.0, "horizon": 4},
    "sis-graphon": {"places": 3, "horizon": 8},
}
"""Settings of games that are large as they are."""
OTHER: dict[str, dict[str, Any]] = {
    "attractor": {"L": 3.0, "rho0": 0.2, "horizon": 7},
    "beach-bar": {"size": 7, "horizon": 4, "noise": 0.2},
    "beach-bar-graphon": {"places": 4, "size": 5, "horizon": 3, "graphon": "uniform-attachment"},
    "building-evacuation": {"floors": 3, "size": 2, "horizon": 4, "crowd": 2.5},
    "crowd-1d": {"size": 7, "horizon": 4},
    "crowd-2d": {"size": 7, "horizon": 3, "noise": 0.3},
    "crowd-avoidance": {"L": 3.0, "rho0": 0.2, "horizon": 7},
    # prices below, at and above the highest
    "equilibrium-price": {"demand": 0.3, "elasticity": 0.5, "horizon": 3, "costs": (0.1, 0.2, 0.3, 0.4, 0.5)},
    "garnet": {"states": 7, "horizon": 5, "crowd": 2.0, "seed": 3},
    "inventory-market": {"demand": 2.0, "horizon": 3, "lead": 0, "fixed": 1.0, "handling": 0.3, "price_coupling": 1.5},
    "linear-quadratic": {"reach": 5, "horizon": 4, "q": 0.3, "kappa": 1.0, "cost": 0.1, "end": 3.0},
    "sis": {"horizon": 12, "ill": 0.2, "imported": 0.1},
    "sis-graphon": {"places": 4, "horizon": 6, "graphon": "ranked-attachment", "infection": 0.5},
    "teleport-crowd": {"horizon": 3, "seed": 4},
    "tri-state-congestion": {"L1": 2.0, "L2": 1.5, "rho0": 0.3, "horizon": 6},
}
FINITE = [name for name in names() if isinstance(make(name), FiniteMFG)]


def game_of(name: str, **settings: Any) -> FiniteMFG:
    game = make(name, **settings)
    assert isinstance(game, FiniteMFG)
    return game


def policies(game: FiniteMFG, seed: int = 0) -> np.ndarray:
    """[2, 4, T, S, A]: a random batch, one with zeros, one of pure policies, and the uniform policy among them."""
    rng, allowed = np.random.default_rng(seed), game.uniform_policy() > 0
    raised = rng.exponential(size=(2, 4, *game.shape)) * allowed
    keep = rng.random(raised.shape) < 0.5
    first = np.arange(game.num_actions) == allowed.argmax(-1)[..., None]
    raised[1] *= np.where((keep[1] & allowed).any(-1, keepdims=True), keep[1], 1.0)
    raised[0, 2] = first
    raised[0, 3] = allowed
    return raised / raised.sum(-1, keepdims=True)


def assert_agree(game: FiniteMFG, code: bool = True) -> None:
    pi = policies(game)
    want = game.exploitability(pi)
    # relative to the size of values
    audit = game.audit(pi)
    size = 1e-10 * max(1.0, np.abs(audit.value).max(), np.abs(audit.best_response_value).max())
    there, flat = torch_game(game), torch.as_tensor(pi).flatten(0, 1)
    np.testing.assert_allclose(exploitability(there, flat).reshape(2, 4), want, rtol=0, atol=size)
    np.testing.assert_allclose(flow(there, flat).reshape(audit.mu.shape), audit.mu, rtol=0, atol=1e-13)
    if code:
        np.testing.assert_allclose(machine_code(game)(pi), want, rtol=0, atol=size)
    np.testing.assert_allclose(machine_code(replace(game, loops=None))(pi), want, rtol=0, atol=size)


@pytest.mark.parametrize("name", FINITE)
def test_they_agree(name: str) -> None:
    games = [game_of(name, **SMALL.get(name, {}))]
    if name in OTHER:
        games.append(game_of(name, **OTHER[name]))
    for game in games:
        assert game.loops is not None
        assert_agree(game)


def test_only_games_without_settings_have_no_others() -> None:
    assert set(FINITE) - set(OTHER) == {"braess", "left-right", "rock-paper-scissors"}


@pytest.mark.parametrize(
    ("name", "settings", "code"),
    [("garnet", {"pull": 2.0}, True), ("crowd-1d", {"horizon": 4}, False), ("equilibrium-price", {}, False)],
)
def test_they_agree_where_states_have_not_all_actions(name: str, settings: dict[str, Any], code: bool) -> None:
    game = game_of(name, **settings)
    S, A = game.shape[1:]
    mask = np.random.default_rng(1).random((S, A)) < 0.6
    mask[np.arange(S), np.arange(S) % A] = True
    game = replace(game, name="masked", action_mask=mask)
    assert_agree(game, code)
    for settled in (machine_code(game),) * code + (machine_code(replace(game, loops=None)),):
        with pytest.raises(BadPolicy, match="masked: the policy plays action"):
            settled(np.full(game.shape, 1 / A))


@pytest.mark.parametrize(
    ("name", "settings"),
    [("garnet", {"pull": 2.0}), ("linear-quadratic", {"reach": 2, "horizon": 3}), ("left-right", {})],
)
def test_they_agree_at_places(name: str, settings: dict[str, Any]) -> None:
    # fields that transitions follow, terminal rewards, and rewards that see actions
    plain = game_of(name, **settings)
    assert_agree(on_graphon(plain, np.random.default_rng(0).random((3, 3))), code=name == "linear-quadratic")


def test_a_game_of_ones_own() -> None:
    """Rewards that are read off, with infinite ones of actions that are not there, and a constant end."""
    plain = game_of("garnet", states=5, horizon=3, pull=0.0)
    mask = np.ones((5, 3), bool)
    mask[1, 2] = mask[4, 0] = False
    weights = np.random.default_rng(0).normal(size=(5, 3, 5))

    def reward(t: np.ndarray, mu: np.ndarray) -> np.ndarray:
        found = np.einsum("...tp,sap->...tsa", mu, weights) + 0.1 * t[:, None, None]
        return np.asarray(np.where(mask, found, np.inf))

    own = replace(
        plain, name="own", reward=reward, action_mask=mask, loops=None,
        terminal=lambda mu: np.broadcast_to(np.arange(5.0), mu.shape),
    )  # fmt: skip
    assert_agree(own, code=False)
    pi = torch.as_tensor(policies(own)[0]).requires_grad_()
    (slope,) = torch.autograd.grad(exploitability(torch_game(own), pi).sum(), pi)
    assert torch.isfinite(slope).all()


def test_steps_refuse_what_is_no_policy() -> None:
    game = replace(game_of("sis", horizon=3), loops=None)
    with pytest.raises(BadPolicy, match=r"the policy at \[0, 1\] sums to 0.5"):
        machine_code(game)(np.array([[[1.0, 0.0], [0.5, 0.0]]] * 3))


@pytest.mark.parametrize("name", ["predator-prey", "sis-stationary", "beach-bar-closing"])
def test_other_kinds_are_refused_by_name(name: str) -> None:
    game = make(name)
    with pytest.raises(ValueError, match=f"{name} is a .*MFG; machine code takes games of one population"):
        machine_code(game)
    with pytest.raises(ValueError, match=f"{name} is a .*MFG; torch takes games of one population"):
        torch_game(game)
