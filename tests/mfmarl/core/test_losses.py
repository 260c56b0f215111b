import pytest
import torch

from mfmarl.core.losses import td_loss, weighted_mean


@pytest.mark.parametrize("huber", [False, True])
@pytest.mark.parametrize("normalised", [False, True])
def test_doubling_a_weight_equals_duplicating_the_sample(huber: bool, normalised: bool):
    error = torch.tensor([0.5, -3.0, 1.5])
    twice = torch.tensor([0.5, -3.0, -3.0, 1.5])
    count = None if normalised else 3
    doubled = weighted_mean(td_loss(error, huber), torch.tensor([1.0, 2.0, 1.0]), count)
    duplicated = weighted_mean(td_loss(twice, huber), torch.ones(4), count)
    torch.testing.assert_close(doubled, duplicated)


def test_known_losses():
    error = torch.tensor([0.5, -3.0])
    assert td_loss(error, huber=False).tolist() == [0.125, 4.5]
    # beyond 1: |error| - 1/2
    assert td_loss(error, huber=True).tolist() == [0.125, 2.5]


@pytest.mark.parametrize("huber", [False, True])
def test_gradient_is_that_of_finite_differences(huber: bool):
    error = torch.tensor([0.4, -2.5, 1.7], dtype=torch.float64, requires_grad=True)
    weight = torch.tensor([1.0, 0.3, 4.0], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda e: weighted_mean(td_loss(e, huber), weight), (error,), eps=1e-6, atol=1e-6)


def test_refuses_shapes_that_differ():
    with pytest.raises(ValueError, match="one shape"):
        weighted_mean(torch.zeros(2), torch.zeros(3))
