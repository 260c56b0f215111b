"""Twenty files and more in place of a sales table: each is refused in one line, whatever it unpacks to."""

from __future__ import annotations

import decimal
import gzip
import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from envs.inventory import table_file
from envs.inventory.sales_table import BadTable, pivot, read_sales
from tests.hostile.commands import check_refused, told_by

GOOD = b"agent,period,units\n" + b"".join(b"%d,%d,%d\n" % (n, t, n + t) for n in range(3) for t in range(400))
PACKED = gzip.compress(GOOD, mtime=0)


def parquet(**columns: object) -> bytes:
    """A good table but for these columns."""
    good = {"agent": ["a", "b"], "period": [1, 1], "units": [3, 4]}
    out = io.BytesIO()
    pq.write_table(pa.table(good | columns), out)
    return out.getvalue()


def repeated() -> bytes:
    """8 GB of text in 10 kB: one name of 1 MB, in each of 8,000 rows."""
    names = pa.DictionaryArray.from_arrays(pa.array(np.zeros(8000, np.int32)), ["x" * 1_000_000])
    out = io.BytesIO()
    table = pa.table({"agent": names, "period": range(8000), "units": range(8000)}).cast(
        pa.schema({"agent": pa.dictionary(pa.int32(), pa.string()), "period": pa.int64(), "units": pa.int64()})
    )
    pq.write_table(table, out, compression="zstd", store_schema=False)
    return out.getvalue()


def blank(megabytes: int) -> bytes:
    """Gzip of a good table and so many line ends after it."""
    return PACKED + gzip.compress(b"\n" * (1 << 20)) * megabytes


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


