"""Demonstrations: whole episodes of an expert as flat arrays, checked once, cut, split and stored as plain data."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfmarl.errors import DamagedFile, UserError
from mfmarl.imitation.spaces import Spaces
from mfmarl.runs.files import replacing, storing, to_json

SCHEMA = 1
ARRAYS = ("observations", "actions", "rewards", "lengths", "terminated", "truncated")
LARGEST = 16 << 30
"""Bytes of a file that is read."""


@dataclass(frozen=True)
class Episode:
    """One episode of T steps."""

    observations: NDArray[np.float32]
    """[T + 1, D]: the last is what followed the last action."""
    actions: NDArray[Any]
    """[T] int64, or [T, A] float32."""
    rewards: NDArray[np.float64]
    """[T]"""
    terminated: bool
    """Whether the task ended; `truncated` where only time did."""
    truncated: bool


@dataclass(frozen=True)
class Transitions:
    """Steps without their order."""

    states: NDArray[np.float32]
    """[n, D]"""
    actions: NDArray[Any]
    """[n] int64, or [n, A] float32."""
    next_states: NDArray[np.float32]
    """[n, D]"""
    terminated: NDArray[np.bool_]
    """[n]: next states that are worth nothing more."""


@dataclass(frozen=True)
class Demonstrations:
    """Episodes one after another: of E episodes with lengths T_i, n = sum T_i steps and n + E observations."""

    spaces: Spaces
    observations: NDArray[np.float32]
    """[n + E, D]"""
    actions: NDArray[Any]
    """[n] int64, or [n, A] float32."""
    rewards: NDArray[np.float64]
    """[n]"""
    lengths: NDArray[np.int64]
    """[E]"""
    terminated: NDArray[np.bool_]
    """[E]"""
    truncated: NDArray[np.bool_]
    """[E]"""
    env: str = ""
    """The environment that they are of, as gymnasium names it."""
    told: dict[str, Any] = field(default_factory=dict)
    """What else is known of where they come from, in words and numbers."""

    def __post_init__(self) -> None:
        """Check every episode.

        Raises:
            UserError: names the first episode that is wrong, its field and its step.
        """
        episodes, steps = len(self.lengths), int(self.lengths.sum())
        if not episodes:
            raise UserError("demonstrations hold no episode; record some with `mfmarl demonstrate`")
        if (self.lengths < 1).any():
            raise UserError(f"demonstrations: episode {int(np.argmin(self.lengths))} has no step")
        wanted: dict[str, tuple[int, ...]] = {
            "observations": (steps + episodes, self.spaces.state_dim),
            "actions": (steps, *self.spaces.action_shape()),
            "rewards": (steps,),
            "terminated": (episodes,),
            "truncated": (episodes,),
        }
        for name, shape in wanted.items():
            found = getattr(self, name).shape
            if found != shape:
                raise UserError(
                    f"demonstrations: {name} have shape {found}; want {shape} for {episodes} episodes of {steps} steps "
                    f"with {self.spaces.told()}{self._cut_short(name, found)}"
                )
        for name, places in (("observations", self.lengths + 1), ("actions", self.lengths), ("rewards", self.lengths)):
            values = getattr(self, name)
            finite = np.isfinite(values).reshape(len(values), -1).all(1)
            if not finite.all():
                episode, step = self._place(int(np.argmin(finite)), places)
                raise UserError(f"demonstrations: episode {episode} has NaN or infinity in {name} at step {step}")
        self._check_actions()

    def _cut_short(self, name: str, found: tuple[int, ...]) -> str:
        """Which episode is the first that is not whole, where there are too few rows."""
        each = {"observations": self.lengths + 1, "actions": self.lengths, "rewards": self.lengths}.get(name)
        ends = np.arange(1, len(self.lengths) + 1) if each is None else np.cumsum(each)
        if not found or found[0] >= ends[-1]:
            return ""
        return f"; episode {int(np.searchsorted(ends, found[0], side='right'))} is cut short"

    def _check_actions(self) -> None:
        if self.spaces.continuous:
            # what lies outside by rounding alone is let pass
            low, high = np.asarray(self.spaces.low), np.asarray(self.spaces.high)
            room = 1e-5 * (high - low)
            wrong = ((self.actions < low - room) | (self.actions > high + room)).any(1)
            allowed = f"{low.tolist()} to {high.tolist()}"
        else:
            wrong = (self.actions < 0) | (self.actions >= self.spaces.action_dim)
            allowed = f"0 to {self.spaces.action_dim - 1}"
        if wrong.any():
            at = int(np.argmax(wrong))
            episode, step = self._place(at, self.lengths)
            raise UserError(
                f"demonstrations: episode {episode} has action {self.actions[at].tolist()} at step {step}; "
                f"want {allowed}"
            )

    @staticmethod
    def _place(index: int, sizes: NDArray[np.int64]) -> tuple[int, int]:
        ends = np.cumsum(sizes)
        episode = int(np.searchsorted(ends, index, side="right"))
        return episode, index - int(ends[episode] - sizes[episode])

    @classmethod
    def from_episodes(
        cls, episodes: Sequence[Episode], spaces: Spaces, env: str = "", told: dict[str, Any] | None = None
    ) -> Demonstrations:
        """Of episodes as they were recorded.

        Raises:
            UserError: for no episode, or one whose fields have unequal lengths; names both.
        """
        if not episodes:
            raise UserError("demonstrations hold no episode; record some with `mfmarl demonstrate`")
        kind = np.float32 if spaces.continuous else np.int64
        for i, episode in enumerate(episodes):
            steps = len(episode.actions)
            for name, found, want in (
                ("observations", len(episode.observations), steps + 1),
                ("rewards", len(episode.rewards), steps),
            ):
                if found != want:
                    raise UserError(
                        f"demonstrations: episode {i} has {steps} actions and {found} {name}; want {want} {name}"
                    )
            for name, rows, want_shape in (
                ("observations", episode.observations, (spaces.state_dim,)),
                ("actions", episode.actions, spaces.action_shape()),
            ):
                if rows.shape[1:] != want_shape:
                    raise UserError(
                        f"demonstrations: episode {i} has {name} of shape {rows.shape[1:]}; want {want_shape} "
                        f"({spaces.told()})"
                    )
        return cls(
            spaces=spaces,
            observations=np.concatenate([np.asarray(e.observations, np.float32) for e in episodes]),
            actions=np.concatenate([np.asarray(e.actions, kind) for e in episodes]),
            rewards=np.concatenate([np.asarray(e.rewards, np.float64) for e in episodes]),
            lengths=np.array([len(e.actions) for e in episodes], np.int64),
            terminated=np.array([e.terminated for e in episodes], bool),
            truncated=np.array([e.truncated for e in episodes], bool),
            env=env,
            told=dict(told or {}),
        )

    @classmethod
    def from_minari(cls, folder: Path, most: int | None = None) -> Demonstrations:
        """The first `most` episodes of a Minari data set that lies in `folder`; all without it.

        Raises:
            UserError: where there is none, or its episodes are wrong; names the episode and the field.
            DamagedFile: where Minari cannot read it.
        """
        from mfmarl.imitation.minari_files import read_minari

        return read_minari(folder, most)

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def steps(self) -> int:
        """n, of all episodes."""
        return int(self.lengths.sum())

    @cached_property
    def _first(self) -> NDArray[np.int64]:
        """[E + 1], the first step of each episode."""
        return np.concatenate([[0], np.cumsum(self.lengths)])

    def __getitem__(self, i: int) -> Episode:
        """Episode i."""
        if not 0 <= i < len(self):
            raise IndexError(f"episode {i}; there are {len(self)}")
        first, end = int(self._first[i]), int(self._first[i + 1])
        return Episode(
            self.observations[first + i : end + i + 1],
            self.actions[first:end],
            self.rewards[first:end],
            bool(self.terminated[i]),
            bool(self.truncated[i]),
        )

    @property
    def returns(self) -> NDArray[np.float64]:
        """[E], undiscounted."""
        return np.add.reduceat(self.rewards, self._first[:-1])

    @cached_property
    def transitions(self) -> Transitions:
        """All steps."""
        inside = np.ones(len(self.observations), bool)
        last = self._first[1:] + np.arange(len(self))
        inside[last] = False
        states = np.flatnonzero(inside)
        ended = np.zeros(self.steps, bool)
        ended[self._first[1:] - 1] = self.terminated
        return Transitions(self.observations[states], self.actions, self.observations[states + 1], ended)

    def chosen(self, episodes: Sequence[int] | NDArray[np.int64]) -> Demonstrations:
        """Some episodes, in the order given.

        Raises:
            UserError: for none.
        """
        return Demonstrations.from_episodes([self[int(i)] for i in episodes], self.spaces, self.env, self.told)

    def split(self, share: float, rng: np.random.Generator) -> tuple[Demonstrations, Demonstrations]:
        """(a random share of the episodes, the others): for training and for validation.

        Raises:
            UserError: where either would have no episode.
        """
        first = round(share * len(self))
        if not 0 < first < len(self):
            raise UserError(f"a share of {share} of {len(self)} episodes leaves one side empty; want 1 or more on each")
        order = rng.permutation(len(self))
        return self.chosen(order[:first]), self.chosen(order[first:])

    def subsample(self, every: int, rng: np.random.Generator) -> Transitions:
        """Every k-th step of each episode, from a random one on (Ho and Ermon 2016, section 6): tells methods apart.

        Raises:
            UserError: for k below 1.
        """
        if every < 1:
            raise UserError(f"subsample: every is {every}; want 1 or more steps")
        starts = rng.integers(0, every, len(self))
        # a short episode gives its last step where the start drawn lies beyond it
        first = self._first[:-1] + np.minimum(starts, self.lengths - 1)
        kept = np.concatenate([np.arange(a, b, every) for a, b in zip(first, self._first[1:], strict=True)])
        whole = self.transitions
        return Transitions(whole.states[kept], whole.actions[kept], whole.next_states[kept], whole.terminated[kept])

    def check_fits(self, spaces: Spaces, env: str) -> None:
        """Refuse an environment that they are not of.

        Raises:
            UserError: prints both.
        """
        if self.spaces != spaces:
            raise UserError(
                f"these demonstrations are of {self.env or 'an environment'} with {self.spaces.told()}; {env} has "
                f"{spaces.told()}" + _bounds_told(self.spaces, spaces)
            )

    def to_npz(self, path: Path) -> None:
        """Write one compressed file, whole or not at all; nothing in it is pickled.

        Raises:
            StorageFailed: where the folder takes no file.
        """
        words = {
            "schema": SCHEMA,
            "env": self.env,
            "state_dim": self.spaces.state_dim,
            "action_dim": self.spaces.action_dim,
            "low": list(self.spaces.low),
            "high": list(self.spaces.high),
            "told": self.told,
        }
        with storing(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary, temporary.open("wb") as file:
            arrays = {name: getattr(self, name) for name in ARRAYS}
            np.savez_compressed(file, about=np.frombuffer(to_json(words).encode(), np.uint8), **arrays)

    @classmethod
    def from_npz(cls, path: Path, spaces: Spaces | None = None) -> Demonstrations:
        """What `to_npz` wrote; any file with its arrays will do.

        Args:
            spaces: of files that do not say theirs; without it actions show how many there are, or their bounds.

        Raises:
            UserError: for a file that is not there, an array that is missing, or episodes that are wrong.
            DamagedFile: for one that was cut short.
        """
        if not path.is_file():
            raise UserError(f"{path} is no file; record demonstrations with `mfmarl demonstrate --out {path}`")
        if path.stat().st_size > LARGEST:
            raise UserError(f"{path} has {path.stat().st_size} bytes; want {LARGEST} at most")
        try:
            with np.load(path, allow_pickle=False) as file:
                found = {name: file[name] for name in file.files}
            about = json.loads(bytes(found.pop("about"))) if "about" in found else {}
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
            raise DamagedFile(f"{path} is damaged, or no npz file: {error}") from error
        missing = [name for name in ARRAYS if name not in found]
        if missing:
            raise UserError(f"{path} has no {', '.join(missing)}; want {', '.join(ARRAYS)}")
        try:
            if about:
                low, high = tuple(about["low"]), tuple(about["high"])
                spaces = Spaces(int(about["state_dim"]), int(about["action_dim"]), low, high)
            elif spaces is None:
                spaces = _spaces_from(found)
            return cls(
                spaces=spaces,
                observations=found["observations"].astype(np.float32),
                actions=found["actions"].astype(np.float32 if spaces.continuous else np.int64),
                rewards=found["rewards"].astype(np.float64),
                lengths=found["lengths"].astype(np.int64),
                terminated=found["terminated"].astype(bool),
                truncated=found["truncated"].astype(bool),
                env=str(about.get("env", "")),
                told=dict(about.get("told", {})),
            )
        except UserError as wrong:
            raise UserError(f"{path}: {wrong}") from wrong
        except (KeyError, TypeError, ValueError) as error:
            raise DamagedFile(f"{path} is damaged: {error}") from error


def _bounds_told(one: Spaces, other: Spaces) -> str:
    if (one.low, one.high) == (other.low, other.high):
        return ""
    return f"; actions go from {one.low} to {one.high} in the one, from {other.low} to {other.high} in the other"


def _spaces_from(found: dict[str, NDArray[Any]]) -> Spaces:
    """Of arrays alone: actions that are whole are numbered, others have the bounds that they show."""
    states, actions = found["observations"].shape[-1], found["actions"]
    if actions.ndim == 1 and np.issubdtype(actions.dtype, np.integer):
        return Spaces(states, int(actions.max()) + 1)
    rows = actions.reshape(len(actions), -1)
    return Spaces(states, rows.shape[1], tuple(rows.min(0).tolist()), tuple(rows.max(0).tolist()))
