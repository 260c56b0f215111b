"""Demonstrations as RLlib's offline data: parquet shards with a row an episode, which are read back as a stream."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mfmarl.errors import DamagedFile, UserError
from mfmarl.imitation.demonstrations import Demonstrations, Episode
from mfmarl.imitation.spaces import Spaces
from mfmarl.rllib.action_laws import in_rllib
from mfmarl.runs.files import replacing, storing, unpacking, write_whole
from mfmarl.runs.summed import read_summed, summed

SCHEMA = 1
MANIFEST = "shards.json"
LARGEST = 64 << 20
"""Bytes of the list of shards."""
_SHARD = re.compile(r"shard-[0-9]{5,9}\.parquet")


@dataclass(frozen=True)
class Shards:
    """What a folder of shards holds; its file is written last, so that a folder that has it is whole."""

    env: str
    spaces: Spaces
    episodes: int
    steps: int
    files: tuple[str, ...]


def write_shards(episodes: Iterable[Episode], spaces: Spaces, folder: Path, env: str = "", size: int = 100) -> Shards:
    """Write episodes, of which never more than `size` are held at once; each shard is checked as demonstrations are.

    Columns are RLlib's: obs, actions, rewards, terminateds and truncateds of T steps; of new_obs the last row alone,
    which is all that RLlib reads of a whole episode. Continuous actions have -1 to 1 as their range.

    Raises:
        UserError: for no episode, one that is wrong (its number is within its shard), or a folder that has shards.
        StorageFailed: where the folder takes no file.
    """
    if size < 1:
        raise UserError(f"shards of {size} episodes; want 1 or more in each")
    if (folder / MANIFEST).exists():
        raise UserError(f"{folder} has shards already; want another folder")
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    names: list[str] = []
    left, number, steps = iter(episodes), 0, 0
    for first in left:
        shard = Demonstrations.from_episodes([first, *islice(left, size - 1)], spaces, env)
        names.append(f"shard-{len(names):05d}.parquet")
        with replacing(folder / names[-1]) as temporary:
            pq.write_table(_table(shard, number), temporary, compression="zstd")
        number, steps = number + len(shard), steps + shard.steps
    if not names:
        raise UserError(f"no episode to write into {folder}; want 1 or more")
    found = Shards(env, spaces, number, steps, tuple(names))
    write_whole(folder / MANIFEST, summed({"schema": SCHEMA, **asdict(found)}))
    return found


def shards_of(demonstrations: Demonstrations, folder: Path, size: int = 100) -> Shards:
    """Write demonstrations that are in memory; raises as `write_shards` does, and for a subsample."""
    demonstrations.check_whole("shards_of")
    every = (demonstrations[i] for i in range(len(demonstrations)))
    return write_shards(every, demonstrations.spaces, folder, demonstrations.env, size)


def read_shards(folder: Path) -> Shards:
    """What `write_shards` wrote.

    Raises:
        UserError: where nothing did, or a shard is missing.
        DamagedFile: where its list of shards was changed.
    """
    path = folder / MANIFEST
    if not path.exists():
        raise UserError(f"{folder} has no {MANIFEST}; `write_shards` writes one when all shards are whole")
    words = read_summed(path, LARGEST, "write the shards again")
    with unpacking(path):
        of = words["spaces"]
        spaces = Spaces(of["state_dim"], of["action_dim"], tuple(of["low"]), tuple(of["high"]))
        found = Shards(words["env"], spaces, words["episodes"], words["steps"], tuple(words["files"]))
        schema, plain = words["schema"], all(_SHARD.fullmatch(name) for name in found.files)
    if schema != SCHEMA:
        raise UserError(f"{path} has schema {schema}; want {SCHEMA}")
    if not plain:
        raise DamagedFile(f"{path} names files that are no shards")
    for name in found.files:
        if not (folder / name).is_file():
            raise UserError(f"{folder / name} is missing; {MANIFEST} names it")
    return found


def _table(shard: Demonstrations, first: int) -> pa.Table:
    """Rows of episodes, numbered from `first` on."""
    episodes = [shard[i] for i in range(len(shard))]
    lengths = [len(one.actions) for one in episodes]
    vectors = pa.list_(pa.list_(pa.float32()))
    actions = vectors if shard.spaces.continuous else pa.list_(pa.int64())
    columns = {
        "eps_id": ([[str(first + i)] for i in range(len(episodes))], pa.list_(pa.string())),
        "obs": ([list(one.observations[:-1]) for one in episodes], vectors),
        "new_obs": ([[one.observations[-1]] for one in episodes], vectors),
        "actions": ([list(in_rllib(one.actions, shard.spaces)) for one in episodes], actions),
        "rewards": ([one.rewards.astype("float32") for one in episodes], pa.list_(pa.float32())),
        "terminateds": ([_at_end(t, e.terminated) for t, e in zip(lengths, episodes, strict=True)], None),
        "truncateds": ([_at_end(t, e.truncated) for t, e in zip(lengths, episodes, strict=True)], None),
    }
    return pa.table({name: pa.array(rows, kind) for name, (rows, kind) in columns.items()})


def _at_end(steps: int, flag: bool) -> list[bool]:
    return [False] * (steps - 1) + [flag]
