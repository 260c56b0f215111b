"""Arrays of demonstrations, checked: what is wrong is told by its episode, field and step."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from mfmarl.errors import UserError
from mfmarl.imitation.faults import array_of, fault_of
from mfmarl.imitation.spaces import Spaces

Lengths = NDArray[np.int64]


def checked_values(name: str, given: ArrayLike, kind: DTypeLike, rows: Lengths | None = None) -> NDArray[Any]:
    """A field as its type, whichever it was given as.

    Args:
        rows: [E], how many of them each episode has; None for one of each.

    Raises:
        UserError: names the episode, and the step where there are several.
    """
    values = array_of(given, f"demonstrations: {name} are")
    if not values.ndim or (rows is None and values.ndim != 1):
        raise UserError(f"demonstrations: {name} have shape {values.shape}; want (episodes,)")
    fault = fault_of(values, kind)
    if fault is not None:
        episode, step = (fault.row, None) if rows is None else place_of(fault.row, rows)
        at = "" if step is None else f" at step {step}"
        raise UserError(f"demonstrations: episode {episode} has {fault.what} in {name}{at}; want {fault.want}")
    return values.astype(kind, copy=False)


def check_actions(actions: NDArray[Any], lengths: Lengths, spaces: Spaces) -> None:
    """Refuse actions [n] or [n, A] that the spaces do not have.

    Raises:
        UserError: names the episode and the step.
    """
    if spaces.continuous:
        # what lies outside by rounding alone is let pass
        low, high = np.asarray(spaces.low), np.asarray(spaces.high)
        room = 1e-5 * (high - low)
        wrong = ((actions < low - room) | (actions > high + room)).any(1)
        allowed = f"{low.tolist()} to {high.tolist()}"
    else:
        wrong = (actions < 0) | (actions >= spaces.action_dim)
        allowed = f"0 to {spaces.action_dim - 1}"
    if wrong.any():
        at = int(np.argmax(wrong))
        episode, step = place_of(at, lengths)
        raise UserError(
            f"demonstrations: episode {episode} has action {actions[at].tolist()} at step {step}; want {allowed}"
        )


def first_cut_short(rows: int, each: Lengths) -> int | None:
    """The first episode that is not whole, of those that want `each` [E] rows of which there are `rows`."""
    ends = np.cumsum(each)
    return None if rows >= ends[-1] else int(np.searchsorted(ends, rows, side="right"))


def place_of(row: int, sizes: Lengths) -> tuple[int, int]:
    """(Episode, its row) of a row of all."""
    ends = np.cumsum(sizes)
    episode = int(np.searchsorted(ends, row, side="right"))
    return episode, row - int(ends[episode] - sizes[episode])
