"""Newsvendors whose unmet demand partly tries another seller."""

from __future__ import annotations

from scipy import optimize, stats

from envs.inventory.closed_forms.arguments import need, positive


def substitution_quantity(*, mean: float, std: float, critical_ratio: float, omega: float) -> float:
    """The symmetric equilibrium order, in u, where a fraction omega of unmet Normal demand tries another seller.

    In a large population the inflow is its mean, so q = F^{-1}(critical ratio) + omega E(D - q)+.

    Raises:
        ValueError: for mean or std not above 0, a critical ratio outside (0, 1), or omega outside [0, 1].
    """
    positive(mean=mean, std=std)
    need(0 < critical_ratio < 1, "critical_ratio", critical_ratio, "in (0, 1)")
    need(0 <= omega <= 1, "omega", omega, "in [0, 1]")
    alone = mean + std * float(stats.norm.ppf(critical_ratio))

    def excess(q: float) -> float:
        z = (q - mean) / std
        return q - alone - omega * std * float(stats.norm.pdf(z) - z * stats.norm.sf(z))

    # excess rises in q, is at most 0 at `alone`; the inflow there bounds the solution
    return float(optimize.brentq(excess, alone, alone - excess(alone) + std * 1e-9, xtol=1e-10))
