"""What the estimators estimate the mean of: functions of the mean action with values from 0 to V_max = 1."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from analysis.bounds.populations import Population

Array = NDArray[np.float64]
SLOPE = 2.0
"""Lipschitz constant of `linear`."""
LIPSCHITZ = {"linear": SLOPE, "indicator": np.inf}


def _linear(mean_action: Array, centre: float) -> Array:
    return np.clip(0.5 + SLOPE * (mean_action - centre), 0.0, 1.0)


def _indicator(mean_action: Array, centre: float) -> Array:
    return (mean_action > centre).astype(float)


FUNCTIONS: dict[str, Callable[[Array, float], Array]] = {"linear": _linear, "indicator": _indicator}
"""linear: min(1, max(0, 1/2 + 2 (abar - c))), as a price in the mean order. indicator: [abar > c], as a shortage."""


def centre(population: Population) -> float:
    """c: half way between the expected mean actions of then and now."""
    index = np.linspace(0.0, 1.0, population.old.shape[1])
    return float(0.5 * ((population.old[1:] + population.new[1:]) @ index).mean())


def values(population: Population, sums: NDArray[np.int64]) -> Array:
    """All functions at the mean actions sum / span: [F, ...]."""
    mean_action, middle = sums / population.span, centre(population)
    return np.stack([f(mean_action, middle) for f in FUNCTIONS.values()])
