"""The numbers of the report, as tables that are also its CSV files."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.figures.style import label
from analysis.load import REFERENCES, Study
from analysis.statistics import MIN_RUNS, holm, interval, paired_difference, stars

METRICS = {
    "profit": ("profit", "$ / period"),
    "return": ("discounted return", "$"),
    "stock": ("mean stock", "u"),
    "backlog": ("mean backlog", "u"),
    "lost": ("lost sales", "u / period"),
    "order": ("mean order", "u / period"),
    "order_std": ("standard deviation of orders", "u / period"),
    "alpha_service": ("periods without a stock-out", "share"),
    "beta_fill": ("fill rate", "share"),
    "gamma_service": ("gamma service", "share"),
    "days_of_supply": ("days of supply", "periods"),
    "turns": ("turns", "1 / period"),
    "bullwhip": ("bullwhip Var(q)/Var(D)", "ratio"),
    "inventory_efficiency": ("inventory efficiency", "share"),
    "spoiled": ("spoiled", "u / period"),
    "scrapped": ("scrapped", "u / period"),
}
ALL = "all agents"


def policies_of(study: Study) -> list[str]:
    """Trained methods first, then the reference policies that were played."""
    played = set(study.agents["policy"])
    return [*study.methods, *(name for name in REFERENCES if name in played)]


def interval_table(study: Study) -> pd.DataFrame:
    """metric, type, policy, estimate, low, high, n, method of the interval, or the note that says why there is none."""
    rows = []
    for metric in METRICS:
        if metric not in study.agents:
            continue
        for type_name in (ALL, *study.type_names):
            for policy in policies_of(study):
                scores = study.scores(metric, policy, None if type_name == ALL else type_name)
                row: dict[str, object] = {"metric": metric, "type": type_name, "policy": policy, "n": len(scores)}
                if len(scores) == 0:
                    row |= {"estimate": np.nan, "note": f"missing: {study.missing.get(metric, 'no values')}"}
                elif len(scores) < MIN_RUNS:
                    note = f"no interval: {len(scores)} of at least {MIN_RUNS} seeds"
                    row |= {"estimate": scores.mean(), "note": note}
                else:
                    found = interval(scores.to_numpy())
                    row |= {"estimate": found.estimate, "low": found.low, "high": found.high, "interval": found.method}
                rows.append(row)
    columns = ["metric", "type", "policy", "estimate", "low", "high", "n", "interval", "note"]
    return pd.DataFrame(rows).reindex(columns=columns)


def difference_tables(study: Study, metric: str = "profit") -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """Per-seed differences first method - second method, and their tests per type with Holm's correction.

    None where there are not exactly two methods with at least 3 seeds in common.
    """
    if len(study.methods) != 2:
        return None
    first, second = study.methods
    pairs, tests = [], []
    for type_name in (ALL, *study.type_names):
        chosen = None if type_name == ALL else type_name
        both = pd.concat(
            [study.scores(metric, first, chosen), study.scores(metric, second, chosen)], axis=1, keys=["x", "y"]
        ).dropna()
        if len(both) < MIN_RUNS:
            return None
        found = paired_difference(both["x"].to_numpy(), both["y"].to_numpy())
        pairs.append(pd.DataFrame({"type": type_name, "seed": both.index, "difference": both["x"] - both["y"]}))
        tests.append(
            {
                "type": type_name,
                "estimate": found.interval.estimate,
                "low": found.interval.low,
                "high": found.interval.high,
                "n": found.interval.n,
                "interval": found.interval.method,
                "test": found.test,
                "p": found.p_value,
                "probability_of_improvement": found.probability,
            }
        )
    table = pd.DataFrame(tests)
    # the overall difference is the question asked; the types are a family of their own
    table["p_holm"] = [table["p"].iloc[0], *holm(list(table["p"].iloc[1:]))]
    table["mark"] = [stars(p) for p in table["p_holm"]]
    return pd.concat(pairs, ignore_index=True), table


def headline(study: Study, table: pd.DataFrame, tests: pd.DataFrame | None) -> list[str]:
    """What the numbers say, in plain words."""
    rows = table[(table["metric"] == "profit") & (table["type"] == ALL)]
    profit = {str(p): float(v) for p, v in zip(rows["policy"], rows["estimate"], strict=True)}
    said = []
    if tests is not None:
        first, second = map(label, study.methods)
        test = tests.iloc[0]
        gap = f"{test['estimate']:+.3g} $ per agent and period, 95 % interval {test['low']:.3g} to {test['high']:.3g}"
        judged = f"{test['test']}, p = {test['p']:.2g}, n = {test['n']} pairs"
        if np.isnan(test["p"]) or test["p"] >= 0.05:
            said.append(f"No difference between {first} and {second} can be told from these runs: {gap} ({judged}).")
        else:
            better = first if test["estimate"] > 0 else second
            said.append(f"{better} earns more: {first} minus {second} is {gap} ({judged}).")
    for method in study.methods:
        beaten = [p for p in REFERENCES if p in profit and profit[method] > profit[p]]
        not_beaten = [p for p in REFERENCES if p in profit and profit[method] < profit[p]]
        text = f"{label(method)} earns {profit[method]:.4g} $ per agent and period on average"
        text += f", more than {' and '.join(_plain(p) for p in beaten)}" if beaten else ""
        text += f", less than {' and '.join(_plain(p) for p in not_beaten)}" if not_beaten else ""
        said.append(text + ".")
    return said


def _plain(policy: str) -> str:
    names = {"base_stock": "newsvendor base stock", "constant": "constant orders", "random": "random orders"}
    return names.get(policy, policy)


def run_table(study: Study) -> pd.DataFrame:
    """One row per run: what ran, for how long, and what it ended with."""
    rows = []
    for info, name in zip(study.runs, study.labels, strict=True):
        mine = study.journal[(study.journal["method"] == name) & (study.journal["seed"] == info.seed)]
        last = mine.iloc[-1]
        rows.append(
            {
                "run": info.name,
                "method": name,
                "seed": info.seed,
                "episodes": int(last["episodes"]),
                "env_steps": int(last["env_steps"]),
                "agent_steps": int(last["agent_steps"]),
                "gradient_steps": int(last["gradient_steps"]),
                "seconds": float(last["time_s"]),
                "configuration": info.config_hash,
            }
        )
    return pd.DataFrame(rows)


def differing_settings(study: Study) -> list[str]:
    """Keys of the configuration in which runs of the study differ, besides method and seed."""
    flat = [_flat(info.config.model_dump(mode="json")) for info in study.runs]
    keys = sorted(set().union(*flat) - {"method", "seed"})
    return [k for k in keys if len({str(f.get(k)) for f in flat}) > 1]


def _flat(data: dict[str, object], prefix: str = "") -> dict[str, object]:
    out: dict[str, object] = {}
    for key, value in data.items():
        out |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return out
