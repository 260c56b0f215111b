"""Demonstrations go out to Minari and come back the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mfmarl.errors import UserError
from mfmarl.imitation.demonstrations import ARRAYS, Demonstrations
from mfmarl.imitation.minari_files import read_minari, write_minari
from mfmarl.imitation.plan import digest
from mfmarl.imitation.rollout import Act, episodes, spaces_of

RULES: dict[str, Act] = {
    "CartPole-v1": lambda states: (states[:, 2] > 0).astype(np.int64),
    "Pendulum-v1": lambda states: -states[:, 2:3],
}


@pytest.mark.parametrize("env", RULES)
def test_there_and_back(env: str, tmp_path: Path) -> None:
    recorded = Demonstrations.from_episodes(episodes(env, RULES[env], 3, 0), spaces_of(env), env, {"expert": "a rule"})
    folder = write_minari(recorded, tmp_path, f"{env.split('-')[0].lower()}/rule-v0")
    found = read_minari(folder)
    assert (found.env, found.spaces) == (env, recorded.spaces)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(found, name), getattr(recorded, name))
    assert len(read_minari(folder, most=2)) == 2
    assert digest(Demonstrations.from_minari(folder)) == digest(found)
    assert len(Demonstrations.from_minari(folder, most=2)) == 2
    with pytest.raises(UserError, match="is there already"):
        write_minari(recorded, tmp_path, folder.relative_to(tmp_path).as_posix())


def test_a_folder_without_data_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no Minari data set"):
        read_minari(tmp_path)
