import math

import pytest
import torch

from mfmarl.core.importance import (
    action_moments,
    effective_sample_size,
    gaussian_log_ratio,
    gaussian_log_ratio_one_hot,
    marginal_log_ratio,
)
from tests.mfmarl.core.importance.laws import population


def scalar(new: torch.Tensor, old: torch.Tensor, action: torch.Tensor, **settings: object) -> torch.Tensor:
    return gaussian_log_ratio(
        *action_moments(new), *action_moments(old), action.to(new.dtype), **settings  # type: ignore[arg-type]
    )


def test_moments_of_a_known_law():
    mean, variance = action_moments(torch.tensor([[0.5, 0.25, 0.25], [0.0, 0.0, 1.0]]).log())
    assert mean.tolist() == [0.75, 2.0]
    assert variance.tolist() == [0.6875, 0.0]


@pytest.mark.parametrize("actions", [1, 2, 11, 40])
def test_compiled_moments_equal_the_plain_ones_in_float64(actions: int):
    """Of more rows than a chunk; one law is certain."""
    law = population(9, 15, actions, seed=actions, sharpness=3.0)[0]
    law[0, 0] = torch.nn.functional.one_hot(torch.tensor(actions - 1), actions).double().log()
    for got, want in zip(action_moments(law.float()), action_moments(law), strict=True):
        assert got.dtype == torch.float32
        assert torch.allclose(got.double(), want, rtol=2e-6, atol=2e-6)
    assert [float(m[0, 0]) for m in action_moments(law.float())] == [actions - 1, 0.0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("bandwidth", [0.0, 0.3])
def test_compiled_ratios_equal_those_of_a_full_graph(dtype: torch.dtype, bandwidth: float):
    """Also where a variance is below the floor, and for tensors that do not lie side by side."""
    new, old, action = population(6, 9, 5, seed=3, sharpness=4.0)
    new[:, 1:], old[:, 1:] = old[:, :1], old[:, :1]
    old[3] = torch.nn.functional.one_hot(action[3], 5).double().log()
    moments = [m.to(dtype) for law in (new, old) for m in action_moments(law)]
    value = action.to(dtype).T.contiguous().T
    full = ~torch.eye(9, dtype=torch.bool)
    want = gaussian_log_ratio(*(m.double() for m in moments), value.double(), full, bandwidth=bandwidth)
    got = gaussian_log_ratio(*moments, value, bandwidth=bandwidth)
    assert got.dtype == dtype
    assert torch.allclose(got.double(), want, rtol=1e-6, atol=1e-9)
    assert float(want.abs().max()) > 1.0


def test_value_worked_by_hand():
    """Two others with means 1 and 2, variances 1 and 3: N(3, 4) then, N(5, 9) now, at a sum of 6."""
    old_mean, old_variance = torch.tensor([[9.0, 1.0, 2.0]]), torch.tensor([[9.0, 1.0, 3.0]])
    new_mean, new_variance = torch.tensor([[9.0, 2.0, 3.0]]), torch.tensor([[9.0, 4.0, 5.0]])
    value = torch.tensor([[9.0, 2.0, 4.0]])
    got = gaussian_log_ratio(new_mean, new_variance, old_mean, old_variance, value)
    by_hand = -0.5 * (1 / 9) + 0.5 * (9 / 4) + 0.5 * math.log(4 / 9)
    assert float(got[0, 0]) == pytest.approx(by_hand, rel=1e-6)
    # a bandwidth of 1 of the mean action is 2 of the sum: variances 8 and 13
    smooth = gaussian_log_ratio(new_mean, new_variance, old_mean, old_variance, value, bandwidth=1.0)
    assert float(smooth[0, 0]) == pytest.approx(-0.5 / 13 + 4.5 / 8 + 0.5 * math.log(8 / 13), rel=1e-6)


@pytest.mark.parametrize("agents", [10, 40])
def test_second_moment_is_that_of_two_normal_laws(agents: int):
    """Mean action N(m, sigma^2/N), m -> m': E[w^2] = exp(N (m'-m)^2 / sigma^2), by quadrature over the sum."""
    shift, sigma = 0.2, 1.3
    spread = sigma * math.sqrt(agents)
    sums = torch.linspace(-12 * spread, 12 * spread, 20_001, dtype=torch.float64)
    value = torch.zeros(sums.numel(), agents + 1, dtype=torch.float64)
    value[:, 1] = sums
    flat = torch.ones_like(value)
    ratio = gaussian_log_ratio(shift * flat, sigma**2 * flat, 0.0 * flat, sigma**2 * flat, value)[:, 0]
    density = (-0.5 * (sums / spread).square()).exp() / (spread * math.sqrt(2 * math.pi))
    step = float(sums[1] - sums[0])
    assert float((density * ratio.exp()).sum()) * step == pytest.approx(1.0, rel=1e-9)
    second = float((density * (2 * ratio).exp()).sum()) * step
    assert second == pytest.approx(math.exp(agents * shift**2 / sigma**2), rel=1e-9)


@pytest.mark.parametrize("agents", [31, 101])
def test_agrees_with_the_exact_laws(agents: int):
    """Log-weights of `gaussian` and `marginal` for 30 or more neighbours under moderate drift."""
    new, old, action = population(400, agents, 7, seed=agents, drift=0.3)
    exact, approximate = marginal_log_ratio(new, old, action)[:, 0], scalar(new, old, action)[:, 0]
    correlation = torch.corrcoef(torch.stack([exact, approximate]))[0, 1]
    assert float(correlation) > 0.99
    assert float(exact.std()) > 0.1


def test_one_hot_of_two_actions_is_the_scalar_but_for_the_ridge():
    new, old, action = population(8, 200, 2, seed=0, drift=0.2)
    counts = gaussian_log_ratio_one_hot(new, old, action, bandwidth=0.1)
    # the ridge of 1/12 stands beside a variance of (.1 * 199)^2 and more
    assert torch.allclose(counts, scalar(new, old, action, bandwidth=0.1), rtol=0, atol=2e-3)


def test_one_hot_equals_dense_normal_densities():
    new, old, action = population(3, 6, 4, seed=1, drift=0.5)
    graph = torch.tensor([[i != j and (i * j) % 2 == 0 for j in range(6)] for i in range(6)])
    got = gaussian_log_ratio_one_hot(new, old, action, graph, bandwidth=0.2)
    others = gaussian_log_ratio_one_hot(new, old, action, bandwidth=0.2)
    for j in range(6):
        for found, neighbours in ((got, graph[j]), (others, torch.arange(6) != j)):
            counts = torch.nn.functional.one_hot(action[:, neighbours], 4)[..., 1:].sum(1).double()
            values = []
            for law in (new, old):
                p = law[:, neighbours].exp()[..., 1:]
                covariance = (torch.diag_embed(p) - p.unsqueeze(-1) * p.unsqueeze(-2)).sum(1)
                covariance += (1 / 12 + (0.2 * int(neighbours.sum())) ** 2) * torch.eye(3, dtype=torch.float64)
                normal = torch.distributions.MultivariateNormal(p.sum(1), covariance)
                values.append(normal.log_prob(counts))
            assert torch.allclose(found[:, j], values[0] - values[1], rtol=0, atol=1e-9)


def test_neighbours_of_a_graph_and_everyone_else():
    new, old, action = population(3, 5, 4, seed=2)
    full = ~torch.eye(5, dtype=torch.bool)
    assert torch.allclose(scalar(new, old, action, neighbours=full), scalar(new, old, action), atol=1e-12)
    chain = torch.zeros(5, 5, dtype=torch.bool)
    chain[0, 1] = chain[1:, 0] = True
    got = scalar(new, old, action, neighbours=chain)
    pair = torch.stack([new[:, 0], new[:, 1]], 1), torch.stack([old[:, 0], old[:, 1]], 1), action[:, :2]
    assert torch.allclose(got[:, 0], scalar(*pair)[:, 0], atol=1e-12)
    assert torch.allclose(got[:, 4], scalar(*pair)[:, 1], atol=1e-12)


@pytest.mark.parametrize("one_hot", [False, True])
def test_without_drift_it_is_exactly_zero_also_for_deterministic_policies(one_hot: bool):
    estimate = gaussian_log_ratio_one_hot if one_hot else scalar
    _, old, action = population(5, 8, 4, seed=4)
    assert bool((estimate(old, old.clone(), action) == 0).all())
    certain = torch.nn.functional.one_hot(action, 4).double().log()
    assert bool((estimate(certain, certain.clone(), action) == 0).all())
    # one agent moves by one action: the sum is off by 1 where its rounding alone has variance 1/12
    moved = certain.clone()
    moved[0, 0] = moved[0, 0].roll(1)
    ratio = estimate(moved, certain, action)
    assert bool(torch.isfinite(ratio).all())
    assert float(ratio[0, 1]) < -5
    assert float(ratio[0, 0]) == 0.0


def test_bandwidth_bounds_the_variance_of_the_weights_in_large_populations():
    """A common shift separates the laws as N grows; with a bandwidth the effective sample stays."""
    generator = torch.Generator().manual_seed(0)
    shares = []
    for agents in (30, 200, 1000):
        value = torch.randn(500, agents, generator=generator)
        flat = torch.ones_like(value)
        given = (0.3 * flat, flat, 0.0 * flat, flat, value)
        ratios = gaussian_log_ratio(*given, bandwidth=0.0), gaussian_log_ratio(*given, bandwidth=0.5)
        weights = [(r - r.max(0).values).exp() for r in ratios]
        shares.append([float(effective_sample_size(w).mean()) / 500 for w in weights])
    assert shares[2][0] < 0.02 < shares[0][0]
    assert min(smooth for _, smooth in shares) > 0.5


def test_float32_of_many_agents():
    new, old, action = population(4, 2000, 7, seed=6, drift=0.05)
    wide, narrow = scalar(new, old, action), scalar(new.float(), old.float(), action)
    assert narrow.dtype == torch.float32
    assert torch.allclose(narrow.double(), wide, rtol=0, atol=1e-3)


def test_refuses_negative_variances_and_shapes():
    x = torch.ones(2, 3)
    with pytest.raises(ValueError, match="old variances must not be negative; the least is -1"):
        gaussian_log_ratio(x, x, x, -x, x)
    with pytest.raises(ValueError, match=r"all be \[M, N\]"):
        gaussian_log_ratio(x, x, x, x[:, :2], x)
    with pytest.raises(ValueError, match="bandwidth must not be negative"):
        gaussian_log_ratio(x, x, x, x, x, bandwidth=-1.0)
