"""Three games in which imitation goes wrong: the expert stays at home, and the learner leaves it a little.

All start in s0, or with mass `rho0` outside already; other states are absorbing, and each step outside s0 costs 1. The
expert always plays action 0, stay. The learner is stationary; `alpha` is its probability to leave, a number or an array
whose shape is the batch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from envs.compiled import compiled
from envs.mean_field.game import FiniteMFG
from envs.mean_field.imitation import Bounds, ImitationErrors, imitation_bounds, imitation_errors
from envs.mean_field.kernel import Array, moving
from envs.mean_field.loops import Loops
from envs.mean_field.ranges import check_number, check_probability


class _Toy(ABC):
    """What the three have in common."""

    horizon: int
    parameters: ClassVar[int] = 1
    """Of the learner: the length of its last axis, or 1 for a plain number."""

    @property
    @abstractmethod
    def game(self) -> FiniteMFG:
        """The game behind it."""

    @cached_property
    def expert(self) -> Array:
        """Always stay: [T, S, A]."""
        pi = np.zeros(self.game.shape)
        pi[..., 0] = 1.0
        return pi

    def policy(self, alpha: ArrayLike) -> Array:
        """The learner as a policy [..., T, S, A].

        Raises:
            ValueError: for a probability outside 0 to 1; with two, for a sum above 1.
        """
        leave = np.asarray(alpha, float)
        leave = leave[..., None] if self.parameters == 1 else leave
        if leave.shape[-1:] != (self.parameters,):
            raise ValueError(f"{self.game.name}: alpha has shape {leave.shape}; want [..., {self.parameters}]")
        # NaN compares false
        fine = ((leave >= 0) & (leave <= 1)).all(-1) & (leave.sum(-1) <= 1 + 1e-12)
        if not fine.all():
            place = tuple(int(i) for i in np.argwhere(~fine)[0])
            told = leave[place].tolist() if self.parameters > 1 else leave[place][0]
            at = f"alpha{list(place)}" if place else "alpha"
            raise ValueError(f"{self.game.name}: {at} is {told}; want probabilities, their sum at most 1")
        stay = np.maximum(0.0, 1 - leave.sum(-1, keepdims=True))
        row = np.concatenate([stay, leave], -1)
        return np.broadcast_to(row[..., None, None, :], (*row.shape[:-1], *self.game.shape)).copy()

    def run(self, alpha: ArrayLike) -> Array:
        """mu[..., T+1, S] of a population of learners."""
        return self.game.flow(self.policy(alpha))

    def errors(self, alpha: ArrayLike) -> ImitationErrors:
        """BC, VAN and MFC errors per step, each [..., T]; VAN is frozen at the expert's own population."""
        return imitation_errors(self.game, self.expert, self.policy(alpha))

    def NIG(self, alpha: ArrayLike) -> Any:
        """The Nash imitation gap, shape of the batch: 0 is good."""
        return self.game.exploitability(self.policy(alpha))[()]

    @property
    @abstractmethod
    def L_P(self) -> float:
        """Lipschitz constant of the transitions in mu, L1 distances of rows and populations."""

    def bounds(self, alpha: ArrayLike) -> Bounds:
        """Upper bounds on the gap by the four ways, shape of the batch: rewards are -1 to 0 and do not see mu."""
        return imitation_bounds(self.game, self.expert, self.policy(alpha), R=1.0, L_r=0.0, L_P=self.L_P)


@dataclass(frozen=True)
class AttractorMFG(_Toy):
    """Who leaves s0 drags others along: staying fails with probability min(1, L mu(s1))."""

    horizon: int
    L: float
    rho0: float = 0.0

    @cached_property
    def game(self) -> FiniteMFG:
        """States s0, s1; actions stay, leave."""
        L = _coupling("attractor", "L", self.L)

        def law(t: int, mu: Array) -> Array:
            dragged = np.minimum(1.0, L * mu[..., 1])
            out = np.zeros((*mu.shape[:-1], 2, 2, 2))
            out[..., 0, 0, 0], out[..., 0, 0, 1] = 1 - dragged, dragged
            out[..., 0, 1, 1] = 1.0
            out[..., 1, :, 1] = 1.0
            return out

        return _toy_game("attractor", self.horizon, 2, self.rho0, law, Loops(_outside_loop, (L,), attractor_loop))

    @property
    def L_P(self) -> float:
        """L."""
        return self.L


@dataclass(frozen=True)
class CrowdAvoidanceMFG(_Toy):
    """Leaving s0 succeeds with probability max(0, 1 - L mu(s1)^2): whoever is outside keeps others in."""

    horizon: int
    L: float
    rho0: float = 0.0

    @cached_property
    def game(self) -> FiniteMFG:
        """States s0, s1; actions stay, go."""
        L = _coupling("crowd-avoidance", "L", self.L)

        def law(t: int, mu: Array) -> Array:
            gone = np.maximum(0.0, 1 - L * mu[..., 1] ** 2)
            out = np.zeros((*mu.shape[:-1], 2, 2, 2))
            out[..., 0, 0, 0] = 1.0
            out[..., 0, 1, 0], out[..., 0, 1, 1] = 1 - gone, gone
            out[..., 1, :, 1] = 1.0
            return out

        return _toy_game("crowd-avoidance", self.horizon, 2, self.rho0, law, Loops(_outside_loop, (L,), blocked_loop))

    @property
    def L_P(self) -> float:
        """2 L, or 2 sqrt L for L above 1: nobody goes any more where mu(s1) is above 1 / sqrt L."""
        return 2 * self.L if self.L <= 1 else 2 * self.L**0.5


