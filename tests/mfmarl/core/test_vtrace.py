import pytest
import torch

from mfmarl.core.vtrace import vtrace


def series(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.float64).reshape(-1, 1, 1)


def test_two_steps_worked_by_hand():
    # gamma = 1/2; rho = 2, 1/2; v = 1, 2; v' = 2, 4; r = 1, 3
    # surprise = 1 + 1 - 1 = 1 and 3 + 2 - 2 = 3; delta = min(1, 2) 1 = 1 and 0.5 x 3 = 1.5
    # target_1 = 2 + 1.5 = 3.5; target_0 = 1 + 1 + 0.5 x 1 x 1.5 = 2.75
    # advantage_1 = 3; advantage_0 = 1 + 0.5 x 3.5 - 1 = 1.75
    half = torch.full((2, 1), 0.5, dtype=torch.float64)
    out = vtrace(series(1, 2), series(2, 4), series(1, 3), series(2, 0.5), half, torch.ones(2, 1, dtype=torch.bool))
    assert out.target.flatten().tolist() == [2.75, 3.5]
    assert out.advantage.flatten().tolist() == [1.75, 3.0]


def random_case(seed: int, steps: int = 7):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    values = draw(steps + 1, 3, 2)
    ends = torch.rand((steps, 3), generator=generator) < 0.3
    next_value = torch.where(ends.unsqueeze(-1), draw(steps, 3, 2), values[1:])
    discount = torch.where(torch.rand((steps, 3), generator=generator) < 0.2, 0.0, 0.9).double()
    return values[:-1], next_value, draw(steps, 3, 2), draw(steps, 3, 2).exp(), discount, ~ends


@pytest.mark.parametrize("seed", range(5))
def test_recursion_is_the_published_sum(seed: int):
    value, next_value, reward, ratio, discount, continues = random_case(seed)
    decay, ratio_limit, trace_limit = 0.8, 1.3, 0.9
    out = vtrace(
        value, next_value, reward, ratio, discount, continues,
        trace_decay=decay, ratio_limit=ratio_limit, trace_limit=trace_limit,
    )  # fmt: skip
    steps = value.shape[0]
    for s in range(3):
        for n in range(2):
            for t in range(steps):
                total, product = float(value[t, s, n]), 1.0
                for k in range(t, steps):
                    gamma = float(discount[k, s])
                    error = reward[k, s, n] + gamma * next_value[k, s, n] - value[k, s, n]
                    total += product * min(ratio_limit, float(ratio[k, s, n])) * float(error)
                    product *= gamma * decay * min(trace_limit, float(ratio[k, s, n])) * float(continues[k, s])
                assert float(out.target[t, s, n]) == pytest.approx(total, rel=1e-10, abs=1e-10)


def rlax_vtrace(v, v_next, r, discount, rho, decay):
    """vtrace_td_error_and_advantage of rlax, as published, with clip_rho = clip_pg_rho = 1, of one agent."""
    errors, error = [], 0.0
    for t in reversed(range(len(v))):
        clipped = min(1.0, rho[t])
        error = clipped * (r[t] + discount[t] * v_next[t] - v[t]) + discount[t] * decay * clipped * error
        errors.insert(0, error)
    targets = [e + x for e, x in zip(errors, v, strict=True)]
    q_bootstrap = [decay * target + (1 - decay) * x for target, x in zip(targets[1:], v[1:], strict=True)]
    q = [r[t] + discount[t] * q for t, q in enumerate([*q_bootstrap, v_next[-1]])]
    return targets, [min(1.0, rho[t]) * (q[t] - v[t]) for t in range(len(v))]


@pytest.mark.parametrize("decay", [0.0, 0.7, 1.0])
def test_equals_rlax(decay: float):
    value, _, reward, ratio, discount, _ = random_case(9)
    last = torch.randn((1, 3, 2), dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    next_value = torch.cat([value[1:], last])
    out = vtrace(value, next_value, reward, ratio, discount, torch.ones(7, 3, dtype=torch.bool), trace_decay=decay)
    for s in range(3):
        for n in range(2):
            columns = [x[:, s, n].tolist() for x in (value, next_value, reward)]
            targets, advantages = rlax_vtrace(*columns, discount[:, s].tolist(), ratio[:, s, n].tolist(), decay)
            assert out.target[:, s, n].tolist() == pytest.approx(targets, rel=1e-10)
            mine = (ratio.clamp_max(1.0) * out.advantage)[:, s, n].tolist()
            assert mine == pytest.approx(advantages, rel=1e-10)


def test_on_policy_targets_are_n_step_returns():
    value, _, reward, _, _, _ = random_case(3)
    last = torch.ones((1, 3, 2), dtype=torch.float64)
    gamma = torch.full((7, 3), 0.9, dtype=torch.float64)
    out = vtrace(
        value, torch.cat([value[1:], last]), reward, torch.ones_like(value), gamma, torch.ones(7, 3, dtype=torch.bool)
    )
    want = last[0]
    for t in range(6, -1, -1):
        want = reward[t] + 0.9 * want
        torch.testing.assert_close(out.target[t], want)
    torch.testing.assert_close(out.advantage, out.target - value)


def test_on_policy_advantages_are_generalised_advantages():
    value, next_value, reward, _, discount, continues = random_case(4)
    out = vtrace(value, next_value, reward, torch.ones_like(value), discount, continues, trace_decay=0.8)
    want = torch.zeros_like(value[0])
    for t in range(6, -1, -1):
        gamma = discount[t].unsqueeze(-1)
        want = reward[t] + gamma * next_value[t] - value[t] + 0.8 * gamma * continues[t].unsqueeze(-1) * want
        torch.testing.assert_close(out.advantage[t], want)


def test_own_ratios_give_the_values_of_the_new_policy():
    # one step, two actions: E_mu[target] = v + sum_a min(mu, pi) (r(a) - v), so its fixed point in v is
    # sum_a min(mu, pi) r / sum_a min(mu, pi); with rho_bar out of the way it is E_pi[r]
    mu, pi, r = torch.tensor([0.8, 0.2]).double(), torch.tensor([0.4, 0.6]).double(), torch.tensor([1.0, 5.0]).double()
    fixed = {1.0: float((torch.minimum(mu, pi) * r).sum() / torch.minimum(mu, pi).sum()), 1e9: float((pi * r).sum())}
    for limit, want in fixed.items():
        value = torch.full((1, 2, 1), want, dtype=torch.float64)
        out = vtrace(
            value, torch.zeros_like(value), r.reshape(1, 2, 1), (pi / mu).reshape(1, 2, 1),
            torch.zeros(1, 2).double(), torch.zeros(1, 2, dtype=torch.bool), ratio_limit=limit,
        )  # fmt: skip
        assert float((mu.reshape(1, 2, 1) * out.target).sum()) == pytest.approx(want)


def test_shapes_that_do_not_fit_are_refused():
    x = torch.zeros(3, 2, 1)
    flags = torch.ones(3, 2, dtype=torch.bool)
    with pytest.raises(ValueError, match=r"ratio \(3, 2\) must all be \[T, S, N\]"):
        vtrace(x, x, x, x[..., 0], torch.zeros(3, 2), flags)
    with pytest.raises(ValueError, match=r"discount \(3,\) and continues"):
        vtrace(x, x, x, x, torch.zeros(3), flags)
