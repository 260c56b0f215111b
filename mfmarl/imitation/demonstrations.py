"""Demonstrations: whole episodes of an expert as flat arrays, checked once, cut, split and stored as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mfmarl.errors import UserError
from mfmarl.imitation.demonstration_checks import check_actions, checked_values, first_cut_short
from mfmarl.imitation.episode import Episode as Episode
from mfmarl.imitation.episode import Transitions as Transitions
from mfmarl.imitation.episode import action_type, checked_episode
from mfmarl.imitation.spaces import Spaces

ARRAYS = ("observations", "actions", "rewards", "lengths", "terminated", "truncated")


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
    """[E]; made true where neither is, as of a recording that was stopped. Both may be: the task ended in the last step
    that time allowed, and `terminated` is what counts."""
    env: str = ""
    """The environment that they are of, as gymnasium names it."""
    told: dict[str, Any] = field(default_factory=dict)
    """What else is known of where they come from, in words and numbers."""
    kept: NDArray[np.int64] | None = None
    """[m], ascending: the steps that learners see, all n where it is None. Lengths and ends stay those of whole
    episodes, so that leaving steps out looks like no end of the task."""

    def __post_init__(self) -> None:
        """Check every episode.

        Raises:
            UserError: names the first episode that is wrong, its field and its step.
        """
        self._cast("lengths", np.int64)
        episodes, steps = len(self.lengths), int(self.lengths.sum())
        if not episodes:
            raise UserError("demonstrations hold no episode; record some with `mfmarl demonstrate`")
        if (self.lengths < 1).any():
            raise UserError(f"demonstrations: episode {int(np.argmax(self.lengths < 1))} has no step")
        wanted: dict[str, tuple[int, ...]] = {
            "observations": (steps + episodes, self.spaces.state_dim),
            "actions": (steps, *self.spaces.action_shape()),
            "rewards": (steps,),
            "terminated": (episodes,),
            "truncated": (episodes,),
        }
        for name, shape in wanted.items():
            found = np.shape(getattr(self, name))
            if found != shape:
                raise UserError(
                    f"demonstrations: {name} have shape {found}; want {shape} for {episodes} episodes of {steps} steps "
                    f"with {self.spaces.told()}{self._cut_short(name, found)}"
                )
        self._cast("observations", np.float32, self.lengths + 1)
        self._cast("actions", action_type(self.spaces), self.lengths)
        self._cast("rewards", np.float64, self.lengths)
        self._cast("terminated", np.bool_)
        self._cast("truncated", np.bool_)
        object.__setattr__(self, "truncated", self.truncated | ~self.terminated)
        check_actions(self.actions, self.lengths, self.spaces)
        if self.kept is not None:
            self._cast("kept", np.int64)
            if not len(self.kept) or (np.diff(self.kept, prepend=-1) < 1).any() or self.kept[-1] >= steps:
                raise UserError(f"demonstrations: kept are no steps in ascending order; want some of 0 to {steps - 1}")

    def _cast(self, name: str, kind: DTypeLike, rows: NDArray[np.int64] | None = None) -> None:
        object.__setattr__(self, name, checked_values(name, getattr(self, name), kind, rows))

    def _cut_short(self, name: str, found: tuple[int, ...]) -> str:
        """Which episode is the first that is not whole, where there are too few rows."""
        each = {"observations": self.lengths + 1, "actions": self.lengths, "rewards": self.lengths}
        first = first_cut_short(found[0], each.get(name, np.ones_like(self.lengths))) if found else None
        return "" if first is None else f"; episode {first} is cut short"

    @classmethod
    def from_episodes(
        cls, episodes: Sequence[Episode], spaces: Spaces, env: str = "", told: dict[str, Any] | None = None
    ) -> Demonstrations:
        """Of episodes as they were recorded.

        Raises:
            UserError: for no episode, or one whose fields have unequal lengths or hold no numbers; names both.
        """
        if not episodes:
            raise UserError("demonstrations hold no episode; record some with `mfmarl demonstrate`")
        rows = [checked_episode(i, episode, spaces) for i, episode in enumerate(episodes)]
        return cls(
            spaces=spaces,
            observations=np.concatenate([e.observations for e in rows]),
            actions=np.concatenate([e.actions for e in rows]),
            rewards=np.concatenate([e.rewards for e in rows]),
            lengths=np.array([len(e.actions) for e in rows], np.int64),
            terminated=np.array([e.terminated for e in rows], bool),
            truncated=np.array([e.truncated for e in rows], bool),
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
        """Those that learners see: n, or m."""
        return int(self.lengths.sum()) if self.kept is None else len(self.kept)

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
        """All steps that learners see."""
        inside = np.ones(len(self.observations), bool)
        last = self._first[1:] + np.arange(len(self))
        inside[last] = False
        states = np.flatnonzero(inside)
        ended = np.zeros(len(states), bool)
        ended[self._first[1:] - 1] = self.terminated
        kept = slice(None) if self.kept is None else self.kept
        states = states[kept]
        return Transitions(self.observations[states], self.actions[kept], self.observations[states + 1], ended[kept])

    @property
    def ages(self) -> NDArray[np.int64]:
        """Steps of its episode before each of `transitions`."""
        found = np.concatenate([np.arange(length) for length in self.lengths])
        return found if self.kept is None else found[self.kept]

    @property
    def last(self) -> NDArray[np.float32]:
        """[E, D]: what followed each episode's last action."""
        found: NDArray[np.float32] = self.observations[self._first[1:] + np.arange(len(self))]
        return found

    def chosen(self, episodes: Sequence[int] | NDArray[np.int64]) -> Demonstrations:
        """Some episodes, in the order given.

        Raises:
            UserError: for none.
        """
        found = Demonstrations.from_episodes([self[int(i)] for i in episodes], self.spaces, self.env, self.told)
        if self.kept is None:
            return found
        bounds = [(int(self._first[i]), int(self._first[i + 1])) for i in episodes]
        rows = [self.kept[(self.kept >= a) & (self.kept < b)] - a for a, b in bounds]
        return replace(found, kept=np.concatenate([x + first for x, first in zip(rows, found._first, strict=False)]))

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

    def subsample(self, every: int, rng: np.random.Generator) -> Demonstrations:
        """Every k-th step of each episode, from a random one on (Ho and Ermon 2016, section 6): tells methods apart.

        Raises:
            UserError: for k below 1, and for what is a subsample already.
        """
        if every < 1:
            raise UserError(f"subsample: every is {every}; want 1 or more steps")
        self.check_whole("subsample")
        starts = rng.integers(0, every, len(self))
        # a short episode gives its last step where the start drawn lies beyond it
        first = self._first[:-1] + np.minimum(starts, self.lengths - 1)
        kept = np.concatenate([np.arange(a, b, every) for a, b in zip(first, self._first[1:], strict=True)])
        return replace(self, kept=kept)

    def check_whole(self, what: str) -> None:
        """Refuse a subsample where `what` is of whole episodes.

        Raises:
            UserError: tells how many steps are left of it.
        """
        if self.kept is not None:
            raise UserError(f"{what} takes whole episodes; of these {self.steps} of {len(self.actions)} steps are kept")

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
        from mfmarl.imitation.npz_files import write_npz

        write_npz(self, path)

    @classmethod
    def from_npz(cls, path: Path, spaces: Spaces | None = None) -> Demonstrations:
        """What `to_npz` wrote; any file with its arrays will do.

        Args:
            spaces: of files that do not say theirs; without it actions show how many there are, or their bounds.

        Raises:
            UserError: for a file that is not there, an array that is missing, or episodes that are wrong.
            DamagedFile: for one that was cut short.
        """
        from mfmarl.imitation.npz_files import read_npz

        return read_npz(path, spaces)


def _bounds_told(one: Spaces, other: Spaces) -> str:
    if (one.low, one.high) == (other.low, other.high):
        return ""
    return f"; actions {_actions_told(one)} in the one, {_actions_told(other)} in the other"


def _actions_told(spaces: Spaces) -> str:
    return f"go from {list(spaces.low)} to {list(spaces.high)}" if spaces.continuous else "are numbered"
