"""The discriminator's loss, what it pays, its gradient penalty, and what it sees of a step."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from mfmarl.imitation.airl import AIRLAgent
from mfmarl.imitation.discriminator import Inputs, RewardForm, discriminator_loss, gradient_penalty, reward_of
from mfmarl.imitation.laws import Gaussian
from mfmarl.imitation.networks import RunningNorm
from mfmarl.imitation.spaces import Spaces
from mfmarl.imitation.steps import Steps

EXPERT = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
POLICY = torch.tensor([0.1, 0.3, 0.6], dtype=torch.float64)


def kl(p: Tensor, q: Tensor) -> float:
    return float((p * (p / q).log()).sum())


def expected_loss(logit: Tensor, expert: Tensor, policy: Tensor) -> Tensor:
    """By the loss of each outcome, weighted by how often it comes."""
    parts = [discriminator_loss(one, one) for one in logit[:, None]]
    of_policy = [torch.nn.functional.softplus(one) for one in logit]
    return sum((e * (b - o) + p * o) for e, p, b, o in zip(expert, policy, parts, of_policy, strict=True))  # type: ignore[return-value]


def test_loss_at_the_best_discriminator() -> None:
    """2 ln 2 - 2 JSD, and no other logit does better."""
    middle = (EXPERT + POLICY) / 2
    jsd = (kl(EXPERT, middle) + kl(POLICY, middle)) / 2
    best = (EXPERT / POLICY).log().requires_grad_()
    loss = expected_loss(best, EXPERT, POLICY)
    assert float(loss.detach()) == pytest.approx(2 * math.log(2) - 2 * jsd, abs=1e-12)
    (slope,) = torch.autograd.grad(loss, best)
    assert float(slope.abs().max()) < 1e-12


def test_loss_of_matched_sides_is_2_ln_2() -> None:
    zero = torch.zeros(7)
    assert float(discriminator_loss(zero, zero)) == pytest.approx(1.386294, abs=1e-6)


def test_label_noise_mixes_the_losses() -> None:
    """A quarter of expert logits 1 counted as the policy's: .75 softplus(-1) + .25 softplus(1) + softplus(-2)."""
    told = discriminator_loss(torch.ones(4), torch.full((4,), -2.0), label_noise=0.25)
    assert float(told) == pytest.approx(0.75 * 0.3132617 + 0.25 * 1.3132617 + 0.1269280, abs=1e-6)


@pytest.mark.parametrize("noise", [0.1, 0.25])
def test_unequal_weights_move_the_best_discriminator(noise: float) -> None:
    """w_E rho_E / (w_E rho_E + w_pi rho_pi): of demonstrations 1 - e count as the expert's, so that D is
    (1 - e) rho_E / (rho_E + rho_pi). Sides come as 20 rows and as 10, and weigh alike for all that."""
    expert, policy = (side.mul(number).round().long() for side, number in ((EXPERT, 20), (POLICY, 10)))
    D = (1 - noise) * EXPERT / (EXPERT + POLICY)
    best = D.logit().requires_grad_()
    loss = discriminator_loss(best.repeat_interleave(expert), best.repeat_interleave(policy), noise)
    (slope,) = torch.autograd.grad(loss, best)
    assert float(slope.abs().max()) < 1e-12


@pytest.mark.parametrize("form", ["-log(1-D)", "log D", "log D - log(1-D)"])
def test_rewards_at_the_best_discriminator_are_divergences(form: RewardForm) -> None:
    """Under the policy, with the expert's part E_E log D that completes the first two."""
    logit, middle = (EXPERT / POLICY).log(), (EXPERT + POLICY) / 2
    paid = float((POLICY * reward_of(logit, form)).sum())
    of_expert = float((EXPERT * torch.nn.functional.logsigmoid(logit)).sum())
    two_jsd, floor = kl(EXPERT, middle) + kl(POLICY, middle), 2 * math.log(2)
    if form == "-log(1-D)":
        assert of_expert - paid == pytest.approx(two_jsd - floor, abs=1e-12)
    elif form == "log D":
        assert of_expert + paid == pytest.approx(-2 * kl(middle, EXPERT) - floor, abs=1e-12)
    else:
        assert paid == pytest.approx(-kl(POLICY, EXPERT), abs=1e-12)


def test_the_signs_of_rewards_pay_for_survival_and_for_an_early_end() -> None:
    logit = torch.linspace(-5, 5, 11)
    assert bool((reward_of(logit, "-log(1-D)") > 0).all())
    assert bool((reward_of(logit, "log D") < 0).all())


def test_gradient_penalty_of_a_plane() -> None:
    """(|w| - 1)^2 with |w| = 5: 16, wherever it is asked."""
    w = torch.tensor([3.0, -4.0])
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(8, 2, generator=generator), torch.randn(8, 2, generator=generator)
    assert float(gradient_penalty(lambda x: x @ w, *rows, generator)) == pytest.approx(16.0, abs=1e-5)


