"""Every loss, element by element, under both reductions: known values, gradients, and what a weight means."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from mfmarl.core.laws import Categorical
from mfmarl.core.losses import td_loss, weighted_mean
from mfmarl.core.policy_gradient import clipped_surrogate, value_loss
from mfmarl.core.squashed_gaussian import SquashedGaussian
from tests.mfmarl.gradients import assert_gradient, assert_same_loss

# off the kinks: Huber's is at 1; the surrogate's ratios are e^x, and clip .2 bends at .8 and 1.2
ERRORS = [-2.5, -0.7, 0.4, 0.8, 1.7, 3.0]
LOG_RATIOS = [-0.9, -0.1, 0.05, 0.1, 0.5, 0.8]
ADVANTAGES = [1.0, -2.0, 0.5, -0.3, 2.0, -1.5]
BEFORE = torch.tensor([0.0, -0.6, 0.5, 0.3, 2.4, 2.2], dtype=torch.float64)
"""Where values were: some have moved further than .4 from it, towards their target or away from it, some have not."""
TARGETS = torch.tensor([-1.0, 2.0, 0.0, -0.4, 3.5, 3.5], dtype=torch.float64)


def scores(x: Tensor) -> Tensor:
    return torch.outer(x, torch.tensor([1.0, -0.5, 2.0], dtype=torch.float64))


Loss = Callable[[Tensor, Tensor], Tensor]
"""Of parameters x [n] of some samples, and the samples' numbers [m]."""
LOSSES: dict[str, tuple[list[float], Loss]] = {
    "squared": (ERRORS, lambda x, _: td_loss(x, huber=False)),
    "huber": (ERRORS, lambda x, _: td_loss(x, huber=True)),
    "surrogate": (LOG_RATIOS, lambda x, i: clipped_surrogate(x, torch.tensor(ADVANTAGES).double()[i], 0.2)),
    "value": (ERRORS, lambda x, i: value_loss(x, TARGETS[i])),
    "value, clipped": (ERRORS, lambda x, i: value_loss(x, TARGETS[i], BEFORE[i], 0.4)),
    "entropy of actions": (ERRORS, lambda x, _: Categorical(torch.log_softmax(scores(x), -1)).entropy()),
    "entropy of a gaussian": (ERRORS, lambda x, _: SquashedGaussian.from_output(scores(x)[:, :2]).entropy()),
    "log-density of a gaussian": (
        ERRORS, lambda x, i: SquashedGaussian.from_output(scores(x)[:, :2]).log_prob((0.9 + i) / 7),
    ),
}  # fmt: skip
EVERY = torch.arange(6)
WEIGHT = torch.tensor([0.3, 1.0, 2.5, 0.7, 4.0, 1.0], dtype=torch.float64)


@pytest.mark.parametrize("self_normalised", [False, True])
@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_those_of_finite_differences(name: str, self_normalised: bool):
    numbers, loss = LOSSES[name]
    x = torch.tensor(numbers, dtype=torch.float64, requires_grad=True)
    count = None if self_normalised else 6
    assert_gradient(lambda: weighted_mean(loss(x, EVERY), WEIGHT, count), [x])


@pytest.mark.parametrize("self_normalised", [False, True])
@pytest.mark.parametrize("twice", [0, 2, 5])
@pytest.mark.parametrize("name", LOSSES)
def test_a_weight_of_two_is_the_sample_twice(name: str, twice: int, self_normalised: bool):
    numbers, loss = LOSSES[name]
    x = torch.tensor(numbers, dtype=torch.float64, requires_grad=True)
    doubled = WEIGHT.clone()
    doubled[twice] *= 2
    both = torch.cat([EVERY, EVERY[twice : twice + 1]])

    def mean(samples: Tensor, weight: Tensor) -> Tensor:
        return weighted_mean(loss(x[samples], samples), weight, None if self_normalised else len(samples))

    # without self-normalisation it is a mean over samples, of which there is one more
    scale = 1.0 if self_normalised else 7 / 6
    assert_same_loss(lambda: mean(EVERY, doubled), lambda: mean(both, WEIGHT[both]), [x], scale)


def test_the_losses_meet_both_sides_of_their_kinks():
    x = torch.tensor(LOG_RATIOS, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(LOSSES["surrogate"][1](x, EVERY).sum(), x)
    assert (slope == 0).tolist() == [False, False, False, False, True, False]
    x = torch.tensor(ERRORS, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(LOSSES["value, clipped"][1](x, EVERY).sum(), x)
    assert {True, False} == set((slope == 0).tolist())
    assert {True, False} == set(((x - BEFORE).abs() < 0.4).tolist())


def test_known_losses():
    error = torch.tensor([0.5, -3.0])
    assert td_loss(error, huber=False).tolist() == [0.125, 4.5]
    # beyond 1: |error| - 1/2
    assert td_loss(error, huber=True).tolist() == [0.125, 2.5]


def test_refuses_shapes_that_differ():
    with pytest.raises(ValueError, match="one shape"):
        weighted_mean(torch.zeros(2), torch.zeros(3))