HOSTILE: dict[str, tuple[str, Callable[[], bytes]]] = {
    "empty": ("csv", lambda: b""),
    "NULs": ("csv", lambda: b"\0" * 1000),
    "every byte": ("csv", lambda: bytes(range(256)) * 10),
    "a NUL in a name of a column": ("csv", lambda: GOOD.replace(b"agent", b"age\0nt")),
    "one line of 20 MB": ("csv", lambda: b"x" * 20_000_000),
    "a quote that never ends": ("csv", lambda: GOOD + b'9,1,"' + b"1" * 1000),
    "text for units": ("csv", lambda: GOOD + b"9,1,=HYPERLINK(1)\n"),
    "units of 1e999": ("csv", lambda: GOOD + b"9,1,1e999\n"),
    "units of 400 digits": ("csv", lambda: GOOD + b"9,1," + b"9" * 400 + b"\n"),
    "a period of 400 digits": ("csv", lambda: GOOD + b"9," + b"9" * 400 + b",1\n"),
    "a cell more in every row": ("csv", lambda: b"agent,period,units\n" + b"a,1,1,3\nb,1,1,4\n"),
    "columns twice": ("csv", lambda: GOOD.replace(b"period", b"agent", 1)),
    "100,000 columns, 100,000 rows": ("csv", lambda: b",".join([b"c"] * 100_000) + b"\n" * 100_000),
    "many agents, far apart": ("csv", lambda: b"agent,period,units\n" + b"".join(b"%d,%d,1\n" % (n, n % 2 * 99_000)
                                                                                for n in range(9_000))),
    "gzip of nothing": ("csv.gz", lambda: b""),
    "text called gzip": ("csv.gz", lambda: GOOD),
    "gzip cut short": ("csv.gz", lambda: PACKED[: len(PACKED) // 2]),
    "gzip without its sum": ("csv.gz", lambda: PACKED[:-8]),
    "gzip with a flipped byte": ("csv.gz", lambda: flipped(PACKED, len(PACKED) // 2)),
    "gzip with a wrong sum": ("csv.gz", lambda: flipped(PACKED, len(PACKED) - 6)),
    "gzip of 600 MB": ("csv.gz", lambda: blank(600)),
    "gzip of 100 million blank rows": ("csv.gz", lambda: blank(100)),
    "text called Parquet": ("parquet", lambda: GOOD),
    "Parquet cut short": ("parquet", lambda: parquet()[:-20]),
    "Parquet with a flipped byte": ("parquet", lambda: flipped(parquet(), 40)),
    "Parquet whose end says 2 GB": ("parquet", lambda: parquet()[:-8] + b"\xff\xff\xff\x7fPAR1"),
    "lists for units": ("parquet", lambda: parquet(units=[[1, 2], [3]])),
    "records for units": ("parquet", lambda: parquet(units=[{"a": 1}, {"a": 2}])),
    "lists for periods": ("parquet", lambda: parquet(period=[[1], [2, 3]])),
    "decimals of 38 digits": ("parquet", lambda: parquet(units=[decimal.Decimal("9" * 38), decimal.Decimal(1)])),
    "bytes for units": ("parquet", lambda: parquet(units=[b"\xff\xfe", b"\0"])),
    "times for units": ("parquet", lambda: parquet(units=pa.array([1, 2], pa.duration("s")))),
    "nothing for units": ("parquet", lambda: parquet(units=pa.nulls(2))),
    "a name of 1 MB 8,000 times": ("parquet", repeated),
}  # fmt: skip


def test_each_is_refused_in_one_line(tmp_path: Path) -> None:
    paths = {case: tmp_path / f"{i}.{kind}" for i, (case, (kind, _)) in enumerate(HOSTILE.items())}
    for case, path in paths.items():
        path.write_bytes(HOSTILE[case][1]())
    os.mkfifo(tmp_path / "pipe.csv")
    paths |= {"pipe": tmp_path / "pipe.csv", "nowhere": tmp_path / "nowhere.csv"}
    train = ["train", "--env", "inventory/market-easy", "--local", "--set"]
    told = told_by({case: [*train, f"env_options.sales={path.name}"] for case, path in paths.items()}, tmp_path)
    check_refused(told, {case: path.name for case, path in paths.items()})


def test_what_is_strange_and_sound_is_taken(tmp_path: Path) -> None:
    for name, data in (
        ("bom.csv", b"\xef\xbb\xbf" + GOOD),
        ("ends.csv", GOOD.replace(b"\n", b"\r\n")),
        ("gaps.csv", GOOD.replace(b"\n0,5,5", b"\n\n\n0,5,5")),
        ("sales.csv.gz", PACKED),
        ("two.csv.gz", PACKED + gzip.compress(b"9,1,1\n")),
    ):
        (tmp_path / name).write_bytes(data)
        assert len(read_sales(tmp_path / name)) == 1200 + (name == "two.csv.gz")
    (tmp_path / "link.csv").symlink_to("ends.csv")
    assert len(read_sales(tmp_path / "link.csv")) == 1200
    # an agent of more digits than Python reads as a number is one by name
    (tmp_path / "long.csv").write_bytes(GOOD + b"9" * 5000 + b",0,1\n")
    path = tmp_path / "long.csv"
    assert pivot(path, read_sales(path), "zero")[1] == ["0", "1", "2", "9" * 5000]


@pytest.mark.parametrize(
    ("cap", "name"),
    [("MAX_BYTES", "sales.csv"), ("MAX_BYTES", "sales.csv.gz"), ("MAX_CELLS", "sales.csv"),
     ("MAX_CELLS", "sales.parquet"), ("MAX_COLUMNS", "sales.csv"), ("MAX_UNPACKED", "sales.parquet")],
)  # fmt: skip
def test_caps(cap: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = {"sales.csv": GOOD, "sales.csv.gz": gzip.compress(GOOD * 1000), "sales.parquet": parquet()}[name]
    (tmp_path / name).write_bytes(data)
    monkeypatch.setattr(table_file, cap, 2 if cap != "MAX_BYTES" or name == "sales.csv" else len(data))
    with pytest.raises(BadTable, match=rf"{name}: .* more than (the )?[0-9]+ (bytes|cells|columns|that are read)"):
        read_sales(tmp_path / name)
