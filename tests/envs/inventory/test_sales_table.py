"""Sales tables: what is read, and every way in which one is refused, with file, row and reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from envs.inventory.sales_table import BadTable, pivot, read_sales

GOOD = "agent,period,units\n10,1,5\n9,1,2\n10,2,6\n9,2,3\n"


def table(folder: Path, text: str, name: str = "sales.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_csv_gzip_and_parquet_read_the_same(tmp_path: Path) -> None:
    plain = read_sales(table(tmp_path, GOOD))
    assert plain["agent"].tolist() == ["10", "9", "10", "9"]
    assert plain["period"].tolist() == [1, 1, 2, 2]
    assert plain["units"].tolist() == [5.0, 2.0, 6.0, 3.0]
    for name in ("sales.csv.gz", "sales.parquet"):
        path = tmp_path / name
        if name.endswith("parquet"):
            pd.read_csv(tmp_path / "sales.csv").to_parquet(path)
        else:
            pd.read_csv(tmp_path / "sales.csv").to_csv(path, index=False)
        pd.testing.assert_frame_equal(read_sales(path), plain)


def test_agents_are_sorted_by_number_and_columns_renamed(tmp_path: Path) -> None:
    path = table(tmp_path, GOOD.replace("agent,period,units", "shop,week,cartons"))
    rename = {"shop": "agent", "week": "period", "cartons": "units"}
    units, agents, periods = pivot(path, read_sales(path, rename), "missing")
    assert agents == ["9", "10"]
    assert periods == [1, 2]
    assert units.tolist() == [[2, 5], [3, 6]]
    other = table(tmp_path, "shop,week,pieces\n1,1,1\n")
    with pytest.raises(BadTable, match="column 'cartons' is missing; the columns are"):
        read_sales(other, rename)


def test_gaps(tmp_path: Path) -> None:
    path = table(tmp_path, "agent,period,units\na,1,4\na,2,5\na,4,7\nb,2,3\nb,4,9\n")
    sales = read_sales(path)
    with pytest.raises(BadTable, match=r"agent b has no row for period 1; set gaps to zero or interpolate"):
        pivot(path, sales, "missing")
    units, agents, periods = pivot(path, sales, "zero")
    assert (agents, periods) == (["a", "b"], [1, 2, 3, 4])
    assert units.T.tolist() == [[4, 5, 0, 7], [0, 3, 0, 9]]
    units, _, _ = pivot(path, sales, "interpolate")
    # between neighbours a straight line, at an end the nearest
    assert units.T.tolist() == [[4, 5, 6, 7], [3, 3, 6, 9]]


def test_lines_are_drawn_within_parts(tmp_path: Path) -> None:
    path = table(tmp_path, "agent,period,units\na,1,4\na,4,10\nb,1,1\nb,2,3\nb,3,9\nb,4,9\n")
    sales = read_sales(path)
    assert pivot(path, sales, "interpolate")[0][:, 0].tolist() == [4, 6, 8, 10]
    # what happens from period 3 on does not show before it
    assert pivot(path, sales, "interpolate", cuts=(3,))[0][:, 0].tolist() == [4, 4, 10, 10]
    with pytest.raises(BadTable, match="agent a has no row in periods 2 to 3, so there is nothing to draw a line from"):
        pivot(path, sales, "interpolate", cuts=(2, 4))


def test_text_is_text(tmp_path: Path) -> None:
    # names that readers of tables like to take for something else
    sales = read_sales(table(tmp_path, "agent,period,units,type\nNA,1,4,null\n 007 ,1,3,1\n"))
    assert sales["agent"].tolist() == ["NA", "007"]
    assert sales["type"].tolist() == ["null", "1"]
    with pytest.raises(BadTable, match="there are 2 columns 'agent'; keep one"):
        read_sales(table(tmp_path, "agent,shop,period,units\na,b,1,4\n"), {"shop": "agent"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.replace("units", "sold"), r"sales\.csv: column 'units' is missing; the columns are agent, period, sold"),
        (GOOD.replace("9,2,3", "9,2,-3"), r"sales\.csv: row 5: units -3 is negative"),
        (GOOD.replace("10,2,6", "10,2,six"), r"sales\.csv: row 4: units is 'six', not a number"),
        (GOOD.replace("10,2,6", "10,second,6"), r"sales\.csv: row 4: period is 'second', not a number"),
        (GOOD.replace("10,2,6", "10,2.5,6"), r"sales\.csv: row 4: period 2\.5 is not a whole number"),
        (GOOD.replace("9,1,2", "9,1,"), r"sales\.csv: row 3: units is empty"),
        (GOOD.replace("9,1,2", "9,1,inf"), r"sales\.csv: row 3: units is 'inf', not a number"),
        (GOOD.replace("9,1,2", "9,1,nan"), r"sales\.csv: row 3: units is 'nan', not a number"),
        (GOOD.replace("9,1,2", "9,1,2.5"), r"sales\.csv: row 3: units 2\.5 is not a whole number; count in smaller"),
        (GOOD.replace("9,1,2", "9,1,16777217"), r"sales\.csv: row 3: units 16777217 is more than 16777216"),
        (GOOD.replace("9,1,2", "9,1,1e400"), r"sales\.csv: row 3: units is '1e400', not a number"),
        (GOOD.replace("9,1,2", "9,99999999999999999999,2"), r"sales\.csv: row 3: period 1e\+20 is too large"),
        # rows count as in the file, blank ones included
        (GOOD.replace("9,1,2", "\n\n9,1,-2"), r"sales\.csv: row 5: units -2 is negative"),
        (GOOD.replace("9,1,2", ",1,2"), r"sales\.csv: row 3: agent is empty"),
        (GOOD.replace("9,1,2", "  ,1,2"), r"sales\.csv: row 3: agent is empty"),
        ("agent,period,units\n", r"sales\.csv: the table has no rows"),
        ("", r"sales\.csv: not a readable table"),
        (GOOD + "1,2,3,4,5\n", r"sales\.csv: not a readable table"),
        ("agent,period,units\n\n\n", r"sales\.csv: the table has no rows"),
        ("agent,period,units,price\na,1,2,1\nb,1,2,0\n", r"sales\.csv: row 3: price 0 is not positive"),
        ("agent,period,units,price\na,1,2,-1.5\n", r"sales\.csv: row 2: price -1\.5 is not positive"),
        ("agent,period,units,price\na,1,2,\n", r"sales\.csv: row 2: price is empty"),
        ("agent,period,units,type\na,1,2,big\nb,1,2,\n", r"sales\.csv: row 3: type is empty"),
        ("agent,period,units,price\na,1,2,cheap\n", r"sales\.csv: row 2: price is 'cheap', not a number"),
    ],
)
def test_bad_tables_are_refused_by_row(tmp_path: Path, text: str, message: str) -> None:
    path = table(tmp_path, text)
    with pytest.raises(BadTable, match=message):
        read_sales(path)


def test_a_second_row_is_refused(tmp_path: Path) -> None:
    path = table(tmp_path, GOOD + "9,1,7\n")
    with pytest.raises(BadTable, match=r"sales\.csv: row 6: a second row for agent 9 in period 1"):
        pivot(path, read_sales(path), "missing")


def test_a_second_row_of_a_part_keeps_its_number(tmp_path: Path) -> None:
    # rows 2 to 5 are of another product
    path = table(tmp_path, GOOD + "7,1,7\n8,1,1\n7,1,7\n")
    sales = read_sales(path)
    with pytest.raises(BadTable, match="row 8: a second row for agent 7 in period 1"):
        pivot(path, sales[sales["agent"].isin(["7", "8"])], "missing")


def test_unreadable_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadTable, match=r"nowhere\.csv: there is no such file"):
        read_sales(tmp_path / "nowhere.csv")
    with pytest.raises(BadTable, match="there is no such file"):
        read_sales(tmp_path)
    for name in ("sales.parquet", "sales.csv.gz"):
        with pytest.raises(BadTable, match=rf"{name}: not a readable table"):
            read_sales(table(tmp_path, "not one", name))
    binary = tmp_path / "binary.csv"
    binary.write_bytes(bytes(range(256)))
    with pytest.raises(BadTable, match=r"binary\.csv: "):
        read_sales(binary)
    monkeypatch.setattr("envs.inventory.table_file.MAX_BYTES", 10)
    with pytest.raises(BadTable, match="bytes are more than the 10 that are read"):
        read_sales(table(tmp_path, GOOD))


def test_parquet_is_checked_too(tmp_path: Path) -> None:
    path = tmp_path / "sales.parquet"
    frame = pd.DataFrame({"agent": ["a", "b"], "period": [1, 1], "units": [1.0, np.nan]})
    frame.to_parquet(path)
    with pytest.raises(BadTable, match=r"sales\.parquet: row 3: units is empty"):
        read_sales(path)
    frame.assign(units=[True, False]).to_parquet(path)
    with pytest.raises(BadTable, match=r"sales\.parquet: column 'units' holds bool, not numbers"):
        read_sales(path)
    frame.assign(period=pd.to_datetime(["2024-01-01", "2024-01-08"])).to_parquet(path)
    with pytest.raises(BadTable, match=r"column 'period' holds datetime64\[\w+\], not numbers"):
        read_sales(path)
    # labels that pandas stored are not the rows' places
    frame.set_axis([40, 41]).to_parquet(path)
    with pytest.raises(BadTable, match=r"sales\.parquet: row 3: units is empty"):
        read_sales(path)
    frame.assign(units=[True, "x"]).astype({"units": str}).to_parquet(path)
    with pytest.raises(BadTable, match=r"row 2: units is 'True', not a number"):
        read_sales(path)


def test_a_hole_of_a_million_periods_is_refused(tmp_path: Path) -> None:
    path = table(tmp_path, "agent,period,units\na,1,4\na,2000000000,5\n")
    with pytest.raises(BadTable, match="periods 1 to 2000000000"):
        pivot(path, read_sales(path), "zero")
