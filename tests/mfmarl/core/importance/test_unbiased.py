"""A game of 2 agents with 3 actions each: what every estimator makes of steps that old policies played."""

import itertools
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from mfmarl.core.importance import drift_weights, joint_log_ratio, marginal_log_ratio, mixture_log_ratio
from mfmarl.core.importance_config import ImportanceConfig
from tests.mfmarl.core.importance.laws import played

OLD = torch.tensor([[0.5, 0.3, 0.2], [0.6, 0.1, 0.3]], dtype=torch.float64).log()
NEW = torch.tensor([[0.2, 0.3, 0.5], [0.25, 0.5, 0.25]], dtype=torch.float64).log()
REWARD = torch.tensor([[[0.0, 1.0, 4.0], [0.0, 2.0, 1.0], [3.0, 5.0, 1.0]]] * 2, dtype=torch.float64)
REWARD[1] = REWARD[0].T + torch.tensor([3.0, 0.0, 0.0], dtype=torch.float64).unsqueeze(1)
"""[j, a_0, a_1], agent j's reward."""
JOINT = torch.tensor(list(itertools.product(range(3), repeat=2)))

Estimate = Callable[[Tensor], Tensor]


def joint(action: Tensor) -> Tensor:
    laws = (law.expand(len(action), -1, -1) for law in (NEW, OLD))
    return joint_log_ratio(*(played(law, action) for law in laws))


def marginal(action: Tensor) -> Tensor:
    return marginal_log_ratio(NEW.expand(len(action), -1, -1), OLD.expand(len(action), -1, -1), action)


def mixture(action: Tensor) -> Tensor:
    """All steps were played by the first of the two policies in the buffer, which then has all the share but a hair."""
    both = torch.stack([played(law.expand(len(action), -1, -1), action) for law in (OLD, NEW)])
    return mixture_log_ratio(both[1], both, torch.tensor([1 - 1e-12, 1e-12], dtype=torch.float64))


def rewards(action: Tensor) -> Tensor:
    """[M, 2]"""
    return torch.stack([REWARD[j, action[:, 0], action[:, 1]] for j in range(2)], 1)


def chance(first: Tensor, second: Tensor) -> Tensor:
    """Of the nine joint actions, where agent 0 plays by `first` and agent 1 by `second`."""
    return (first[JOINT[:, 0]] + second[JOINT[:, 1]]).exp()


def truths() -> list[float]:
    """Each agent's expected reward with its own stored actions and the other's current policy."""
    laws = (chance(OLD[0], NEW[1]), chance(NEW[0], OLD[1]))
    return [float(law @ rewards(JOINT)[:, j]) for j, law in enumerate(laws)]


@pytest.mark.parametrize("estimate", [joint, marginal, mixture])
def test_unbiased_by_enumeration(estimate: Estimate):
    weight = drift_weights(estimate(JOINT), ImportanceConfig(self_normalise=False, ess_floor=0.0)).weight
    mean = chance(OLD[0], OLD[1]) @ (weight * rewards(JOINT))
    assert mean.tolist() == pytest.approx(truths(), rel=1e-9)


@pytest.mark.parametrize("estimate", [joint, marginal, mixture])
def test_within_three_standard_errors_while_the_plain_mean_is_off_by_the_computed_bias(estimate: Estimate):
    draws = 100_000
    generator = torch.Generator().manual_seed(11)
    action = JOINT[torch.multinomial(chance(OLD[0], OLD[1]), draws, replacement=True, generator=generator)]
    reward = rewards(action)
    weight = drift_weights(estimate(action), ImportanceConfig(self_normalise=False, ess_floor=0.0)).weight
    corrected = weight * reward
    bias = chance(OLD[0], OLD[1]) @ rewards(JOINT) - torch.tensor(truths(), dtype=torch.float64)
    for j in range(2):
        error = float(corrected[:, j].std()) / math.sqrt(draws)
        assert abs(float(corrected[:, j].mean()) - truths()[j]) < 3 * error
        plain_error = float(reward[:, j].std()) / math.sqrt(draws)
        assert abs(float(reward[:, j].mean()) - truths()[j] - float(bias[j])) < 3 * plain_error
        assert abs(float(bias[j])) > 20 * plain_error


def test_self_normalised_mean_is_consistent_with_a_bias_of_order_one_over_n():
    """By enumeration of how often n draws are each action: n bias -> mu E[w^2] - E[w^2 f] (delta method)."""
    old, new, f = OLD[1].exp(), NEW[1].exp(), torch.tensor([0.0, 1.0, 4.0], dtype=torch.float64)
    mean = float(new @ f)
    limit = float(mean * (new.square() / old).sum() - (new.square() / old) @ f)
    scaled = []
    for n in (6, 48):
        bias = -mean
        for first in range(n + 1):
            for second in range(n + 1 - first):
                counts = torch.tensor([first, second, n - first - second])
                law = math.comb(n, first) * math.comb(n - first, second) * float((old**counts).prod())
                drawn = torch.arange(3).repeat_interleave(counts)
                log_ratio = torch.stack([0.0 * f, NEW[1] - OLD[1]], 1)[drawn]
                weight = drift_weights(log_ratio[:, 1:], ImportanceConfig(ess_floor=0.0)).weight[:, 0]
                bias += law * float((weight * f[drawn]).mean())
        scaled.append(n * bias)
    off = [abs(value - limit) / abs(limit) for value in scaled]
    assert off[1] < 0.02 < 0.2 < off[0]
