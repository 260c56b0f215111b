"""Environments of gymnasium side by side, each of which can be brought back to where it was."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from numpy.typing import NDArray

from mfmarl.imitation.environments import MakeEnv
from mfmarl.imitation.repeatable import Place, Repeatable
from mfmarl.seeding import stream


class SideBySide(SyncVectorEnv):
    """Ended environments begin anew within the same step."""

    def __init__(self, make: MakeEnv, num_envs: int, seed: int) -> None:
        self._each = [Repeatable(make(), stream(seed, "env", b)) for b in range(num_envs)]
        super().__init__([partial(_itself, one) for one in self._each], autoreset_mode=AutoresetMode.SAME_STEP)

    @property
    def places(self) -> list[Place]:
        """Where the environments are."""
        return [one.place for one in self._each]

    def go_to(self, places: Sequence[Place]) -> NDArray[Any]:
        """Bring the environments to where they were; what is seen there."""
        return np.stack([one.go_to(place) for one, place in zip(self._each, places, strict=True)])


def _itself(env: Repeatable) -> Repeatable:
    return env
