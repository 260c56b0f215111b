"""OpenSpiel 2.0.2: a mean-field game of one population from its game tree, and policies both ways.

An agent's path there is chance, decision, chance, mean-field node, decision, and so on. Rewards are read at decisions,
when the mean-field node before has been told the distribution over its own step's places; those of the first step see
the game's initial distribution. A state here is a place's number in `distribution_support`.

OpenSpiel keeps values by observation strings, which may say less than a node knows: in the crowd games a reward has a
cost of the action *before* it, and what comes to a node first, in order of actions and outcomes, sets it for all.
The walk here goes the same way, so that exploitability is `NashConv`, that cost included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from envs.mean_field.checks import check_simplex
from envs.mean_field.game import FiniteMFG
from envs.mean_field.kernel import Array, Kernel, check_rows, dense, moving

Sees = Literal["nothing", "states"]
"""What transitions depend on: at most the step, or the step and mu."""

PLAYER = 0
"""The one whose observations name a node: pyspiel.PlayerId.DEFAULT_PLAYER_ID."""


class NotOnePopulation(ValueError):
    """A game that is not of the form above: says what is other."""


@dataclass(frozen=True)
class Layer:
    """The places of one step."""

    nodes: dict[int, Any]
    """By number, those that can be reached: the first node met there, before its mean field is told."""
    numbers: dict[str, int]
    """By observation string."""
    support: tuple[str, ...]
    """Strings in the order in which `update_distribution` wants their masses."""

    def masses(self, mu: Array) -> list[float]:
        """mu[S] as `update_distribution` wants it."""
        listed = mu.tolist()
        return [listed[self.numbers[key]] if key in self.numbers else 0.0 for key in self.support]

    def rewards(self, mu: Array) -> Array:
        """r[S] of the places; 0 where nobody comes."""
        found, masses = np.zeros(len(mu)), self.masses(mu)
        for s, node in self.nodes.items():
            found[s] = told(node, masses).rewards()[PLAYER]
        return found


@dataclass(frozen=True)
class Tree:
    """A game walked through."""

    spiel: Any
    """The pyspiel.Game."""
    layers: tuple[Layer, ...]
    """Of steps 0..T."""
    initial: Array
    """mu0[S]"""
    mask: NDArray[np.bool_]
    """[S, A]: actions that a state has; all, where it is never reached."""

    @property
    def name(self) -> str:
        """Of the game."""
        return str(self.spiel.get_type().short_name)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(T, S, A), of a policy."""
        S, A = self.mask.shape
        return len(self.layers) - 1, S, A

    def moves(self, t: int, mu: Array) -> Array:
        """P[S, A, S'] at mu[S]; who has no such place or action stays."""
        _, S, A = self.shape
        found, masses = np.repeat(np.eye(S)[:, None], A, 1), self.layers[t].masses(mu)
        for s, node in self.layers[t].nodes.items():
            decision = told(node, masses)
            for action in decision.legal_actions():
                found[s, action] = landings(decision.child(action), self.layers[t + 1].numbers, S)
        return found


def walk(spiel: Any) -> Tree:
    """All places of a pyspiel.Game of one population, met in the order of its NashConv.

    Raises:
        NotOnePopulation: for several, or a game of another form.
    """
    name, roots = spiel.get_type().short_name, spiel.new_initial_states()
    if len(roots) != 1:
        raise NotOnePopulation(f"{name}: {len(roots)} populations; want one")
    met: list[dict[str, Any]] = []
    seen: set[str] = set()
    # depth first; the next child lies on top
    stack = [(roots[0], 0)]
    while stack:
        node, step = stack.pop()
        key = node.observation_string(PLAYER)
        if key in seen:
            continue
        seen.add(key)
        if node.is_chance_node():
            stack += [(node.child(outcome), step) for outcome, _ in reversed(node.chance_outcomes())]
            continue
        if step == len(met):
            met.append({})
        met[step][key] = node
        if node.is_mean_field_node():
            if any(node.rewards()):
                raise NotOnePopulation(f"{name}: mean-field node {key} pays {node.rewards()}; want pay at decisions")
            if not (size := len(node.distribution_support())):
                raise NotOnePopulation(
                    f"{name}: mean-field node {key} is told nothing; want a distribution over places"
                )
            node = node.clone()
            node.update_distribution([1 / size] * size)
        if node.is_player_node():
            stack += [(node.child(action), step + 1) for action in reversed(node.legal_actions())]
        elif not node.is_terminal():
            raise NotOnePopulation(f"{name}: after {key} comes {node}; want a decision or the end")
    layers = tuple(_numbered(name, layer) for layer in met)
    S = 1 + max(max(layer.numbers.values()) for layer in layers)
    return Tree(spiel, layers, landings(roots[0], layers[0].numbers, S), _mask(spiel, layers, S))