def test_flags_are_neither_mixed_nor_sloped() -> None:
    """(|w| - 1)^2 of the first two entries, where the score has a slope of 7 in the flag and sees 0 or .9 alone."""
    w, generator = torch.tensor([3.0, -4.0, 7.0]), torch.Generator().manual_seed(0)
    expert, policy = torch.randn(8, 3, generator=generator), torch.randn(8, 3, generator=generator)
    expert[:, 2], policy[:, 2] = 0.9, 0.0
    seen: list[float] = []

    def score(rows: Tensor) -> Tensor:
        seen.extend(rows[:, 2].tolist())
        return rows @ w

    assert float(gradient_penalty(score, expert, policy, generator, flags=1)) == pytest.approx(16.0, abs=1e-5)
    assert sorted(set(seen)) == pytest.approx([0.0, 0.9])


@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("constant", [0.0, 5.0])
def test_a_constant_in_airls_potential_is_not_penalised(constant: float, ended: bool) -> None:
    """g = w . (s, a) and h = constant: the penalty is (|w| - 1)^2 whatever the constant, which no task shows."""
    agent = AIRLAgent({"state_dim": 1, "action_dim": 2, "hidden_dims": ()})
    g, h = agent.discriminator.g[0], agent.discriminator.h[0]
    with torch.no_grad():
        g.weight.copy_(torch.tensor([[2.0, 1.0, -2.0]]))
        h.weight.zero_()
        h.bias.fill_(constant)
    states, n = torch.randn(6, 1, generator=torch.Generator().manual_seed(0)), 6
    steps = Steps(states, torch.arange(n) % 2, states.flip(0), torch.full((n,), ended), torch.zeros(n))
    rows = agent.discriminator.rows(steps)
    found = gradient_penalty(agent.discriminator, rows, rows.flip(0), agent.generator, agent.discriminator.flags)
    assert float(found.detach()) == pytest.approx((3 - 1) ** 2, abs=1e-5)


def test_rows_are_states_normalised_and_actions_one_hot() -> None:
    spaces = Spaces(2, 3)
    norm = RunningNorm(2)
    norm.update(torch.tensor([[1.0, 2.0], [3.0, 6.0]]))
    inputs = Inputs(spaces, norm)
    steps = Steps(
        states=torch.tensor([[3.0, 2.0], [1.0, 6.0]]),
        actions=torch.tensor([2, 1]),
        next_states=torch.zeros(2, 2),
        terminated=torch.tensor([False, True]),
        log_prob=torch.tensor([-1.0, -2.0]),
    )
    rows = inputs(steps)
    assert rows.shape == (2, inputs.width)
    torch.testing.assert_close(rows, torch.tensor([[1.0, -1.0, 0.0, 0.0, 1.0], [-1.0, 1.0, 0.0, 1.0, 0.0]]))


def test_normaliser_of_a_constant_is_that_constant() -> None:
    norm, rows = RunningNorm(2), torch.tensor([[3.0, -7.0]])
    for number in (1, 5, 300):
        norm.update(rows.expand(number, 2))
        assert torch.equal(norm.mean, rows[0])
        assert torch.equal(norm.variance, torch.zeros(2))
        assert torch.equal(norm(rows), torch.zeros(1, 2))


def test_law_of_clipped_actions() -> None:
    """Mean 1, std 2, bounds -1 and 2: P(low) = Phi(-1), P(high) = Phi(-.5), within a density; they sum to 1."""
    law = Gaussian(torch.ones(1, 1), torch.tensor(math.log(2.0)), torch.tensor([-1.0]), torch.tensor([2.0]))
    at_bounds = law.log_prob(torch.tensor([[-1.0], [2.0]])).exp()
    torch.testing.assert_close(at_bounds, torch.tensor([0.1586553, 0.3085375]), atol=1e-6, rtol=0)
    inside = torch.linspace(-1, 2, 3001)[1:-1, None]
    assert float(law.log_prob(inside).exp().sum() * 0.001 + at_bounds.sum()) == pytest.approx(1.0, abs=1e-3)
    drawn = Gaussian(torch.ones(20_000, 1), law.log_std, law.low, law.high).sample(torch.Generator().manual_seed(0))
    assert float((drawn == 2.0).float().mean()) == pytest.approx(0.3085, abs=0.01)


def test_slopes_far_beyond_a_bound_are_finite() -> None:
    mean = torch.tensor([[40.0]], requires_grad=True)
    law = Gaussian(mean, torch.tensor(0.0), torch.tensor([-1.0]), torch.tensor([1.0]))
    law.log_prob(torch.tensor([[-1.0]])).sum().backward()  # type: ignore[no-untyped-call]
    assert mean.grad is not None
    assert float(mean.grad) == pytest.approx(-41.0, abs=0.1)
