"""The zero-sum study as tables: a row for each profile, and for each occupancy what it leaves open."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from analysis.magail_results import spread
from mfmarl.imitation.magail.theory import Array
from mfmarl.imitation.magail.zero_sum import DECIDING, Left, Measured, ZeroSumStudy

MAGAIL = "MAGAIL"


def curves(found: ZeroSumStudy) -> pd.DataFrame:
    """A row for each method, fallback, seed and number of expert samples.

    Columns: method (MAGAIL or BC), fallback, seed, samples, exploitability, nash_conv, gap_1, gap_2, value,
    occupancy_distance, and what is played in s1: p0 to p2 of the first player, q0 to q2 of the second.
    """
    parts = [_rows(MAGAIL, "", found.history.expert_samples, found.settings.seeds, found.learnt)]
    for fallback, clones in found.clones.items():
        parts.append(_rows("BC", fallback, found.clone_samples, found.settings.cloned_seeds, clones))
    return pd.concat(parts, ignore_index=True)


def history(found: ZeroSumStudy) -> pd.DataFrame:
    """A row for each record of each seed: training, what is played in s0 and s1, and how it can be exploited."""
    told = found.history
    records, runs = len(told.epochs), len(told.runs)
    each = np.repeat(np.arange(records), runs)
    columns = {
        "epoch": told.epochs[each],
        "seed": [run.seed for run in told.runs] * records,
        "expert_samples": told.expert_samples[each],
        "rollouts": told.rollouts[each],
        "steps": told.played.reshape(records * runs, -1).sum(1),
        "steps_in_s1": told.played[:, :, DECIDING].reshape(records * runs, -1).sum(1),
        "discriminator_loss": told.discriminator_loss.ravel(),
        "entropy_1": told.entropy[..., 0].ravel(),
        "entropy_2": told.entropy[..., 1].ravel(),
        **_choices(found.learnt, 0, "s0_"),
        **_choices(found.learnt, DECIDING, "s1_"),
        **_measures(found.learnt),
    }
    return pd.DataFrame(columns)


def bands(rows: pd.DataFrame, measure: str, most: float) -> pd.DataFrame:
    """Columns method (with its fallback), samples, mean, sd, low, high, n, interval: a measure of `curves` over seeds.

    Args:
        most: the greatest that the measure can be.
    """
    out = []
    for (method, samples), mine in rows.assign(method=named(rows)).groupby(["method", "samples"], sort=False):
        over = spread(mine[measure].tolist(), most)
        out.append(
            {"method": method, "samples": samples, "mean": over.mean, "sd": over.sd, "low": over.low,
             "high": over.high, "n": len(mine), "interval": over.method}
        )  # fmt: skip
    return pd.DataFrame(out).astype({"low": float, "high": float, "sd": float})


def named(rows: pd.DataFrame) -> pd.Series:
    """Of rows of `curves`: MAGAIL, BC uniform, BC first, BC worst."""
    return (rows["method"] + " " + rows["fallback"]).str.strip()


def left_open(reports: Iterable[Left]) -> pd.DataFrame:
    """A row for each occupancy: unvisited states, the share of s1, values, and least and greatest exploitability and
    NashConv of all policies that have it; or the reason why nothing is known."""
    return pd.DataFrame([_row(left) for left in reports])


def _row(left: Left) -> dict[str, object]:
    report = left.report
    if report is None:
        return {"of": left.of, "s1_share": left.deciding, "reason": left.reason}
    (low, high), (least, greatest) = report.exploitability, report.nash_conv
    return {
        "of": left.of,
        "s1_share": left.deciding,
        "unvisited_states": int((~report.visited).sum()),
        "value": float(report.values[0]),
        "least_exploitability": low,
        "greatest_exploitability": high,
        "least_nash_conv": least,
        "greatest_nash_conv": greatest,
        "reason": "",
    }


def _rows(
    method: str, fallback: str, samples: Iterable[int], seeds: tuple[int, ...], measured: Measured
) -> pd.DataFrame:
    sizes = list(samples)
    return pd.DataFrame(
        {
            "method": method,
            "fallback": fallback,
            "seed": list(seeds) * len(sizes),
            "samples": np.repeat(sizes, len(seeds)),
            **_measures(measured),
            **_choices(measured, DECIDING, ""),
        }
    )


def _measures(measured: Measured) -> dict[str, Array]:
    return {
        "exploitability": measured.exploitability.ravel(),
        "nash_conv": measured.nash_conv.ravel(),
        "gap_1": measured.gaps[..., 0].ravel(),
        "gap_2": measured.gaps[..., 1].ravel(),
        "value": measured.values.ravel(),
        "occupancy_distance": measured.distance.ravel(),
    }


def _choices(measured: Measured, state: int, before: str) -> dict[str, Array]:
    return {
        f"{before}{player}{action}": policy[..., state, action].ravel()
        for player, policy in zip("pq", measured.policies, strict=True)
        for action in range(policy.shape[-1])
    }