def told(node: Any, masses: list[float]) -> Any:
    """What follows a node when the population is told: a decision or the end."""
    if not node.is_mean_field_node():
        return node
    found = node.clone()
    found.update_distribution(masses)
    return found


def landings(node: Any, numbers: dict[str, int], S: int) -> Array:
    """Where chance leads from a node: [S].

    Raises:
        NotOnePopulation: for a place that is not numbered.
    """
    found, ahead = np.zeros(S), [(node, 1.0)]
    while ahead:
        node, mass = ahead.pop()
        if node.is_chance_node():
            ahead += [(node.child(outcome), mass * chance) for outcome, chance in node.chance_outcomes()]
        elif (key := node.observation_string(PLAYER)) in numbers:
            found[numbers[key]] += mass
        else:
            raise NotOnePopulation(f"{key} is met where the walk did not; want places that all populations have")
    return found


def game_from_tree(tree: Tree, *, transitions_see: Sees) -> FiniteMFG:
    """The game that was walked through: its exploitability is OpenSpiel's `NashConv`.

    That transitions see nothing is looked at in one other population, not proven; "states" is always right, and slow.

    Raises:
        NotOnePopulation: for transitions that see more than was said.
        BadKernel, BadPolicy: for chances that are no distributions.
    """

    def reward(t: NDArray[np.int64], mu: Array) -> Array:
        return np.repeat(
            _each(lambda place, one: tree.layers[t[place[-1]]].rewards(one), mu)[..., None], tree.shape[2], -1
        )

    return FiniteMFG(
        name=tree.name,
        horizon=tree.shape[0],
        initial=tree.initial,
        kernel=_kernel(tree, transitions_see),
        reward=reward,
        terminal=lambda mu: _each(lambda place, one: tree.layers[-1].rewards(one), mu),
        action_mask=None if tree.mask.all() else tree.mask,
    )


def policy_from_spiel(tree: Tree, policy: Any) -> Array:
    """A policy of OpenSpiel as pi[T, S, A]: all allowed actions alike where nobody comes.

    Raises:
        BadPolicy: for what is no distribution.
    """
    found = np.broadcast_to(tree.mask / tree.mask.sum(1, keepdims=True), tree.shape).copy()
    for t, s, decision in _decisions(tree):
        found[t, s] = 0.0
        for action, probability in policy.action_probabilities(decision).items():
            found[t, s, action] = probability
    check_simplex(found, tree.shape, f"{tree.name}: the policy")
    return found


def spiel_from_policy(tree: Tree, pi: ArrayLike) -> Any:
    """pi[T, S, A] as an `open_spiel.python.policy.TabularPolicy`."""
    from open_spiel.python.policy import TabularPolicy

    given = np.asarray(pi, float)
    decisions = list(_decisions(tree))
    found = TabularPolicy(tree.spiel, states={d.observation_string(PLAYER): d for _, _, d in decisions})
    for t, s, decision in decisions:
        found.action_probability_array[found.state_index(decision)] = given[t, s]
    return found


