import math

import pytest
import torch
from scipy import stats

from mfmarl.core.importance import drift_weights
from mfmarl.core.importance.pareto import fit_generalised_pareto, fit_tails, smooth_tails, tail_length
from mfmarl.core.importance_config import ImportanceConfig


def draws(k: float, sigma: float, shape: tuple[int, ...], seed: int) -> torch.Tensor:
    """Generalised Pareto draws, by inverting the distribution function."""
    uniform = torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return sigma * ((1 - uniform) ** (-k) - 1) / k if k else -sigma * torch.log1p(-uniform)


@pytest.mark.parametrize("k", [-0.3, 0.0, 0.3, 0.7, 1.2])
def test_finds_the_shape_of_known_tails(k: float):
    """The mean of 300 fits of 400 draws is k, but for the prior's 10 draws of .5, within 3 standard errors + .01."""
    fit = fit_generalised_pareto(draws(k, 2.0, (400, 300), seed=1).sort(0).values)
    expected = (400 * k + 5) / 410
    assert abs(float(fit.shape.mean()) - expected) < 3 * float(fit.shape.std()) / math.sqrt(300) + 0.01
    assert float(fit.scale.mean()) == pytest.approx(2.0, rel=0.03)
    # the maximum-likelihood estimator's asymptotic deviation (1 + k) / sqrt(n), for k > -1/2
    assert float(fit.shape.std()) == pytest.approx((1 + k) / 20, rel=0.25)


@pytest.mark.parametrize("k", [0.2, 0.8])
def test_is_near_the_maximum_of_the_likelihood(k: float):
    x = draws(k, 0.7, (2000, 1), seed=5).sort(0).values
    fit = fit_generalised_pareto(x)
    shape, _, scale = stats.genpareto.fit(x[:, 0].numpy(), floc=0)
    assert float(fit.shape) == pytest.approx((2000 * shape + 5) / 2010, abs=0.01)
    assert float(fit.scale) == pytest.approx(scale, rel=0.02)


def test_a_scale_of_the_data_changes_sigma_alone():
    x = draws(0.4, 1.0, (60, 3), seed=2).sort(0).values
    small, large = fit_generalised_pareto(x), fit_generalised_pareto(1e6 * x)
    assert torch.allclose(small.shape, large.shape, rtol=1e-9)
    assert torch.allclose(1e6 * small.scale, large.scale, rtol=1e-9)


def test_smoothing_keeps_the_order_the_rest_and_the_maximum():
    log_weight = torch.randn(400, 7, generator=torch.Generator().manual_seed(3), dtype=torch.float64) * 2.0
    tail = fit_tails(log_weight)
    assert tail is not None
    smooth = smooth_tails(log_weight, tail)
    # ties only at the maximum, where a quantile of the fitted law lies beyond it
    assert bool((smooth.gather(0, log_weight.argsort(0)).diff(dim=0) >= 0).all())
    assert bool((smooth.amax(0) <= log_weight.amax(0) + 1e-12).all())
    changed = (smooth != log_weight).sum(0)
    assert bool((changed <= tail_length(400)).all())
    assert bool((changed >= tail_length(400) - 1).all())
    assert tail_length(400) == 60


def test_smoothed_tail_is_the_quantiles_of_the_fitted_law():
    log_weight = draws(0.5, 1.0, (400, 1), seed=4).log()
    tail = fit_tails(log_weight)
    assert tail is not None
    smooth = smooth_tails(log_weight, tail)[tail.place[:, 0], 0].exp()
    unit = float(tail.log_unit.exp())
    law = stats.genpareto(float(tail.fit.shape), loc=float(tail.log_cutoff.exp()), scale=float(tail.fit.scale) * unit)
    quantiles = torch.from_numpy(law.ppf([(i + 0.5) / 60 for i in range(60)]))
    assert torch.allclose(smooth, quantiles.clamp_max(unit), rtol=1e-9)


def test_smoothing_reduces_the_variance_of_the_estimate_and_raises_the_effective_sample():
    """Log-normal weights of mean 1 whose tails are heavy: means over 400 draws, 2,000 times."""
    log_weight = 1.5 * torch.randn(400, 2000, generator=torch.Generator().manual_seed(6), dtype=torch.float64) - 1.125
    tail = fit_tails(log_weight)
    assert tail is not None
    raw, smooth = log_weight.exp().mean(0), smooth_tails(log_weight, tail).exp().mean(0)
    assert float(smooth.var()) < 0.8 * float(raw.var())
    assert float((smooth - 1).square().mean()) < float((raw - 1).square().mean())
    settings = {"clip": 1e6, "self_normalise": False}
    plain = drift_weights(log_weight, ImportanceConfig(ess_floor=0.0, **settings))
    pareto = drift_weights(log_weight, ImportanceConfig(ess_floor=0.0, pareto=True, **settings))
    assert pareto.effective_share > plain.effective_share
    assert pareto.k_hat is not None
    assert 0.4 < pareto.k_hat < 0.9


def test_k_hat_of_weights_with_a_known_tail():
    """Pareto weights: P(w > x) = x^(-1/k); the diagnostic of some agents is near that of all."""
    uniform = torch.rand(2000, 200, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    log_weight = -0.6 * uniform.log()
    some = drift_weights(log_weight, ImportanceConfig(ess_floor=0.0, clip=1e9)).k_hat
    every = drift_weights(log_weight, ImportanceConfig(ess_floor=0.0, clip=1e9, pareto=True)).k_hat
    assert some == pytest.approx(0.6, abs=0.06)
    assert every == pytest.approx(0.6, abs=0.03)


def test_no_tail_no_fit():
    assert fit_tails(torch.zeros(100, 4)) is None
    assert fit_tails(torch.randn(20, 4)) is None
    for pareto in (False, True):
        weights = drift_weights(torch.zeros(100, 4), ImportanceConfig(pareto=pareto))
        assert weights.k_hat is None
        assert bool((weights.weight == 1).all())
    # of two agents one has drifted: only its tail is smoothed
    log_weight = torch.zeros(100, 2)
    log_weight[:, 1] = torch.randn(100, generator=torch.Generator().manual_seed(8))
    tail = fit_tails(log_weight)
    assert tail is not None
    assert tail.agent.tolist() == [1]
    assert torch.equal(smooth_tails(log_weight, tail)[:, 0], log_weight[:, 0])


def test_impossible_steps_and_extreme_ratios():
    log_weight = torch.randn(100, 3, generator=torch.Generator().manual_seed(9), dtype=torch.float64) * 200
    log_weight[:90, 0] = -torch.inf
    for level in (-600.0, 600.0):
        tail = fit_tails(log_weight + level)
        assert tail is not None
        smooth = smooth_tails(log_weight + level, tail)
        # of agent 0 all but ten weights are 0, and stay so
        assert tail.agent.tolist() == [1, 2]
        assert torch.equal(smooth[:, 0], log_weight[:, 0] + level)
        assert bool(torch.isfinite(smooth[:, 1:]).all())
        assert bool((smooth[:, 1:].gather(0, log_weight[:, 1:].argsort(0)).diff(dim=0) >= 0).all())
        assert bool((tail.fit.shape > 10).all())
