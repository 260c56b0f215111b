import itertools
import math
from typing import Any

import pytest
import torch

from mfmarl.core.importance import drift_weights, effective_sample_size, joint_log_ratio
from mfmarl.core.importance_config import ImportanceConfig


def unheld(**settings: Any) -> ImportanceConfig:
    """Settings without the ESS floor, unless they have one."""
    return ImportanceConfig(**({"ess_floor": 0.0} | settings))



@pytest.mark.parametrize("neighbours", [1, 4, 10])
def test_second_moment_of_bernoulli_drift_is_exact(neighbours: int):
    """iid Bernoulli .5 -> .6: E[w^2] = 1.04^n, by enumerating all 2^n joint actions of n neighbours and agent 0."""
    old, new = 0.5, 0.6
    actions = torch.tensor(list(itertools.product([0, 1], repeat=neighbours)), dtype=torch.float64)
    own = torch.zeros(actions.shape[0], 1, dtype=torch.float64)
    everyone = torch.cat([own, actions], 1)

    def log_prob(p: float) -> torch.Tensor:
        return everyone * math.log(p) + (1 - everyone) * math.log(1 - p)

    weight = joint_log_ratio(log_prob(new), log_prob(old))[:, 0].exp()
    law = 0.5**neighbours
    assert float(weight.sum() * law) == pytest.approx(1.0, rel=1e-12)
    assert float(weight.square().sum() * law) == pytest.approx(1.04**neighbours, rel=1e-12)


def test_ratio_leaves_the_agent_itself_out():
    new, old = torch.tensor([[1.0, 2.0, 4.0]]), torch.zeros(1, 3)
    assert joint_log_ratio(new, old).tolist() == [[6.0, 5.0, 3.0]]
    chain = torch.tensor([[False, True, False], [True, False, True], [False, True, False]])
    assert joint_log_ratio(new, old, chain).tolist() == [[2.0, 5.0, 2.0]]


@pytest.mark.parametrize("self_normalise", [False, True])
def test_without_drift_weights_are_exactly_one(self_normalise: bool):
    log_prob = torch.randn(37, 101, generator=torch.Generator().manual_seed(0))
    weights = drift_weights(joint_log_ratio(log_prob, log_prob), unheld(self_normalise=self_normalise))
    assert bool((weights.weight == 1.0).all())
    assert (weights.mean, weights.maximum) == (1.0, 1.0)
    assert weights.effective_share == pytest.approx(1.0, abs=1e-6)


def test_clips_and_normalises():
    log_ratio = torch.tensor([[math.log(100.0)], [0.0], [0.0], [0.0]])
    plain = drift_weights(log_ratio, unheld(clip=20, self_normalise=False))
    assert plain.weight.flatten().tolist() == pytest.approx([20.0, 1.0, 1.0, 1.0], rel=1e-6)
    assert plain.maximum == pytest.approx(20.0)
    normalised = drift_weights(log_ratio, unheld(clip=20, self_normalise=True))
    assert float(normalised.weight.mean()) == pytest.approx(1.0, rel=1e-6)
    # (20 + 3)^2 / (400 + 3) / 4
    assert normalised.effective_share == pytest.approx(23**2 / 403 / 4, rel=1e-6)


@pytest.mark.parametrize("level", [-690.0, 0.0, 690.0])
def test_stable_from_1e_minus_300_to_1e_300(level: float):
    log_ratio = torch.tensor([[level], [level - 1.0], [level - 2.0]])
    for self_normalise in (False, True):
        weights = drift_weights(log_ratio, unheld(self_normalise=self_normalise))
        assert bool(torch.isfinite(weights.weight).all())
        assert 0 < weights.effective_share <= 1
    if level < 0:
        share = weights.weight.flatten() / weights.weight.sum()
        assert share.tolist() == pytest.approx(torch.softmax(torch.tensor([0.0, -1.0, -2.0]), 0).tolist(), rel=1e-5)


