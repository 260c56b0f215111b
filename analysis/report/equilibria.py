"""The part of the audit's section that looks at all runs together: how many equilibria the seeds found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.equilibrium.audit_file import Audit
from analysis.equilibrium.gaps import By
from analysis.equilibrium.several import Clusters, clusters
from analysis.figures.mean_orders import mean_orders
from analysis.figures.style import label
from analysis.report.parts import Cell, Section, Table, drawing
from envs.inventory.network.config import NetworkConfig
from envs.inventory.presets import PRESETS, preset_of
from envs.settings import checked_settings

Doubles = NDArray[np.float64]
Told = tuple[str, int, Audit]
"""(method, seed, audit)"""
UNITS = {
    "levels": "mean order, periods of own mean demand",
    "order_up_to": "mean order-up-to position, u",
    "absolute": "mean order, u",
}
"""What the mean over the grid of an inventory's action mode is."""
NEAR = "A path is an equilibrium only as far as the NashConv of its runs is near 0."


def add_equilibria(
    section: Section, found: Sequence[Told], options: Mapping[str, Any], files: dict[str, pd.DataFrame]
) -> None:
    """Clusters of runs by the paths of their mean actions, where two or more audits of one game have them.

    Args:
        options: of the environment, which tell what its actions are.
    """
    told = [one for one in found if _are_shares(one[2].mean_actions)]
    lengths = {np.shape(audit.mean_actions) for _, _, audit in told}
    if len(told) < 2 or len(lengths) > 1:
        return
    paths = np.array([audit.mean_actions for _, _, audit in told])
    by = _common_way(told)
    gaps = None if by is None else [_nash_conv(audit, by) for _, _, audit in told]
    groups = clusters(paths, [audit.value.value for _, _, audit in told], gaps)
    number = {run: k for k, one in enumerate(groups.clusters, 1) for run in one.members}
    rows = [
        (m, s, number[run], audit.value.value, float("nan") if gaps is None else gaps[run], by or "")
        for run, (m, s, audit) in enumerate(told)
    ]
    heads = ["method", "seed", "cluster", "value", "nash_conv", "by"]
    files["audit_clusters.csv"] = pd.DataFrame(rows, columns=heads)
    what, shown = _shown(paths, told[0][2].env, options)
    files["audit_paths.csv"] = pd.concat(
        [
            pd.DataFrame({"method": m, "seed": s, "cluster": number[run], "period": range(paths.shape[1])})
            .assign(shown=shown[run])
            .join(pd.DataFrame(paths[run], columns=[f"share_{a}" for a in range(paths.shape[2])]))
            for run, (m, s, _) in enumerate(told)
        ],
        ignore_index=True,
    )
    section.text.append(several_in_words(groups))
    section.figures.append(
        drawing(
            mean_orders(files["audit_paths.csv"], what),
            "paths",
            "What the population does by period, a line a run",
            f"Mean over the population and over episodes, by period: {what}. Runs of one colour play one path: total "
            f"variation between their mean actions, averaged over periods and pairs, is below {groups.tolerance:g}.",
            "audit_paths.csv",
        )
    )
    section.tables.append(_clusters_shown(told, groups, by))


def several_in_words(groups: Clusters) -> str:
    """How many paths runs play, and how far they are apart."""
    runs, found = len(groups.distances), groups.clusters
    pairs = groups.distances[np.triu_indices(runs, 1)]
    nearest, farthest = pairs.min(), pairs.max()
    unit = "of total variation on average over periods"
    if len(found) == 1:
        return f"Equilibria: {runs} runs play one path: mean actions differ by at most {farthest:.2f} {unit}. {NEAR}"
    if len(found) == runs:
        span = f"{nearest:.2f}" if runs == 2 else f"{nearest:.2f} to {farthest:.2f}"
        return f"Equilibria: {runs} runs play as many different paths: mean actions differ by {span} {unit}. {NEAR}"
    within = max(_within(groups, k) for k in range(len(found)))
    across = min(
        groups.distances[np.ix_(one.members, other.members)].min()
        for k, one in enumerate(found)
        for other in found[:k]
    )
    told = f"Equilibria: {runs} runs play {len(found)} different paths: mean actions differ by at most {within:.2f}"
    return f"{told} {unit} within a path, and by at least {across:.2f} between two. {NEAR}"


def _within(groups: Clusters, k: int) -> float:
    members = groups.clusters[k].members
    return float(groups.distances[np.ix_(members, members)].max())


def _clusters_shown(told: Sequence[Told], groups: Clusters, by: By | None) -> Table:
    rows = []
    for k, one in enumerate(groups.clusters):
        values = [told[run][2].value.value for run in one.members]
        several = len(one.members) > 1
        others = [
            (float(groups.distances[np.ix_(one.members, other.members)].mean()), j)
            for j, other in enumerate(groups.clusters, 1)
            if other is not one
        ]
        apart, nearest = min(others, default=(0.0, 0))
        rows.append(
            [
                Cell(str(k + 1)),
                Cell(", ".join(f"{label(told[run][0])} {told[run][1]}" for run in one.members)),
                Cell(f"{one.value:,.1f}", f"{min(values):,.1f} to {max(values):,.1f}" if several else ""),
                Cell("–") if by is None else Cell(f"{one.gap:,.1f}", by),
                Cell(f"{_within(groups, k):.3f}" if several else "–"),
                Cell(str(nearest), f"at {apart:.3f}") if others else Cell("–"),
            ]
        )
    return Table(
        "runs by the path of their mean actions; means over a cluster's runs, $ per agent and episode; distances are "
        "total variation between mean actions, on average over periods",
        ["cluster", "runs (method seed)", "value, $", "NashConv, $", "largest distance within", "nearest other"],
        rows,
        "audit_clusters.csv",
        words=(1,),
    )


def _are_shares(mean_actions: Sequence[Sequence[float]]) -> bool:
    """Whether they are shares of discrete actions; means of continuous ones are one number a period."""
    path = np.asarray(mean_actions, float)
    shares = path.ndim == 2 and path.shape[1] > 1 and (path >= 0).all() and (abs(path.sum(1) - 1) < 1e-4).all()
    return bool(shares)


def _common_way(told: Sequence[Told]) -> By | None:
    """The first way by which NashConv was found for all runs."""
    ways: tuple[By, ...] = ("exact", "learned", "bound")
    return next((by for by in ways if all(_complete(audit, by) for _, _, audit in told)), None)


def _complete(audit: Audit, by: By) -> bool:
    gaps = audit.found(by)
    return gaps is not None and gaps.complete


def _nash_conv(audit: Audit, by: By) -> float:
    gaps = audit.found(by)
    assert gaps is not None
    return gaps.nash_conv.value


def _shown(paths: Doubles, env: str, options: Mapping[str, Any]) -> tuple[str, Doubles]:
    """What a line of the figure is, and it [S, T]: the mean order, or the share that runs differ in most."""
    family, _, name = env.partition("/")
    if family == "inventory" and name in PRESETS:
        preset = preset_of(name, options)
        config: Any = checked_settings(preset.kind, {**preset.defaults, **options})
        grid = np.asarray(config.grid if isinstance(config, NetworkConfig) else config.action_grid, float)
        return UNITS[config.action_mode], paths @ grid
    action = int(paths.std(0).mean(0).argmax())
    return f"share of agents that play action {action}", paths[:, :, action]
