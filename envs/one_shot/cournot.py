"""Cournot: sellers on a grid of quantities, at a price that falls with their mean quantity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator

from envs.inventory.closed_forms import cournot
from envs.one_shot.rules import AnonymousRules, Doubles, GameConfig
from envs.one_shot.solution import Solution


class CournotConfig(GameConfig):
    """Profit: (alpha - beta mean q - c) q - phi q^2 / 2. The default answer, 5 and 3 of 20 agents, is on the grid."""

    alpha: PositiveFloat = Field(10.0, description="price at zero supply, $/u")
    beta: PositiveFloat = Field(1.0, description="price slope, $/u per u of the mean quantity")
    phi: PositiveFloat = Field(0.95, description="handling cost, $/u^2")
    costs: tuple[NonNegativeFloat, ...] = Field(
        (1.0, 3.0), min_length=1, max_length=20, description="unit cost of each type, $/u; types have equal numbers"
    )
    grid_step: PositiveFloat = Field(0.5, description="u between two quantities of the grid")
    largest: PositiveFloat = Field(8.0, description="the largest quantity, u; a whole number of steps")

    @model_validator(mode="after")
    def _is_a_grid(self) -> CournotConfig:
        steps = self.largest / self.grid_step
        if abs(steps - round(steps)) > 1e-9 or not 1 <= round(steps) <= 255:
            raise ValueError(
                f"largest is {self.largest / self.grid_step:g} grid steps; want a whole number from 1 to 255"
            )
        return self


class CournotRules(AnonymousRules):
    """Types differ in what a unit costs them."""

    def __init__(self, config: CournotConfig, num_agents: int) -> None:
        super().__init__(num_agents, [f"cost-{cost:g}" for cost in config.costs])
        self.config = config
        steps = round(config.largest / config.grid_step)
        self.quantities: Doubles = np.linspace(0.0, config.largest, steps + 1)
        """[A], u."""
        self.num_actions = self.quantities.size
        self.action_names = [f"{q:g} u" for q in self.quantities]

    def payoffs(self, counts: Doubles) -> Doubles:
        """(alpha - beta mean q - c_k) q - phi q^2 / 2."""
        c, q = self.config, self.quantities
        price = c.alpha - c.beta * (counts @ q) / self.num_agents
        margin = price[..., None] - np.array(c.costs)
        profit: Doubles = margin[..., None] * q - 0.5 * c.phi * q * q
        return profit

    def solution(self) -> Solution:
        """The quantities of N sellers without a grid; play may be half a step off, the grid's resolution.

        Raises:
            ValueError: where a type would sell nothing, or more than the grid has.
        """
        wanted = nash_quantities(self.config, self.sizes)
        if wanted.max() > self.config.largest:
            raise ValueError(f"the equilibrium quantity {wanted.max():g} is not on the grid: raise `largest`")
        answer = np.stack([between(self.quantities, q) for q in wanted])[:, None]
        return Solution({"nash": answer}, self.config.grid_step / 2, self.quantities, "u")


def nash_quantities(config: CournotConfig, sizes: NDArray[np.int64]) -> Doubles:
    """[K], u: equilibrium of N sellers who know that their own quantity moves the price by 1/N; without a grid."""
    agents, c = int(sizes.sum()), config
    return cournot(
        alpha=c.alpha, beta=c.beta, phi=c.phi, costs=c.costs, shares=(sizes / agents).tolist(), num_agents=agents
    ).quantities


def mean_field_quantities(config: CournotConfig, shares: Doubles) -> Doubles:
    """[K], u: the same where nobody moves the price.

    q_k = (alpha - beta qbar - c_k) / phi, qbar = (alpha - cbar) / (phi + beta); holds where every type sells something.
    """
    c, costs = config, np.array(config.costs)
    mean = (c.alpha - shares @ costs) / (c.phi + c.beta)
    quantities: Doubles = (c.alpha - c.beta * mean - costs) / c.phi
    return quantities


def between(grid: Doubles, quantity: float) -> Doubles:
    """[A]: the law over the two grid points beside `quantity` whose mean it is."""
    law = np.zeros(grid.size)
    high = int(np.clip(np.searchsorted(grid, quantity), 1, grid.size - 1))
    share = (quantity - grid[high - 1]) / (grid[high] - grid[high - 1])
    law[high - 1], law[high] = 1 - share, share
    return law
