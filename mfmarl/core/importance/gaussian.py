"""Estimator `gaussian`: `marginal` with the central limit's normal law in place of the exact one.

`bandwidth` h is in units of the mean action of the neighbours: it adds h^2 to the variance of every component of the
mean under both laws, that is (h n)^2 to that of a sum over n. The mean action's own deviation falls as 1/sqrt(n), while
drift moves it by an amount that does not fall, so exact laws separate as n grows; with h the squared distance of the
laws stays below (drift / h)^2, at the price that differences of mean actions below h no longer count.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mfmarl.core.importance.action_laws import check_laws
from mfmarl.core.importance.gaussian_loops import log_ratios
from mfmarl.core.importance.leave_one_out import check_neighbours, num_neighbours, sum_over_neighbours

VARIANCE_FLOOR = 1.0 / 12.0
"""Variance that a sum on a lattice of spacing 1 has at least: that of its rounding (Sheppard)."""


def gaussian_log_ratio(
    new_mean: Tensor,
    new_variance: Tensor,
    old_mean: Tensor,
    old_variance: Tensor,
    value: Tensor,
    neighbours: Tensor | None = None,
    *,
    bandwidth: float = 0.0,
    spacing: float = 1.0,
) -> Tensor:
    """log [N(s_j; m_j', V_j') / N(s_j; m_j, V_j)], s_j the sum of the scalar actions of j's neighbours.

    m_j and V_j are the sums of their means and variances. Deterministic policies have V = 0, where no density is
    left: V is at least `VARIANCE_FLOOR` spacing^2.

    Args:
        new_mean, new_variance: [M, N], of each agent's scalar action under the current policies.
        old_mean, old_variance: [M, N], under the policies that played.
        value: [M, N], the scalar actions played.
        neighbours: boolean [N, N] with a false diagonal, or None for everyone else.
        bandwidth: of the kernel, in units of the mean action.
        spacing: distance of neighbouring actions: 1 for action indices, 1 / (A - 1) for indices scaled to [0, 1]; for
            continuous actions, a distance below which two mean actions times n need not be told apart.

    Returns:
        [M, N]. Exactly 0 where nothing has drifted.
    """
    shapes = [tuple(t.shape) for t in (new_mean, new_variance, old_mean, old_variance, value)]
    if value.ndim != 2 or len(set(shapes)) > 1:
        raise ValueError(f"means, variances and value must all be [M, N]; got {shapes}")
    for name, variance in (("new", new_variance), ("old", old_variance)):
        if not bool((variance >= 0).all()):
            raise ValueError(f"the {name} variances must not be negative; the least is {float(variance.min())}")
    if bandwidth < 0 or spacing <= 0:
        raise ValueError(f"bandwidth must not be negative and spacing be positive; got {bandwidth} and {spacing}")
    check_neighbours(neighbours, value.shape[1])
    floor = VARIANCE_FLOOR * spacing**2
    if neighbours is None and value.device.type == "cpu":
        told = [t.detach().contiguous().numpy() for t in (new_mean, new_variance, old_mean, old_variance, value)]
        out = torch.empty_like(value, memory_format=torch.contiguous_format)
        log_ratios(floor, float(bandwidth * (value.shape[1] - 1)) ** 2, out.numpy(), *told)
        return out
    added = (bandwidth * num_neighbours(value.shape[1], neighbours)) ** 2

    def spread(variance: Tensor) -> Tensor:
        return sum_over_neighbours(variance.double(), neighbours).clamp_min(floor) + added

    def squared(mean: Tensor) -> Tensor:
        return sum_over_neighbours(value.double() - mean.double(), neighbours).square()

    new_spread, old_spread = spread(new_variance), spread(old_variance)
    distance = squared(old_mean) / old_spread - squared(new_mean) / new_spread
    return (0.5 * (distance + (old_spread / new_spread).log())).to(value.dtype)


def gaussian_log_ratio_one_hot(
    new: Tensor, old: Tensor, action: Tensor, neighbours: Tensor | None = None, *, bandwidth: float = 0.0
) -> Tensor:
    """The same for the vector of action counts of j's neighbours, whose covariance is sum_k diag(p_k) - p_k p_k^T.

    The counts add up to |N(j)|, so those of the actions 1..A-1 say it all: A - 1 dimensions. `VARIANCE_FLOOR` is added
    to each of their variances, since a covariance that is singular in some direction has no density either. One
    Cholesky factor per agent and step and law: for one scalar instead, `gaussian_log_ratio` of `action_moments`.

    Args:
        new, old: [M, N, A], log-probabilities of all actions now, and of the policies that played.
        action: integer [M, N].
        neighbours: boolean [N, N] with a false diagonal, or None for everyone else.
        bandwidth: of the kernel, in units of the mean one-hot action.

    Returns:
        [M, N]. Exactly 0 where nothing has drifted.
    """
    check_laws(new, old, action)
    if bandwidth < 0:
        raise ValueError(f"bandwidth must not be negative; got {bandwidth}")
    check_neighbours(neighbours, new.shape[1])
    played = torch.nn.functional.one_hot(action.long(), new.shape[-1])[..., 1:].double()
    degree = num_neighbours(new.shape[1], neighbours)
    ridge = torch.as_tensor(VARIANCE_FLOOR + (bandwidth * degree) ** 2, dtype=torch.float64, device=new.device)
    now, then = (_log_density(law, played, neighbours, ridge.view(-1, 1, 1)) for law in (new, old))
    return (now - then).to(new.dtype)


def _log_density(law: Tensor, played: Tensor, neighbours: Tensor | None, ridge: Tensor) -> Tensor:
    """log density of the neighbours' counts [M, N, A - 1], up to a constant that the ratio does not need."""
    probs = law.double().exp()[..., 1:]
    each = torch.diag_embed(probs) - probs.unsqueeze(-1) * probs.unsqueeze(-2)
    eye = torch.eye(probs.shape[-1], dtype=torch.float64, device=law.device)
    factor: Tensor = torch.linalg.cholesky(sum_over_neighbours(each, neighbours) + ridge * eye)
    away = sum_over_neighbours(played - probs, neighbours).unsqueeze(-1)
    whitened: Tensor = torch.linalg.solve_triangular(factor, away, upper=False).squeeze(-1)
    return -0.5 * whitened.square().sum(-1) - factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