def flow_from_distribution(tree: Tree, distribution: Any) -> Array:
    """A distribution of OpenSpiel (`DistributionPolicy`) as a flow mu[T + 1, S]."""
    found = np.zeros((len(tree.layers), tree.shape[1]))
    for t, layer in enumerate(tree.layers):
        for key, s in layer.numbers.items():
            found[t, s] = distribution.value_str(key, 0.0)
    return found


def _decisions(tree: Tree) -> Iterator[tuple[int, int, Any]]:
    """(t, s, the decision node) of all that can be reached."""
    for t, layer in enumerate(tree.layers[:-1]):
        masses = layer.masses(np.full(tree.shape[1], 1 / tree.shape[1]))
        for s, node in layer.nodes.items():
            yield t, s, told(node, masses)


def _kernel(tree: Tree, transitions_see: Sees) -> Kernel:
    T, S, A = tree.shape
    everywhere = np.broadcast_to(np.arange(S), (S, A, S)).copy()
    if transitions_see == "states":
        return moving(everywhere, lambda t, mu: _each(lambda place, one: tree.moves(t, one), mu), tree.initial)
    tables = np.stack([tree.moves(t, np.full(S, 1 / S)) for t in range(T)])
    check_rows(tables)
    other = np.arange(1, S + 1) / (S * (S + 1) / 2)
    for t in range(T):
        if np.abs(tree.moves(t, other) - tables[t]).max() > 1e-12:
            raise NotOnePopulation(
                f"{tree.name}: transitions at t={t} see the population; want transitions_see='states'"
            )
    reached = np.array([[s in layer.nodes for s in range(S)] for layer in tree.layers[:-1]])
    once = tables[reached.argmax(0), np.arange(S)]
    if (tables == once)[reached].all():
        return dense(once)
    return moving(everywhere, lambda t, mu: np.broadcast_to(tables[t], (*mu.shape[:-1], S, A, S)), tree.initial)


def _each(of: Callable[[tuple[int, ...], Array], Array], mu: Array) -> Array:
    """of(place, mu[place]) for all distributions of mu[..., S], stacked."""
    found = [of(place, mu[place]) for place in np.ndindex(mu.shape[:-1])]
    return np.reshape(found, (*mu.shape[:-1], *found[0].shape))


def _numbered(name: str, met: dict[str, Any]) -> Layer:
    """The places of a step as `distribution_support` has them, or, where it has them not, as they were met.

    Raises:
        NotOnePopulation: where places of one step are told of different ones.
    """
    support = tuple(next(iter(met.values())).distribution_support())
    if any(tuple(node.distribution_support()) != support for node in met.values() if node.is_mean_field_node()):
        raise NotOnePopulation(f"{name}: the places of {next(iter(met))} are told different distributions; want one")
    # where no mean-field node comes before a decision, its string lacks the mark of one
    places = {key.replace("_a", ""): i for i, key in enumerate(support)}
    numbers = {key: i for i, key in enumerate(met)}
    if all(key.replace("_a", "") in places for key in met):
        numbers = {key: i for i, key in enumerate(support)} | {key: places[key.replace("_a", "")] for key in met}
    return Layer({numbers[key]: node for key, node in met.items()}, numbers, support)


def _mask(spiel: Any, layers: tuple[Layer, ...], S: int) -> NDArray[np.bool_]:
    """[S, A]; raises NotOnePopulation where actions change with the step."""
    found: dict[int, list[int]] = {}
    for t, layer in enumerate(layers[:-1]):
        masses = layer.masses(np.full(S, 1 / S))
        for s, node in layer.nodes.items():
            actions = told(node, masses).legal_actions()
            if found.setdefault(s, actions) != actions:
                name = spiel.get_type().short_name
                raise NotOnePopulation(f"{name}: state {s} has actions {actions} at t={t}; want {found[s]}, as before")
    mask = np.ones((S, spiel.num_distinct_actions()), bool)
    for s, actions in found.items():
        mask[s] = np.isin(np.arange(mask.shape[1]), actions)
    return mask
