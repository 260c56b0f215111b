"""Limits of an axis that several panels share."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def limits_of(values: Iterable[float]) -> tuple[float, float]:
    """What holds all values but NaN, with a twentieth of their span on either side."""
    known = np.array([value for value in values if value == value])
    room = 0.05 * float(np.ptp(known)) or 1.0
    return float(known.min()) - room, float(known.max()) + room
