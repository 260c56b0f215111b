"""Labelled states, checked: what users and experts give."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mfmarl.errors import UserError
from mfmarl.imitation.faults import array_of, fault_of
from mfmarl.imitation.rollout import Act
from mfmarl.imitation.spaces import Spaces


def checked_steps(spaces: Spaces, states: ArrayLike, actions: ArrayLike) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """States [n, D] and actions [n] or [n, A] as arrays of their kind.

    Raises:
        UserError: names the field, what it has, and what is wanted.
    """
    rows, labels = array_of(states, "states are"), array_of(actions, "actions are")
    if rows.ndim != 2 or not len(rows) or rows.shape[1] != spaces.state_dim:
        raise UserError(f"states have shape {rows.shape}; want (n, {spaces.state_dim}) with n of 1 or more")
    if labels.shape != (len(rows), *spaces.action_shape()):
        raise UserError(f"actions have shape {labels.shape}; want {(len(rows), *spaces.action_shape())}")
    kind = np.float32 if spaces.continuous else np.int64
    for name, values, to in (("states", rows, np.float32), ("actions", labels, kind)):
        fault = fault_of(values, to)
        if fault is not None:
            raise UserError(f"{name} have {fault.what} in row {fault.row}; want {fault.want}")
    rows, labels = rows.astype(np.float32, copy=False), labels.astype(kind, copy=False)
    if not spaces.continuous and (labels.min() < 0 or labels.max() >= spaces.action_dim):
        raise UserError(f"actions go from {labels.min()} to {labels.max()}; want 0 to {spaces.action_dim - 1}")
    return rows, labels


def answered(expert: Act, states: NDArray[np.float32], spaces: Spaces, name: str = "the expert") -> NDArray[Any]:
    """What an expert does in states [n, D], within bounds.

    Raises:
        UserError: for actions of another shape, NaN, or numbers that there are not, and where it raises.
    """
    try:
        found = np.asarray(expert(states))
    except UserError:
        raise
    except Exception as error:
        # it is the user's own function
        raise UserError(f"{name} failed on states of shape {states.shape}: {type(error).__name__}: {error}") from error
    want = (len(states), *spaces.action_shape())
    if found.shape != want:
        raise UserError(f"{name} gave actions of shape {found.shape} for states of shape {states.shape}; want {want}")
    if not np.isfinite(found).all():
        at = states[np.argwhere(~np.isfinite(found))[0, 0]].tolist()
        raise UserError(f"{name} gave NaN or infinity in state {at}")
    if spaces.continuous:
        return spaces.clipped(found)
    if (found < 0).any() or (found >= spaces.action_dim).any():
        raise UserError(f"{name} gave actions {found.min()} to {found.max()}; want 0 to {spaces.action_dim - 1}")
    return found.astype(np.int64)
