"""Cells of a plane that may be walked, and where moves on it lead."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.mean_field.kernel import Array

MOVES = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))
"""Stay, up, down, left, right."""


def four_rooms_plan(size: int) -> NDArray[np.bool_]:
    """Free cells of a square with two walls that cross in its middle and have a door in each arm: [size, size].

    Raises:
        ValueError: for an even size, or one too small for doors.
    """
    if size < 5 or size % 2 == 0:
        raise ValueError(f"four rooms: size is {size}; want an odd number, 5 or more")
    plan = np.ones((size, size), bool)
    middle, door = size // 2, size // 4
    plan[middle, :] = plan[:, middle] = False
    for at in (door, size - 1 - door):
        plan[middle, at] = plan[at, middle] = True
    return plan


def moves_on(
    plan: NDArray[np.bool_], noise: float, *, ring: bool = False
) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
    """Free cells [S, 2], and successors [S, 5, 5] of the five moves with their probabilities.

    A move succeeds with probability 1 - noise, else any of the five is made; walls and edges stop a move, or a `ring`
    closes the edges.
    """
    cells = np.argwhere(plan)
    number = np.full(plan.shape, -1)
    number[tuple(cells.T)] = np.arange(len(cells))
    target = cells[:, None, :] + np.array(MOVES)
    size = np.array(plan.shape)
    inside = ((target >= 0) & (target < size)).all(-1)
    wrapped = target % size
    found = number[wrapped[..., 0], wrapped[..., 1]]
    stopped = (found < 0) if ring else (found < 0) | ~inside
    after = np.where(stopped, np.arange(len(cells))[:, None], found)
    successors = np.repeat(after[:, None, :], len(MOVES), axis=1)
    prob = np.full((len(MOVES), len(MOVES)), noise / len(MOVES)) + (1 - noise) * np.eye(len(MOVES))
    return cells, successors, np.broadcast_to(prob, successors.shape).copy()
