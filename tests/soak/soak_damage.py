"""Each file of a real checkpoint with a byte flipped, and cut, at 200 places: all refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.hostile.conftest import small_run
from tests.hostile.test_damage import refused_at


def test_every_file_of_a_checkpoint_at_200_places(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    (tmp_path / "copy").mkdir()
    found = refused_at(small_run(tmp_path), tmp_path / "copy", 200)
    record_property("files", len(found))
    record_property("refused", sum(found.values()))
    assert len(found) > 5
    assert set(found.values()) == {400}
