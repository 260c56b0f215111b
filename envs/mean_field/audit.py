"""How far policies are from an equilibrium: the same fields for every kind of game."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from envs.mean_field.kernel import Array
from envs.mean_field.sweep import BestResponse

Part = TypeVar("Part")


@dataclass(frozen=True)
class Audit:
    """Of one population."""

    name: str
    """The game's; of several populations, the population's."""
    value: Array
    """V(pi, mu^pi), shape of the batch."""
    best_response_value: Array
    exploitability: Array
    """Their difference: what one agent could gain."""
    per_state: Array
    """[..., S]: what it could gain from each initial state."""
    best_response: BestResponse
    mu: Array
    """[..., T+1, S], the policy's own flow."""
    rounding: float
    """What of the exploitability may be rounding: it is never below minus this."""

    @property
    def nash_conv(self) -> Array:
        """The sum of the gains over populations: of one, the exploitability."""
        return self.exploitability

    @property
    def per_population(self) -> Mapping[str, Array]:
        """The exploitability by its name."""
        return {self.name: self.exploitability}

    @property
    def reached(self) -> NDArray[np.bool_]:
        """As `mu`: where the flow has mass; what the policy does elsewhere changes nothing."""
        return self.mu > 0


@dataclass(frozen=True)
class CoupledAudit:
    """Of several populations: the fields of `Audit`, those of each population as a mapping from its name."""

    parts: Mapping[str, Audit]

    @property
    def value(self) -> Mapping[str, Array]:
        """V(pi, mu^pi) of one agent of each, shape of the batch."""
        return self._of(lambda part: part.value)

    @property
    def best_response_value(self) -> Mapping[str, Array]:
        """What one agent of each could have."""
        return self._of(lambda part: part.best_response_value)

    @property
    def exploitability(self) -> Array:
        """The sum of `per_population`, shape of the batch."""
        return np.asarray(sum(self.per_population.values()))

    @property
    def nash_conv(self) -> Array:
        """The same number."""
        return self.exploitability

    @property
    def per_population(self) -> Mapping[str, Array]:
        """What one agent of each could gain."""
        return self._of(lambda part: part.exploitability)

    @property
    def per_state(self) -> Mapping[str, Array]:
        """[..., S] each: what it could gain from each initial state."""
        return self._of(lambda part: part.per_state)

    @property
    def best_response(self) -> Mapping[str, BestResponse]:
        """Of each, against all flows."""
        return self._of(lambda part: part.best_response)

    @property
    def mu(self) -> Mapping[str, Array]:
        """[..., T+1, S] each, the policies' own flows."""
        return self._of(lambda part: part.mu)

    @property
    def reached(self) -> Mapping[str, NDArray[np.bool_]]:
        """Where each flow has mass."""
        return self._of(lambda part: part.reached)

    @property
    def rounding(self) -> float:
        """What of the exploitability may be rounding: it is never below minus this."""
        return sum(part.rounding for part in self.parts.values())

    def _of(self, field: Callable[[Audit], Part]) -> dict[str, Part]:
        return {name: field(part) for name, part in self.parts.items()}


def finite_audit(name: str, own: Array, best: BestResponse, mu: Array, initial: Array) -> Audit:
    """Of values own[..., T+1, S] and the best response in T decisions, from initial[S]."""
    gain = best.values[..., 0, :] - own[..., 0, :]
    largest = float(np.abs(np.concatenate([own, best.values], axis=-1)).max())
    steps, width = own.shape[-2], sum(best.q.shape[-2:])
    return Audit(
        name=name,
        value=np.asarray(own[..., 0, :] @ initial),
        best_response_value=np.asarray(best.values[..., 0, :] @ initial),
        exploitability=np.asarray(gain @ initial),
        per_state=gain,
        best_response=best,
        mu=mu,
        rounding=float(np.finfo(float).eps) * largest * steps * width,
    )
