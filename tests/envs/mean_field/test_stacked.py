"""Several populations as one array: the same numbers, filled up where they differ in size."""

import numpy as np
import pytest

from envs.mean_field import make
from envs.mean_field.checks import BadPolicy
from envs.mean_field.kernel import dense
from envs.mean_field.populations import CoupledMFG, Population
from envs.mean_field.stacked import StackedMFG


def unequal() -> CoupledMFG:
    """3 states and 2 actions, one of which a state has not, against 2 states and 3 actions."""
    rng = np.random.default_rng(0)
    mask = np.array([[True, True], [True, False], [True, True]])
    return CoupledMFG(
        name="unequal",
        horizon=4,
        populations={
            "large": Population(
                initial=np.full(3, 1 / 3),
                kernel=dense(rng.dirichlet(np.ones(3), (3, 2))),
                reward=lambda t, mu: np.repeat((mu["small"][..., :1] - mu["large"])[..., None], 2, -1),
                action_mask=mask,
            ),
            "small": Population(
                initial=np.array([0.2, 0.8]),
                kernel=dense(rng.dirichlet(np.ones(2), (2, 3))),
                reward=lambda t, mu: np.repeat(-(mu["large"][..., :2] + mu["small"])[..., None], 3, -1),
            ),
        },
    )


def random_policies(game: CoupledMFG, rng: np.random.Generator) -> dict[str, np.ndarray]:
    found = {}
    for name, uniform in game.uniform_policy().items():
        raised = np.where(uniform > 0, rng.random(uniform.shape), 0.0)
        found[name] = raised / raised.sum(-1, keepdims=True)
    return found


def test_the_stacked_game_has_the_same_numbers() -> None:
    game = unequal()
    stacked, rng = StackedMFG(game), np.random.default_rng(1)
    parts, other = random_policies(game, rng), random_policies(game, rng)
    pi = stacked.joined(parts)
    assert pi.shape == stacked.shape == (4, 5, 3)
    for name, part in stacked.split(pi).items():
        np.testing.assert_array_equal(part, parts[name])
    assert stacked.exploitability(pi) == game.exploitability(parts)
    flows = game.flow(parts)
    mu = stacked.flow(pi)
    np.testing.assert_allclose(mu.sum(-1), 2.0, atol=1e-12)
    against, want = stacked.flow_against(stacked.joined(other), mu), game.flow_against(other, flows)
    for name, part in stacked.split_flow(against).items():
        np.testing.assert_array_equal(part, want[name])
    best = stacked.best_response(mu)
    q, values = stacked.action_values(pi), game.evaluate(parts, flows)
    for name, found in game.best_response(flows).items():
        np.testing.assert_array_equal(stacked.split(best.policy)[name], found.policy)
        # sum_a pi Q is the value
        own = (stacked.split(np.where(pi > 0, q, 0.0))[name] * parts[name]).sum(-1)
        np.testing.assert_allclose(own, values[name][:-1], atol=1e-12)


def test_agents_who_play_as_all_do_flow_as_all_do() -> None:
    game = unequal()
    parts = random_policies(game, np.random.default_rng(2))
    flows = game.flow(parts)
    for name, mu in game.flow_against(parts, flows).items():
        np.testing.assert_array_equal(mu, flows[name])


def test_what_a_population_has_not_is_refused() -> None:
    game = unequal()
    stacked = StackedMFG(game)
    pi = stacked.uniform_policy()
    with pytest.raises(BadPolicy, match=r"stacked policy has shape \(3, 5, 3\); want \[\.\.\., 4, 5, 3\]"):
        stacked.flow(pi[:-1])
    beyond = pi.copy()
    beyond[0, 0] = [0.0, 0.0, 1.0]
    with pytest.raises(BadPolicy, match="stacked policy of large plays actions beyond its 2"):
        stacked.flow(beyond)
    masked = pi.copy()
    masked[2, 1] = [0.5, 0.5, 0.0]
    with pytest.raises(BadPolicy, match="policy of large plays action 1 in state 1, which has it not"):
        stacked.exploitability(masked)


def test_a_batch_of_stacked_policies_is_its_loop() -> None:
    stacked = StackedMFG(make("predator-prey", size=3, horizon=3))
    rng = np.random.default_rng(0)
    pi = rng.dirichlet(np.ones(stacked.shape[2]), (4, *stacked.shape[:2]))
    found = stacked.exploitability(pi)
    for i in range(4):
        assert stacked.exploitability(pi[i]) == pytest.approx(found[i], abs=1e-12)
