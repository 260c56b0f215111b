"""Files with a byte flipped at many places, and cut: all refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hostile.conftest import small_run
from tests.hostile.places import make_folders
from tests.hostile.test_damage import check_damaged, refused_at


def test_every_file_of_a_checkpoint_at_200_places(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    (tmp_path / "copy").mkdir()
    found = refused_at(small_run(tmp_path), tmp_path / "copy", 200)
    record_property("files", len(found))
    record_property("refused", sum(found.values()))
    assert len(found) > 5
    assert set(found.values()) == {400}


def test_every_file_of_folders_of_all_kinds_at_20_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    (tmp_path / "folders").mkdir()
    (tmp_path / "copies").mkdir()
    places = make_folders(tmp_path / "folders", small_run(tmp_path), monkeypatch)
    record_property("files", len(places))
    record_property("refused", check_damaged(places, tmp_path / "copies", 20))
