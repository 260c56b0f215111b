import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from mfmarl.imitation.dagger import DAggerAgent
from mfmarl.imitation.demonstrations import Demonstrations
from mfmarl.imitation.mega_dagger.model_based import MEGADAggerAgent
from mfmarl.imitation.mega_dagger.planning import checked_plan, imagined
from mfmarl.imitation.mega_dagger.world import EnsembleWorld, WorldConfig, disagreement
from mfmarl.imitation.networks import Actor
from mfmarl.imitation.rollout import episodes, spaces_of
from mfmarl.imitation.spaces import Spaces
from tests.mfmarl.imitation.walk import LENGTH, Walk, expert

CONFIG: dict[str, Any] = {
    "state_dim": 2, "action_dim": 2, "hidden_dims": (8,), "batch_size": 4, "updates": 5,
    "world": {"members": 3, "hidden_dims": (8,), "updates": 20, "batch_size": 8}, "candidates": 2, "horizon": 2,
}  # fmt: skip
SHARED = {key: CONFIG[key] for key in ("state_dim", "action_dim", "hidden_dims", "batch_size", "updates")}


def test_without_tolerance_it_is_dagger_whose_expert_acts() -> None:
    mega = MEGADAggerAgent({**CONFIG, "tau": 0.0}, Walk, expert, seed=2)
    dagger = DAggerAgent({**SHARED, "beta": "constant", "beta_end": 1.0}, Walk, expert, seed=2)
    for agent in (mega, dagger):
        agent.train(3 * LENGTH)
    assert mega.counts == dagger.counts
    np.testing.assert_array_equal(mega.states, dagger.states)
    for a, b in zip(mega.policy.parameters(), dagger.policy.parameters(), strict=True):
        assert torch.equal(a, b)


def test_with_every_tolerance_it_never_asks() -> None:
    agent = MEGADAggerAgent({**CONFIG, "tau": math.inf}, Walk, expert)
    assert agent.train(3 * LENGTH).counts.queries == 0


def test_a_world_that_has_diverged_asks_everywhere() -> None:
    given = Demonstrations.from_episodes(episodes(Walk, expert, 2, 0), spaces_of(Walk))
    agent = MEGADAggerAgent({**CONFIG, "tau": 1e9}, Walk, expert, given)
    states = given.transitions.states
    assert not agent.choose(states).asked.any()
    assert isinstance(agent.world, EnsembleWorld)
    with torch.no_grad():
        agent.world.net.weights[0].fill_(math.nan)
    assert agent.choose(states).asked.all()


def test_what_is_unsafe_is_asked_about_all_the_same() -> None:
    def everywhere(states: NDArray[np.float32]) -> NDArray[np.bool_]:
        return np.ones(len(states), bool)

    agent = MEGADAggerAgent({**CONFIG, "tau": math.inf}, Walk, expert, unsafe=everywhere)
    assert agent.train(2 * LENGTH).counts.queries == 2 * LENGTH


def test_only_what_was_asked_is_learnt_and_modelled() -> None:
    given = Demonstrations.from_episodes(episodes(Walk, expert, 5, 0), spaces_of(Walk))
    agent = MEGADAggerAgent({**CONFIG, "tau": 0.3}, Walk, expert, given)
    result = agent.train(8 * LENGTH)
    assert 0 < result.counts.queries < result.counts.interactions
    assert len(agent.states) == len(agent.told[0]) == 5 * LENGTH + result.counts.queries
    np.testing.assert_array_equal(agent.labels, expert(agent.states))
    moved = agent.told[2][:, 0] - agent.told[0][:, 0]
    np.testing.assert_allclose(moved, 0.25 * (2 * agent.told[1] - 1), atol=1e-6)


def test_imagined_states_are_queries_too() -> None:
    config = {**CONFIG, "tau": 1.0, "imagined": 4}
    given = Demonstrations.from_episodes(episodes(Walk, expert, 5, 0), spaces_of(Walk))
    agent = MEGADAggerAgent(config, Walk, expert, given, unsafe=lambda s: s[:, 0] > -9)
    agent.train(LENGTH)
    assert LENGTH < agent.counts.queries == len(agent.states) - 5 * LENGTH <= LENGTH + 4


def test_saved_training_goes_on_bit_for_bit(tmp_path: Path) -> None:
    config = {**CONFIG, "tau": 0.2, "imagined": 2, "world": {**CONFIG["world"], "prior": 1.0}}
    whole = MEGADAggerAgent(config, Walk, expert, seed=3)
    whole.train(3 * LENGTH)
    whole.save(tmp_path)
    again = MEGADAggerAgent.load(tmp_path, env=Walk, expert=expert)
    for agent in (whole, again):
        agent.train(6 * LENGTH)
    assert again.counts == whole.counts
    assert isinstance(again.world, EnsembleWorld)
    assert isinstance(whole.world, EnsembleWorld)
    for one, other in ((again.policy, whole.policy), (again.world.net, whole.world.net)):
        for a, b in zip(one.parameters(), other.parameters(), strict=True):
            assert torch.equal(a, b)


