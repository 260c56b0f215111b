"""The linear-Gaussian world model as an agent takes it: linear in given features of a state and an action."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mfmarl.imitation.mega_dagger.linear_world import LinearWorld
from mfmarl.runs.sealed import Arrays

Features = Callable[[NDArray[np.float32], NDArray[np.generic]], NDArray[np.floating]]
"""states [n, D], actions [n] or [n, A] -> rows [n, d]."""


class FeatureWorld:
    """The state's change = W' phi(s, a) + noise of variance sigma^2 in each entry.

    u is the trace over the D entries, D sigma^2 phi' (Phi'Phi + lambda I)^-1 phi, so the bound on
    an agent's queries is `most_queries` of tau / (D sigma^2). It needs plans of one step (`horizon` 1) and features of
    the state alone: what is taken in is the expert's action, and what was judged is the learner's.
    """

    def __init__(self, features: Features, outputs: int, sigma: float = 1.0, ridge: float = 1.0) -> None:
        """`outputs`: D, entries of a state."""
        self.features, self.outputs, self.sigma, self.ridge = features, outputs, sigma, ridge
        self.linear: LinearWorld | None = None
        """None before there were steps, whose features say how many they are."""

    def _empty(self, phi: NDArray[np.floating]) -> LinearWorld:
        return LinearWorld(phi.shape[1], self.outputs, self.sigma, self.ridge)

    def fit(
        self, states: NDArray[np.float32], actions: NDArray[np.generic], next_states: NDArray[np.float32]
    ) -> dict[str, float]:
        """Anew to all steps; the mean squared error there."""
        phi, change = self.features(states, actions), next_states - states
        self.linear = self._empty(phi)
        self.linear.take_in(phi, change)
        return {"world_loss": float(np.square(change - phi @ self.linear.weights).mean())}

    def predict(self, states: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """(Expected next states [n, D], u [n]); before any step what the prior says."""
        phi = self.features(states.numpy(), actions.numpy())
        linear = self.linear or self._empty(phi)
        change = torch.from_numpy((phi @ linear.weights).astype(np.float32))
        return states + change, torch.from_numpy(self.outputs * linear.uncertainty(phi)).float()

    def arrays(self) -> Arrays:
        """Phi'Phi + lambda I and Phi'Y."""
        if self.linear is None:
            return {}
        return {"world_gram": self.linear.gram, "world_moments": self.linear.moments}

    def load_arrays(self, arrays: Arrays) -> None:
        """What `arrays` gave."""
        if "world_gram" in arrays:
            self.linear = self._empty(arrays["world_gram"])
            self.linear.gram, self.linear.moments = arrays["world_gram"], arrays["world_moments"]
