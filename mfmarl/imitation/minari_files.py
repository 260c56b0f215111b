"""Demonstrations as Minari data sets (https://minari.farama.org), which other libraries read and publish."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gymnasium as gym
import h5py
import numpy as np

from envs.unpacking import plain_reason
from mfmarl.errors import DamagedFile, StorageFailed, UserError
from mfmarl.imitation.demonstrated import LARGEST_WORDS, check_minari
from mfmarl.imitation.demonstrations import Demonstrations, Episode
from mfmarl.imitation.spaces import Spaces
from mfmarl.runs.files import open_regular, read_json, unpacking
from mfmarl.runs.plain_hdf5 import first_fault

FIELDS = ("observations", "actions", "rewards", "terminations", "truncations")


def read_minari(folder: Path, most: int | None = None) -> Demonstrations:
    """The first `most` episodes of a data set that lies in `folder`, as Minari stores them: `folder/data/...`.

    Raises:
        UserError: where there is none, or its episodes are wrong; names the episode and the field.
        DamagedFile: where Minari cannot read it.
    """
    import minari

    check_minari(folder)
    data = folder / "data"
    found: list[Episode] = []
    try:
        _check_described(data)
        _check_plain(data / "main_data.hdf5")
        dataset = minari.MinariDataset(data)
        spaces = Spaces.of(dataset.observation_space, dataset.action_space)
        indices = dataset.episode_indices[:most]
        for number, episode in enumerate(dataset.iterate_episodes(indices)):
            found.append(_episode(number, episode))
    except UserError as wrong:
        raise UserError(f"{folder}: {wrong}") from wrong
    except KeyError as error:
        absent = next((name for name in FIELDS if f"'{name}'" in str(error)), None)
        if absent is None:
            raise DamagedFile(f"{folder} is damaged, or no Minari data set: {error}") from error
        raise UserError(f"{folder}: episode {len(found)} has no {absent}; want {', '.join(FIELDS)}") from error
    except StorageFailed:
        raise
    except Exception as error:
        raise DamagedFile(f"{folder} is damaged, or no Minari data set: {plain_reason(error)}") from error
    env = dataset.env_spec.id if dataset.env_spec is not None else ""
    try:
        return Demonstrations.from_episodes(found, spaces, env, {"minari": str(dataset.spec.dataset_id)})
    except UserError as wrong:
        raise UserError(f"{folder}: {wrong}") from wrong


def _check_described(data: Path) -> None:
    """Refuse metadata without spaces: Minari would make the environment that they name, by any function they name."""
    words = read_json(data / "metadata.json", LARGEST_WORDS)
    for name in ("observation_space", "action_space"):
        if not isinstance(words.get(name), str):
            raise UserError(f"metadata.json has no {name}; want both spaces described, so that nothing need be made")


def _check_plain(path: Path) -> None:
    """Refuse values from other files, and more of them than the file can hold; Minari follows every link."""
    if not path.exists() and not path.is_symlink():
        # another format, which Minari reads or refuses
        return
    with open_regular(path), unpacking(path), h5py.File(path, "r", locking=False) as file:
        if why := first_fault(file):
            raise DamagedFile(f"{path} is refused: {why}")


def _episode(number: int, found: Any) -> Episode:
    steps = len(found.actions)
    for name in ("terminations", "truncations"):
        if not steps or len(getattr(found, name)) != steps:
            got = f"{steps} actions and {len(getattr(found, name))} {name}"
            raise UserError(f"episode {number} has {got}; want as many of each, 1 or more")
    return Episode(found.observations, found.actions, found.rewards, found.terminations[-1], found.truncations[-1])


def write_minari(demonstrations: Demonstrations, root: Path, name: str) -> Path:
    """Write them as the data set `name`, such as `cartpole/expert-v0`, below `root`; returns its folder.

    Raises:
        UserError: where it is there already, for a name that Minari does not take, or an environment that gymnasium
            does not know.
    """
    import minari
    from minari.data_collector import EpisodeBuffer

    demonstrations.check_whole("Minari")
    if (root / name).exists():
        raise UserError(f"{root / name} is there already; choose another name")
    spaces = demonstrations.spaces
    action_space: gym.Space[Any] = (
        gym.spaces.Box(np.array(spaces.low, np.float32), np.array(spaces.high, np.float32), dtype=np.float32)
        if spaces.continuous
        else gym.spaces.Discrete(spaces.action_dim)
    )
    buffers = []
    for i in range(len(demonstrations)):
        episode = demonstrations[i]
        flags = np.zeros((2, len(episode.actions)), bool)
        flags[:, -1] = episode.terminated, episode.truncated
        buffers.append(
            EpisodeBuffer(
                id=i,
                observations=list(episode.observations),
                actions=list(episode.actions),
                rewards=episode.rewards.tolist(),
                terminations=flags[0].tolist(),
                truncations=flags[1].tolist(),
            )
        )
    root.mkdir(parents=True, exist_ok=True)
    try:
        with _below(root), warnings.catch_warnings():
            # it recommends authors, links and descriptions
            warnings.simplefilter("ignore", UserWarning)
            minari.create_dataset_from_buffers(
                name,
                buffers,
                env=demonstrations.env or None,
                action_space=action_space,
                observation_space=gym.spaces.Box(-np.inf, np.inf, (spaces.state_dim,), np.float32),
                algorithm_name=str(demonstrations.told.get("expert", "")) or None,
            )
    except (ValueError, gym.error.Error) as error:
        raise UserError(f"Minari takes no data set {name!r} of {demonstrations.env!r}: {error}") from error
    return root / name


@contextmanager
def _below(root: Path) -> Iterator[None]:
    """Minari knows its folder by an environment variable alone."""
    before = os.environ.get("MINARI_DATASETS_PATH")
    os.environ["MINARI_DATASETS_PATH"] = str(root)
    try:
        yield
    finally:
        if before is None:
            del os.environ["MINARI_DATASETS_PATH"]
        else:
            os.environ["MINARI_DATASETS_PATH"] = before
