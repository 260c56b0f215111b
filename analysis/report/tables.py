"""The numbers of the report, as tables that are also its CSV files."""

from __future__ import annotations

import pandas as pd

from analysis.labels import flattened
from analysis.load import Study
from analysis.report.comparison import Comparison
from analysis.report.interval_row import COLUMNS, interval_row

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


def interval_table(compared: Comparison) -> pd.DataFrame:
    """metric, type, policy, estimate, low, high, n, method of the interval, or the note that says why there is none."""
    study, rows = compared.study, []
    for metric in METRICS:
        if metric not in study.agents:
            continue
        for type_name in (ALL, *study.type_names):
            for policy in compared.policies:
                scores = study.scores(metric, policy, None if type_name == ALL else type_name).to_numpy(float)
                row: dict[str, object] = {"metric": metric, "type": type_name, "policy": policy}
                rows.append(row | interval_row(scores, missing=study.missing.get(metric, "no values")))
    return pd.DataFrame(rows).reindex(columns=["metric", "type", "policy", *COLUMNS])


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
    flat = [flattened(info.config.model_dump(mode="json")) for info in study.runs]
    keys = sorted(set().union(*flat) - {"method", "seed"})
    return [k for k in keys if len({str(f.get(k)) for f in flat}) > 1]