def test_disagreement_is_the_trace_of_the_members_covariance() -> None:
    means = torch.tensor([[[0.0, 1.0]], [[2.0, 1.0]], [[4.0, 4.0]]])
    # variances 4 and 3
    assert disagreement(means).tolist() == [7.0]


def test_models_learn_the_change_and_know_where_they_do() -> None:
    rng = np.random.default_rng(0)
    states = np.stack([rng.uniform(-1, 1, 300), np.ones(300)], 1).astype(np.float32)
    actions = rng.integers(0, 2, 300)
    after = states + np.stack([0.25 * (2 * actions - 1), np.zeros(300)], 1).astype(np.float32)
    world = EnsembleWorld(Spaces(2, 2), WorldConfig(updates=300), 0)
    assert world.predict(torch.zeros(1, 2), torch.zeros(1, dtype=torch.int64))[1].isinf().all()
    world.fit(states, actions, after)
    found, u = world.predict(torch.tensor([[0.5, 1.0], [4.0, 1.0]]), torch.tensor([1, 1]))
    assert found[0, 0].item() == pytest.approx(0.75, abs=0.02)
    assert u[1] > 10 * u[0]


class Line:
    """A world in which action 1 goes on by 1, and u is the place itself."""

    def predict(self, states: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        return states + actions[:, None], states[:, 0]


def plan_of(score_by: float, **given: Any) -> Any:
    policy = Actor(Spaces(1, 2), (), 0)
    policy.net[0].weight.data.zero_()
    policy.net[0].bias.data = torch.tensor([0.0, 1.0])
    return checked_plan(
        Line(), policy, torch.tensor([[3.0]]), torch.tensor([1]), torch.Generator().manual_seed(0),
        horizon=3, candidates=200, spread=0.5, kappa=1.0, score=lambda s, a: score_by * s[:, 0], **given,
    )  # fmt: skip


def test_plans_are_pessimistic_begin_with_the_proposal_and_are_judged_by_their_worst_step() -> None:
    # from 3 the proposal leads to 4: one stays there where u costs most, or goes on where score pays more
    assert plan_of(0.0).uncertainty.tolist() == [4.0]
    assert plan_of(2.0).uncertainty.tolist() == [5.0]
    assert plan_of(0.5).unsafe.tolist() == [False]


def test_a_way_round_what_is_unsafe_is_taken_where_there_is_one() -> None:
    assert plan_of(2.0, unsafe=lambda s: s[:, 0] >= 5).unsafe.tolist() == [False]
    assert plan_of(2.0, unsafe=lambda s: s[:, 0] >= 4).unsafe.tolist() == [True]


def test_imagination_stops_where_it_is_not_known() -> None:
    policy = Actor(Spaces(1, 2), (), 0)
    policy.net[0].weight.data.zero_()
    policy.net[0].bias.data = torch.tensor([0.0, 1.0])
    found = imagined(Line(), policy, torch.tensor([[0.0], [2.0]]), 3, tau=1.0)
    assert found.flatten().tolist() == [1.0, 2.0]


def test_an_action_that_was_never_tried_is_not_known() -> None:
    rng = np.random.default_rng(0)
    states = rng.normal(size=(64, 2)).astype(np.float32)
    tried, other = torch.zeros(64, dtype=torch.int64), torch.ones(64, dtype=torch.int64)
    unknown = {}
    for prior in (0.0, 1.0):
        config = WorldConfig(hidden_dims=(32,), updates=600, learning_rate=5e-3, prior=prior)
        world = EnsembleWorld(Spaces(2, 2), config, 0)
        start = world.net.weights[0].detach().clone()
        world.fit(states, tried.numpy(), states + 0.1 * states[:, ::-1])
        known, unknown[prior] = (world.predict(torch.from_numpy(states), a)[1] for a in (tried, other))
        assert known.median() < 0.1 * unknown[prior].median()
        # what members begin with for it stays
        assert torch.equal(world.net.weights[0][:, -1], start[:, -1])
    assert unknown[1.0].median() > 1.5 * unknown[0.0].median()


def test_rounds_may_go_on_within_an_episode() -> None:
    asked: list[NDArray[np.float32]] = []

    def told(states: NDArray[np.float32]) -> NDArray[np.int64]:
        asked.extend(states)
        return expert(states)

    for rollout, fresh in ((2, False), (LENGTH, True)):
        config = {**SHARED, "beta": "constant", "beta_end": 1.0, "rollout": rollout, "fresh": fresh}
        DAggerAgent(config, Walk, told).train(2 * LENGTH)
    in_parts, whole = np.array(asked[: 2 * LENGTH]), np.array(asked[2 * LENGTH :])
    np.testing.assert_array_equal(in_parts[:LENGTH], whole[:LENGTH])
    assert not np.array_equal(in_parts[LENGTH:], in_parts[:LENGTH]), "an episode of its own"
