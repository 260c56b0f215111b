"""Reading a long table of sales: one row per agent and period, from CSV or Parquet. Bad rows are refused by number."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

MAX_BYTES = 512 * 1024 * 1024
MAX_PERIODS = 100_000
COLUMNS = ("agent", "period", "units")


class BadTable(ValueError):
    """A sales table that cannot be used: file, row and reason."""


def read_sales(path: str | Path, rename: Mapping[str, str] | None = None) -> pd.DataFrame:
    """The table with columns agent (text), period (int), units (float) and, where given, price (float).

    Args:
        path: CSV (also .gz) or Parquet.
        rename: the file's column -> one of agent, period, units, price; other columns are kept.

    Raises:
        BadTable: for an unreadable file, a missing column, text in a number, negative or missing units, a duplicate
            agent-period. Rows count as in the file, the header being row 1.
    """
    path = Path(path)
    if not path.is_file():
        raise BadTable(f"{path}: there is no such file")
    if path.stat().st_size > MAX_BYTES:
        raise BadTable(f"{path}: {path.stat().st_size} bytes are more than the {MAX_BYTES} that are read")
    try:
        table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, dtype=str)
    except (ValueError, OSError, UnicodeDecodeError, pd.errors.ParserError) as error:
        raise BadTable(f"{path}: not a readable table ({str(error).splitlines()[0]})") from None
    table = table.rename(columns=dict(rename or {}))
    for column in COLUMNS:
        if column not in table.columns:
            named = {v: k for k, v in (rename or {}).items()}.get(column, column)
            there = ", ".join(map(str, table.columns))
            raise BadTable(f"{path}: column {named!r} is missing; the columns are {there}")
    if table.empty:
        raise BadTable(f"{path}: the table has no rows")
    for column in ("period", "units", *(("price",) if "price" in table.columns else ())):
        table[column] = _numbers(path, table[column], column)
    if (table["period"] % 1 != 0).any():
        row = int(np.flatnonzero(table["period"] % 1 != 0)[0])
        raise BadTable(f"{path}: row {row + 2}: period {table['period'].iloc[row]} is not a whole number")
    if (table["units"] < 0).any():
        row = int(np.flatnonzero(table["units"] < 0)[0])
        raise BadTable(f"{path}: row {row + 2}: units {table['units'].iloc[row]:g} is negative")
    table["period"] = table["period"].astype(int)
    nameless = table["agent"].isna() | (table["agent"].astype(str).str.strip() == "")
    if nameless.any():
        raise BadTable(f"{path}: row {int(np.flatnonzero(nameless)[0]) + 2}: agent is empty")
    table["agent"] = table["agent"].astype(str)
    return table


def _numbers(path: Path, values: pd.Series, column: str) -> pd.Series:
    numbers = pd.to_numeric(values, errors="coerce")
    bad = ~np.isfinite(numbers.to_numpy(float))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        got = values.iloc[row]
        reason = "is empty" if pd.isna(got) or str(got).strip() == "" else f"is {str(got)[:40]!r}, not a number"
        raise BadTable(f"{path}: row {row + 2}: {column} {reason}")
    return numbers.astype(float)


def _by_number(name: str) -> tuple[int, int, str]:
    """Sorts numbered agents by number, before named ones."""
    return (0, int(name), "") if name.isdigit() else (1, 0, name)


def check_duplicates(path: str | Path, table: pd.DataFrame) -> None:
    """Refuse a table with two rows for one agent and period; `table` must have its file's row order as index."""
    twice = table.duplicated(["agent", "period"])
    if twice.any():
        label = table.index[twice][0]
        row = table.loc[label]
        raise BadTable(f"{path}: row {int(label) + 2}: a second row for agent {row['agent']} in period {row['period']}")


def pivot(
    path: str | Path, table: pd.DataFrame, gaps: Literal["missing", "zero", "interpolate"]
) -> tuple[np.ndarray, list[str], list[int]]:
    """Units [W, N] over all periods from the first to the last, the agents' names, and the periods.

    `gaps`: what an absent agent-period is: an error (missing), no demand (zero), or the straight line between its
    neighbours in time (interpolate; at an end, the nearest).
    """
    check_duplicates(path, table)
    first, last = int(table["period"].min()), int(table["period"].max())
    if last - first >= MAX_PERIODS:
        raise BadTable(f"{path}: periods {first} to {last} are more than {MAX_PERIODS}; number them one by one")
    wide = table.pivot(index="period", columns="agent", values="units").reindex(range(first, last + 1))
    wide = wide[sorted(wide.columns, key=lambda agent: _by_number(str(agent)))]
    if gaps == "missing" and wide.isna().to_numpy().any():
        period, agent = (int(i) for i in np.argwhere(wide.isna().to_numpy())[0])
        raise BadTable(
            f"{path}: agent {wide.columns[agent]} has no row for period {wide.index[period]}; "
            "set gaps to zero or interpolate if that is what its absence means"
        )
    wide = wide.fillna(0.0) if gaps == "zero" else wide.interpolate(limit_direction="both")
    return wide.to_numpy(float), [str(a) for a in wide.columns], [int(p) for p in wide.index]
