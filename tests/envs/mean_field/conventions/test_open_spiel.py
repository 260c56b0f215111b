"""OpenSpiel's game trees are the games they become: the same NashConv, distribution and policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from envs.mean_field.conventions.open_spiel import (
    flow_from_distribution,
    game_from_tree,
    game_from_trees,
    policy_from_spiel,
    spiel_from_policies,
    spiel_from_policy,
)
from envs.mean_field.conventions.spiel_tree import OtherForm, Tree, walk, walk_all
from envs.mean_field.games.crowd import crowd_1d
from envs.mean_field.kernel import FixedKernel

MODULES = {
    "mean_field_lin_quad": "linear_quadratic",
    "mean_field_nfg": "normal_form_game",
    "python_mfg_crowd_avoidance": "crowd_avoidance",
    "python_mfg_crowd_modelling": "crowd_modelling",
    "python_mfg_predator_prey": "predator_prey",
}
"""Where games are registered that are written in Python."""
SHIPPED = [
    ("mfg_crowd_modelling(size=5,horizon=3)", "nothing"),
    ("mfg_crowd_modelling(size=10,horizon=10)", "nothing"),
    ("mfg_crowd_modelling_2d(size=3,horizon=4)", "nothing"),
    (
        "mfg_crowd_modelling_2d(size=4,horizon=4,forbidden_states=[1|1],initial_distribution=[0|0;0|1],"
        "initial_distribution_value=[0.5;0.5])",
        "nothing",
    ),
    ("mfg_crowd_modelling_2d(size=4,horizon=4,with_congestion=true)", "nothing"),
    ("mfg_garnet(size=10,horizon=5,seed=3)", "nothing"),
    ("python_mfg_crowd_modelling(size=5,horizon=3)", "nothing"),
    ("mean_field_lin_quad(size=5,horizon=3)", "nothing"),
    ("mean_field_lin_quad(size=5,horizon=3,mean_revert=0.5)", "states"),
]


@dataclass
class Node:
    """A node of left-right as OpenSpiel would have it: chance gives 0 or 1, then come two decisions, the next places.

    A decision pays -(1 + x) mu(x); the first sees halves.
    """

    kind: str = "chance"
    x: int = 0
    t: int = 0
    mu: Sequence[float] = (0.5, 0.5)

    def __getattr__(self, name: str) -> Any:
        kinds = {"is_chance_node": "chance", "is_mean_field_node": "told", "is_player_node": "decision"}
        kind = {**kinds, "is_terminal": "end"}[name]
        return lambda: self.kind == kind

    def child(self, action: int) -> Node:
        if self.kind == "chance":
            return Node("decision", action)
        return Node("end" if self.t == 1 else "told", action, self.t + 1, self.mu)

    def chance_outcomes(self) -> list[tuple[int, float]]:
        return [(0, 0.5), (1, 0.5)]

    def legal_actions(self) -> list[int]:
        return [0, 1]

    def observation_string(self, player: int) -> str:
        return "root" if self.kind == "chance" else f"({self.x}, {self.t})" + "_a" * (self.kind != "decision")

    def distribution_support(self) -> list[str]:
        return [f"({x}, {self.t})_a" for x in range(2)]

    def clone(self) -> Node:
        return replace(self)

    def update_distribution(self, mu: Sequence[float]) -> None:
        self.kind, self.mu = "decision", mu

    def rewards(self) -> list[float]:
        return [-(1 + self.x) * self.mu[self.x] if self.kind == "decision" else 0.0]


@dataclass
class LeftRight:
    roots: int = 1
    short_name: str = "left-right"

    def get_type(self) -> LeftRight:
        return self

    def new_initial_states(self) -> list[Node]:
        return [Node() for _ in range(self.roots)]

    def num_distinct_actions(self) -> int:
        return 2

    def num_players(self) -> int:
        return self.roots


@pytest.mark.parametrize(("left", "gap"), [(1.0, 1.0), (0.0, 2.0), (0.5, 0.25), (2 / 3, 0.0)])
@pytest.mark.parametrize("sees", ["nothing", "states"])
def test_left_right_by_hand(sees: Any, left: float, gap: float) -> None:
    tree = walk(LeftRight())
    game = game_from_tree(tree, transitions_see=sees)
    pi = np.broadcast_to([left, 1 - left], (2, 2, 2))
    found = game.audit(pi)
    assert found.exploitability == pytest.approx(gap, abs=1e-14)
    # the first decision pays 1/2 or 1 whatever is done
    assert found.value == pytest.approx(-0.75 - left**2 - 2 * (1 - left) ** 2, abs=1e-14)


def test_several_populations_are_refused() -> None:
    with pytest.raises(OtherForm, match="left-right: 2 populations; want one"):
        walk(LeftRight(roots=2))


def load(told: str) -> Any:
    pyspiel = pytest.importorskip("pyspiel")
    module = MODULES.get(told.split("(")[0])
    if module:
        import_module(f"open_spiel.python.mfg.games.{module}")
    return pyspiel.load_game(told)


def some_policy(tree: Tree, seed: int) -> np.ndarray:
    drawn = np.random.default_rng(seed).dirichlet(np.ones(tree.shape[2]), tree.shape[:2]) * tree.mask
    return drawn / drawn.sum(-1, keepdims=True)


@pytest.mark.parametrize(("told", "sees"), SHIPPED)
def test_exploitability_distribution_and_policy_are_theirs(told: str, sees: Any) -> None:
    spiel = load(told)
    from open_spiel.python.mfg.algorithms.nash_conv import NashConv

    tree = walk(spiel)
    game = game_from_tree(tree, transitions_see=sees)
    for seed in range(2):
        pi = some_policy(tree, seed)
        theirs = spiel_from_policy(tree, pi)
        conv = NashConv(spiel, theirs)
        found = float(game.exploitability(pi))
        assert found == pytest.approx(conv.nash_conv(), abs=1e-12)
        assert found > 0.1
        mu = game.flow(pi)
        np.testing.assert_allclose(flow_from_distribution(tree, conv.distribution), mu, atol=1e-14)
        came = mu[:-1] > 0
        np.testing.assert_allclose(policy_from_spiel(tree, theirs)[came], pi[came], atol=1e-15)


@pytest.mark.parametrize(("size", "horizon"), [(10, 10), (9, 4)])
def test_their_ring_is_ours_less_a_cost_of_having_moved(size: int, horizon: int) -> None:
    tree = walk(load(f"mfg_crowd_modelling(size={size},horizon={horizon})"))
    theirs, ours = game_from_tree(tree, transitions_see="nothing"), crowd_1d(size, horizon)
    assert isinstance(theirs.kernel, FixedKernel)
    np.testing.assert_allclose(theirs.kernel.matrix, ours.kernel.matrix, atol=1e-15)
    mu = np.random.default_rng(0).dirichlet(np.ones(size), horizon + 1)
    mu[0] = 1 / size
    # all but whoever the tree's first path to a place brings there without a move; nothing before the first step
    t, s = np.ogrid[:horizon, :size]
    cost = ((t > 0) & (s != (3 - 2 * t) % size)) / size
    np.testing.assert_allclose(theirs.rewards(mu), ours.rewards(mu) - cost[..., None], atol=1e-14)


def test_the_uniform_policy_in_their_crowd() -> None:
    spiel = load("mfg_crowd_modelling(size=10,horizon=10)")
    from open_spiel.python.policy import UniformRandomPolicy

    tree = walk(spiel)
    pi = policy_from_spiel(tree, UniformRandomPolicy(spiel))
    assert game_from_tree(tree, transitions_see="nothing").exploitability(pi) == pytest.approx(2.813536554387, abs=1e-9)


def test_one_shot_games_are_paid_at_the_end() -> None:
    spiel = load("mean_field_nfg")
    from open_spiel.python.mfg.algorithms.nash_conv import NashConv

    tree = walk(spiel)
    pi = some_policy(tree, 0)
    game = game_from_tree(tree, transitions_see="nothing")
    assert tree.shape == (1, 3, 3)
    assert game.exploitability(pi) == pytest.approx(NashConv(spiel, spiel_from_policy(tree, pi)).nash_conv(), abs=1e-10)


def test_several_populations() -> None:
    spiel = load("python_mfg_predator_prey(horizon=3)")
    from open_spiel.python.mfg.algorithms.nash_conv import NashConv

    trees = walk_all(spiel)
    game = game_from_trees(trees)
    pi = {str(tree.population): some_policy(tree, tree.population) for tree in trees}
    theirs = spiel_from_policies(trees, pi)
    conv = NashConv(spiel, theirs)
    found = game.audit(pi)
    assert found.exploitability == pytest.approx(conv.nash_conv(), abs=1e-11)
    assert found.exploitability > 0.01
    for tree in trees:
        name = str(tree.population)
        np.testing.assert_allclose(flow_from_distribution(tree, conv.distribution), found.mu[name], atol=1e-14)
        came = found.mu[name][:-1] > 0
        np.testing.assert_allclose(policy_from_spiel(tree, theirs)[came], pi[name][came], atol=1e-15)


def test_games_of_another_form_are_refused() -> None:
    with pytest.raises(OtherForm, match="is told nothing"):
        walk(load("mfg_dynamic_routing"))


def test_transitions_that_see_the_population_must_be_said_to() -> None:
    tree = walk(load("mean_field_lin_quad(size=5,horizon=2,mean_revert=0.5)"))
    with pytest.raises(OtherForm, match="see the population; want transitions_see='states'"):
        game_from_tree(tree, transitions_see="nothing")
