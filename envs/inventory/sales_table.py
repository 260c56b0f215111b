"""Reading a long table of sales: one row per agent and period, from CSV or Parquet. Bad rows are refused by number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from envs.inventory.table_file import BadTable, readable, table_in

MAX_PERIODS = 100_000
MOST_CELLS = 2**28
"""Agents times periods: 2 GB."""
MOST_UNITS = 2**24
"""The market counts in float32, which holds every whole number up to here."""
LARGEST_PERIOD = 2**53
LONGEST_NUMBER = 18
"""Digits of an agent's number; longer ones are names."""
COLUMNS = ("agent", "period", "units")
Gaps = Literal["missing", "zero", "interpolate"]


def read_sales(path: str | Path, rename: Mapping[str, str] | None = None) -> pd.DataFrame:
    """The table with columns agent (text), period (int), units (float) and, where given, price (float), type (text).

    Units are whole numbers 0..2^24 and prices positive; nothing is rounded or left out. A row's label is its place in
    the file, from 0; blank rows are skipped.

    Args:
        path: CSV (also .gz) or Parquet.
        rename: the file's column -> one of agent, period, units, price, type; other columns are kept.

    Raises:
        BadTable: for an unreadable file, a missing column, a number that is none or out of its range, an empty cell.
            Rows count as in the file, the header being row 1.
    """
    path = Path(path)
    with readable(path):
        return _checked(path, table_in(path), rename)


def _checked(path: Path, table: pd.DataFrame, rename: Mapping[str, str] | None) -> pd.DataFrame:
    table = table.rename(columns=dict(rename or {}))
    there = list(map(str, table.columns))
    for column in COLUMNS:
        if column not in there:
            named = {v: k for k, v in (rename or {}).items()}.get(column, column)
            raise BadTable(f"{path}: column {named!r} is missing; the columns are {', '.join(there)}")
    for column in (*COLUMNS, "price", "type"):
        if there.count(column) > 1:
            raise BadTable(f"{path}: there are {there.count(column)} columns {column!r}; keep one")
    if table.empty:
        raise BadTable(f"{path}: the table has no rows")
    for column in ("period", "units", *(("price",) if "price" in there else ())):
        table[column] = _numbers(path, table[column], column)
    _refuse(path, table["period"], table["period"] % 1 != 0, "is not a whole number")
    _refuse(path, table["period"], table["period"].abs() > LARGEST_PERIOD, "is too large; number them one by one")
    _refuse(path, table["units"], table["units"] < 0, "is negative")
    _refuse(path, table["units"], table["units"] % 1 != 0, "is not a whole number; count in smaller units")
    _refuse(path, table["units"], table["units"] > MOST_UNITS, f"is more than {MOST_UNITS}; count in larger units")
    if "price" in there:
        _refuse(path, table["price"], table["price"] <= 0, "is not positive")
    table["period"] = table["period"].astype(int)
    for column in ("agent", *(("type",) if "type" in there else ())):
        table[column] = _names(path, table[column], column)
    return table


def _refuse(path: Path, values: pd.Series, bad: pd.Series, reason: str) -> None:
    if bad.any():
        label = values.index[bad][0]
        raise BadTable(f"{path}: row {int(label) + 2}: {values.name} {values[label]:.12g} {reason}")


def _numbers(path: Path, values: pd.Series, column: str) -> pd.Series:
    kinds = (pd.api.types.is_bool_dtype, pd.api.types.is_datetime64_any_dtype, pd.api.types.is_timedelta64_dtype)
    if any(is_kind(values) for is_kind in kinds):
        raise BadTable(f"{path}: column {column!r} holds {values.dtype}, not numbers")
    numbers = pd.to_numeric(values, errors="coerce")
    bad = ~np.isfinite(numbers.to_numpy(float, na_value=np.nan))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        got = values.iloc[row]
        reason = "is empty" if pd.isna(got) or str(got).strip() == "" else f"is {str(got)[:40]!r}, not a number"
        raise BadTable(f"{path}: row {int(values.index[row]) + 2}: {column} {reason}")
    return numbers.astype(float)


