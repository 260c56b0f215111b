import math

import numpy as np
import pytest
import torch
from torch import Tensor

from mfmarl.core.importance import inversion, lattice_sum, tilt
from mfmarl.core.importance.convolution import leave_one_out_masses, log_masses
from mfmarl.core.importance.inversion import point_masses
from mfmarl.core.importance.inversion_loops import frequencies, masses_without, waves
from mfmarl.core.importance.tilt import tilted
from mfmarl.core.importance.tilt_loops import exponentials
from tests.mfmarl.core.importance.laws import population


def skewed(seed: int) -> Tensor:
    """Log-probabilities [40, 30, 8]: mostly 0, seldom 7, so that tails are long on one side."""
    rare = 0.03 * torch.rand(40, 30, 1, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 1e-4
    nothing = torch.full((40, 30, 6), 1e-9, dtype=torch.float64)
    return torch.cat([1 - rare - 6e-9, nothing, rare], -1).log()


@pytest.mark.parametrize("accuracy", [1e-1, 1e-2, 1e-4, 1e-8, 1e-12])
@pytest.mark.parametrize("skew", [False, True])
def test_errors_of_the_inversion_stay_within_their_bounds(accuracy: float, skew: bool):
    """Also with few frequencies and short periods, and at sums that the tilt leaves a deviation away."""
    laws = skewed(0) if skew else population(40, 30, 8, seed=1)[1]
    generator = torch.Generator().manual_seed(2)
    action = torch.multinomial(laws.exp().flatten(0, 1), 1, generator=generator).view(40, 30)
    action[:10, :3] = 7
    state = tilted(laws, action.sum(-1))
    exact = leave_one_out_masses(state.law, action)
    mass, error = point_masses(state, action, True, accuracy)
    assert bool(((mass - exact).abs() <= error.unsqueeze(-1)).all())
    assert float(error.max()) < 2.1 * accuracy
    whole, bound = point_masses(state, action, False, accuracy)
    scale = state.normaliser.sum(-1) - state.tilt * action.sum(-1)
    assert bool(((whole - (log_masses(laws, action.sum(-1)) - scale).exp()).abs() <= bound).all())


@pytest.mark.parametrize("sharpness", [0.0, 1.0, 10.0, 100.0, 1000.0])
def test_tilting_brings_the_mean_to_the_sum(sharpness: float):
    """Within one deviation, for laws of any hardness and any sum inside the support; at its ends all mass is there."""
    laws = population(60, 12, 5, seed=3, sharpness=sharpness)[0]
    action = torch.randint(0, 5, (60, 12), generator=torch.Generator().manual_seed(4))
    action[0], action[1] = 0, 4
    state = tilted(laws, action.sum(-1))
    assert torch.allclose(state.law.sum(-1), torch.ones(60, 12, dtype=torch.float64), atol=1e-12)
    away = (state.mean - action.sum(-1)).abs()
    assert bool((away <= state.variance.sqrt() + 1e-6).all())
    index = torch.arange(5, dtype=torch.float64)
    assert torch.allclose((state.law @ index).sum(-1), state.mean, atol=1e-9)
    # the law is the tilted one: log q - log p = t a - K
    free = state.law > 1e-200
    shift = state.tilt.view(-1, 1, 1) * index - state.normaliser.unsqueeze(-1)
    assert torch.allclose((state.law.log() - laws)[free], shift[free], rtol=1e-9, atol=1e-9)


def test_what_the_inversion_cannot_give_is_added_up(monkeypatch: pytest.MonkeyPatch):
    """A characteristic function of exactly 0 makes a mass nan; it is found otherwise then."""
    new, _, action = population(5, 6, 4, seed=5)
    right = lattice_sum.leave_one_out_log_masses(new, action, 1e-9)
    whole = lattice_sum.sum_log_masses(new, action, 1e-9)

    def broken(*arguments: object) -> tuple[Tensor, Tensor]:
        mass, error = point_masses(*arguments[:4], accuracy=1e-14)  # type: ignore[arg-type]
        return mass.index_fill(0, torch.tensor(2), torch.nan), error

    monkeypatch.setattr(lattice_sum, "point_masses", lambda *a, accuracy: broken(*a))
    assert torch.allclose(lattice_sum.leave_one_out_log_masses(new, action, 1e-9), right, rtol=0, atol=1e-9)
    assert torch.allclose(lattice_sum.sum_log_masses(new, action, 1e-9), whole, rtol=0, atol=1e-9)


def test_exponentials_are_exact_to_the_last_bits():
    z = np.concatenate([np.linspace(-708, 0, 100_001), [-1e-300, -708.1, -1e300, -np.inf, np.nan]])
    out = np.empty_like(z)
    exponentials(z, out, z.size)
    np.testing.assert_allclose(out[:100_002], np.exp(z[:100_002]), rtol=5e-16)
    assert out[100_000] == out[100_001] == 1.0
    assert out[-4:-1].tolist() == [0.0, 0.0, 0.0]
    assert math.isnan(out[-1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("sharpness", [0.3, 10.0, 300.0])
def test_compiled_tilting_equals_that_in_torch(sharpness: float, dtype: torch.dtype):
    """For sums in the middle, in tails, and at the ends; with impossible actions among the laws."""
    laws = population(30, 7, 5, seed=6, sharpness=sharpness)[0]
    laws[::3, :4, 2] = -torch.inf
    laws = torch.log_softmax(laws, -1).to(dtype)
    total = torch.randint(0, 29, (30,), generator=torch.Generator().manual_seed(7))
    got, want = tilted(laws, total), tilt._by_torch(laws.double(), total)
    for name in ("law", "normaliser", "tilt", "mean", "variance"):
        assert torch.allclose(getattr(got, name), getattr(want, name), rtol=1e-9, atol=1e-9), name
    assert int((got.tilt != 0).sum()) > 15


@pytest.mark.parametrize("accuracy", [1e-2, 1e-12])
@pytest.mark.parametrize(("agents", "actions"), [(3, 2), (30, 8)])
def test_compiled_frequencies_and_masses_equal_those_in_torch(agents: int, actions: int, accuracy: float):
    _, laws, action = population(4, agents, actions, seed=8)
    state, length, rows = tilted(laws, action.sum(-1)), 2 * agents + 1, np.array([0, 1, 3])
    angle = torch.arange(length // 2 + 1).double() * (2 * math.pi / length)
    decay = inversion._decay(state.law)
    needed, bound = inversion._frequencies(decay, angle, length, accuracy, agents)
    mass, error = np.zeros((4, agents)), np.zeros(4)
    law = state.law.transpose(1, 2).contiguous().numpy()
    masses_without(law, action.numpy(), rows, length, accuracy, mass, error)
    spare = np.empty(angle.numel()), np.empty(angle.numel())
    for r in rows:
        count, _ = frequencies(law[r].ravel(), agents, waves(actions, length), length, accuracy, *spare)
        assert count == int(needed[r])
        # the loops sum whole tiles of frequencies
        angles = angle[: -(-count // 8) * 8]
        want = inversion._invert(state.law[r : r + 1], action[r : r + 1], action[r : r + 1].sum(-1), angles, length)
        assert torch.allclose(torch.from_numpy(mass[r]), want[0], rtol=1e-9, atol=1e-15)
    assert error[rows].tolist() == pytest.approx(bound[torch.from_numpy(rows)].tolist(), rel=1e-9)
    # another period's row is left alone
    assert (mass[2] == 0).all()
    assert error[2] == 0
