"""The law of a sum of independent integers at one point, by inverting its characteristic function.

Q(S = s) = (1/L) sum_k Re[Phi(theta_k) e^{-i theta_k s}], theta_k = 2 pi k / L, k = 0..L-1, plus the law's mass at
s +- L, s +- 2L, ... For a law that is concentrated within a few standard deviations of s a short period L and the few
frequencies where |Phi| is not negligible are enough: 10 to 20 at N = 100, where a full FFT takes 1,000. What is left
out is bounded for every row, not estimated:

- aliases: by Bennett's inequality, P(|S - mean| >= x) <= 2 exp(-(V/b^2) h(b x / V)), h(u) = (1+u) log(1+u) - u;
- frequencies: |phi_i(theta)|^2 = 1 - 2 sum_d c_d (1 - cos d theta) with c_d = sum_a q_i(a) q_i(a + d), hence
  |Phi(theta)| <= exp(-sum_d C_d (1 - cos d theta)), C_d the sum of the c_d over agents; without one agent, at most
  e times that. Also right for laws on a coarser lattice, whose Phi comes back to 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from mfmarl.core.importance.inversion_loops import masses_without
from mfmarl.core.importance.tilt import Tilted

_CHUNK = 1 << 15
"""Complex numbers of a chunk: they stay in the cache."""


def point_masses(tilted: Tilted, action: Tensor, leave_one_out: bool, accuracy: float) -> tuple[Tensor, Tensor]:
    """Masses under the tilted laws, with a bound of their absolute errors.

    Args:
        tilted: laws of R populations of n agents.
        action: integer [R, n]; its sum s is the point.
        leave_one_out: for every j the mass of the sum without agent j at s - action_j, else of the whole sum at s.
        accuracy: wanted bound on what aliases and frequencies left out add to a mass; rounding comes on top.

    Returns:
        Masses [R, n] or [R], nan where a phi_j is exactly 0, and error bounds [R].
    """
    law = tilted.law
    rows, agents, actions = law.shape
    total = action.sum(-1)
    mass = tilted.law.new_empty((rows, agents) if leave_one_out else (rows,))
    error = tilted.law.new_empty(rows)
    period = _periods(tilted, total, accuracy, agents * (actions - 1) + 1)
    lengths = torch.unique(period).tolist()
    if leave_one_out and law.device.type == "cpu":
        given = law.transpose(1, 2).contiguous().numpy(), action.long().contiguous().numpy()
        for length in lengths:
            group = (period == length).nonzero().squeeze(-1)
            masses_without(*given, group.numpy(), length, accuracy, mass.numpy(), error.numpy())
        return mass, error
    decay = _decay(law)
    for length in lengths:
        group = (period == length).nonzero().squeeze(-1)
        angle = torch.arange(length // 2 + 1, dtype=decay.dtype, device=decay.device) * (2.0 * math.pi / length)
        needed, error[group] = _frequencies(decay[group], angle, length, accuracy, agents)
        for part, count in _chunks(needed, agents):
            chosen = group[part]
            mass[chosen] = _invert(
                law[chosen], action[chosen] if leave_one_out else None, total[chosen], angle[:count], length
            )
    return mass, error


def _decay(law: Tensor) -> Tensor:
    """C_d [R, A - 1], d = 1..A-1, of laws [R, n, A]."""
    actions = law.shape[-1]
    gram = law.transpose(1, 2) @ law
    index = torch.arange(actions, device=law.device)
    apart = (index.unsqueeze(0) - index.unsqueeze(1)).flatten()
    upper = (apart.unsqueeze(1) == index[1:]).to(law.dtype)
    return gram.flatten(1) @ upper


def _periods(tilted: Tilted, total: Tensor, accuracy: float, full: int) -> Tensor:
    """Odd period [R] for which all aliases of a row together have mass below `accuracy`, at most the full lattice."""
    span = float(tilted.law.shape[-1] - 1)
    variance = tilted.variance.clamp_min(1e-12)
    level = math.log(2.0 / accuracy) * span**2 / variance
    # from above (Bernstein's bound), so that every iterate of Newton's method on the convex h is on the safe side
    u = level / 3.0 + (level.square() / 9.0 + 2.0 * level).sqrt()
    for _ in range(4):
        u = u - ((1.0 + u) * torch.log1p(u) - u - level) / torch.log1p(u)
    reach = u * variance / span + span + (tilted.mean - total).abs() + 1.0
    # a ladder of steps of a fifth: rows of about the same period share one
    step = torch.ceil(torch.log2(reach.clamp_min(8.0)) * 4.0)
    length = torch.exp2(step / 4.0).ceil().clamp_max(float(full)).long()
    return length + (1 - length % 2)


def _frequencies(decay: Tensor, angle: Tensor, length: int, accuracy: float, agents: int) -> tuple[Tensor, Tensor]:
    """How many frequencies each row needs [R], and the bound of its error [R]."""
    apart = torch.arange(1, decay.shape[1] + 1, dtype=decay.dtype, device=decay.device)
    bound = (1.0 - decay @ (1.0 - torch.cos(apart.unsqueeze(1) * angle))).exp().clamp_max(1.0) * (2.0 / length)
    left = bound.flip(1).cumsum(1).flip(1)
    needed = (left > accuracy).sum(1).clamp_min(1)
    # of a product of n complex numbers, each itself a sum of A terms
    rounding = 8.0 * agents * torch.finfo(decay.dtype).eps * left[:, 0]
    return needed, 2.0 * accuracy + rounding


def _chunks(needed: Tensor, agents: int) -> Iterator[tuple[Tensor, int]]:
    """Rows of about the same need together: (their places, frequencies)."""
    order = needed.argsort(descending=True)
    counts = needed[order].tolist()
    start = 0
    while start < len(counts):
        size = max(1, _CHUNK // (counts[start] * agents))
        yield order[start : start + size], counts[start]
        start += size


def _invert(law: Tensor, action: Tensor | None, total: Tensor, angle: Tensor, length: int) -> Tensor:
    """Sum over the frequencies; [r, n] without each agent in turn, or [r] where `action` is None."""
    rows, agents, actions = law.shape
    count = angle.numel()
    index = torch.arange(actions, dtype=law.dtype, device=law.device)
    phase = index.unsqueeze(1) * angle
    wave = torch.stack([phase.cos(), phase.sin()], -1).view(actions, 2 * count)
    phi = torch.view_as_complex((law @ wave).view(rows, agents, count, 2))
    weight = torch.full_like(angle, 2.0 / length)
    weight[0] = 1.0 / length
    back = torch.polar(weight.expand(rows, -1).contiguous(), -total.to(law.dtype).unsqueeze(1) * angle)
    if action is None:
        return (_product(phi) * back).real.sum(-1)
    # the same rounded phi_j stands in the product, so what comes out of the division is right however small phi_j is
    whole = _product(phi) * back
    without = torch.view_as_real(whole.unsqueeze(1) / phi).view(rows, agents, 2 * count)
    # Re[z e^{i theta a}] for every action a; the one that was played is picked
    inverse = torch.stack([phase.cos(), -phase.sin()], -1).view(actions, 2 * count)
    return (without @ inverse.T).gather(-1, action.unsqueeze(-1)).squeeze(-1)


def _product(phi: Tensor) -> Tensor:
    """Over the agents, [r, n, K] -> [r, K], by halves: the fewest roundings."""
    while phi.shape[1] > 1:
        half = phi.shape[1] // 2
        paired = phi[:, :half] * phi[:, half : 2 * half]
        phi = paired if phi.shape[1] % 2 == 0 else torch.cat([paired, phi[:, -1:]], 1)
    return phi[:, 0]
