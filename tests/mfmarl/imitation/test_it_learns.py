"""Every method learns, by a permutation test over ten seeds; one that may not move its networks does not pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import permutation_test

from mfmarl.imitation import (
    AIRLAgent,
    BCAgent,
    DAggerAgent,
    GAILAgent,
    MaxEntIRLAgent,
    MEGADAggerAgent,
    MultiExpertAgent,
    SafetyFilterAgent,
)
from mfmarl.imitation.demonstrations import Demonstrations, Episode
from mfmarl.imitation.maxent_irl import feature_expectation, maxent_irl, state_features
from mfmarl.imitation.networks import Policy
from mfmarl.imitation.rollout import episodes, spaces_of
from mfmarl.imitation.soft_values import occupancy, soft_values
from mfmarl.imitation.spaces import Spaces
from tests.mfmarl.imitation.test_tabular_airl import GAMMA, REWARD, RING, START
from tests.mfmarl.imitation.walk import LENGTH, Walk, expert, margin

SEEDS = range(10)
STILL = 1e-12
"""A learning rate by which nothing moves; 0 is refused."""
SPACES: dict[str, Any] = {"state_dim": 2, "action_dim": 2, "hidden_dims": (16,)}
ASKING: dict[str, Any] = {**SPACES, "batch_size": LENGTH, "updates": 50}
TOLD_APART: dict[str, Any] = {
    **SPACES, "num_envs": 16, "rollout": LENGTH, "discriminator_lr": 3e-2, "discriminator_steps": 10,
    "gradient_penalty": 0.1, "ppo": {"epochs": 4, "minibatch": 48, "discount": 0.5, "reward_scale": 1.0},
}  # fmt: skip
Pair = tuple[float, float]


def shown(seed: int) -> Demonstrations:
    return Demonstrations.from_episodes(episodes(Walk, expert, 20, 100 + seed, num_envs=20), spaces_of(Walk))


def worth(policy: Policy, seed: int) -> float:
    """Mean return of sampled actions in the same 40 starts for all."""
    drawn = torch.Generator().manual_seed(seed)
    played = episodes(Walk, lambda states: policy.act(states, drawn), 40, 7, num_envs=40)
    return float(np.mean([one.rewards.sum() for one in played]))


def around(policy: Policy, train: Callable[[], object], seed: int) -> Pair:
    """Returns before and after."""
    before = worth(policy, seed)
    train()
    return before, worth(policy, seed)


def _few(rounds: int, rate: float) -> int:
    """What stands still does so in two rounds as well as in many."""
    return rounds if rate > STILL else 2


def bc(seed: int, rate: float) -> Pair:
    agent = BCAgent({**SPACES, "learning_rate": rate, "batch_size": 16}, shown(seed), seed)
    return around(agent.policy, lambda: agent.train(60), seed)


def dagger(seed: int, rate: float) -> Pair:
    agent = DAggerAgent({**ASKING, "learning_rate": rate}, Walk, expert, seed=seed)
    return around(agent.policy, lambda: agent.train(_few(5, rate) * LENGTH), seed)


def mega_dagger(seed: int, rate: float) -> Pair:
    world = {"members": 2, "hidden_dims": (8,), "updates": 10, "batch_size": 8}
    config = {**ASKING, "learning_rate": rate, "world": world, "candidates": 2, "horizon": 2}
    agent = MEGADAggerAgent(config, Walk, expert, seed=seed)
    return around(agent.policy, lambda: agent.train(_few(5, rate) * LENGTH), seed)


def multi_expert(seed: int, rate: float) -> Pair:
    experts = [lambda states: 1 - expert(states), expert]
    agent = MultiExpertAgent({**ASKING, "learning_rate": rate}, Walk, experts, seed=seed)
    # a round: an episode of each expert, and one that is labelled
    return around(agent.policy, lambda: agent.train(_few(5, rate) * 3 * LENGTH), seed)


def safety_filter(seed: int, rate: float) -> Pair:
    config = {**ASKING, "learning_rate": rate, "takeover": 2.0, "release": 2.0, "slack": 0.5}
    agent = SafetyFilterAgent(config, Walk, [expert], seed=seed, barrier=margin)
    return around(agent.policy, lambda: agent.train(_few(5, rate) * LENGTH), seed)


def gail(seed: int, rate: float) -> Pair:
    agent = GAILAgent({**TOLD_APART, "policy_lr": rate}, Walk, shown(seed), seed)
    return around(agent.policy, lambda: agent.train(_few(8, rate) * agent.config.steps_a_round), seed)


def airl(seed: int, rate: float) -> Pair:
    agent = AIRLAgent({**TOLD_APART, "policy_lr": rate}, Walk, shown(seed), seed)
    return around(agent.policy, lambda: agent.train(_few(8, rate) * agent.config.steps_a_round), seed)


def maxent_irl_on_the_ring(seed: int, rate: float) -> Pair:
    """Of 30 sampled steps of its expert, whose frequencies its features are matched to; exact returns."""
    rng = np.random.default_rng(seed)
    pi = soft_values(RING, REWARD, GAMMA).pi
    seen = np.ones((4, 2))
    for _ in range(30):
        state = rng.integers(4)
        seen[state, rng.choice(2, p=pi[state])] += 1
    features = state_features(4, 2)
    wanted = feature_expectation(occupancy(RING, seen / seen.sum(1, keepdims=True), START, GAMMA), features)
    found = maxent_irl(RING, START, GAMMA, features, wanted, tol=1e-8, max_iterations=200 if rate > STILL else 0)
    uniform = np.full((4, 2), 0.5)
    before, after = (float(occupancy(RING, pi, START, GAMMA).sum(1) @ REWARD) for pi in (uniform, found.policy))
    return before, after


def maxent_irl_agent_on_the_ring(seed: int, rate: float) -> Pair:
    """Of 8 sampled episodes of its expert; exact returns. With a tolerance that all meets no step is taken."""
    rng, pi, played = np.random.default_rng(seed), soft_values(RING, REWARD, GAMMA).pi, []
    for _ in range(8):
        states, actions = [int(rng.choice(4, p=START))], []
        for _ in range(30):
            actions.append(int(rng.choice(2, p=pi[states[-1]])))
            states.append(int(rng.choice(4, p=RING[states[-1], actions[-1]])))
        played.append(Episode(np.eye(4, dtype=np.float32)[states], np.array(actions), np.zeros(30), False, True))
    config = {"state_dim": 4, "action_dim": 2, "discount": GAMMA, "tol": 1e-5 if rate > STILL else 1e3}
    given = Demonstrations.from_episodes(played, Spaces(4, 2))
    agent = MaxEntIRLAgent(config, None, given, seed, transitions=RING, start=START)

    def exact() -> float:
        return float(occupancy(RING, agent.policy.log_pi.exp().numpy(), START, GAMMA).sum(1) @ REWARD)

    before = exact()
    agent.train(20)
    return before, exact()


METHODS: dict[str, tuple[Callable[[int, float], Pair], float]] = {
    "BC": (bc, 1e-2),
    "DAgger": (dagger, 1e-2),
    "MEGA-DAgger": (mega_dagger, 1e-2),
    "MultiExpert": (multi_expert, 1e-2),
    "SafetyFilter": (safety_filter, 1e-2),
    "GAIL": (gail, 1e-2),
    "AIRL": (airl, 1e-2),
    "MaxEnt IRL": (maxent_irl_on_the_ring, 1.0),
    "MaxEntIRLAgent": (maxent_irl_agent_on_the_ring, 1.0),
}


def gain(after: NDArray[np.float64], before: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
    return np.mean(after - before, axis=axis)


def chance(learn: Callable[[int, float], Pair], rate: float) -> float:
    """p of the hypothesis that before and after could be swapped in each seed, against a gain: all 1,024 swaps."""
    before, after = np.array([learn(seed, rate) for seed in SEEDS]).T
    return float(
        permutation_test(
            (after, before), gain, permutation_type="samples", alternative="greater", vectorized=True
        ).pvalue
    )


@pytest.mark.parametrize("method", METHODS)
def test_it_learns(method: str) -> None:
    learn, rate = METHODS[method]
    assert chance(learn, rate) < 0.05


@pytest.mark.parametrize("method", METHODS)
def test_what_cannot_move_does_not_pass(method: str) -> None:
    assert chance(METHODS[method][0], STILL) > 0.05
