"""Rows of audits of each kind of game: names of the places in which agents decide, and how much each counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.noise_histories import paths, told
from envs.mean_field.common_noise import CommonNoiseMFG
from envs.mean_field.game import FiniteMFG
from envs.mean_field.graphon import GraphonMFG
from envs.mean_field.stacked import StackedMFG
from envs.mean_field.stationary import StationaryMFG


@dataclass(frozen=True)
class Rows:
    """Names of all places, in the order of a policy's rows, and their weights in the exploitability.

    By the performance difference lemma (Kakade and Langford 2002) the exploitability is the sum over places of
    weight mu (V* - E_pi Q*): weight mu is how often, discounted and over the noise, an agent comes to decide there.
    """

    names: Mapping[str, NDArray[Any]]
    """Column -> [P]"""
    weight: NDArray[np.float64]
    """[P]"""


def of_steps(game: FiniteMFG) -> Rows:
    """Steps and states."""
    T, S, _ = game.shape
    t, state = np.divmod(np.arange(T * S), S)
    return Rows({"t": t, "state": state}, np.ones(T * S))


def of_places(game: GraphonMFG) -> Rows:
    """Steps, places of the graphon, and states at each."""
    T, S, _ = game.shape
    t, row = np.divmod(np.arange(T * S), S)
    place, state = np.divmod(row, game.plain.num_states)
    return Rows({"t": t, "place": place, "state": state}, np.ones(T * S))


def of_populations(game: StackedMFG) -> Rows:
    """Steps, populations and the states of each."""
    T, S, _ = game.shape
    sizes = {name: population.shape[0] for name, population in game.game.populations.items()}
    names = {
        "t": np.repeat(np.arange(T), S),
        "population": np.tile(np.repeat(list(sizes), list(sizes.values())), T),
        "state": np.tile(np.concatenate([np.arange(size) for size in sizes.values()]), T),
    }
    return Rows(names, np.ones(T * S))


def of_rest(game: StationaryMFG) -> Rows:
    """States: the population stays, so that an agent comes to each discounted 1 / (1 - discount) times its mass."""
    return Rows({"state": np.arange(game.num_states)}, np.full(game.num_states, 1 / (1 - game.discount)))


def of_histories(game: CommonNoiseMFG) -> Rows:
    """Steps, histories of the noise by their row in a policy and in words, their probability, and states."""
    tree, (N, S, _) = game.tree, game.shape
    columns = {
        "t": tree.step,
        "history": np.arange(N),
        "noise": np.array([told(z) for z in paths(tree)]),
        "probability": tree.probability,
    }
    names = {name: np.repeat(column, S) for name, column in columns.items()}
    return Rows(names | {"state": np.tile(np.arange(S), N)}, np.repeat(tree.probability, S))
