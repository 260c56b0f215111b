"""Batches that users hand to `update`, checked: what was played, and what the expert did."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from mfmarl.errors import UserError
from mfmarl.imitation.demonstrations import Transitions
from mfmarl.imitation.faults import array_of, fault_of
from mfmarl.imitation.labels import checked_steps
from mfmarl.imitation.spaces import Spaces
from mfmarl.imitation.steps import Steps
from mfmarl.runs.sealed import Arrays


def checked_batch(spaces: Spaces, batch: Steps | Transitions, name: str) -> Steps | Transitions:
    """The same with all its fields of their types; log-probabilities of steps are as they were.

    Raises:
        UserError: names the batch and the field, what it has, and what is wanted.
    """
    if not isinstance(batch, Steps):
        return checked_transitions(spaces, batch, name, want=f"Transitions, or {Steps.__module__}.Steps")
    arrays = _checked_arrays(spaces, batch, name)
    return replace(batch, **{key: torch.from_numpy(x) for key, x in arrays.items()})


def checked_transitions(spaces: Spaces, batch: object, name: str, want: str = "Transitions") -> Transitions:
    """The same with all its fields of their types.

    Args:
        want: which types the caller takes.

    Raises:
        UserError: as `checked_batch` does.
    """
    if not isinstance(batch, Transitions):
        kind = type(batch)
        # more than one class is called Steps
        told = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
        raise UserError(f"update: {name} is a {told}; want {want}")
    return Transitions(**_checked_arrays(spaces, batch, name))


def _checked_arrays(spaces: Spaces, batch: Steps | Transitions, name: str) -> Arrays:
    try:
        states, actions = checked_steps(spaces, batch.states, batch.actions)
        after = _numbers(batch.next_states, np.float32, "next_states", states.shape)
        ended = _numbers(batch.terminated, np.bool_, "terminated", states.shape[:1])
    except UserError as wrong:
        raise UserError(f"update: {name}: {wrong}") from wrong
    return {"states": states, "actions": actions, "next_states": after, "terminated": ended}


def checked_weights(weights: ArrayLike, n: int) -> NDArray[np.float32]:
    """[n], none below 0 and some above it.

    Raises:
        UserError: names the row.
    """
    found: NDArray[np.float32] = _numbers(weights, np.float32, "weights", (n,))
    if (found < 0).any() or not found.any():
        raise UserError(f"weights go from {found.min()} to {found.max()}; want 0 or more, and some above 0")
    return found


def _numbers(values: ArrayLike, kind: type[np.generic], name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    found = array_of(values, f"{name} are")
    if found.shape != shape:
        raise UserError(f"{name} have shape {found.shape}; want {shape}")
    fault = fault_of(found, kind)
    if fault is not None:
        raise UserError(f"{name} have {fault.what} in row {fault.row}; want {fault.want}")
    return found.astype(kind, copy=False)
