"""Estimator `joint`: the ratio of the neighbours' joint action probabilities."""

from __future__ import annotations

from torch import Tensor

from mfmarl.core.importance.leave_one_out import check_neighbours, sum_log_ratios


def joint_log_ratio(new: Tensor, old: Tensor, neighbours: Tensor | None = None) -> Tensor:
    """log w_j = sum over the neighbours k of j of (new_k - old_k), leaving j itself out.

    Unbiased; E[w^2] = prod_k (1 + chi2_k) grows exponentially in the number of neighbours.

    Args:
        new: [M, N], current log-probabilities of the stored actions; -inf where the policy no longer plays one.
        old: [M, N], log-probabilities of the same actions when they were played.
        neighbours: boolean [N, N] with a false diagonal, or None for everyone else.

    Returns:
        [M, N]. Exactly 0 where nothing has drifted, -inf where a neighbour's action is impossible now.
    """
    if new.shape != old.shape or new.ndim != 2:
        raise ValueError(f"new {tuple(new.shape)} and old {tuple(old.shape)} must both be [M, N]")
    check_neighbours(neighbours, new.shape[1])
    return sum_log_ratios(new - old, neighbours)
