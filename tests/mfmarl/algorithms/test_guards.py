"""Numbers that are not finite stop training before they are learned from; and what a policy must do to be no dummy."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from envs.population import Step
from mfmarl.algorithms.learner import Learner
from mfmarl.errors import TrainingFailed
from mfmarl.rollout import Rollout
from tests.games import AimingGame, MatchingGame, make_actors, make_pair

MAKERS: dict[str, Callable[..., tuple[Rollout, Any]]] = {"mfq": make_pair, "mfac": make_actors}
each = pytest.mark.parametrize("algorithm", MAKERS)


def trained(algorithm: str, fragments: int = 6, **options: Any) -> tuple[Rollout, Any]:
    rollout, learner = MAKERS[algorithm](MatchingGame(num_envs=8), **options)
    for _ in range(fragments):
        learner.learn([rollout.collect(5)])
    return rollout, learner


def parameters(learner: Learner) -> list[torch.Tensor]:
    return [p.detach().clone() for p in (*learner.parameters, *learner.policy.parameters())]


def refuses(learner: Learner, learn: Callable[[], Any], told: str) -> None:
    before, steps = parameters(learner), learner.gradient_steps
    assert steps > 0
    with pytest.raises(TrainingFailed, match=told):
        learn()
    assert learner.gradient_steps == steps
    assert all(torch.equal(a, b) for a, b in zip(before, parameters(learner), strict=True))


def spoil(rollout: Rollout, field: str, value: float, calls: int = 1) -> None:
    """Agent 3 of copy 1, in the last entry where there are several, at step number `calls` from here on."""
    play, left = rollout.env.step, [calls]

    def step(actions: Any) -> Step:
        found = play(actions)
        left[0] -= 1
        array = getattr(found, field)
        if left[0] or array is None:
            return found
        array = np.array(array)
        array[(1, 3, -1) if array.ndim == 3 else (1, 3)] = value
        return replace(found, **{field: array})

    rollout.env.step = step  # type: ignore[method-assign]


@each
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    ("field", "what", "calls", "step", "total"),
    [
        ("reward", "reward", 3, 2, 32),
        # an observation is seen at the step after
        ("obs", "observation", 3, 3, 33),
        ("obs", "observation", 5, 0, 35),
        # episodes have five steps
        ("final_obs", "final observation", 5, 4, 34),
    ],
)
def test_what_an_environment_gives_is_refused_by_agent_step_and_seed(
    algorithm: str, value: float, field: str, what: str, calls: int, step: int, total: int
) -> None:
    rollout, learner = trained(algorithm, seed=7)
    spoil(rollout, field, value, calls)
    told = rf"shifted_3 \(agent 3, copy 1\) got {what} {value} at step {step} of its episode "
    told += rf"\(step {total} of runner 0, seed 7\); nothing was learned from it"
    refuses(learner, lambda: learner.learn([rollout.collect(6)]), told)


@each
def test_a_fragment_with_a_reward_that_is_no_number_is_refused(algorithm: str) -> None:
    rollout, learner = trained(algorithm)
    batch = rollout.collect(5)
    batch.reward[2, 1, 3] = math.nan
    refuses(learner, lambda: learner.learn([batch]), "agent 3 of copy 1 has reward nan at step 2")


@each
def test_targets_that_blow_up_are_refused(algorithm: str) -> None:
    rollout, learner = trained(algorithm)
    batch = rollout.collect(5)
    with torch.no_grad():
        (learner.policy.mlp if algorithm == "mfq" else learner.critic).biases[-1].fill_(math.inf)
    told = rf"target is not finite in iteration \d+; lower {algorithm}.learning_rate"
    refuses(learner, lambda: learner.learn([batch]), told)


@each
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_moves_nothing(algorithm: str, value: float) -> None:
    rollout, learner = trained(algorithm)
    batch, loss = rollout.collect(5), learner.loss
    if algorithm == "mfq":
        learner._compiled = None

    def spoilt(rows: Any) -> Any:
        found, more = loss(rows)
        return found * value, more

    learner.loss = spoilt
    told = (
        rf"the gradient is not finite in iteration 7, gradient step {learner.gradient_steps}; that step was not taken"
    )
    refuses(learner, lambda: learner.learn([batch]), told)


def test_a_gradient_of_the_compiled_loops_that_is_no_number_moves_nothing() -> None:
    rollout, learner = trained("mfq")
    batch, compiled = rollout.collect(5), learner._compiled
    assert compiled is not None

    def spoilt(steps: Any) -> Any:
        found = compiled(steps)
        learner.gradient[4] = math.inf
        return found

    learner._compiled = spoilt
    refuses(learner, lambda: learner.learn([batch]), "the gradient is not finite in iteration 7")


def is_no_dummy(make: Callable[[], tuple[Rollout, Learner]], break_it: Callable[[Learner], None]) -> None:
    """Plays at random before learning; what it learns changes what it plays, generators being equal."""
    rollout, learner = make()
    break_it(learner)
    first = rollout.collect(5)
    if first.action.dtype == np.uint8:
        assert first.entropy > 0.5 * math.log(3)
        assert np.unique(first.action).size == 3
    assert np.unique(first.log_prob).size > 1
    for _ in range(30):
        learner.learn([rollout.collect(5)])
        if learner.gradient_steps >= 20:
            break
    later, _ = make()
    later.network.load_state_dict(learner.policy.state_dict())
    second = later.collect(5)
    np.testing.assert_array_equal(first.obs[0], second.obs[0])
    assert not np.array_equal(first.log_prob, second.log_prob), "what was learned changes no trajectory"
    assert not np.array_equal(first.action, second.action), "what was learned changes no trajectory"


def nothing(learner: Learner) -> None:
    """Leaves a learner whole."""


def stuck(learner: Learner) -> None:
    """As one whose acting networks are never updated."""
    learn, start = learner.learn, {name: tensor.clone() for name, tensor in learner.policy.state_dict().items()}

    def unmoved(batches: Any) -> Any:
        found = learn(batches)
        learner.policy.load_state_dict(start)
        return found

    learner.learn = unmoved  # type: ignore[method-assign]


def of_one_action(learner: Learner) -> None:
    """As one that a NaN in the draws once made play action 0 only."""
    with torch.no_grad():
        learner.policy.mlp.biases[-1].view(-1, 3)[:, 0] = 1e4


SMOKE = {
    "mfq": lambda: make_pair(MatchingGame(num_envs=8)),
    "mfac": lambda: make_actors(MatchingGame(num_envs=8)),
    "mfac-continuous": lambda: make_actors(AimingGame(num_envs=8)),
}


@pytest.mark.parametrize("case", SMOKE)
def test_no_algorithm_is_a_dummy(case: str) -> None:
    is_no_dummy(SMOKE[case], nothing)


@each
@pytest.mark.parametrize("broken", [stuck, of_one_action])
def test_the_smoke_test_finds_dummies(algorithm: str, broken: Callable[[Learner], None]) -> None:
    with pytest.raises(AssertionError):
        is_no_dummy(SMOKE[algorithm], broken)