def test_refuses_a_ratio_that_is_no_number():
    with pytest.raises(ValueError, match="step 1, agent 0"):
        drift_weights(torch.tensor([[0.0], [math.nan]]), unheld())


def test_effective_sample_size_of_known_weights():
    assert float(effective_sample_size(torch.ones(8))) == 8.0
    assert float(effective_sample_size(torch.tensor([1.0, 0.0, 0.0, 0.0]))) == 1.0
    assert float(effective_sample_size(torch.tensor([2.0, 1.0, 1.0]))) == pytest.approx(16 / 6)


def test_reweighted_mean_is_unbiased_and_the_plain_one_is_off_by_the_computed_bias():
    """2 agents, 3 actions: the mean of f(a of the other) under the new law from draws of the old one."""
    old, new = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.2, 0.3, 0.5])
    f = torch.tensor([0.0, 1.0, 4.0])
    drawn = torch.multinomial(old, 100_000, replacement=True, generator=torch.Generator().manual_seed(3))
    new_log, old_log = new.log()[drawn], old.log()[drawn]
    both = torch.stack([torch.zeros_like(new_log), new_log], 1), torch.stack([torch.zeros_like(old_log), old_log], 1)
    weight = drift_weights(joint_log_ratio(*both), unheld(self_normalise=False)).weight[:, 0]
    truth, biased = float((new * f).sum()), float((old * f).sum())
    corrected = weight * f[drawn]
    error = float(corrected.std()) / math.sqrt(drawn.numel())
    assert abs(float(corrected.mean()) - truth) < 3 * error
    assert abs(float(f[drawn].mean()) - biased) < 3 * float(f[drawn].std()) / math.sqrt(drawn.numel())
    assert truth - biased == pytest.approx(1.2)


def test_tempering_is_a_power():
    log_ratio = torch.tensor([[2.0], [-1.0], [0.0], [1.0]])
    weights = drift_weights(log_ratio, unheld(temper=0.5, self_normalise=False))
    assert torch.allclose(weights.weight, (0.5 * log_ratio).exp())
    assert weights.temper == 0.5


