"""Maximum-entropy inverse reinforcement learning of a type of the inventory market, on its exact transitions.

The state is the agent's position alone, as the mean field has it; where transitions do not hang on what others do, they
are known. Rewards are linear in what the market pays for: units sold, left over and ordered, that anything was ordered,
and the square of the order. The policy that is found does not know the time, so it cannot be a timed equilibrium.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from envs.inventory.mean_field.process import TypeModel
from mfmarl.errors import UserError
from mfmarl.imitation.demonstrations import Demonstrations
from mfmarl.imitation.imitated import StateLaw
from mfmarl.imitation.maxent_irl import Recovered, feature_expectation
from mfmarl.imitation.maxent_likelihood import Likelihood
from mfmarl.imitation.type_experts import ProfileExpert, expert_of
from mfmarl.imitation.type_game import TypeGame

Doubles = NDArray[np.float64]
FEATURES = ("sold", "left", "ordered", "any order", "ordered squared")
DISCOUNT = 0.9
"""Of a process without end: at the market's own .99 the 52 periods that are seen would be two fifths of it."""
RIDGE, TOLERANCE = 1e-4, 1e-7
"""Without a ridge an expert that never errs has a reward without end."""


@dataclass(frozen=True)
class Process:
    """One agent of a type, S positions and A orders."""

    transitions: Doubles
    """P[S, A, S']"""
    start: Doubles
    """[S]"""
    features: Doubles
    """phi[S, A, F], of FEATURES: expected units, in periods of mean demand."""


def process_of(kind: TypeModel) -> Process:
    """The decision process of a type without its prices.

    Raises:
        UserError: for a type whose state is more than a position, or whose demand has seasons.
    """
    if kind.pipeline or kind.lag or len(kind.kernels) != 1:
        raise UserError(
            f"{kind.name}: its state is more than a position (lead times, backlog on order, or seasons); "
            "want lost sales with lead time 0 or 1, or backlog with 0"
        )
    states = np.arange(kind.size)
    left = np.zeros_like(kind.kernels[0])
    # what spoils is taken from what demand leaves
    np.add.at(left.T, kind.kept, kind.kernels[0].T)
    joined = np.minimum(states[:, None] + kind.levels.astype(np.int64), kind.size - 1)
    if kind.order_first:
        transitions = left[joined]
    else:
        transitions = np.stack([left @ np.eye(kind.size)[joined[:, a]] for a in range(kind.levels.size)], 1)
    offered = joined if kind.order_first else np.broadcast_to(states[:, None], joined.shape)
    sold = (kind.sold.after if kind.order_first else kind.sold.before)[0][offered]
    rest = (kind.kernels[0] @ kind.positions)[offered]
    orders = np.broadcast_to(kind.levels, joined.shape)
    mu = kind.agent.mu
    features = np.stack([sold / mu, rest / mu, orders / mu, orders > 0, (orders / mu) ** 2], -1).astype(float)
    return Process(transitions, np.eye(kind.size)[kind.start[0]], features)


def seen_features(process: Process, places: NDArray[np.int64], shown: Demonstrations) -> Doubles:
    """[F]: discounted mean features of demonstrations with steps at `places` [n]; an episode's weights sum to 1."""
    steps = process.features[places, shown.actions]
    ends = np.repeat(1 - DISCOUNT ** shown.lengths.astype(float), shown.lengths)
    weights = (1 - DISCOUNT) * DISCOUNT**shown.ages / ends
    found: Doubles = weights @ steps / len(shown.lengths)
    return found


def fitted(process: Process, expert: Doubles) -> Recovered:
    """theta that maximises the expert's likelihood, theta . expert - (1 - discount) V(start), less RIDGE |theta|^2 / 2.

    That is concave with the difference of features for its gradient; quasi-Newton steps (BFGS) also come to its top
    where the expert is nearly deterministic and Newton's method overshoots.
    """
    features = process.features

    def rewards(theta: Doubles) -> Doubles:
        return np.asarray(features @ theta)

    def expectation(x: Doubles) -> Doubles:
        return feature_expectation(x, features)

    likely = Likelihood(process.transitions, process.start, DISCOUNT, expert, rewards, expectation, RIDGE)
    found = optimize.minimize(likely.loss, np.zeros(len(expert)), jac=True, method="BFGS", options={"gtol": TOLERANCE})
    theta = np.asarray(found.x)
    best = likely.optimum(theta)
    missing = expert - best.features
    off = float(np.abs(missing - RIDGE * theta).max())
    mismatch = float(np.abs(missing).max())
    return Recovered(theta, rewards(theta), best.pi, mismatch, int(found.nit), off <= 10 * TOLERANCE)


def recovered(game: TypeGame, shown: Demonstrations) -> tuple[Recovered, ProfileExpert]:
    """The reward under which the soft-optimal policy has the features of the demonstrations, and who reads positions.

    Raises:
        UserError: for a type whose state is more than a position, and a game without a mean field.
    """
    shown.check_whole("market_irl")
    reader = expert_of(game)
    if not isinstance(reader, ProfileExpert):
        raise UserError(f"{game.name}: positions are read in markets whose profile is of the mean field")
    process = process_of(reader.model)
    places = reader.places(shown.transitions.states)[0]
    expert = seen_features(process, places, shown)
    return fitted(process, expert), reader


def imitated_reward(game: TypeGame, shown: Demonstrations) -> StateLaw:
    """The law of what learners of the type see that is soft-optimal for the recovered reward."""
    found, reader = recovered(game, shown)
    return lambda states: found.policy[reader.places(states)[0]]
