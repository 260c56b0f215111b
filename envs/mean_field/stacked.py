"""Games of several populations as games of one array: states one population after another, actions filled up.

Policies are pi[..., T, S, A] with S the sum of all populations' states and A the most actions of any; what is beyond a
population's own actions is 0. Flows mu[..., T+1, S] hold every population's distribution: a row sums to their number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from envs.mean_field.checks import BadPolicy, listed
from envs.mean_field.kernel import Array
from envs.mean_field.populations import CoupledMFG
from envs.mean_field.sweep import BestResponse


@dataclass(frozen=True)
class StackedMFG:
    """A `CoupledMFG` as solvers take games; its exploitability is the sum over populations, as there."""

    game: CoupledMFG

    @property
    def name(self) -> str:
        """The game's."""
        return self.game.name

    @property
    def shape(self) -> tuple[int, int, int]:
        """(T, S, A) of a stacked policy."""
        shapes = [population.shape for population in self.game.populations.values()]
        return self.game.horizon, sum(S for S, _ in shapes), max(A for _, A in shapes)

    def split(self, pi: ArrayLike) -> dict[str, Array]:
        """Policies pi[..., T, S, A] of all populations, by name.

        Raises:
            BadPolicy: for another shape, or where an action is played that a population has not.
        """
        found = np.asarray(pi, float)
        if found.shape[-3:] != self.shape:
            raise BadPolicy(
                f"{self.name}: the stacked policy has shape {found.shape}; want [..., {listed(self.shape)}]"
            )
        parts = {}
        for name, (rows, actions) in self._places().items():
            if found[..., rows, actions:].any():
                raise BadPolicy(f"{self.name}: the stacked policy of {name} plays actions beyond its {actions}")
            parts[name] = found[..., rows, :actions]
        return parts

    def split_flow(self, mu: ArrayLike) -> dict[str, Array]:
        """Flows mu[..., T+1, S] of all populations, by name.

        Raises:
            BadPolicy: for another shape.
        """
        found, want = np.asarray(mu, float), (self.game.horizon + 1, self.shape[1])
        if found.shape[-2:] != want:
            raise BadPolicy(f"{self.name}: the stacked flow has shape {found.shape}; want [..., {listed(want)}]")
        return {name: found[..., rows] for name, (rows, _) in self._places().items()}

    def joined(self, parts: Mapping[str, Array], missing: float = 0.0) -> Array:
        """Policies or action values [..., T, S_k, A_k] by name, as one array; `missing` beyond their actions."""
        T, S, A = self.shape
        lead = np.broadcast_shapes(*(part.shape[:-3] for part in parts.values()))
        found = np.full((*lead, T, S, A), missing)
        for name, (rows, actions) in self._places().items():
            found[..., rows, :actions] = parts[name]
        return found

    def _places(self) -> dict[str, tuple[slice, int]]:
        """Per population its rows among all states, and its number of actions."""
        found, start = {}, 0
        for name, population in self.game.populations.items():
            S, A = population.shape
            found[name] = slice(start, start + S), A
            start += S
        return found

    def joined_rows(self, parts: Mapping[str, Array]) -> Array:
        """Flows or values [..., T+1, S_k] by name, as one array."""
        return np.concatenate([parts[name] for name in self.game.populations], -1)

    def uniform_policy(self) -> Array:
        """Every action that a state has, equally often: [T, S, A]."""
        return self.joined(self.game.uniform_policy())

    def flow(self, pi: ArrayLike) -> Array:
        """mu[..., T+1, S] of populations that play pi; raises BadPolicy for what is no policy."""
        return self.joined_rows(self.game.flow(self.split(pi)))

    def flow_against(self, pi: ArrayLike, nu: ArrayLike) -> Array:
        """mu[..., T+1, S] of agents who play pi while the populations have the flow nu; raises BadPolicy."""
        return self.joined_rows(self.game.flow_against(self.split(pi), self.split_flow(nu)))

    def deciding(self, mu: Array) -> Array:
        """mu[..., T, S], the part of a flow in which agents decide."""
        return mu[..., :-1, :]

    def best_response(self, mu: ArrayLike, population: ArrayLike | None = None) -> BestResponse:
        """What is best for one agent of each population against all flows; rewards here see no actions."""
        found = self.game.best_response(self.split_flow(mu))
        return BestResponse(
            self.joined({name: best.policy for name, best in found.items()}),
            self.joined_rows({name: best.values for name, best in found.items()}),
            self.joined({name: best.q for name, best in found.items()}, -np.inf),
        )

    def action_values(self, pi: ArrayLike) -> Array:
        """Q[..., T, S, A] of one agent of each population who plays pi as all do; 0 for actions that are not there."""
        return self.joined(self.game.action_values(self.split(pi)))

    def exploitability(self, pi: ArrayLike) -> Array:
        """The sum over populations of what one agent of each could gain; raises BadPolicy for what is no policy."""
        return self.game.exploitability(self.split(pi))
