"""Gradients through flows against central differences, through every kind of kernel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from envs.mean_field import AttractorMFG, CrowdAvoidanceMFG, TriStateCongestionMFG, make
from envs.mean_field.game import FiniteMFG
from envs.mean_field.games.garnet import garnet
from envs.mean_field.imitation import occupancy
from mfmarl.imitation.tensor_flow import occupancies
from tests.mfmarl.gradients import assert_gradient

SIS = make("sis", horizon=6)
assert isinstance(SIS, FiniteMFG)
GAMES = {
    "attractor": AttractorMFG(6, 0.9, rho0=0.1).game,
    "crowd": CrowdAvoidanceMFG(6, 0.9, rho0=0.1).game,
    "tri": TriStateCongestionMFG(6, 0.5, 0.7, rho0=0.1).game,
    "fixed garnet": garnet(states=5, actions=3, successors=3, horizon=6),
    "pulled garnet": garnet(states=5, actions=3, successors=3, horizon=6, pull=1.5),
    "sis": SIS,
    "sis whose law is not known": replace(SIS, loops=None),
}


@pytest.mark.parametrize("name", GAMES)
@pytest.mark.parametrize("frozen", [False, True])
def test_slopes_are_those_of_differences(name: str, frozen: bool) -> None:
    game = GAMES[name]
    rng = np.random.default_rng(0)
    batch = (2, *game.shape)
    logits = torch.from_numpy(rng.normal(size=batch)).requires_grad_()
    weights = torch.from_numpy(rng.normal(size=batch))
    nu = game.flow(rng.dirichlet(np.ones(game.num_actions), batch[:-1])) if frozen else None

    def loss() -> torch.Tensor:
        return (weights * occupancies(game, torch.softmax(logits, -1), nu)).sum()

    assert_gradient(loss, [logits])


@pytest.mark.parametrize("name", GAMES)
def test_occupancies_are_those_of_numpy(name: str) -> None:
    game = GAMES[name]
    rng = np.random.default_rng(0)
    pi = rng.dirichlet(np.ones(game.num_actions), (3, *game.shape[:-1]))
    nu = game.flow(pi[::-1].copy())
    np.testing.assert_allclose(occupancies(game, torch.from_numpy(pi)), occupancy(game.flow(pi), pi), atol=1e-14)
    found = occupancies(game, torch.from_numpy(pi), nu)
    np.testing.assert_allclose(found, occupancy(game.flow_against(pi, nu), pi), atol=1e-14)


def test_the_population_has_a_slope_of_its_own() -> None:
    game = AttractorMFG(2, 0.8).game
    alpha = torch.tensor(0.25, dtype=torch.float64, requires_grad=True)
    stay = torch.stack([1 - alpha, alpha])
    still = torch.tensor([1.0, 0.0], dtype=torch.float64)
    pi = torch.stack([torch.stack([stay, still]), torch.stack([still, still])])
    outside = occupancies(game, pi)[1, 1].sum()
    assert outside.item() == pytest.approx(0.25)
    assert torch.autograd.grad(outside, alpha)[0].item() == pytest.approx(1.0, abs=1e-9)
    longer = AttractorMFG(3, 0.8).game
    pi = torch.stack([torch.stack([stay, still]), torch.stack([still, still]), torch.stack([still, still])])
    # rho'' = rho + (1 - rho) L rho, whose slope in rho = alpha is 1 + L (1 - 2 rho)
    outside = occupancies(longer, pi)[2, 1].sum()
    assert torch.autograd.grad(outside, alpha)[0].item() == pytest.approx(1 + 0.8 * 0.5, abs=1e-9)
