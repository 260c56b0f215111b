"""The table in a CSV or Parquet file, of which nothing is believed: what it unpacks to is counted on the way."""

from __future__ import annotations

import gzip
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from envs.unpacking import plain_reason

MAX_BYTES = 512 * 1024 * 1024
"""Of a file, and of a CSV once it is unpacked."""
MAX_UNPACKED = 8 * MAX_BYTES
"""Bytes of the columns of Parquet."""
MAX_COLUMNS = 10_000
MAX_CELLS = MAX_BYTES // 2
"""Rows times columns; a CSV that has more than its commas and line ends leaves most of them out."""


class BadTable(ValueError):
    """A sales table that cannot be used: file, row and reason."""


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Around everything that is made of a file; what goes wrong says that it is no table.

    Raises:
        BadTable: names the file.
    """
    try:
        yield
    except BadTable:
        raise
    except Exception as error:
        raise BadTable(f"{path}: not a readable table ({plain_reason(error)})") from error


def table_in(path: Path) -> pd.DataFrame:
    """The file's columns, those of a CSV as text; a row's label is its place in the file, and blank rows are left out.

    Raises:
        BadTable: where there is no such file, or it is too large.
    """
    if not path.is_file():
        raise BadTable(f"{path}: there is no such file")
    if path.stat().st_size > MAX_BYTES:
        raise BadTable(f"{path}: {path.stat().st_size} bytes are more than the {MAX_BYTES} that are read")
    return _parquet(path) if path.suffix == ".parquet" else _csv(path)


def _csv(path: Path) -> pd.DataFrame:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise BadTable(f"{path}: unpacks to more than the {MAX_BYTES} bytes that are read")
    # pandas itself takes minutes over a header of 100,000 equal names
    header = re.split(rb"[\r\n]", data.lstrip(), maxsplit=1)[0]
    _check_cells(path, data.count(b"\n") + data.count(b"\r"), header.count(b",") + 1)
    # blank lines are read first and dropped then, so that labels stay places in the file
    table = pd.read_csv(io.BytesIO(data), dtype=str, keep_default_na=False, na_values=[""], skip_blank_lines=False)
    if not isinstance(table.index, pd.RangeIndex):
        # pandas takes the first cells for labels then, and the columns for others
        raise BadTable(f"{path}: rows have more cells than the header names; name every column")
    return table.dropna(how="all")


def _parquet(path: Path) -> pd.DataFrame:
    with pq.ParquetFile(path) as file:
        schema = file.schema_arrow
        _check_cells(path, file.metadata.num_rows, len(schema))
        batches, size = [], 0
        # a value that is written once may stand in every row
        for batch in file.iter_batches(batch_size=4096, use_threads=False):
            size += batch.nbytes
            if size > MAX_UNPACKED:
                raise BadTable(f"{path}: unpacks to more than the {MAX_UNPACKED} bytes that are read")
            batches.append(batch)
    # the labels that pandas may have stored say nothing of the rows' places
    table: pd.DataFrame = pa.Table.from_batches(batches, schema).to_pandas(ignore_metadata=True)
    return table


def _check_cells(path: Path, rows: int, columns: int) -> None:
    if columns > MAX_COLUMNS:
        raise BadTable(f"{path}: {columns} columns are more than the {MAX_COLUMNS} that are read")
    if rows * columns > MAX_CELLS:
        raise BadTable(f"{path}: {rows} rows of {columns} columns are more than {MAX_CELLS} cells")