def _names(path: Path, values: pd.Series, column: str) -> pd.Series:
    names = values.astype(str).str.strip()
    nameless = values.isna() | (names == "")
    if nameless.any():
        raise BadTable(f"{path}: row {int(values.index[nameless][0]) + 2}: {column} is empty")
    return names


def _by_number(name: str) -> tuple[int, int, str]:
    """Sorts numbered agents by number, before named ones."""
    return (0, int(name), name) if name.isdecimal() and len(name) <= LONGEST_NUMBER else (1, 0, name)


def check_duplicates(path: str | Path, table: pd.DataFrame) -> None:
    """Refuse a table with two rows for one agent and period; `table` must have its file's row places as index."""
    twice = table.duplicated(["agent", "period"])
    if twice.any():
        label = table.index[twice][0]
        row = table.loc[label]
        raise BadTable(f"{path}: row {int(label) + 2}: a second row for agent {row['agent']} in period {row['period']}")


def pivot(
    path: str | Path, table: pd.DataFrame, gaps: Gaps, cuts: Sequence[int] = ()
) -> tuple[NDArray[np.float64], list[str], list[int]]:
    """Units [W, N] over all periods from the first to the last, the agents' names, and the periods.

    Args:
        gaps: what an absent agent-period is: an error (missing), no demand (zero), or the straight line between its
            neighbours in time (interpolate; at an end, the nearest).
        cuts: periods that begin a new part; lines are drawn within parts, so that none learns from a later one.

    Raises:
        BadTable: for a second row of an agent-period, a gap where none may be, and too many periods.
    """
    check_duplicates(path, table)
    first, last = int(table["period"].min()), int(table["period"].max())
    if last - first >= MAX_PERIODS:
        raise BadTable(f"{path}: periods {first} to {last} are more than {MAX_PERIODS}; number them one by one")
    agents = table["agent"].nunique()
    if agents * (last - first + 1) > MOST_CELLS:
        raise BadTable(f"{path}: {agents} agents in {last - first + 1} periods are more than {MOST_CELLS} cells")
    wide = table.pivot(index="period", columns="agent", values="units").reindex(range(first, last + 1))
    wide = wide[sorted(wide.columns, key=lambda agent: _by_number(str(agent)))]
    if gaps == "missing" and wide.isna().to_numpy().any():
        period, agent = (int(i) for i in np.argwhere(wide.isna().to_numpy())[0])
        raise BadTable(
            f"{path}: agent {wide.columns[agent]} has no row for period {wide.index[period]}; "
            "set gaps to zero or interpolate if that is what its absence means"
        )
    names = [str(agent) for agent in wide.columns]
    # a copy: pandas may hand out its own, read-only
    units = wide.fillna(0.0).to_numpy(float) if gaps == "zero" else wide.to_numpy(float, copy=True)
    bounds = [first, *(cut for cut in sorted(cuts) if first < cut <= last), last + 1]
    for a, b in pairwise(bounds):
        silent = _draw_lines(units[a - first : b - first])
        if silent is not None:
            raise BadTable(
                f"{path}: agent {names[silent]} has no row in periods {a} to {b - 1}, so there is nothing to draw a "
                "line from; leave it out, or set gaps to zero"
            )
    return units, names, list(range(first, last + 1))


def _draw_lines(units: NDArray[np.float64]) -> int | None:
    """Fill the gaps (NaN) of units [W, N] in place; returns the first agent that has nothing to fill them from."""
    gap = np.isnan(units)
    for n in np.flatnonzero(gap.any(0)):
        known = np.flatnonzero(~gap[:, n])
        if known.size == 0:
            return int(n)
        missing = np.flatnonzero(gap[:, n])
        units[missing, n] = np.interp(missing, known, units[known, n])
    return None
