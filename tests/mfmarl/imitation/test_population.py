"""Learners from trajectories: what cloning counts, what occupancies are matched, and gaps that must come out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from envs.mean_field import AttractorMFG
from envs.mean_field.game import FiniteMFG
from envs.mean_field.games.garnet import garnet
from envs.mean_field.imitation import occupancy
from envs.mean_field.sampling import empirical_flow, empirical_occupancy, sample_trajectories
from mfmarl.imitation.adversarial import Descent, imitated
from mfmarl.imitation.cloning import cloned
from mfmarl.imitation.population import LEARNERS, learned, nig_against_samples
from tests.envs.mean_field.test_game import random_policies

SHORT = Descent(steps=60)


def test_cloning_counts() -> None:
    game = AttractorMFG(2, 0.5).game
    seen = np.array([[[0.25, 0.5], [0.0, 0.25]], [[0.0, 0.0], [1.0, 0.0]]])
    want = [[[1 / 3, 2 / 3], [0, 1]], [[0.5, 0.5], [1, 0]]]
    np.testing.assert_allclose(cloned(game, seen), want, atol=1e-15)


def test_cloning_of_everything_is_the_expert_where_it_comes() -> None:
    game = garnet(states=6, horizon=5, pull=1.0)
    expert = random_policies(game, np.random.default_rng(0))
    pi = cloned(game, occupancy(game.flow(expert), expert))
    np.testing.assert_allclose(pi, expert, atol=1e-12)


def masked_game() -> FiniteMFG:
    mask = np.ones((4, 3), bool)
    mask[1, 2] = mask[2, :2] = False
    return replace(garnet(states=4, actions=3, successors=2, horizon=3, pull=1.0), action_mask=mask)


def test_unseen_states_are_uniform_over_what_they_have() -> None:
    game = masked_game()
    pi = cloned(game, np.zeros((2, *game.shape)))
    np.testing.assert_array_equal(pi[1, 0], [[1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, 0], [0, 0, 1], [1 / 3, 1 / 3, 1 / 3]])


@pytest.mark.parametrize("population", ["VAN", "MFC"])
def test_matching_exact_occupancies_finds_the_expert(population: str) -> None:
    game = garnet(states=4, actions=2, successors=2, horizon=4, pull=1.0)
    expert = random_policies(game, np.random.default_rng(1))
    mu = game.flow(expert)
    found = imitated(game, population, occupancy(mu, expert), mu, Descent(steps=300))  # type: ignore[arg-type]
    assert found.distance < 0.02
    np.testing.assert_allclose(found.pi, expert, atol=0.02)
    own = game.flow(found.pi) if population == "MFC" else game.flow_against(found.pi, mu)
    away = np.abs(occupancy(own, found.pi) - occupancy(mu, expert)).sum()
    assert found.distance == pytest.approx(away, abs=1e-12)


def test_the_nearest_is_kept_and_is_nearer_than_where_it_began() -> None:
    game = garnet(states=4, actions=2, successors=2, horizon=4, pull=1.0)
    expert = random_policies(game, np.random.default_rng(1))
    mu, x = game.flow(expert), occupancy(game.flow(expert), expert)
    uniform = np.abs(occupancy(game.flow(game.uniform_policy()), game.uniform_policy()) - x).sum()
    distances = [float(imitated(game, "MFC", x, mu, Descent(steps=steps)).distance) for steps in (0, 5, 40)]
    assert distances[0] == pytest.approx(uniform)
    assert distances[0] > distances[1] > distances[2]
    # a rate far too high does not make it worse than the beginning
    assert float(imitated(game, "MFC", x, mu, Descent(steps=5, rate=1e3)).distance) <= uniform


def test_each_of_a_batch_is_fitted_by_itself() -> None:
    game = garnet(states=4, actions=2, successors=2, horizon=4, pull=1.0)
    expert = random_policies(game, np.random.default_rng(1))
    sampled = [sample_trajectories(game, expert, 20, np.random.default_rng(seed)) for seed in range(3)]
    seen = np.stack([empirical_occupancy(game, one) for one in sampled])
    flow = np.stack([empirical_flow(game, one) for one in sampled])
    for learner in LEARNERS:
        together = learned(game, learner, seen, flow, SHORT)
        alone = learned(game, learner, seen[1], flow[1], SHORT)
        np.testing.assert_allclose(together[1], alone, atol=1e-8)


def test_where_transitions_are_fixed_both_populations_are_one() -> None:
    game = garnet(states=4, actions=2, successors=2, horizon=4)
    table = nig_against_samples(game, random_policies(game, np.random.default_rng(1)), [5], [0, 1], descent=SHORT)
    by = table.set_index(["learner", "seed"])["NIG"]
    np.testing.assert_allclose(by["VAN-ADV"], by["MFC-ADV"], atol=1e-12)


def test_masks_hold_while_occupancies_are_matched() -> None:
    game = masked_game()
    expert = game.best_response(game.flow(game.uniform_policy())).policy * 0.5 + 0.5 * game.uniform_policy()
    mu = game.flow(expert)
    found = imitated(game, "MFC", occupancy(mu, expert), mu, Descent(steps=150))
    game.check_policy(found.pi)
    assert not found.pi[:, ~game.action_mask].any()
    assert found.distance < 0.1


def test_gaps_against_samples() -> None:
    toy = AttractorMFG(6, 0.8)
    table = nig_against_samples(toy.game, toy.expert, [3, 30], [0, 1, 2], descent=SHORT)
    assert len(table) == 3 * 2 * 3
    assert list(table.columns) == ["learner", "samples", "seed", "NIG", "BC", "VAN", "MFC"]
    # the expert is deterministic and is seen in s0 at every step: cloning has it exactly
    counted = table[table["learner"] == "BC"]
    assert not counted[["NIG", "BC", "VAN", "MFC"]].to_numpy().any()
    matched = table[table["learner"] != "BC"]
    assert (matched["NIG"] > 0).all()
    assert matched["NIG"].max() < 0.2


def test_more_samples_are_better_and_seeds_repeat() -> None:
    game = garnet(states=4, actions=2, successors=2, horizon=4, pull=1.0)
    expert = game.best_response(game.flow(game.uniform_policy())).policy * 0.5 + 0.5 * game.uniform_policy()
    table = nig_against_samples(game, expert, [4, 400], range(6), ["BC"])
    mean = table.groupby("samples")["MFC"].mean()
    assert mean[400] < 0.5 * mean[4]
    again = nig_against_samples(game, expert, [400], [5], ["BC"])
    mine = table[(table["samples"] == 400) & (table["seed"] == 5)]
    np.testing.assert_array_equal(again.to_numpy()[:, 1:], mine.to_numpy()[:, 1:])
    with pytest.raises(ValueError, match="unknown learner 'GAIL'"):
        nig_against_samples(game, expert, [4], [0], ["GAIL"])
