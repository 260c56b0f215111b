"""A profile's own policy beside a learned best response, at the observations that the deviator comes by."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from analysis.equilibrium.distances import PolicyDistance, policy_distance
from analysis.equilibrium.learned import LearnedGap, kind_of
from envs.inventory.market import InventoryMarket
from mfmarl.core.laws import Categorical
from mfmarl.deviation import DeviationEnv
from mfmarl.deviator_networks import greedy
from mfmarl.policy import Policy
from mfmarl.seeding import stream
from mfmarl.subject import Subject, Who

COPIES = 16
MIXED = 1e-3
"""Share of the uniform law in both where KL is taken: a greedy deviator never plays what the profile still does."""


def distance_of(subject: Subject, one: LearnedGap, who: Who, seed: int) -> PolicyDistance | None:
    """Over one episode of `COPIES` copies; None where there is nothing to compare: no trained networks, continuous
    actions, or a deviator that stays."""
    trained = subject.trained
    if trained is None or trained.network.shape.num_actions is None or one.policy is None or one.chosen == "stay":
        return None
    kind, _ = kind_of(subject, one.gap.type_name)
    env = subject.deviation(kind, who, COPIES, stream(seed, "distance", kind), start=one.chosen)
    act, actions = greedy(Policy.load(one.policy).network), trained.network.shape.num_actions
    step, last = env.reset(stream(seed, "distance", kind)), None
    own, best = [], []
    for _ in range(env.horizon):
        own.append(_law_there(env, trained.network, last))
        chosen = act(step.obs)
        best.append(np.eye(actions)[chosen].reshape(-1, actions))
        step = env.step(chosen)
        last = env.last_actions
    return policy_distance(np.concatenate(own), np.concatenate(best), _quantities(env, actions), mixed=MIXED)


def _law_there(env: DeviationEnv, network: Any, last: NDArray[Any] | None) -> NDArray[np.float64]:
    """[B n, A]: what the profile's networks would play in the deviators' places."""
    step, field = env.inner_step, network.shape.mean_field()
    copies = step.reward.shape[0]
    known = torch.zeros(step.reward.shape) if last is None else torch.from_numpy(np.asarray(last))
    seen = field.shown(torch.from_numpy(step.mean_action), known, torch.full((copies,), last is None))
    law = network.law(torch.from_numpy(step.obs), seen)
    assert isinstance(law, Categorical)
    there = law.probs.numpy()[np.arange(copies)[:, None], env.places]
    return np.asarray(there.reshape(-1, there.shape[-1]), float)


def _quantities(env: DeviationEnv, actions: int) -> NDArray[np.float64]:
    """[T B n, A]: units that each action orders; in games without orders the number of the action."""
    if not isinstance(env.inner, InventoryMarket) or env.inner.order_levels.shape[1] != actions:
        return np.arange(actions, dtype=float)
    levels = env.inner.order_levels[env.places].reshape(-1, actions)
    return np.tile(levels, (env.horizon, 1))
