"""The law that compiled loops draw from, against closed forms and against PyTorch's."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from mfmarl.core.laws import Played
from mfmarl.core.softmax_rows import draw, exponentials
from mfmarl.errors import TrainingFailed
from mfmarl.network import NetworkShape, PolicyNetwork
from tests.games import MatchingGame, make_pair

DRAWS = 40_000


def network_of(values: list[float], temperature: float = 1.0, epsilon: float = 0.0) -> PolicyNetwork:
    """Two agents, each a type of its own, whose action values are these whatever they see."""
    network = PolicyNetwork(NetworkShape(((0, 1), (1, 2)), 3, len(values), (5,)), 0)
    with torch.no_grad():
        network.mlp.weights[-1].zero_()
        network.mlp.biases[-1].copy_(torch.tensor([values, values[::-1]]))
    network.temperature.fill_(temperature)
    network.epsilon.fill_(epsilon)
    return network


def played(network: PolicyNetwork, steps: int = DRAWS // 2, seed: int = 0) -> Played:
    seen = torch.zeros(steps, 2, network.shape.outputs)
    generator = torch.Generator().manual_seed(seed)
    return network.play(torch.zeros(steps, 2, 3), seen, generator, entropy=True, log_probs=True)


@pytest.mark.parametrize("epsilon", [0.0, 0.2])
@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_actions_are_as_frequent_as_their_law_says(temperature: float, epsilon: float):
    values = [0.3, -1.0, 0.9, 0.0, -0.2, 1.1, 0.4]
    drawn = played(network_of(values, temperature, epsilon), DRAWS)
    weights = np.exp(np.array(values) / temperature)
    law = (1 - epsilon) * weights / weights.sum() + epsilon / len(values)
    for agent, p in enumerate((law, law[::-1])):
        counts = np.bincount(drawn.action[:, agent].numpy(), minlength=len(values))
        assert stats.chisquare(counts, DRAWS * p).pvalue > 1e-3
        np.testing.assert_allclose(drawn.log_prob[:, agent].exp(), p[drawn.action[:, agent]], rtol=2e-6)
        assert drawn.log_probs is not None
        np.testing.assert_allclose(drawn.log_probs[0, agent].exp(), p, rtol=2e-6)
    assert drawn.entropy is not None
    assert float(drawn.entropy[0, 0]) == pytest.approx(-(law * np.log(law)).sum(), rel=1e-6)


def test_draws_of_agents_and_steps_are_independent():
    drawn = played(network_of([0.0, 0.0]), DRAWS).action.double()
    # 4 standard errors of a correlation of nothing
    bound = 4 / math.sqrt(DRAWS)
    assert abs(float(torch.corrcoef(drawn.T)[0, 1])) < bound
    assert abs(float(torch.corrcoef(torch.stack([drawn[1:, 0], drawn[:-1, 0]]))[0, 1])) < bound


@pytest.mark.parametrize("impossible", [-1e30, -math.inf])
def test_an_impossible_action_is_never_drawn_and_spoils_nothing(impossible: float):
    drawn = played(network_of([impossible, 0.0, math.log(3.0)]))
    counts = np.bincount(drawn.action[:, 0].numpy(), minlength=3)
    assert counts[0] == 0
    assert counts[2] / counts.sum() == pytest.approx(0.75, abs=0.015)
    assert drawn.entropy is not None
    assert float(drawn.entropy[0, 0]) == pytest.approx(0.25 * math.log(4) + 0.75 * math.log(4 / 3), rel=1e-6)
    assert drawn.log_probs is not None
    assert float(drawn.log_probs[0, 0, 0]) < -1e29


def test_a_tiny_temperature_plays_the_best_action():
    drawn = played(network_of([1.0, 1.01, 0.5], temperature=1e-5))
    assert set(drawn.action[:, 0].tolist()) == {1}
    assert set(drawn.action[:, 1].tolist()) == {1}
    assert drawn.log_prob.abs().max() == 0.0


def test_exploration_alone_is_uniform():
    drawn = played(network_of([5.0, 0.0, 0.0, 0.0], temperature=0.01, epsilon=1.0))
    counts = np.bincount(drawn.action[:, 0].numpy(), minlength=4)
    assert stats.chisquare(counts).pvalue > 1e-3
    torch.testing.assert_close(drawn.log_prob, torch.full_like(drawn.log_prob, -math.log(4)))


@pytest.mark.parametrize(("uniform", "action"), [(0.0, 1), (0.5, 2), (1 - 2.0**-53, 2)])
def test_the_ends_of_the_unit_interval_draw_possible_actions(uniform: float, action: int):
    # weights 0, 1, 1, 0
    e = np.array([0, 1, 1, 0], np.float32)
    z = np.array([-100, 0, 0, -100], np.float32)
    drawn, log_prob, nothing = np.empty(1, np.int64), np.empty(1, np.float32), np.empty(0, np.float32)
    place, number = np.zeros(1, np.int64), np.array([uniform])
    draw(z, e, 4, 1, 0.0, place, number, drawn, log_prob, nothing, np.empty((0, 4), np.float32))
    assert int(drawn[0]) == action
    assert float(log_prob[0]) == pytest.approx(-math.log(2))


def test_exponentials_are_exact_to_the_last_bits():
    z = np.concatenate([np.linspace(-86, 0, 200_001), [-86.5, -1e30, -np.inf, np.nan]]).astype(np.float32)
    out = np.empty_like(z)
    exponentials(z, out, z.size)
    np.testing.assert_allclose(out[:200_001], np.exp(z[:200_001].astype(np.float64)), rtol=2.5e-7)
    assert out[200_000] == 1.0
    assert out[-4:-1].tolist() == [0.0, 0.0, 0.0]
    assert math.isnan(out[-1])


@pytest.mark.parametrize("where", range(4))
def test_a_nan_among_the_values_makes_the_log_probability_nan(where: int):
    values = [0.0, 1.0, 2.0, 3.0]
    values[where] = math.nan
    assert bool(played(network_of(values), 3).log_prob.isnan().all())
    assert bool(network_of(values).expected_q(torch.zeros(1, 2, 3), torch.zeros(1, 2, 4)).isnan().all())


def test_a_nan_in_a_hidden_layer_is_refused_with_its_place():
    rollout, _ = make_pair(MatchingGame())
    with torch.no_grad():
        rollout.network.mlp.biases[0][-1, 0] = math.nan
    with pytest.raises(TrainingFailed, match="got log-probability nan"):
        rollout.collect(1)


@pytest.mark.parametrize("epsilon", [0.0, 0.3])
def test_expected_value_is_the_sum_over_the_law(epsilon: float):
    # more rows than a chunk of every type, and actions that fill more than one tile
    shape = NetworkShape(((0, 3), (3, 5)), 3, 19, (20, 7))
    network = PolicyNetwork(shape, 0)
    network.temperature.fill_(0.2)
    network.epsilon.fill_(epsilon)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in network.parameters():
            p.copy_(torch.randn(p.shape, generator=generator) * 0.3)
    obs, given = torch.randn(50, 5, 3, generator=generator), torch.randn(50, 5, 19, generator=generator)
    q = network.mlp(obs, given).detach()
    want = (network.categorical_of(q.double()).probs * q).sum(-1)
    torch.testing.assert_close(network.expected_q(obs, given).double(), want, rtol=1e-5, atol=1e-5)
    drawn = network.play(obs, given, generator, log_probs=True)
    torch.testing.assert_close(drawn.log_probs, network.categorical_of(q).log_probs, rtol=1e-5, atol=2e-5)
    torch.testing.assert_close(drawn.log_prob, network.categorical_of(q).log_prob(drawn.action), rtol=1e-5, atol=2e-5)
    laws = network.categorical(obs, given).log_probs
    assert torch.equal(laws, drawn.log_probs)
    torch.testing.assert_close(laws, network.categorical_of(q).log_probs, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("epsilon", [0.0, 0.2, 1.0])
def test_laws_of_impossible_actions_and_of_values_that_are_no_numbers(epsilon: float):
    values = [-math.inf, 0.0, math.log(3.0), -1e30]
    nothing = torch.zeros(70, 2, 3), torch.zeros(70, 2, 4)
    got = network_of(values, epsilon=epsilon).categorical(*nothing).log_probs.exp()
    want = torch.tensor([0.0, 0.25, 0.75, 0.0]) * (1 - epsilon) + epsilon / 4
    torch.testing.assert_close(got, torch.stack([want, want.flip(0)]).expand_as(got))
    values[1] = math.nan
    assert bool(network_of(values, epsilon=epsilon).categorical(*nothing).log_probs.isnan().all())
