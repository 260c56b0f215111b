"""The law of counted demand, Poisson or negative binomial, accurate at any mean and dispersion."""

from __future__ import annotations

import math

from envs.compiled import compiled
from envs.inventory.formulas import STIRLING, stirling


@compiled
def log_probability(k: float, m: float, cv2: float) -> float:
    """log P(demand = k) of a count of mean m and variance m + cv2 m^2.

    For large k and 1 / cv2 by Stirling's series, in differences that do not cancel (after Loader 2000): the sum of
    lgammas loses ten digits at means of a thousand, and the law's total mass with them.
    """
    if k < STIRLING:
        counted = k * math.log(m) - k - math.lgamma(k + 1) if k > 0 else 0.0
    else:
        counted = -k * math.log1p((k - m) / m) - 0.5 * math.log(2 * math.pi * k) - stirling(k)
    if cv2 == 0:
        return counted + (k - m)
    r = 1 / cv2
    if r < STIRLING:
        spread = k * math.log(r / (r + m)) + k - r * math.log1p(m / r)
        return counted + spread + math.lgamma(k + r) - math.lgamma(r) - k * math.log(r)
    few = (r + k) * math.log1p((k - m) / (r + m)) - 0.5 * math.log1p(k / r)
    return counted + few + float(stirling(r + k) - stirling(r))
