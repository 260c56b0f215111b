import math

import pytest
import torch

from mfmarl.core.laws import Categorical, with_exploration
from mfmarl.network import NetworkShape, PolicyNetwork


def test_exploration_mixes_the_uniform_law_in():
    log_probs = torch.tensor([[0.7, 0.2, 0.1]]).log()
    torch.testing.assert_close(with_exploration(log_probs, 0.3).exp(), torch.tensor([[0.59, 0.24, 0.17]]))
    assert with_exploration(log_probs, 0.0) is log_probs
    torch.testing.assert_close(with_exploration(log_probs, 1.0).exp(), torch.full((1, 3), 1 / 3))


def test_a_categorical_law_draws_as_often_as_it_says():
    law = Categorical(torch.tensor([[0.7, 0.2, 0.1]]).log().expand(50_000, 3).unsqueeze(0))
    drawn = law.sample(torch.Generator().manual_seed(0))
    share = torch.bincount(drawn.flatten(), minlength=3) / 50_000
    for got, p in zip(share.tolist(), (0.7, 0.2, 0.1), strict=True):
        assert abs(got - p) < 4 * math.sqrt(p * (1 - p) / 50_000)
    assert float(law.log_prob(drawn).exp().mean()) == pytest.approx(0.49 + 0.04 + 0.01, abs=0.01)


def test_entropy_of_known_laws():
    log_probs = torch.tensor([[0.25, 0.25, 0.25, 0.25], [1.0, 0.0, 0.0, 0.0]]).log()
    assert Categorical(log_probs).entropy().tolist() == pytest.approx([math.log(4), 0.0])


@pytest.mark.parametrize("epsilon", [0.0, 0.3])
def test_probabilities_in_one_pass_are_those_of_the_law(epsilon: float):
    network = PolicyNetwork(NetworkShape(((0, 2),), 3, 4, (5,)), 0)
    network.temperature.fill_(0.3)
    network.epsilon.fill_(epsilon)
    output = torch.randn(7, 2, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(network.probs_of(output), network.categorical_of(output).probs)