@dataclass(frozen=True)
class TriStateCongestionMFG(_Toy):
    """Two ways out: to s1 with probability 1 - L1 mu(s1); to s2, of which s1 is the gateway, mu(s1) (1 - L2 mu(s2))."""

    horizon: int
    L1: float
    L2: float
    rho0: float = 0.0
    parameters: ClassVar[int] = 2

    @cached_property
    def game(self) -> FiniteMFG:
        """States s0, s1, s2; actions stay, to s1, to s2. Mass `rho0` outside starts in s1."""
        name = "tri-state-congestion"
        L1, L2 = _coupling(name, "L1", self.L1), _coupling(name, "L2", self.L2)

        def law(t: int, mu: Array) -> Array:
            first = np.maximum(0.0, 1 - L1 * mu[..., 1])
            second = mu[..., 1] * np.maximum(0.0, 1 - L2 * mu[..., 2])
            out = np.zeros((*mu.shape[:-1], 3, 3, 3))
            out[..., 0, 0, 0] = 1.0
            out[..., 0, 1, 0], out[..., 0, 1, 1] = 1 - first, first
            out[..., 0, 2, 0], out[..., 0, 2, 2] = 1 - second, second
            out[..., 1, :, 1] = out[..., 2, :, 2] = 1.0
            return out

        loops = Loops(_outside_loop, (L1, L2), congested_loop)
        return _toy_game(name, self.horizon, 3, self.rho0, law, loops)

    @property
    def L_P(self) -> float:
        """max(L1, 1 + L2): the second is met where all are in s1 and one moves there from s2."""
        return max(self.L1, 1 + self.L2)

    def policy(self, alpha: ArrayLike) -> Array:
        """The learner (a1, a2) as a policy [..., T, S, A]: clipped to 0 to 1, rescaled where their sum exceeds 1."""
        leave = np.clip(np.asarray(alpha, float), 0.0, 1.0)
        return _Toy.policy(self, leave / np.maximum(1.0, leave.sum(-1, keepdims=True)))


def _coupling(name: str, setting: str, L: float) -> float:
    check_number(name, setting, L, least=0)
    return float(L)


def _toy_game(name: str, horizon: int, S: int, rho0: float, law: Any, loops: Loops) -> FiniteMFG:
    check_probability(name, "rho0", rho0)
    initial = np.zeros(S)
    initial[:2] = 1 - rho0, rho0
    successors = np.broadcast_to(np.arange(S), (S, S, S)).copy()
    outside = np.where(np.arange(S) > 0, -1.0, 0.0)

    def reward(t: NDArray[np.int64], mu: Array) -> Array:
        return np.broadcast_to(outside[:, None], (*mu.shape, S))

    return FiniteMFG(
        name=name,
        horizon=horizon,
        initial=initial,
        kernel=moving(successors, law),
        reward=reward,
        local=True,
        loops=loops,
    )


def _outside_loop(t: int, mu: Array, x: Array, params: Any, out: Array) -> None:
    for s in range(len(mu)):
        for a in range(len(mu)):
            out[s, a] = -1.0 if s > 0 else 0.0


def attractor_loop(t: int, mu: Array, params: Any, out: Array) -> None:
    """P of L."""
    dragged = min(1.0, params[0] * mu[1])
    _stay_loop(out)
    out[0, 0, 0], out[0, 0, 1] = 1 - dragged, dragged
    out[0, 1, 0], out[0, 1, 1] = 0.0, 1.0


def blocked_loop(t: int, mu: Array, params: Any, out: Array) -> None:
    """P of L, of `CrowdAvoidanceMFG`."""
    gone = max(0.0, 1 - params[0] * mu[1] ** 2)
    _stay_loop(out)
    out[0, 1, 0], out[0, 1, 1] = 1 - gone, gone


def congested_loop(t: int, mu: Array, params: Any, out: Array) -> None:
    """P of L1 and L2."""
    first = max(0.0, 1 - params[0] * mu[1])
    second = mu[1] * max(0.0, 1 - params[1] * mu[2])
    _stay_loop(out)
    out[0, 1, 0], out[0, 1, 1] = 1 - first, first
    out[0, 2, 0], out[0, 2, 2] = 1 - second, second


@compiled
def _stay_loop(out: Array) -> None:
    """Everyone where they are."""
    for s in range(out.shape[0]):
        for a in range(out.shape[1]):
            for k in range(out.shape[2]):
                out[s, a, k] = 1.0 if k == s else 0.0
