"""Order-up-to on forecasts: exponential smoothing of the demand that an agent has seen itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from envs.inventory.reference.base_stock import critical_ratio
from envs.inventory.reference.playing import Market, Policy, orders_of, restarted
from envs.population import Step

Doubles = NDArray[np.float64]
ALPHA = 0.2
"""Weight of the newest observation."""


class Forecast:
    """Smoothed demand and smoothed squared forecast error of each agent, [B, N]; copies that restart forget."""

    def __init__(self, mean: Doubles, copies: int, alpha: float) -> None:
        """It starts from the mean [N] that agents know, and its Poisson variance."""
        if not 0 < alpha <= 1:
            raise ValueError(f"alpha is {alpha}; the weight of the newest observation is above 0 and at most 1")
        self._start, self._alpha = mean, alpha
        self.mean = np.tile(mean, (copies, 1))
        self.variance = self.mean.copy()

    def see(self, step: Step) -> None:
        """Take in the step's demand; where copies restarted it belongs to the past, and they start anew."""
        fresh = restarted(step)
        if not fresh.all():
            demand = np.asarray(step.metrics["demand"], float)
            error = demand - self.mean
            self.mean = self.mean + self._alpha * error
            self.variance = (1 - self._alpha) * self.variance + self._alpha * error**2
        self.mean[fresh] = self._start
        self.variance[fresh] = self._start


def smoothing(env: Market, seed: int, discount: float, *, alpha: float = ALPHA) -> Policy:
    """Order up to forecast x (L + 1) + z x sigma x sqrt(L + 1), rounded, z the normal quantile of `critical_ratio`.

    forecast and sigma^2 are the demand and its squared forecast error, both smoothed with weight `alpha`. Nothing else
    is known of demand: where it trends or swings the forecast follows; where it does not, it adds noise to orders.

    Raises:
        ValueError: for alpha out of range, or naming the first agent whose critical ratio gives no finite level.
    """
    ratio = critical_ratio(env.parameters, unmet=env.config.unmet, discount=discount)
    if (ratio >= 1).any():
        raise ValueError(
            f"agent {int((ratio >= 1).argmax())} has no finite order-up-to level: its stock costs nothing to hold; "
            "give it a positive holding cost, or a discount below 1"
        )
    # an agent that loses on every unit keeps nothing
    z = np.asarray(stats.norm.ppf(np.maximum(ratio, 1e-12)))
    periods = env.parameters.L + 1.0
    forecast = Forecast(env.parameters.mu, env.num_envs, alpha)
    orders = orders_of(env)

    def act(step: Step) -> NDArray[Any]:
        forecast.see(step)
        levels = np.rint(forecast.mean * periods + z * np.sqrt(forecast.variance * periods))
        return orders(np.maximum(levels - env.inventory_position, 0.0))

    return act
