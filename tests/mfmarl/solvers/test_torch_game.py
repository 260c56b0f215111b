"""Exploitability on torch: its gradient is that of differences, and what it cannot know it is given.

That it is NumPy's is in `test_backends`.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

from envs.mean_field import FiniteMFG, make
from mfmarl.solvers.torch_game import exploitability, torch_game


def game_of(name: str, **parameters: float) -> FiniteMFG:
    game = make(name, **parameters)
    assert isinstance(game, FiniteMFG)
    return game


def policies(game: FiniteMFG, number: int) -> np.ndarray:
    return np.random.default_rng(0).dirichlet(np.ones(game.num_actions), (number, *game.shape[:2]))


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        # fixed transitions
        ("garnet", {}), ("beach-bar", {"size": 6, "horizon": 4}),
        # transitions that follow the population
        ("garnet", {"pull": 2.0}), ("sis", {"horizon": 6}), ("attractor", {"rho0": 0.1}),
        ("crowd-avoidance", {"rho0": 0.1}), ("tri-state-congestion", {"rho0": 0.1}),
        # terminal rewards
        ("linear-quadratic", {"reach": 3, "horizon": 4}),
        # rewards that see actions
        ("equilibrium-price", {}), ("inventory-market", {"demand": 2.0, "horizon": 3}), ("rock-paper-scissors", {}),
        ("sis-graphon", {"places": 3, "horizon": 5}), ("beach-bar-graphon", {"places": 2, "size": 5, "horizon": 4}),
    ],
)  # fmt: skip
def test_the_gradient_is_that_of_differences(name: str, parameters: dict[str, float]) -> None:
    game, rng = game_of(name, **parameters), np.random.default_rng(1)
    logits = np.log(policies(game, 2))
    way = rng.normal(size=logits.shape)

    def gaps(z: np.ndarray) -> np.ndarray:
        raised = np.exp(z)
        return np.asarray(game.exploitability(raised / raised.sum(-1, keepdims=True)))

    z = torch.as_tensor(logits).requires_grad_()
    (slope,) = torch.autograd.grad(exploitability(torch_game(game), z.softmax(-1)).sum(), z)
    want = (gaps(logits + 1e-5 * way) - gaps(logits - 1e-5 * way)) / 2e-5
    assert (np.abs(want) > 1e-3).all()
    np.testing.assert_allclose((slope.numpy() * way).sum((1, 2, 3)), want, rtol=1e-5)


def test_descending_it_solves_a_game() -> None:
    # three starts at once; L = 2/3
    there = torch_game(game_of("left-right"))
    logits = torch.tensor([0.0, 2.0, -2.0], dtype=torch.float64)[:, None, None, None] * torch.tensor([1.0, 0.0])
    logits.requires_grad_()
    for k in range(80):
        (slope,) = torch.autograd.grad(exploitability(there, logits.softmax(-1)).sum(), logits)
        logits = (logits - 2 / (k + 10) * slope).detach().requires_grad_()
    np.testing.assert_allclose(logits.softmax(-1)[:, 0, 0, 0].detach(), 2 / 3, atol=0.02)


def test_an_own_reward_and_law() -> None:
    game = replace(game_of("equilibrium-price"), loops=None)
    with pytest.raises(ValueError, match=r"equilibrium-price: rewards are not known, nor affine .* give `reward`"):
        torch_game(game)
    # price min(10, 1 / sold); what does not depend on others is the reward at a price of 1, less the offer
    offer = torch.as_tensor(np.repeat(np.arange(4.0), 4))
    all_offer_one = np.zeros((5, 4, 16))
    all_offer_one[:, 0, 4] = 1.0
    fixed = torch.as_tensor(game.reward(np.arange(5), all_offer_one)) - offer

    def reward(x: torch.Tensor) -> torch.Tensor:
        sold = (x * offer).sum((-2, -1))
        return fixed + (1 / sold.clamp(min=1e-12)).clamp(max=10)[..., None, None] * offer

    pi = policies(game, 3)
    found = exploitability(torch_game(game, reward=reward), torch.as_tensor(pi))
    np.testing.assert_allclose(found.numpy(), game.exploitability(pi), atol=1e-10)
    with pytest.raises(ValueError, match=r"equilibrium-price: `reward` is off by 0\.\d+ of the game's own"):
        torch_game(game, reward=lambda x: 1.1 * reward(x))

    toy = replace(game_of("attractor"), loops=None)
    with pytest.raises(ValueError, match=r"attractor: transitions follow the population, .* give `law`"):
        torch_game(toy)
    still = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]], dtype=torch.float64)
    moved = torch.tensor([[[-0.5, 0.5], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]], dtype=torch.float64)
    there = torch_game(toy, law=lambda t, mu: still + mu[..., 1, None, None, None] * moved)
    pi = policies(toy, 3)
    np.testing.assert_allclose(exploitability(there, torch.as_tensor(pi)), toy.exploitability(pi), atol=1e-10)
    with pytest.raises(ValueError, match="attractor: `law` is off by"):
        torch_game(toy, law=lambda t, mu: still)


def test_an_own_end() -> None:
    game = replace(game_of("linear-quadratic"), reward=lambda t, mu: np.zeros((*mu.shape, 5)), loops=None)
    with pytest.raises(ValueError, match=r"linear-quadratic: terminal rewards are not known, .* give `terminal`"):
        torch_game(game)
    places = torch.arange(-10.0, 11.0, dtype=torch.float64)
    there = torch_game(game, terminal=lambda mu: -0.5 * ((mu @ places)[..., None] - places) ** 2)
    pi = policies(game, 3)
    np.testing.assert_allclose(exploitability(there, torch.as_tensor(pi)), game.exploitability(pi), atol=1e-10)


def test_what_it_refuses() -> None:
    with pytest.raises(ValueError, match=r"have shape \(1, 2\); want \[B, 1, 1, 2\]"):
        exploitability(torch_game(game_of("left-right")), torch.ones(1, 2))
