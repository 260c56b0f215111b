"""What solvers ask of a game, whatever its kind: finite horizon, several populations, stationary, common noise."""

from __future__ import annotations

from typing import Protocol

from numpy.typing import ArrayLike

from envs.mean_field.kernel import Array
from envs.mean_field.sweep import BestResponse


class Game(Protocol):
    """A game whose policies are one array pi[..., S, A], a row for every place in which agents decide.

    What stands before S is the game's own: [..., T, S, A] of a finite horizon, [..., S, A] of a stationary game,
    [..., N, S, A] of N histories of a common noise. Flows have a row mu[..., S] for every such place at least.
    """

    @property
    def name(self) -> str:
        """For messages."""
        ...

    def uniform_policy(self) -> Array:
        """Every action that a state has, equally often; 0 for those that it has not."""
        ...

    def flow(self, pi: ArrayLike) -> Array:
        """Distributions of a population that plays pi."""
        ...

    def flow_against(self, pi: ArrayLike, nu: ArrayLike) -> Array:
        """Distributions of agents who play pi while the population has the flow nu."""
        ...

    def deciding(self, mu: Array) -> Array:
        """The part of a flow in which agents decide: one distribution for every row block pi[..., S, A]."""
        ...

    def best_response(self, mu: ArrayLike, population: ArrayLike | None = None) -> BestResponse:
        """What is best for one agent while the population has the flow mu, by the policy `population`."""
        ...

    def action_values(self, pi: ArrayLike) -> Array:
        """Q[..., S, A] of one agent who plays pi among a population that does; 0 for actions that a state has not."""
        ...

    def exploitability(self, pi: ArrayLike) -> Array:
        """What one agent could gain among a population that plays pi: shape of the batch."""
        ...
