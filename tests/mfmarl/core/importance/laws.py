"""Random populations, and laws of sums of their actions in exact rational arithmetic."""

import math
from fractions import Fraction

import torch
from torch import Tensor


def population(
    steps: int, agents: int, actions: int, *, seed: int, sharpness: float = 1.0, drift: float = 0.3
) -> tuple[Tensor, Tensor, Tensor]:
    """(new, old, action): heterogeneous log-probabilities [M, N, A] that drifted, float64, and what old played."""
    generator = torch.Generator().manual_seed(seed)

    def normal() -> Tensor:
        return torch.randn(steps, agents, actions, generator=generator, dtype=torch.float64)

    logits = sharpness * normal()
    old, new = torch.log_softmax(logits, -1), torch.log_softmax(logits + drift * normal(), -1)
    action = torch.multinomial(old.exp().flatten(0, 1), 1, generator=generator).view(steps, agents)
    return new, old, action


def played(log_probs: Tensor, action: Tensor) -> Tensor:
    """Log-probabilities [M, N] of the actions [M, N]."""
    return log_probs.gather(-1, action.unsqueeze(-1)).squeeze(-1)


def exact_log_mass(laws: list[list[float]], total: int) -> float:
    """log P(a_1 + ... + a_n = total) of probabilities [n][A], each float taken as the rational number that it is."""
    law = [Fraction(1)]
    for agent in laws:
        longer = [Fraction(0)] * (len(law) + len(agent) - 1)
        for x, mass in enumerate(law):
            for a, p in enumerate(agent):
                longer[x + a] += mass * Fraction(p)
        law = longer
    mass = law[total] if 0 <= total < len(law) else Fraction(0)
    return math.log(mass.numerator) - math.log(mass.denominator) if mass else -math.inf


def exact_log_ratio(new: list[list[list[float]]], old: list[list[list[float]]], action: Tensor) -> Tensor:
    """`marginal_log_ratio` for everyone else, from probabilities [M][N][A]."""
    rows = []
    for p, q, a in zip(new, old, action.tolist(), strict=True):
        others = [[i for i in range(len(a)) if i != j] for j in range(len(a))]
        sums = [sum(a[i] for i in n) for n in others]
        rows.append(
            [
                exact_log_mass([p[i] for i in n], s) - exact_log_mass([q[i] for i in n], s)
                for n, s in zip(others, sums, strict=True)
            ]
        )
    return torch.tensor(rows, dtype=torch.float64)
