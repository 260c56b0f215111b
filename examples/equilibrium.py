"""How far policies are from an equilibrium, by functions: exact gaps, an upper bound, a type left out, few agents.

    python examples/equilibrium.py

`mfmarl audit RUN` does the same for a trained run, with deviators that are trained as well.
"""

from __future__ import annotations

from analysis.equilibrium.bound import bound_gaps
from analysis.equilibrium.exact import exact_gaps, market_config
from analysis.equilibrium.finite_agents import finite_agents
from analysis.equilibrium.leave_out import leave_type_out
from envs.inventory.reference.mean_field import solved
from mfmarl.subject import reference_subject

MARKET = "inventory/market-easy"
OPTIONS = {"jitter": 0.0, "horizon": 12}


def main() -> None:
    """Print a table of three profiles, and what base stock's gaps hang on."""
    config = market_config(MARKET, OPTIONS)
    mean_field = solved(config, 0.99)
    for name in ("random", "base_stock", "equilibrium"):
        gaps = exact_gaps(MARKET, name, options=OPTIONS)
        value = mean_field.exact(name).evaluation.mean
        print(f"{name:12s} value {value:8.1f} $   NashConv {gaps.nash_conv.value:7.2f} $ ({gaps.certifies})")
    subject = reference_subject("base_stock", MARKET, num_agents=100, options=OPTIONS)
    upper = bound_gaps(subject.make, subject.player, episodes=32).nash_conv
    among = exact_gaps(MARKET, "base_stock", options=OPTIONS, num_agents=100).nash_conv.value
    print(f"base stock among 100 agents: NashConv {among:.2f} $, at most {upper.low:.2f} to {upper.high:.2f} (95 %)")
    for name, change in leave_type_out(MARKET, "base_stock", "discounter", options=OPTIONS).changes.items():
        print(f"without discounters {name} earns {change:+.2f} $")
    found = finite_agents(config, mean_field.profile("base_stock"), sizes=(15, 30, 60, 120), agents=20_000)
    for rate in found.rates:
        fit = f"power {rate.power:.2f}, C = {rate.constant:.0f}, p = {rate.p_value:.2g}"
        print(f"gap to the mean field = {rate.name}: {fit}")


if __name__ == "__main__":
    main()
