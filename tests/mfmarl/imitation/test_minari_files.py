"""Demonstrations go out to Minari and come back the same."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
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


@pytest.mark.parametrize("name", ["actions", "terminations", "rewards"])
def test_an_episode_without_a_field_is_told_by_number_and_field(name: str, tmp_path: Path) -> None:
    recorded = Demonstrations.from_episodes(
        episodes("CartPole-v1", RULES["CartPole-v1"], 3, 0), spaces_of("CartPole-v1"), "CartPole-v1"
    )
    folder = write_minari(recorded, tmp_path, "cartpole/rule-v0")
    with h5py.File(folder / "data" / "main_data.hdf5", "a") as file:
        del file[f"episode_1/{name}"]
    with pytest.raises(UserError, match=f"cartpole/rule-v0: episode 1 has no {name}"):
        read_minari(folder)
    with h5py.File(folder / "data" / "main_data.hdf5", "a") as file:
        file[f"episode_1/{name}"] = np.zeros(0)
    with pytest.raises(UserError, match=f"episode 1 has .*{name}"):
        read_minari(folder)


@pytest.mark.parametrize("name", ["observation_space", "action_space"])
def test_metadata_that_would_make_an_environment_run_nothing(name: str, tmp_path: Path) -> None:
    env = "CartPole-v1"
    recorded = Demonstrations.from_episodes(episodes(env, RULES[env], 1, 0), spaces_of(env), env)
    folder = write_minari(recorded, tmp_path, "cartpole/rule-v0")
    path = folder / "data" / "metadata.json"
    words = json.loads(path.read_text())
    spec = json.loads(words["env_spec"]) | {"entry_point": "os:mkdir", "kwargs": {"path": str(tmp_path / "ran")}}
    del words[name]
    path.write_text(json.dumps(words | {"env_spec": json.dumps(spec)}))
    with pytest.raises(UserError, match=f"metadata.json has no {name}"):
        read_minari(folder)
    assert not (tmp_path / "ran").exists()
