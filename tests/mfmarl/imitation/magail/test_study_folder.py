"""A study's folder: taken up by the same settings, refused to others."""

from __future__ import annotations

from pathlib import Path

import pytest

from mfmarl.errors import DamagedFile, UserError
from mfmarl.imitation.magail.study_folder import CHECKPOINT, RESULTS, claimed, finish, read

SETTINGS = {"seeds": (1, 2), "beta": 0.0}


def test_it_goes_on_until_it_is_complete(tmp_path: Path) -> None:
    folder = tmp_path / "out" / "tag"
    for _ in range(2):
        with claimed(folder, "magail-x", SETTINGS) as done:
            assert done is None
    (folder / CHECKPOINT).write_bytes(b"kept")
    with claimed(folder, "magail-x", SETTINGS):
        finish(folder, "magail-x", SETTINGS, {"answer": 1})
    assert not (folder / CHECKPOINT).exists()
    with claimed(folder, "magail-x", SETTINGS) as done:
        assert done is not None
        assert done["answer"] == 1
    assert read(folder)["settings"] == {"seeds": [1, 2], "beta": 0.0}


def test_others_are_refused(tmp_path: Path) -> None:
    with claimed(tmp_path, "magail-x", SETTINGS):
        (tmp_path / CHECKPOINT).write_bytes(b"kept")
    with pytest.raises(UserError, match=r"with beta 0.0, not 1.0; choose another folder by --outdir or --tag"):
        claimed(tmp_path, "magail-x", {**SETTINGS, "beta": 1.0}).__enter__()
    with pytest.raises(UserError, match="holds a study magail-x"):
        claimed(tmp_path, "magail-y", SETTINGS).__enter__()
    with claimed(tmp_path, "magail-x", SETTINGS), pytest.raises(UserError, match="is in use"):
        claimed(tmp_path, "magail-x", SETTINGS).__enter__()
    for text in ("[]", "{", '{"schema": 2}', '{"schema": 1, "settings": {}}'):
        (tmp_path / RESULTS).write_text(text)
        with pytest.raises(DamagedFile, match=RESULTS):
            claimed(tmp_path, "magail-x", SETTINGS).__enter__()
    with pytest.raises(UserError, match="is a file; want a folder"):
        claimed(tmp_path / RESULTS, "magail-x", SETTINGS).__enter__()
    with pytest.raises(UserError, match=f"{RESULTS} is a file, where .* wants a folder"):
        claimed(tmp_path / RESULTS / "below", "magail-x", SETTINGS).__enter__()


def test_a_folder_where_nothing_was_kept_takes_other_settings(tmp_path: Path) -> None:
    with claimed(tmp_path, "magail-x", SETTINGS):
        pass
    with claimed(tmp_path, "magail-x", {**SETTINGS, "beta": 1.0}):
        pass
    assert read(tmp_path)["settings"]["beta"] == 1.0
