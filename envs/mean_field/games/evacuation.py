"""A building on fire: everyone wants down, and stairs are crowded (Achdou and Lauriere 2020, in cells and floors)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.mean_field.game import FiniteMFG
from envs.mean_field.games.crowding import crowding_loop
from envs.mean_field.games.grid import MOVES
from envs.mean_field.kernel import Array, sparse_kernel
from envs.mean_field.loops import Loops
from envs.mean_field.ranges import check_number, check_whole


def building_evacuation(floors: int = 3, size: int = 5, horizon: int = 20, crowd: float = 1.0) -> FiniteMFG:
    """Cells (floor, row, column); five moves and down, which works on the stairs; r = -floor - crowd mu(x).

    The stairs of a floor are in a corner, by turns that of (0, 0) and the one across; everyone starts on the top floor.

    Raises:
        ValueError: for a setting out of its range.
    """
    check_whole("building-evacuation", "floors", floors, least=1)
    check_whole("building-evacuation", "size", size, least=1)
    check_number("building-evacuation", "crowd", crowd)
    cells = [(f, i, j) for f in range(floors) for i in range(size) for j in range(size)]
    number = {cell: n for n, cell in enumerate(cells)}
    successors = np.empty((len(cells), len(MOVES) + 1, 1), np.int64)
    for n, (f, i, j) in enumerate(cells):
        for a, (di, dj) in enumerate(MOVES):
            successors[n, a, 0] = number.get((f, i + di, j + dj), n)
        corner = 0 if f % 2 == 0 else size - 1
        stairs = f > 0 and (i, j) == (corner, corner)
        successors[n, -1, 0] = number[f - 1, i, j] if stairs else n
    height = np.array([float(f) for f, _, _ in cells])
    top = (height == floors - 1).astype(float)
    base = np.repeat(-height[:, None], len(MOVES) + 1, 1)

    def reward(t: NDArray[np.int64], mu: Array) -> Array:
        return base - crowd * mu[..., None]

    return FiniteMFG(
        name="building-evacuation",
        horizon=horizon,
        initial=top / top.sum(),
        kernel=sparse_kernel(successors, np.ones(successors.shape)),
        reward=reward,
        local=True,
        loops=Loops(crowding_loop, (base, np.full(len(cells), -float(crowd)))),
    )
