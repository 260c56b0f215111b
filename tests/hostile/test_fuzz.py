"""Good files with bytes replaced, cut out, doubled and put in: a reader's result, or one line, and nothing else.

`tests/soak/soak_fuzz.py` does the same for minutes, guided by what the readers' code takes.
"""

from __future__ import annotations

import faulthandler
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.hostile.readers import READERS, good_files

EXAMPLES = {"configuration": 150, "sales_table": 100, "demonstrations": 150, "run_folder": 300}
TOKENS = (
    b"\0",
    b"\xff",
    b"[",
    b"{",
    b"}",
    b'"',
    b"\n",
    b",",
    b"-",
    b"1e999",
    b"nan",
    b"null",
    b"9" * 30,
    b"&a *a",
    b"!!",
)

EDITS = st.lists(
    st.tuples(
        st.integers(0, 2**31),
        st.integers(0, 64),
        st.one_of(st.binary(max_size=8), st.sampled_from(TOKENS)),
        st.sampled_from(["put", "replace", "cut", "double", "end"]),
    ),
    min_size=1,
    max_size=4,
)


def edited(data: bytes, edits: list[tuple[int, int, bytes, str]]) -> bytes:
    # the first byte says what the others are
    for place, size, held, how in edits:
        at = place % max(len(data), 1)
        if how == "end":
            data = data[:at]
        else:
            put = {"put": held, "replace": held, "cut": b"", "double": data[at : at + size] * 2}[how]
            taken = {"put": 0, "replace": len(held), "cut": size, "double": size}[how]
            data = data[:at] + put + data[at + taken :]
    return data


@pytest.fixture(autouse=True)
def no_hang() -> Iterator[None]:
    """Ends the process, and says where it was."""
    faulthandler.dump_traceback_later(240, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.mark.parametrize("name", READERS)
def test_spoilt_files_are_read_or_told(name: str, tmp_path: Path, good: Path) -> None:
    files, met = good_files(name, tmp_path, good), 0

    @settings(
        max_examples=EXAMPLES[name], derandomize=True, deadline=None, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.sampled_from(files), EDITS)
    def each(data: bytes, edits: list[tuple[int, int, bytes, str]]) -> None:
        nonlocal met
        met += 1
        READERS[name](edited(data, edits), tmp_path)

    each()
    assert met >= EXAMPLES[name]
