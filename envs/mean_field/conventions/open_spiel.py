"""OpenSpiel 2.0.2: mean-field games from their game trees (`walk`, `walk_all`), and policies both ways.

Rewards are read at decisions, when the mean-field node before has been told the distribution over its step's places;
those of the first step see the game's initial distribution. A state is a place's number in `distribution_support`.

OpenSpiel keeps values by observation strings, which may say less than a node knows: in the crowd games a reward has a
cost of the action *before* it, and what comes to a node first, in order of actions and outcomes, sets it for all.
The walk goes the same way, so that exploitability is `NashConv`, that cost included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from envs.mean_field.checks import check_simplex
from envs.mean_field.conventions.spiel_tree import PLAYER, OtherForm, Tree, alike, told
from envs.mean_field.game import FiniteMFG
from envs.mean_field.kernel import Array, Kernel, check_rows, dense, moving
from envs.mean_field.populations import CoupledMFG, CoupledReward, Population

Sees = Literal["nothing", "states"]
"""What transitions depend on: at most the step, or the step and mu."""


def game_from_tree(tree: Tree, *, transitions_see: Sees) -> FiniteMFG:
    """The game of one population that was walked through: its exploitability is OpenSpiel's `NashConv`.

    That transitions see nothing is looked at in one other population, not proven; "states" is always right, and slow.

    Raises:
        OtherForm: for transitions that see more than was said.
        BadKernel, BadPolicy: for chances that are no distributions.
    """
    T, S, A = tree.shape
    layers = tree.layers

    def reward(t: NDArray[np.int64], mu: Array) -> Array:
        found = _each(lambda at, one: tree.rewards(int(t[at[-1]]), layers[t[at[-1]]].masses(one)), mu)
        return np.repeat(found[..., None], A, -1)

    def law(t: int, mu: Array) -> Array:
        return _each(lambda at, one: tree.moves(t, layers[t].masses(one)), mu)

    def terminal(mu: Array) -> Array:
        return _each(lambda at, one: tree.rewards(T, layers[T].masses(one)), mu)

    return FiniteMFG(
        name=tree.name,
        horizon=T,
        initial=tree.initial,
        kernel=moving(_everywhere(S, A), law, tree.initial) if transitions_see == "states" else _blind(tree),
        reward=reward,
        terminal=terminal,
        action_mask=None if tree.mask.all() else tree.mask,
    )


def game_from_trees(trees: Sequence[Tree]) -> CoupledMFG:
    """The game of several populations "0", "1", ... whose transitions see nothing: its exploitability is `NashConv`.

    Raises:
        OtherForm: for transitions that see a population, or rewards after the last decision.
        BadKernel, BadPolicy: for chances that are no distributions.
    """

    def masses(t: int, mus: Mapping[str, Array], at: tuple[int, ...]) -> list[float]:
        parts = [tree.layers[t].masses(mus[str(tree.population)][at]) for tree in trees]
        return [sum(of) for of in zip(*parts, strict=True)]

    def reward_of(tree: Tree) -> CoupledReward:
        def reward(t: NDArray[np.int64], mus: Mapping[str, Array]) -> Array:
            own = mus[str(tree.population)]
            found = _each(lambda at, one: tree.rewards(int(t[at[-1]]), masses(int(t[at[-1]]), mus, at)), own)
            return np.repeat(found[..., None], tree.shape[2], -1)

        return reward

    for tree in trees:
        if tree.rewards(tree.shape[0], alike(tree.layers[-1])).any():
            raise OtherForm(f"{tree.name}: population {tree.population} is paid after the last decision; want nothing")
    return CoupledMFG(
        name=trees[0].name,
        horizon=trees[0].shape[0],
        populations={
            str(tree.population): Population(
                initial=tree.initial,
                kernel=_blind(tree),
                reward=reward_of(tree),
                action_mask=None if tree.mask.all() else tree.mask,
            )
            for tree in trees
        },
    )


def policy_from_spiel(tree: Tree, policy: Any) -> Array:
    """A policy of OpenSpiel as pi[T, S, A] of a tree's population: all allowed actions alike where nobody comes.

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
    return spiel_from_policies([tree], {str(tree.population): pi})


def spiel_from_policies(trees: Sequence[Tree], pi: Mapping[str, ArrayLike]) -> Any:
    """Policies pi[T, S, A] of populations "0", "1", ... as one `open_spiel.python.policy.TabularPolicy`."""
    from open_spiel.python.policy import TabularPolicy

    rows: dict[str, tuple[Any, Array]] = {}
    for tree in trees:
        given = np.asarray(pi[str(tree.population)], float)
        rows |= {d.observation_string(PLAYER): (d, given[t, s]) for t, s, d in _decisions(tree)}
    found = TabularPolicy(trees[0].spiel, states={key: decision for key, (decision, _) in rows.items()})
    for decision, row in rows.values():
        found.action_probability_array[found.state_index(decision)] = row
    return found


def flow_from_distribution(tree: Tree, distribution: Any) -> Array:
    """A distribution of OpenSpiel (`DistributionPolicy`) as a flow mu[T + 1, S] of a tree's population."""
    found = np.zeros((len(tree.layers), tree.shape[1]))
    for t, layer in enumerate(tree.layers):
        for key, s in layer.numbers.items():
            found[t, s] += distribution.value_str(key, 0.0)
    return found


def _decisions(tree: Tree) -> Iterator[tuple[int, int, Any]]:
    """(t, s, the decision node) of all that can be reached."""
    for t, layer in enumerate(tree.layers[:-1]):
        for s, node in layer.nodes.items():
            yield t, s, told(node, alike(layer))


def _blind(tree: Tree) -> Kernel:
    """Transitions that do not see the population: fixed where they are the same at every step.

    Raises:
        OtherForm: where they do see it.
    """
    T, S, A = tree.shape
    tables = np.stack([tree.moves(t, alike(tree.layers[t])) for t in range(T)])
    check_rows(tables)
    for t in range(T):
        rising = np.arange(1, 1 + len(tree.layers[t].support))
        if np.abs(tree.moves(t, (rising / max(1, rising.sum())).tolist()) - tables[t]).max() > 1e-12:
            raise OtherForm(f"{tree.name}: transitions at t={t} see the population; want transitions_see='states'")
    reached = np.array([[s in layer.nodes for s in range(S)] for layer in tree.layers[:-1]])
    once = tables[reached.argmax(0), np.arange(S)]
    if (tables == once)[reached].all():
        return dense(once)

    def law(t: int, seen: Any) -> Array:
        mu = next(iter(seen.values())) if isinstance(seen, Mapping) else seen
        return np.broadcast_to(tables[t], (*mu.shape[:-1], S, A, S))

    return moving(_everywhere(S, A), law)


def _everywhere(S: int, A: int) -> NDArray[np.int64]:
    """Successors [S, A, S]: all states."""
    return np.broadcast_to(np.arange(S), (S, A, S)).copy()


def _each(of: Callable[[tuple[int, ...], Array], Array], mu: Array) -> Array:
    """of(place, mu[place]) for all distributions of mu[..., S], stacked."""
    found = [of(place, mu[place]) for place in np.ndindex(mu.shape[:-1])]
    return np.reshape(found, (*mu.shape[:-1], *found[0].shape))
