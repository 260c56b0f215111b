"""Estimator `mixture`: the balance heuristic over the policies whose steps the replay holds."""

from __future__ import annotations

import torch
from torch import Tensor

from mfmarl.core.importance.joint import joint_log_ratio

_NEAR = 0.5
"""Below it in every behaviour, log1p and expm1 keep the digits of a small ratio, and an exact 0."""


def mixture_log_ratio(new: Tensor, behaviours: Tensor, shares: Tensor, neighbours: Tensor | None = None) -> Tensor:
    """log w_j = log [pi_new(a) / sum_i shares_i pi_i(a)] over the joint action a of j's neighbours.

    The balance heuristic of Veach & Guibas (1995): a step counts as drawn from the mixture of the behaviour policies
    in the buffer, whichever of them played it, so w <= min_i w_i / shares_i: a weight is large only where all of them
    are far from the new policy.

    Args:
        new: [M, N], current log-probabilities of the stored actions.
        behaviours: [J, M, N], log-probabilities of the same actions under each behaviour policy, on the observations
            of these steps; -inf where one never plays an action, but not where all give the joint action 0.
        shares: [J], positive shares of the buffer's steps that each of them played; they sum to 1.
        neighbours: boolean [N, N] with a false diagonal, or None for everyone else.

    Returns:
        [M, N]. Exactly 0 where all behaviours equal the new policy.
    """
    if behaviours.ndim != 3 or behaviours.shape[1:] != new.shape or shares.shape != behaviours.shape[:1]:
        raise ValueError(
            f"new {tuple(new.shape)}, behaviours {tuple(behaviours.shape)} and shares {tuple(shares.shape)} must be "
            "[M, N], [J, M, N] and [J]"
        )
    if not bool((shares > 0).all()) or abs(float(shares.double().sum()) - 1.0) > 1e-4:
        raise ValueError(f"shares must be positive and sum to 1; got {shares.tolist()}")
    share = shares.double() / shares.double().sum()
    wide = new.double()
    # of a behaviour over the new policy: the other way round from a weight, so that the mixture is a sum
    impossible = torch.isneginf(wide)
    base = wide.masked_fill(impossible, 0.0)
    inverse = torch.stack([joint_log_ratio(b.double(), base, neighbours) for b in behaviours])
    share = share.view(-1, 1, 1)
    near = torch.log1p((share * inverse.clamp(-_NEAR, _NEAR).expm1()).sum(0))
    far = torch.logsumexp(share.log() + inverse, 0)
    log_ratio = -torch.where((inverse.abs() < _NEAR).all(0), near, far)
    if bool(torch.isposinf(log_ratio).any()):
        step, agent = torch.isposinf(log_ratio).nonzero()[0].tolist()
        raise ValueError(
            f"no behaviour policy plays what the neighbours of agent {agent} did in step {step}; the policies that "
            "played the stored steps must be among them"
        )
    if bool(impossible.any()):
        log_ratio = log_ratio + joint_log_ratio(wide, base, neighbours)
    return log_ratio.to(new.dtype)
