import math

import pytest
import torch

from mfmarl.core.losses import weighted_mean
from mfmarl.core.policy_gradient import clipped_surrogate, explained_variance, kl_estimate, normalised, value_loss
from mfmarl.core.squashed_gaussian import SquashedGaussian


def wide(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


def drawn(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_the_surrogate_worked_by_hand():
    # r = 1.5, 1.5, 0.5, 0.5 and clip 0.2: better actions stop at 1.2, worse ones at 0.8
    log_ratio = wide(1.5, 1.5, 0.5, 0.5).log()
    loss = clipped_surrogate(log_ratio, wide(2.0, -2.0, 2.0, -2.0), 0.2)
    torch.testing.assert_close(loss, wide(-2.4, 3.0, -1.0, 1.6))


def test_the_surrogates_gradient_vanishes_only_where_it_has_gone_far_enough():
    log_ratio = wide(1.5, 1.5, 0.5, 0.5, 1.0).log().requires_grad_()
    (gradient,) = torch.autograd.grad(
        clipped_surrogate(log_ratio, wide(2.0, -2.0, 2.0, -2.0, 7.0), 0.2).sum(), log_ratio
    )
    torch.testing.assert_close(gradient, wide(0.0, 3.0, -1.0, 0.0, -7.0))


def test_the_expected_gradient_is_that_of_the_expected_reward_of_a_two_action_game():
    reward = wide(1.0, 4.0)
    theta = wide(0.3, -0.4)

    def expected_reward(logits: torch.Tensor) -> torch.Tensor:
        return (torch.softmax(logits, -1) * reward).sum()

    step = 1e-6
    differences = [
        float(expected_reward(theta + step * e) - expected_reward(theta - step * e)) / (2 * step)
        for e in torch.eye(2).double()
    ]
    logits = theta.clone().requires_grad_()
    before = torch.log_softmax(theta, -1)
    log_ratio = torch.log_softmax(logits, -1) - before
    # every action weighted by its probability is the expectation over draws; any baseline gives the same
    for baseline in (0.0, 2.5):
        loss = weighted_mean(clipped_surrogate(log_ratio, reward - baseline, 0.2), before.exp(), 1)
        (gradient,) = torch.autograd.grad(loss, logits, retain_graph=True)
        assert (-gradient).tolist() == pytest.approx(differences, abs=1e-8)
    assert max(abs(d) for d in differences) > 0.5


def test_the_expected_gradient_is_that_of_the_expected_reward_of_a_continuous_game():
    # J(theta) = E[-(a - 0.8)^2], by quadrature over actions drawn from the law that the epochs begin with
    theta = wide(0.2, -0.3)
    nodes = torch.linspace(-8, 8, 4001, dtype=torch.float64)
    place = torch.sigmoid(2 * nodes)
    length = 2 * place * (1 - place) * (nodes[1] - nodes[0])

    def density(parameters: torch.Tensor) -> torch.Tensor:
        law = SquashedGaussian(*parameters.reshape(2, 1, 1).expand(2, 1, nodes.numel()))
        return law.log_prob(place.reshape(1, -1)).squeeze(0)

    inside = (place > 1e-6) & (place < 1 - 1e-6)
    measure = length * inside
    reward = -(place - 0.8).square()

    def expected_reward(parameters: torch.Tensor) -> torch.Tensor:
        return (density(parameters).exp() * reward * measure).sum()

    step = 1e-5
    differences = [
        float(expected_reward(theta + step * e) - expected_reward(theta - step * e)) / (2 * step)
        for e in torch.eye(2).double()
    ]
    parameters = theta.clone().requires_grad_()
    before = density(theta)
    loss = weighted_mean(clipped_surrogate(density(parameters) - before, reward, 0.2), before.exp() * measure, 1)
    (gradient,) = torch.autograd.grad(loss, parameters)
    assert (-gradient).tolist() == pytest.approx(differences, abs=1e-6)
    assert abs(differences[0]) > 0.05


def test_a_clipped_value_loss_worked_by_hand():
    # before 0, clip 1: a value of 3 is held at 1; target 2 makes (3-2)^2/2 = (1-2)^2/2; target 4 the held one larger
    loss = value_loss(wide(3.0, 3.0, 0.5), wide(2.0, 4.0, 2.0), wide(0.0, 0.0, 0.0), 1.0)
    assert loss.tolist() == [0.5, 4.5, 1.125]


def test_kl_estimates_average_to_the_divergence():
    old, new = torch.log_softmax(drawn(0, 5), -1), torch.log_softmax(drawn(1, 5), -1)
    want = float((old.exp() * (old - new)).sum())
    assert float((old.exp() * kl_estimate(new - old)).sum()) == pytest.approx(want)
    assert bool((kl_estimate(drawn(2, 100)) >= 0).all())


def test_advantages_have_mean_0_and_variance_1_in_each_type():
    advantage, weight = 3.0 + 5.0 * drawn(0, 50, 4), drawn(1, 50, 4).abs()
    advantage[:, 3:] = 7.0
    out = normalised(advantage, weight, [slice(0, 2), slice(2, 3), slice(3, 4)])
    for agents in (slice(0, 2), slice(2, 3)):
        a, w = out[:, agents], weight[:, agents]
        assert float((a * w).sum() / w.sum()) == pytest.approx(0.0, abs=1e-12)
        assert float((a.square() * w).sum() / w.sum()) == pytest.approx(1.0)
    assert bool((out[:, 3] == 0).all())


def test_normalising_takes_a_weight_of_two_for_two_samples():
    advantage, weight = drawn(0, 8, 2), torch.ones(8, 2, dtype=torch.float64)
    weight[5] = 2.0
    twice = normalised(advantage, weight, [slice(0, 2)])
    doubled = normalised(torch.cat([advantage, advantage[5:6]]), torch.ones(9, 2).double(), [slice(0, 2)])
    torch.testing.assert_close(twice, doubled[:8])


def test_explained_variance():
    target = wide(1.0, 2.0, 3.0)
    assert explained_variance(target, target) == 1.0
    assert explained_variance(wide(0.0, 0.0, 0.0), target) == pytest.approx(0.0)
    assert explained_variance(-target, target) == pytest.approx(-3.0)
    assert explained_variance(target, wide(1.0, 1.0, 1.0)) is None


def test_arguments_of_two_shapes_are_refused():
    with pytest.raises(ValueError, match=r"log ratio \(2,\) and advantage \(1,\)"):
        clipped_surrogate(wide(0.0, math.log(2)), wide(1.0), 0.2)
