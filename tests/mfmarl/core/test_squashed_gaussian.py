import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from mfmarl.core.squashed_gaussian import MARGIN, SquashedGaussian

CASES = [(0.0, -0.5, 0.0, 1.0), (1.2, 0.3, 0.0, 1.0), (-2.5, -1.0, -3.0, 5.0), (3.0, -3.5, 0.0, 1.0)]


def wide(number: float) -> torch.Tensor:
    return torch.tensor([[number]], dtype=torch.float64)


def law(mean: float, log_std: float, low: float, high: float) -> SquashedGaussian:
    return SquashedGaussian(wide(mean), wide(log_std), low, high)


def density(of: SquashedGaussian, action: float) -> float:
    return math.exp(float(of.log_prob(wide(action))))


def integral(of: SquashedGaussian, f) -> float:
    """Over the range in terms of u, so that a peak at an end is met."""
    mean, std = float(of.mean), float(of.log_std.exp())

    def integrand(u: float) -> float:
        place = 1 / (1 + math.exp(-2 * u))
        action = of.low + (of.high - of.low) * place
        return f(action) * 2 * (of.high - of.low) * place * (1 - place)

    bound = 0.5 * math.log((1 - MARGIN) / MARGIN)
    low, high = max(-bound, mean - 9 * std), min(bound, mean + 9 * std)
    return integrate.quad(integrand, low, high, epsabs=1e-8, limit=200)[0]


@pytest.mark.parametrize("case", CASES)
def test_the_density_integrates_to_one(case):
    of = law(*case)
    # what lies nearer to an end than MARGIN is 4e-5 at most in these cases
    assert integral(of, lambda a: density(of, a)) == pytest.approx(1.0, abs=1e-4)


def test_the_density_integrates_to_one_over_actions_too():
    of = law(0.3, -0.5, 0.0, 1.0)
    assert integrate.quad(lambda a: density(of, a), 0.0, 1.0, limit=200)[0] == pytest.approx(1.0, abs=1e-7)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("place", [0.02, 0.4, 0.77, 0.999])
def test_the_density_is_that_of_the_change_of_variables(case, place: float):
    mean, log_std, low, high = case
    action = low + (high - low) * place
    # a = low + (high - low) (1 + tanh u) / 2, so da/du = (high - low) (1 - tanh^2 u) / 2
    y = 2 * place - 1
    want = stats.norm(mean, math.exp(log_std)).logpdf(math.atanh(y)) - math.log((high - low) * (1 - y * y) / 2)
    assert float(law(*case).log_prob(wide(action))) == pytest.approx(want, rel=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_entropy_and_mean_are_those_of_the_density(case):
    of = law(*case)
    entropy = integral(of, lambda a: -density(of, a) * math.log(density(of, a)))
    assert float(of.entropy()) == pytest.approx(entropy, abs=2e-3)
    mean = integral(of, lambda a: a * density(of, a))
    assert float(of.mean_action()) == pytest.approx(mean, abs=2e-3)


def test_quadrature_keeps_six_digits_over_the_stds_that_networks_give():
    for mean in (-4.0, -1.3, 0.0, 2.0, 4.0):
        for log_std in (-4.0, -1.0, 0.0, 0.5):
            of = law(mean, log_std, 0.0, 1.0)
            std = math.exp(log_std)

            def squash(z: float, mean: float = mean, std: float = std) -> float:
                return stats.norm.pdf(z) / (1 + math.exp(-2 * (mean + std * z)))

            want = integrate.quad(squash, -12, 12, epsabs=1e-12)[0]
            assert float(of.mean_action()) == pytest.approx(want, abs=2e-4 if log_std > 0 else 1e-5)


def test_draws_follow_the_law():
    of = SquashedGaussian(torch.full((200, 100), 0.7), torch.full((200, 100), -0.2))
    drawn = of.sample(torch.Generator().manual_seed(0)).double().numpy().ravel()

    def cdf(action: np.ndarray) -> np.ndarray:
        return stats.norm(0.7, math.exp(-0.2)).cdf(np.arctanh(2 * action - 1))

    assert stats.kstest(drawn, cdf).pvalue > 0.01
    again = of.sample(torch.Generator().manual_seed(0)).double().numpy().ravel()
    np.testing.assert_array_equal(drawn, again)


def test_draws_at_the_ends_have_finite_densities_in_single_precision():
    of = SquashedGaussian.from_output(torch.tensor([[[50.0, 50.0], [-50.0, 50.0], [50.0, -50.0], [0.0, -50.0]]] * 500))
    drawn = of.sample(torch.Generator().manual_seed(1))
    assert drawn.dtype == torch.float32
    assert float(drawn.min()) > 0
    assert float(drawn.max()) < 1
    for action in (drawn, torch.zeros_like(drawn), torch.ones_like(drawn)):
        assert bool(torch.isfinite(of.log_prob(action)).all())
    assert bool(torch.isfinite(of.entropy()).all())


def test_an_output_of_zero_is_the_middle_of_the_range():
    of = SquashedGaussian.from_output(torch.zeros(1, 1, 2))
    assert float(of.mean_action()) == pytest.approx(0.5)
    assert float(of.log_std) == pytest.approx(-0.5)
    with pytest.raises(ValueError, match="two outputs"):
        SquashedGaussian.from_output(torch.zeros(1, 1, 3))


def test_moments_are_those_of_many_draws():
    law = SquashedGaussian(torch.tensor([[-1.0, 0.0, 0.7]]), torch.tensor([[-0.5, 0.0, -2.0]]), low=2.0, high=5.0)
    mean, variance = law.moments()
    torch.testing.assert_close(mean, law.mean_action())
    many = SquashedGaussian(law.mean.expand(200_000, 3), law.log_std.expand(200_000, 3), low=2.0, high=5.0)
    draws = many.sample(torch.Generator().manual_seed(0))
    torch.testing.assert_close(draws.mean(0), mean[0], rtol=0, atol=0.01)
    torch.testing.assert_close(draws.var(0), variance[0], rtol=0.02, atol=0)
