"""V-trace: values and advantages of steps that older policies played (Espeholt et al. 2018, eq. 1).

Time is the first axis: `T` steps of `S` segments of `N` agents. With rho_t = pi(a_t) / mu(a_t) of the agent's own
action, `delta_t = min(rho_bar, rho_t) (r_t + gamma_t v'_t - v_t)` and `c_t = lambda min(c_bar, rho_t)`:
`target_t = v_t + sum_{k >= t} (prod_{t <= i < k} gamma_i c_i) delta_k`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class VTrace:
    """What critic and actor learn from."""

    target: Tensor
    """[T, S, N]: of the values."""
    advantage: Tensor
    """[T, S, N]: r + gamma (v' + lambda (target' - v')) - v. The caller weighs it by the truncated ratio."""


def vtrace(
    value: Tensor,
    next_value: Tensor,
    reward: Tensor,
    ratio: Tensor,
    discount: Tensor,
    continues: Tensor,
    *,
    trace_decay: float = 1.0,
    ratio_limit: float = 1.0,
    trace_limit: float = 1.0,
) -> VTrace:
    """Targets and advantages; with ratios of 1 they are lambda-returns and generalised advantages (GAE).

    Args:
        value: [T, S, N], v_t.
        next_value: [T, S, N], v'_t of what followed step t, which need not be the segment's own v_{t+1}: the final
            observation where an episode was cut, or a value at another mean action.
        reward: [T, S, N]
        ratio: [T, S, N], rho_t > 0.
        discount: [T, S], gamma_t; 0 where the game terminated.
        continues: boolean [T, S]: step t + 1 of the segment follows step t in the same episode; not read at T - 1.
        trace_decay: lambda in [0, 1].
        ratio_limit: rho_bar, which decides whose values these are.
        trace_limit: c_bar, which decides how fast they are learned.
    """
    shape = value.shape
    if value.ndim != 3 or any(x.shape != shape for x in (next_value, reward, ratio)):
        raise ValueError(
            f"value {tuple(shape)}, next value {tuple(next_value.shape)}, reward {tuple(reward.shape)} and ratio "
            f"{tuple(ratio.shape)} must all be [T, S, N]"
        )
    if discount.shape != shape[:2] or continues.shape != shape[:2]:
        raise ValueError(
            f"discount {tuple(discount.shape)} and continues {tuple(continues.shape)} must be [T, S] = "
            f"{tuple(shape[:2])}"
        )
    gamma = discount.unsqueeze(-1)
    surprise = reward + gamma * next_value - value
    delta = ratio.clamp_max(ratio_limit) * surprise
    passed = gamma * (trace_decay * continues.to(value.dtype)).unsqueeze(-1)
    kept = passed * ratio.clamp_max(trace_limit)
    error, advantage = torch.empty_like(value), torch.empty_like(value)
    following = torch.zeros_like(value[0])
    for t in range(shape[0] - 1, -1, -1):
        advantage[t] = surprise[t] + passed[t] * following
        following = delta[t] + kept[t] * following
        error[t] = following
    return VTrace(value + error, advantage)
