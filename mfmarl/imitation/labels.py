"""Labelled states, checked: what users and experts give."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mfmarl.errors import UserError
from mfmarl.imitation.rollout import Act
from mfmarl.imitation.spaces import Spaces


def checked_steps(spaces: Spaces, states: ArrayLike, actions: ArrayLike) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """States [n, D] and actions [n] or [n, A] as arrays of their kind.

    Raises:
        UserError: names the field, what it has, and what is wanted.
    """
    rows = np.asarray(states, np.float32)
    labels = np.asarray(actions, np.float32 if spaces.continuous else np.int64)
    if rows.ndim != 2 or not len(rows) or rows.shape[1] != spaces.state_dim:
        raise UserError(f"states have shape {rows.shape}; want (n, {spaces.state_dim}) with n of 1 or more")
    if labels.shape != (len(rows), *spaces.action_shape()):
        raise UserError(f"actions have shape {labels.shape}; want {(len(rows), *spaces.action_shape())}")
    for name, values in (("states", rows), ("actions", labels)):
        if not np.isfinite(values).all():
            raise UserError(f"{name} have NaN or infinity in row {int(np.argwhere(~np.isfinite(values))[0, 0])}")
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
