"""The value of a matrix game, by a linear programme where no pure choices settle it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog

from envs.markov.checks import Array


@dataclass(frozen=True)
class Settled:
    """What the row player gets at most when the column player gives it as little as it can."""

    value: float
    columns: Array
    """[C]: how the column player holds it there."""


def matrix_game(payoff: Array) -> Settled:
    """min over columns y of max over rows of payoff[R, C] y (von Neumann 1928).

    Exact where a pure column does it; else as good as HiGHS, which may be off by its tolerance of 1e-7 and on small
    games is off by rounding. The value is what `columns` guarantee, worked out from them: it never is too low.
    """
    worst = payoff.max(0)
    pure = int(worst.argmin())
    # no mixture does better than the rows' largest least entry
    if worst[pure] <= payoff.min(1).max():
        return Settled(float(worst[pure]), np.eye(payoff.shape[1])[pure])
    rows, cols = payoff.shape
    found = linprog(
        np.append(np.zeros(cols), 1.0),
        A_ub=np.column_stack([payoff, -np.ones(rows)]),
        b_ub=np.zeros(rows),
        A_eq=np.append(np.ones(cols), 0.0)[None],
        b_eq=[1.0],
        bounds=[(0, None)] * cols + [(None, None)],
    )
    if found.x is None or not found.success:
        raise RuntimeError(f"a matrix game of shape {payoff.shape} was not solved: {found.message}")
    columns = np.maximum(found.x[:cols], 0)
    columns = columns / columns.sum()
    return Settled(float((payoff @ columns).max()), columns)
