"""Games from plain data, as a YAML file or a JSON reply holds it: arrays, or rules by the names of states."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from envs import UnknownName
from envs.markov.checks import Array, BadGame, check_rows, numbers
from envs.markov.game import MarkovGame
from envs.markov.games import one_step

ONE_STEP = ("name", "rewards")
ENDLESS = ("name", "states", "actions", "discount", "start", "transitions", "rewards")
LARGEST = 10_000_000
"""Numbers in the transitions."""
MOST_AGENTS = 16
_WORD = re.compile(r"[A-Za-z0-9_-]{1,64}")


def described(data: Mapping[str, Any], source: str = "game") -> MarkovGame:
    """A game from keys and values.

    Without `transitions` it has one state and one step, and `rewards` are [n, A_1, .., A_n]. With them it also has
    `states` (names, or how many), `actions` (how many each agent has, in a list), `discount` and `start` (a state, or
    probabilities). `transitions` are an array [S, A_1, .., A_n, S], or rules: for each state where play goes, a state
    or `{state: probability}`, or `{"0 1": where, else: where}` by joint actions. `rewards` are an array
    [n, S, A_1, .., A_n] or [n, S], or `{state: [one for each agent]}`, 0 for states that are not there.

    Raises:
        BadGame: for a key that there is not or that is missing, with the nearest one, and for what it cannot be.
    """
    try:
        return _built(data)
    except BadGame as error:
        raise BadGame(f"{source}: {error}") from None


def _built(data: Mapping[str, Any]) -> MarkovGame:
    known = ENDLESS if "transitions" in data else ONE_STEP
    for key in data:
        if key not in ENDLESS:
            raise BadGame(f"{UnknownName('key', str(key), list(ENDLESS))}")
        if key not in known:
            raise BadGame(f"{key} is of games with transitions, and there are none; give them, or leave it out")
    for key in known:
        if key not in data and key != "name":
            raise BadGame(f"the key {key} is missing; want {', '.join(known)}")
    name = data.get("name", "game")
    if not isinstance(name, str) or not name.strip() or "\n" in name:
        raise BadGame(f"name is {name!r}; want a word")
    if known is ONE_STEP:
        return one_step(numbers(data["rewards"], "rewards", BadGame), name)
    states, actions = _states(data["states"]), _actions(data["actions"])
    if len(states) ** 2 * int(np.prod(actions, dtype=float)) > LARGEST:
        raise BadGame(f"{len(states)} states and actions {actions} make more than {LARGEST} probabilities")
    return MarkovGame(
        transitions=_transitions(data["transitions"], states, actions),
        rewards=_rewards(data["rewards"], states, len(actions)),
        start=_start(data["start"], states, "start"),
        discount=_discount(data["discount"]),
        name=name,
        state_names=states,
    )


def _states(given: Any) -> tuple[str, ...]:
    if isinstance(given, int) and not isinstance(given, bool) and 1 <= given <= LARGEST**0.5:
        return tuple(map(str, range(given)))
    names = tuple(map(str, given)) if isinstance(given, list | tuple) else ()
    if not names or len(set(names)) != len(names) or not all(_WORD.fullmatch(s) and s != "else" for s in names):
        raise BadGame(f"states is {given!r}; want how many, or different words without spaces, not `else`")
    return names


def _actions(given: Any) -> tuple[int, ...]:
    fine = isinstance(given, list | tuple) and 2 <= len(given) <= MOST_AGENTS
    if not fine or not all(isinstance(a, int) and not isinstance(a, bool) and a >= 1 for a in given):
        raise BadGame(
            f"actions is {given!r}; want how many each agent has, e.g. [3, 3] of two agents, of at most {MOST_AGENTS}"
        )
    return tuple(given)


def _discount(given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise BadGame(f"discount is {given!r}; want a number 0 or more, below 1")
    return given


def _start(given: Any, states: tuple[str, ...], what: str) -> Array:
    return numbers(given, what, BadGame) if isinstance(given, list | tuple) else _somewhere(given, states, what)


def _transitions(given: Any, states: tuple[str, ...], actions: tuple[int, ...]) -> Array:
    what = "transitions"
    if not isinstance(given, Mapping):
        found = numbers(given, what, BadGame)
        wanted = (len(states), *actions, len(states))
        if found.shape != wanted:
            raise BadGame(f"{what} have shape {found.shape}; want {wanted}")
        return found
    for state in given:
        _index(str(state), states, what)
    rules = {str(state): rule for state, rule in given.items()}
    found = np.empty((len(states), *actions, len(states)))
    for s, state in enumerate(states):
        if state not in rules:
            raise BadGame(f"{what}: nothing is said of {state}; want where play goes from there")
        rule = rules[state]
        if isinstance(rule, Mapping) and any(key == "else" or " " in str(key) for key in rule):
            _fill(found[s], rule, states, actions, f"{what} of {state}")
        else:
            found[s] = _somewhere(rule, states, f"{what} of {state}")
    return found


def _fill(rows: Array, rule: Mapping[str, Any], states: tuple[str, ...], actions: tuple[int, ...], what: str) -> None:
    """Rows [A_1, .., A_n, S] of a state by rules of joint actions."""
    told = np.zeros(actions, bool)
    if "else" in rule:
        rows[...] = _somewhere(rule["else"], states, f"{what}, else")
        told[...] = True
    for key, where in rule.items():
        if key == "else":
            continue
        words = str(key).split()
        if not all(re.fullmatch(r"[0-9]{1,9}", word) for word in words) or len(words) != len(actions):
            raise BadGame(f"{what}: {key!r} is no joint action; want {len(actions)} numbers with spaces, or else")
        joint = tuple(map(int, words))
        if any(a >= most for a, most in zip(joint, actions, strict=True)):
            raise BadGame(f"{what}: joint action {key!r}; agents have {list(actions)} actions, numbered from 0")
        rows[joint] = _somewhere(where, states, f"{what}, {key}")
        told[joint] = True
    if not told.all():
        left = " ".join(str(int(a)) for a in np.argwhere(~told)[0])
        raise BadGame(f"{what}: nothing is said of joint action {left}; add it, or `else`")


def _somewhere(given: Any, states: tuple[str, ...], what: str) -> Array:
    """Probabilities [S] of a state, or of {state: probability}."""
    row = np.zeros(len(states))
    if not isinstance(given, Mapping):
        row[_index(str(given), states, what)] = 1
        return row
    for state, share in given.items():
        if isinstance(share, bool) or not isinstance(share, int | float):
            raise BadGame(f"{what}: the probability of {state} is {share!r}; want a number")
        row[_index(str(state), states, what)] = share
    check_rows(row, what, BadGame)
    return row


def _rewards(given: Any, states: tuple[str, ...], agents: int) -> Array:
    what = "rewards"
    if not isinstance(given, Mapping):
        return numbers(given, what, BadGame)
    found = np.zeros((agents, len(states)))
    for state, each in given.items():
        row = numbers(each, f"{what} of {state}", BadGame)
        if row.shape != (agents,):
            raise BadGame(f"{what} of {state} are {each!r}; want a list of {agents}, one for each agent")
        found[:, _index(str(state), states, what)] = row
    return found


def _index(name: str, states: tuple[str, ...], what: str) -> int:
    if name not in states:
        raise BadGame(f"{what}: {UnknownName('state', name, list(states))}")
    return states.index(name)
