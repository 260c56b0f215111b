"""How fast the market of N agents approaches its mean field: N x (value gap) for N = 30, 100, 300, 1000.

    OMP_NUM_THREADS=1 python benchmarks/finite_population.py [--agents 400000] [--out docs]

All agents play the mean-field equilibrium of `easy` (jitter 0, shares 3:4:3, so that every N splits exactly). Printed
are the gap as it is simulated, and the gap less control variates whose means are exactly 0: value at the mean field's
prices less its exact value, and the first-order effect of the means' fluctuations on the prices.
"""

from __future__ import annotations

import argparse
import csv
import sys
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from envs.inventory.backend import backend
from envs.inventory.config import MarketConfig
from envs.inventory.market import make_market
from envs.inventory.mean_field import (
    MeanFieldMarket,
    Profile,
    equilibrium,
    evaluate,
    finite_population_term,
    mean_field,
    profile_policy,
)

SIZES = (30, 100, 300, 1000)
OWN_COSTS = (
    "ledger/order_cost",
    "ledger/handling_cost",
    "ledger/holding_cost",
    "ledger/backlog_cost",
    "ledger/lost_cost",
    "ledger/salvage",
)
"""What hangs on no price."""


@dataclass(frozen=True)
class Gap:
    """N x (value of N agents - mean-field value), $, with standard errors."""

    num_agents: int
    copies: int
    plain: float
    plain_error: float
    controlled: float
    controlled_error: float


def easy_with_exact_shares() -> MarketConfig:
    """`easy` without jitter, its types' shares .3, .4, .3 in place of .33, .40, .27."""
    config = MarketConfig(jitter=0.0)
    shares = zip(config.types.items(), (0.3, 0.4, 0.3), strict=True)
    return config.model_copy(update={"types": {n: k.model_copy(update={"share": s}) for (n, k), s in shares}})


def measure(game: MeanFieldMarket, profile: Profile, num_agents: int, copies: int, seed: int) -> Gap:
    """Play one episode of `copies` markets; every copy gives one independent estimate."""
    env = make_market(game.config, num_envs=copies, num_agents=num_agents, seed=seed, backend=backend("numpy"))
    found = evaluate(game, profile)
    path, own = found.path, env.parameters
    per_sale, per_order = game.config.price_coupling / game.reference, game.slope
    policy = profile_policy(game, profile, env, seed)
    step = env.reset(seed)
    value, control = np.zeros(copies), np.zeros(copies)
    for t in range(game.horizon):
        step = env.step(policy(step))
        items = {name: step.metrics[name].astype(float) for name in ("order", "sold", *OWN_COSTS)}
        at_field_prices = own.p0 * path.price[t] * items["sold"] - (own.c + path.premium[t]) * items["order"]
        at_field_prices += np.sum([items[name] for name in OWN_COSTS], 0)
        orders, sales = items["order"].mean(1) - path.mean_order[t], items["sold"].mean(1) - path.mean_sales[t]
        first_order = -per_sale * path.revenue[t] * sales - per_order * path.mean_order[t] * orders
        value += game.gamma**t * step.reward.mean(1, dtype=float)
        control += game.gamma**t * (at_field_prices.mean(1) + first_order)
    gap, less = num_agents * (value - found.mean), num_agents * (value - control)
    errors = [float(x.std(ddof=1)) / copies**0.5 for x in (gap, less)]
    return Gap(num_agents, copies, float(gap.mean()), errors[0], float(less.mean()), errors[1])


def write(gaps: list[Gap], exact: float, out: Path) -> None:
    """The table as CSV, and its picture: N x gap beside the constant that is worked out."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    with (out / "figures" / "finite_population.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow([f.name for f in fields(Gap)] + ["exact"])
        rows.writerows([*astuple(gap), exact] for gap in gaps)
    figure, axes = pyplot.subplots(figsize=(5.6, 3.2), layout="constrained")
    sizes = np.array([gap.num_agents for gap in gaps])
    axes.axhline(exact, color="0.6", label=f"worked out: {exact:.0f}")
    axes.errorbar(sizes * 0.97, [g.plain for g in gaps], [2 * g.plain_error for g in gaps], fmt="o", label="simulated")
    controlled, errors = [g.controlled for g in gaps], [2 * g.controlled_error for g in gaps]
    axes.errorbar(sizes * 1.03, controlled, errors, fmt="s", label="with control variates")
    axes.set(xscale="log", ylim=(1.15 * exact, 0), xlabel="agents N", ylabel="N x value gap, $ (bars: 2 s.e.)")
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.minorticks_off()
    axes.legend(frameon=False)
    figure.savefig(out / "images" / "finite_population.png", dpi=150)
    pyplot.close(figure)


def main() -> None:
    """Print the table; write it and its picture under --out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, default=400_000, help="copies x agents of each size")
    parser.add_argument("--out", type=Path, help="folder that gets figures/ and images/")
    args = parser.parse_args()
    game = mean_field(easy_with_exact_shares())
    solution = equilibrium(game)
    exact = float(game.shares @ finite_population_term(game, solution.evaluation))
    print(f"mean-field value {solution.mean:.2f}; N x gap exactly {exact:.1f}")
    print(f"{'N':>5s} {'copies':>7s} {'N x gap':>10s} {'s.e.':>7s} {'controlled':>11s} {'s.e.':>7s}")
    gaps = []
    for i, size in enumerate(SIZES):
        gap = measure(game, solution.profile, size, max(args.agents // size, 2), seed=i)
        gaps.append(gap)
        print(
            f"{size:5d} {gap.copies:7d} {gap.plain:10.1f} {gap.plain_error:7.1f} "
            f"{gap.controlled:11.1f} {gap.controlled_error:7.1f}"
        )
    if args.out is not None:
        write(gaps, exact, args.out)


if __name__ == "__main__":
    main()
