"""Braess's network: a shortcut that makes everyone slower."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.mean_field.game import FiniteMFG
from envs.mean_field.games.crowding import crowding_loop
from envs.mean_field.kernel import Array, sparse_kernel
from envs.mean_field.loops import Loops

HOME, AB, AC, BC, WAIT, BD, CD, GONE = range(8)


def braess() -> FiniteMFG:
    """Drive from A to D over B or C, or over the shortcut from B to C.

    Travel times AB and CD 1 + share, AC and BD 2, BC .25, as in OpenSpiel's dynamic routing. In equilibrium half take
    the shortcut and all need 3.75; without it 3.5, the optimum. Who goes over C waits for those who come by the
    shortcut, so that all of CD's traffic meets. Actions: 0 over B, then on to D; 1 over C, and at B the shortcut.
    """
    after = np.empty((8, 2), np.int64)
    after[HOME] = AB, AC
    after[AB] = BD, BC
    after[AC] = WAIT
    after[BC] = after[WAIT] = CD
    after[BD] = after[CD] = after[GONE] = GONE
    fixed = np.zeros(8)
    fixed[[AC, BD, BC, AB, CD]] = -2.0, -2.0, -0.25, -1.0, -1.0
    shared = np.zeros(8)
    shared[[AB, CD]] = -1.0

    def reward(t: NDArray[np.int64], mu: Array) -> Array:
        return np.repeat((fixed + shared * mu)[..., None], 2, -1)

    return FiniteMFG(
        name="braess",
        horizon=4,
        initial=np.eye(8)[HOME],
        kernel=sparse_kernel(after[..., None], np.ones((8, 2, 1))),
        reward=reward,
        local=True,
        loops=Loops(crowding_loop, (np.repeat(fixed[:, None], 2, 1), shared)),
    )
