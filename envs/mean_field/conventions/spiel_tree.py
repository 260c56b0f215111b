"""The game trees of an OpenSpiel mean-field game, one for each population, walked once: their places at every step.

A path is chance, decision, chance, mean-field node, decision, and so on; a place of step t is what stands before its
decision, a mean-field node but at the first step. Nodes are named by their observation strings, and of those with one
string the first met stands for all, in the order in which OpenSpiel's `NashConv` meets them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.mean_field.kernel import Array

PLAYER = 0
"""The one whose observations name a node: pyspiel.PlayerId.DEFAULT_PLAYER_ID."""


class OtherForm(ValueError):
    """A game that is not of the form above: says what is other."""


@dataclass(frozen=True)
class Layer:
    """The places of one step."""

    nodes: dict[int, Any]
    """By number, those that can be reached: the first node met there, before its mean field is told."""
    numbers: dict[str, int]
    """By observation string."""
    support: tuple[str, ...]
    """Strings of the places of all populations, in the order in which `update_distribution` wants their masses."""

    def masses(self, mu: Array) -> list[float]:
        """mu[S] over the support; 0 for other populations."""
        listed = mu.tolist()
        return [listed[self.numbers[key]] if key in self.numbers else 0.0 for key in self.support]


@dataclass(frozen=True)
class Tree:
    """What one population can come to."""

    spiel: Any
    """The pyspiel.Game."""
    population: int
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

    def rewards(self, t: int, masses: list[float]) -> Array:
        """r[S] of the places of step t when the population is so; 0 where nobody comes."""
        found = np.zeros(self.shape[1])
        for s, node in self.layers[t].nodes.items():
            found[s] = told(node, masses).rewards()[self.population]
        return found

    def moves(self, t: int, masses: list[float]) -> Array:
        """P[S, A, S'] of step t when the population is so; who has no such place or action stays."""
        _, S, A = self.shape
        found = np.repeat(np.eye(S)[:, None], A, 1)
        for s, node in self.layers[t].nodes.items():
            decision = told(node, masses)
            for action in decision.legal_actions():
                found[s, action] = landings(decision.child(action), self.layers[t + 1].numbers, S)
        return found


def walk(spiel: Any) -> Tree:
    """The tree of a pyspiel.Game of one population.

    Raises:
        OtherForm: for several, or a game of another form.
    """
    roots = spiel.new_initial_states()
    if len(roots) != 1:
        raise OtherForm(f"{spiel.get_type().short_name}: {len(roots)} populations; want one, or walk_all")
    return _walk(spiel, 0, roots[0])


def walk_all(spiel: Any) -> tuple[Tree, ...]:
    """The trees of all populations of a pyspiel.Game.

    A population's states are the places that it can reach, in the order of `distribution_support`.

    Raises:
        OtherForm: for a game of another form.
    """
    return tuple(_walk(spiel, k, root) for k, root in enumerate(spiel.new_initial_states()))


def _walk(spiel: Any, population: int, root: Any) -> Tree:
    name = spiel.get_type().short_name
    met: list[dict[str, Any]] = []
    seen: set[str] = set()
    # depth first; the next child lies on top
    stack = [(root, 0)]
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
                raise OtherForm(f"{name}: mean-field node {key} pays {node.rewards()}; want pay at decisions")
            if not (size := len(node.distribution_support())):
                raise OtherForm(f"{name}: mean-field node {key} is told nothing; want a distribution over places")
            node = told(node, [1 / size] * size)
        if node.is_player_node():
            stack += [(node.child(action), step + 1) for action in reversed(node.legal_actions())]
        elif not node.is_terminal():
            raise OtherForm(f"{name}: after {key} comes {node}; want a decision or the end")
    layers = _numbered(name, met, several=spiel.num_players() > 1)
    S = 1 + max(max(layer.numbers.values()) for layer in layers)
    return Tree(spiel, population, layers, landings(root, layers[0].numbers, S), _mask(spiel, layers, S))


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
        OtherForm: for a place that is not numbered.
    """
    found, ahead = np.zeros(S), [(node, 1.0)]
    while ahead:
        node, mass = ahead.pop()
        if node.is_chance_node():
            ahead += [(node.child(outcome), mass * chance) for outcome, chance in node.chance_outcomes()]
        elif (key := node.observation_string(PLAYER)) in numbers:
            found[numbers[key]] += mass
        else:
            raise OtherForm(f"{key} is met where the walk did not; want places that all populations have")
    return found


def _numbered(name: str, met: list[dict[str, Any]], several: bool) -> tuple[Layer, ...]:
    """The places of all steps as `distribution_support` has them, or, where it has them not, as they were met.

    Raises:
        OtherForm: where places of one step are told of different ones.
    """
    supports = [tuple(next(iter(layer.values())).distribution_support()) for layer in met]
    for layer, support in zip(met, supports, strict=True):
        if any(tuple(node.distribution_support()) != support for node in layer.values() if node.is_mean_field_node()):
            raise OtherForm(f"{name}: the places of {next(iter(layer))} are told different distributions; want one")
    # where no mean-field node comes before a decision, its string lacks the mark of one
    places = [{_bare(key): i for i, key in enumerate(support)} for support in supports]
    reached = {
        place[_bare(key)] for layer, place in zip(met, places, strict=True) for key in layer if _bare(key) in place
    }
    among = sorted(reached) if several else range(max(map(len, supports)))
    rank = {place: number for number, place in enumerate(among)}
    layers = []
    for layer, support, place in zip(met, supports, places, strict=True):
        numbers = {key: i for i, key in enumerate(layer)}
        if all(_bare(key) in place for key in layer):
            numbers = {key: rank[i] for i, key in enumerate(support) if i in rank}
            numbers |= {key: rank[place[_bare(key)]] for key in layer}
        layers.append(Layer({numbers[key]: node for key, node in layer.items()}, numbers, support))
    return tuple(layers)


def _bare(key: str) -> str:
    return key.replace("_a", "")


def _mask(spiel: Any, layers: tuple[Layer, ...], S: int) -> NDArray[np.bool_]:
    """[S, A]; raises OtherForm where actions change with the step."""
    found: dict[int, list[int]] = {}
    for t, layer in enumerate(layers[:-1]):
        for s, node in layer.nodes.items():
            actions = told(node, alike(layer)).legal_actions()
            if found.setdefault(s, actions) != actions:
                name = spiel.get_type().short_name
                raise OtherForm(f"{name}: state {s} has actions {actions} at t={t}; want {found[s]}, as before")
    mask = np.ones((S, spiel.num_distinct_actions()), bool)
    for s, actions in found.items():
        mask[s] = np.isin(np.arange(mask.shape[1]), actions)
    return mask


def alike(layer: Layer) -> list[float]:
    """The same mass at all places."""
    return [1 / max(1, len(layer.support))] * len(layer.support)
