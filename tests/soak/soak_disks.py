"""The disk full at each of 20 sizes, for every command that writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.small_disk import CASES
from tests.faults.test_disks import check, faults, unshared

SIZES = 20


@pytest.mark.parametrize("name", CASES)
def test_the_disk_full_at_each_size(name: str, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    try:
        unshared()
    except pytest.skip.Exception as none:
        pytest.fail(str(none))
    found = faults(tmp_path, [i / SIZES for i in range(SIZES)], [name])[name]["met"]
    for met in found:
        check(name, met)
    full = [met for met in found if met["fraction"] is not None]
    refused = sum(met["code"] != 0 for met in full)
    record_property("sizes", len(full))
    record_property("refused", refused)
    assert refused > SIZES // 4
