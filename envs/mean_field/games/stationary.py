"""Games without an end, of games that are the same at every step."""

from __future__ import annotations

from envs.mean_field.games.crowd import crowd_1d
from envs.mean_field.games.epidemic import sis
from envs.mean_field.games.one_shot import left_right
from envs.mean_field.stationary import StationaryMFG, at_rest


def crowd_1d_stationary(size: int = 10, discount: float = 0.9) -> StationaryMFG:
    """The ring of `crowd_1d` for ever: agents spread about its middle."""
    return at_rest(crowd_1d(size, 1, "crowd-1d-stationary"), discount, "crowd-1d-stationary")


def sis_stationary(discount: float = 0.95, imported: float = 0.01) -> StationaryMFG:
    """The epidemic of `sis` for ever; `imported` is the chance to fall ill without anybody who is.

    Where that is 0, nobody ill is at rest too. With c = .81 mu(ill) + imported, the equilibrium has
    discount c .5 / (1 - .7 discount) = .5: what going out adds to the risk is worth a distance.
    """
    return at_rest(sis(1, imported=imported, name="sis-stationary"), discount, "sis-stationary")


def left_right_stationary(discount: float = 0.9) -> StationaryMFG:
    """Left or right, again and again: the equilibrium stays 2/3, gaps are those of one time / (1 - discount)."""
    return at_rest(left_right(), discount)
