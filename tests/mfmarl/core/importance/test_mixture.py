import math

import pytest
import torch

from mfmarl.core.importance import joint_log_ratio, mixture_log_ratio
from tests.mfmarl.core.importance.laws import played, population


def behaviours(seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(new [M, N], three behaviours [3, M, N], shares)"""
    new, first, action = population(6, 5, 4, seed=seed, drift=1.0)
    others = [population(6, 5, 4, seed=seed + i, drift=1.0)[0] for i in (1, 2)]
    laws = torch.stack([played(law, action) for law in (first, *others)])
    return played(new, action), laws, torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)


def test_value_worked_by_hand():
    """One neighbour: now .2; .4 with a share of a quarter and .8 with three quarters: .2 / .7."""
    new = torch.tensor([[0.5, 0.2]]).log()
    both = torch.tensor([[[0.5, 0.4]], [[0.5, 0.8]]]).log()
    got = mixture_log_ratio(new, both, torch.tensor([0.25, 0.75]))
    assert float(got[0, 0].exp()) == pytest.approx(0.2 / 0.7, rel=1e-6)
    assert float(got[0, 1]) == 0.0


def test_is_the_harmonic_mean_of_the_joint_ratios():
    new, laws, shares = behaviours(0)
    each = torch.stack([joint_log_ratio(new, law) for law in laws])
    want = 1.0 / (shares.view(3, 1, 1) / each.exp()).sum(0)
    got = mixture_log_ratio(new, laws, shares).exp()
    assert torch.allclose(got, want, rtol=1e-12)
    assert bool((got <= (each.exp() / shares.view(3, 1, 1)).amin(0) * (1 + 1e-12)).all())


def test_one_behaviour_is_the_joint_ratio_and_no_drift_is_exactly_one():
    new, laws, shares = behaviours(3)
    one = torch.ones(1, dtype=torch.float64)
    assert torch.allclose(mixture_log_ratio(new, laws[:1], one), joint_log_ratio(new, laws[0]), atol=1e-12)
    same = new.expand(3, -1, -1)
    assert bool((mixture_log_ratio(new, same, shares) == 0).all())
    graph = torch.eye(5).roll(1, 0).bool()
    assert torch.allclose(mixture_log_ratio(new, laws[:1], one, graph), (new - laws[0]).roll(1, 1), atol=1e-12)


def test_mean_is_one_under_the_mixture():
    """Two agents, three actions: enumerated over behaviours and the other's actions."""
    new = torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64).log()
    each = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1]], dtype=torch.float64).log()
    shares = torch.tensor([0.25, 0.75], dtype=torch.float64)
    own = torch.zeros(3, dtype=torch.float64)
    laws = torch.stack([torch.stack([own, law], 1) for law in each])
    weight = mixture_log_ratio(torch.stack([own, new], 1), laws, shares)[:, 0].exp()
    drawn = (shares.unsqueeze(1) * each.exp()).sum(0)
    f = torch.tensor([0.0, 1.0, 4.0], dtype=torch.float64)
    assert float((drawn * weight).sum()) == pytest.approx(1.0, rel=1e-12)
    assert float((drawn * weight * f).sum()) == pytest.approx(2.3, rel=1e-12)


def test_stable_from_1e_minus_300_to_1e_300_and_at_impossible_actions():
    new = torch.tensor([[0.0, -690.0], [0.0, 690.0], [0.0, -torch.inf]], dtype=torch.float64)
    laws = torch.zeros(2, 3, 2, dtype=torch.float64)
    laws[1, :, 1] = torch.tensor([-1.0, -1.0, -torch.inf])
    got = mixture_log_ratio(new, laws, torch.tensor([0.5, 0.5]))[:, 0]
    denominator = math.log(0.5 + 0.5 * math.exp(-1))
    assert got.tolist() == pytest.approx([-690 - denominator, 690 - denominator, -math.inf])


def test_refuses_what_no_behaviour_plays_and_wrong_shares():
    new, laws, shares = behaviours(1)
    nowhere = laws.clone()
    nowhere[:, 2, 3] = -torch.inf
    with pytest.raises(ValueError, match=r"no behaviour policy plays .* agent 0 did in step 2"):
        mixture_log_ratio(new, nowhere, shares)
    with pytest.raises(ValueError, match="shares must be positive and sum to 1"):
        mixture_log_ratio(new, laws, shares * 2)
    with pytest.raises(ValueError, match=r"\[M, N\], \[J, M, N\] and \[J\]"):
        mixture_log_ratio(new, laws[0], shares)
