"""One episode as it was recorded, and steps without their order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfmarl.errors import UserError
from mfmarl.imitation.faults import array_of, fault_of
from mfmarl.imitation.spaces import Spaces


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


def action_type(spaces: Spaces) -> type[np.float32] | type[np.int64]:
    """Of actions in arrays."""
    return np.float32 if spaces.continuous else np.int64


def checked_episode(i: int, episode: Episode, spaces: Spaces) -> Episode:
    """Episode i with its fields as arrays of their types.

    Raises:
        UserError: names the episode, the field and the step.
    """
    where = f"demonstrations: episode {i} has"
    arrays = {}
    for name, kind in (("actions", action_type(spaces)), ("observations", np.float32), ("rewards", np.float64)):
        values = arrays[name] = array_of(getattr(episode, name), f"{where} {name}")
        shape = {"actions": spaces.action_shape(), "observations": (spaces.state_dim,)}.get(name, ())
        if not values.ndim or values.shape[1:] != shape:
            raise UserError(f"{where} {name} of shape {values.shape}; want (steps, *{shape}) ({spaces.told()})")
        steps = len(arrays["actions"])
        want = steps + 1 if name == "observations" else steps
        if len(values) != want:
            raise UserError(f"{where} {steps} actions and {len(values)} {name}; want {want} {name}")
        fault = fault_of(values, kind)
        if fault is not None:
            raise UserError(f"{where} {fault.what} in {name} at step {fault.row}; want {fault.want}")
        arrays[name] = values.astype(kind, copy=False)
    flags = []
    for name in ("terminated", "truncated"):
        flag = array_of(getattr(episode, name), f"{where} {name}")
        if flag.ndim or fault_of(flag[None], np.bool_) is not None:
            raise UserError(f"{where} {name} {flag.tolist()}; want one flag, true or false, for the whole episode")
        flags.append(bool(flag))
    return Episode(**arrays, terminated=flags[0], truncated=flags[1])
