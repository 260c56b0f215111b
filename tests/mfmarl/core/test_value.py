import math

import pytest
import torch

from mfmarl.core.value import boltzmann_log_probs, mean_field_target, mean_field_value, sample_actions


def test_boltzmann_policy_of_known_values():
    # exp(ln 3 / 1) : exp(0) = 3 : 1; at temperature 1/2 it is 9 : 1
    q = torch.tensor([math.log(3.0), 0.0])
    assert boltzmann_log_probs(q, 1.0).exp().tolist() == pytest.approx([0.75, 0.25])
    assert boltzmann_log_probs(q, 0.5).exp().tolist() == pytest.approx([0.9, 0.1])


def test_samples_follow_their_law():
    log_probs = torch.tensor([0.2, 0.5, 0.3]).log().expand(200_000, 3)
    drawn = sample_actions(log_probs, torch.Generator().manual_seed(1))
    share = torch.bincount(drawn, minlength=3) / drawn.numel()
    # 4 standard errors of a share of 1/2 are .0045
    assert (share - torch.tensor([0.2, 0.5, 0.3])).abs().max() < 0.0045


def test_an_impossible_action_is_never_drawn():
    log_probs = torch.tensor([0.0, -math.inf]).expand(10_000, 2)
    assert int(sample_actions(log_probs, torch.Generator().manual_seed(0)).sum()) == 0


def test_target_bootstraps_unless_terminated():
    probs, next_q = torch.tensor([[[0.5, 0.5]], [[0.5, 0.5]]]), torch.tensor([[[2.0, 4.0]], [[2.0, 4.0]]])
    value = mean_field_value(probs, next_q)
    assert value.tolist() == [[3.0], [3.0]]
    target = mean_field_target(torch.tensor([[1.0], [1.0]]), 0.9, torch.tensor([False, True]), value)
    assert target.flatten().tolist() == pytest.approx([3.7, 1.0])


def test_target_prints_the_shapes_it_refuses():
    with pytest.raises(ValueError, match=r"\(2, 3\).*\(2, 3\).*\(3,\)"):
        mean_field_target(torch.zeros(2, 3), 0.9, torch.zeros(3, dtype=torch.bool), torch.zeros(2, 3))
