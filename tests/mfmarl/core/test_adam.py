import numpy as np
import pytest
import torch

from mfmarl.core.adam import VectorAdam


def test_steps_are_those_of_adam_in_double_precision():
    rng = np.random.default_rng(0)
    start = rng.normal(size=1003).astype(np.float32)
    fast = torch.nn.Parameter(torch.from_numpy(start.copy()))
    plain = torch.nn.Parameter(torch.from_numpy(start).double())
    ours, theirs = VectorAdam(fast, 1e-2), torch.optim.Adam([plain], lr=1e-2)
    for step in range(50):
        gradient = torch.from_numpy(rng.normal(size=1003) * 10.0 ** rng.integers(-6, 3))
        for optimiser in (ours, theirs):
            optimiser.param_groups[0]["lr"] = 1e-2 * 0.9**step
        ours.move(gradient.float())
        plain.grad = gradient
        theirs.step()
    assert float((plain.detach() - torch.from_numpy(start)).abs().max()) > 0.02
    torch.testing.assert_close(fast.detach().double(), plain.detach(), rtol=1e-5, atol=1e-6)
    for name in ("step", "exp_avg", "exp_avg_sq"):
        got, want = ours.state[fast][name], theirs.state[plain][name]
        # gradients are up to some hundreds, in float32
        torch.testing.assert_close(got.double(), want.double(), rtol=1e-5, atol=1e-5)


def test_state_goes_into_pytorchs_own_adam():
    vector = torch.nn.Parameter(torch.ones(5))
    ours = VectorAdam(vector, 0.1)
    gradient = torch.arange(5.0)
    ours.move(gradient)
    other = torch.nn.Parameter(vector.detach().clone())
    theirs = torch.optim.Adam([other], lr=0.1, fused=True)
    theirs.load_state_dict(ours.state_dict())
    ours.move(gradient)
    other.grad = gradient
    theirs.step()
    torch.testing.assert_close(vector.detach(), other.detach())
    # a parameter without a gradient does not move
    assert float(vector.detach()[0]) == 1.0


def test_averages_of_gradients_that_stay_zero_become_zero():
    vector = torch.nn.Parameter(torch.ones(2))
    optimiser = VectorAdam(vector, 1e-3)
    optimiser.move(torch.ones(2))
    for _ in range(800):
        optimiser.move(torch.tensor([0.0, 1.0]))
    assert optimiser.state[vector]["exp_avg"].tolist() == [0.0, pytest.approx(1.0)]