@pytest.mark.parametrize("floor", [0.3, 0.6, 0.9])
def test_the_floor_is_reached_by_the_largest_exponent(floor: float):
    log_ratio = 3.0 * torch.randn(200, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    free = drift_weights(log_ratio, unheld(clip=1e9))
    assert free.effective_share < floor
    assert free.temper == 1.0
    held = drift_weights(log_ratio, unheld(clip=1e9, ess_floor=floor))
    assert held.effective_share == pytest.approx(floor, abs=1e-4)
    assert held.effective_share >= floor
    assert 0 < held.temper < 1
    # the weights are that power, and the power is the one of the temper setting
    by_hand = drift_weights(log_ratio, unheld(clip=1e9, temper=held.temper))
    assert torch.allclose(held.weight, by_hand.weight, rtol=1e-9)
    both = drift_weights(log_ratio, unheld(clip=1e9, ess_floor=floor, temper=0.5))
    assert both.temper == pytest.approx(min(0.5, held.temper), abs=1e-5)


def test_a_floor_that_is_met_changes_nothing():
    log_ratio = 0.1 * torch.randn(200, 10, generator=torch.Generator().manual_seed(0))
    free, held = (drift_weights(log_ratio, unheld(ess_floor=f)) for f in (0.0, 0.5))
    assert torch.equal(free.weight, held.weight)
    assert held.temper == 1.0


def test_impossible_steps_weigh_nothing():
    log_ratio = torch.tensor([[-math.inf, 0.0], [0.0, 1.0], [1.0, -math.inf], [0.0, 0.0]])
    for config in (unheld(), unheld(temper=0.5), unheld(ess_floor=0.99)):
        weights = drift_weights(log_ratio, config)
        assert (weights.weight == 0).nonzero().tolist() == [[0, 0], [2, 1]]
        assert float(weights.weight.mean()) == pytest.approx(1.0)
    # three of four steps are possible, so a share of .99 is out of reach: all that are possible weigh the same
    assert weights.temper == 0.0
    assert weights.effective_share == pytest.approx(0.75)
    nothing = drift_weights(torch.full((30, 2), -math.inf), unheld(pareto=True, ess_floor=0.5))
    assert bool((nothing.weight == 0).all())
    assert (nothing.mean, nothing.maximum, nothing.effective_share) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_refuses_nan_and_plus_infinity(value: float):
    with pytest.raises(ValueError, match=f"step 0, agent 1 is {value}"):
        drift_weights(torch.tensor([[0.0, value]]), unheld())


@pytest.mark.parametrize("pareto", [False, True])
@pytest.mark.parametrize("temper", [0.3, 1.0])
@pytest.mark.parametrize("level", [-500.0, 0.0, 2.0, 500.0])
def test_equal_ratios_weigh_exactly_one(level: float, temper: float, pareto: bool):
    config = unheld(temper=temper, pareto=pareto, ess_floor=0.9)
    weights = drift_weights(torch.full((100, 11), level), config)
    assert bool((weights.weight == 1.0).all())
    assert weights.effective_share == pytest.approx(1.0)


def test_bias_of_the_clipped_mean_is_within_its_bound():
    """|bias| <= V_max E_new[(1 - c/w)_+], by enumeration of one neighbour's three actions."""
    old, new = torch.tensor([0.9, 0.08, 0.02]).double(), torch.tensor([0.1, 0.3, 0.6]).double()
    f = torch.tensor([-1.0, 0.5, 1.0]).double()
    log_ratio = torch.stack([torch.zeros(3).double(), (new / old).log()], 1)[:, [1, 0]]
    weight = drift_weights(log_ratio, unheld(clip=5.0, self_normalise=False)).weight[:, 0]
    bias = float((old * weight * f).sum() - (new * f).sum())
    bound = float((new * (1 - 5.0 * old / new).clamp_min(0)).sum())
    assert bias != 0
    assert abs(bias) <= bound + 1e-12


def test_joint_ratio_of_impossible_actions():
    new, old = torch.tensor([[0.0, -math.inf, 0.5]]), torch.zeros(1, 3)
    assert joint_log_ratio(new, old).tolist() == [[-math.inf, 0.5, -math.inf]]
    chain = torch.tensor([[False, True, False], [False, False, True], [True, False, False]])
    assert joint_log_ratio(new, old, chain).tolist() == [[-math.inf, 0.5, 0.0]]
    with pytest.raises(ValueError, match="step 0, agent 1 is inf"):
        joint_log_ratio(old, new)


def test_no_weight_that_is_used_exceeds_the_clip() -> None:
    # where almost all ratios are tiny their mean is too, and dividing by it would lift the largest
    log_ratio = 10 * torch.randn(208, 50, generator=torch.Generator().manual_seed(0)) - 50
    for pareto in (False, True):
        found = drift_weights(log_ratio, unheld(clip=20.0, pareto=pareto))
        assert float(found.weight.max()) == pytest.approx(20.0)
        assert found.maximum == float(found.weight.max())


def test_the_compiled_search_finds_the_exponent_of_the_plain_one() -> None:
    log_ratio = 3.0 * torch.randn(200, 10, generator=torch.Generator().manual_seed(0))
    log_ratio[3, 2] = -math.inf
    found = [drift_weights(ratio, unheld(clip=1e9, ess_floor=0.9)) for ratio in (log_ratio, log_ratio.double())]
    assert found[0].temper == pytest.approx(found[1].temper, abs=3e-6)
    assert found[0].effective_share == pytest.approx(found[1].effective_share, abs=1e-6)
    torch.testing.assert_close(found[0].weight.double(), found[1].weight, rtol=1e-4, atol=0)
