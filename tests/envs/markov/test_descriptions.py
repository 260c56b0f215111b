"""Games from YAML: the named ones written out, and what a file may not say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from envs.markov import BadGame, MarkovGame, coordination, described, read_game, zero_sum

CHASE = """
name: chase
states: [s0, s1, s2, s3, X1, X2, C]
actions: [3, 3]
discount: 0.9
start: s0
transitions:
  s0: {2 2: s2, else: s1}
  s1: {0 0: X1, 1 1: X1, 0 1: X2, 1 0: X2, else: C}
  s2: s3
  s3: s3
  X1: X1
  X2: {X2: 1}
  C: C
rewards: {X1: [1, -1], X2: [-1, 1]}
"""
COIN = """
states: 2
actions: [1, 2]
discount: 0.5
start: [0.25, 0.75]
transitions: {0: {0 0: {0: .5, 1: 5e-1}, 0 1: 1}, 1: 0}
"""


def read(tmp_path: Path, text: str) -> MarkovGame:
    path = tmp_path / "game.yaml"
    path.write_text(text, encoding="utf-8")
    return read_game(path)


def same(one: MarkovGame, two: MarkovGame) -> None:
    for name in ("transitions", "rewards", "start", "discount"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_the_zero_sum_game_by_rules_and_by_arrays(tmp_path: Path) -> None:
    game = read(tmp_path, CHASE)
    same(game, zero_sum())
    assert (game.name, game.state_names[4]) == ("chase", "X1")
    arrays = {
        "states": 7,
        "actions": [3, 3],
        "discount": 0.9,
        "start": game.start.tolist(),
        "transitions": game.transitions.tolist(),
        "rewards": game.rewards.tolist(),
    }
    same(described(arrays), zero_sum())
    same(read(tmp_path, "\n".join(f"{key}: {value}" for key, value in arrays.items())), zero_sum())


def test_a_matrix_game(tmp_path: Path) -> None:
    same(read(tmp_path, "rewards: [[[1, 0], [0, 1]], [[1, 0], [0, 1]]]"), coordination())


def test_chances(tmp_path: Path) -> None:
    game = read(tmp_path, COIN + "rewards: [[1, 2], [3, 4]]")
    np.testing.assert_array_equal(game.transitions[0, 0], [[0.5, 0.5], [0, 1]])
    np.testing.assert_array_equal(game.transitions[1, 0], [[1, 0], [1, 0]])
    np.testing.assert_array_equal(game.rewards[1, 1], [[4, 4]])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "want keys with values, e.g. `rewards:"),
        ("[1, 2]", "want keys with values"),
        ("reward: 1", "unknown key 'reward': did you mean 'rewards'?"),
        ("name: x", "the key rewards is missing; want name, rewards"),
        ("rewards: [[[1]], [[1]]]\nstart: s0", "start is of games with transitions, and there are none"),
        ("rewards: [[[1, 0], [0]], [[1, 0], [0, 1]]]", "rewards are no array of numbers; want rows of equal lengths"),
        ("rewards: [[[.nan]], [[1]]]", "rewards are no array of numbers"),
        ("rewards: [[['1']], [['1']]]", "rewards are no array of numbers"),
        ("rewards: [[[x]], [[1]]]", "rewards are no array of numbers"),
        ("rewards: [[[1]], [[1]]]\nrewards: 1", "line 2: key rewards stands there twice"),
        ("rewards: &a [1]", "line 1: anchors .* are not read"),
        ("rewards: !!python/object:os.system [1]", "line 1: tags are not read"),
        ("rewards: [1", "line 1: "),
        ("? [1]\n: 2", "line 1: a key must be a word"),
        (CHASE.replace("discount: 0.9", ""), "the key discount is missing; want name, states"),
        (CHASE.replace("0.9", "1"), "discount is 1; want a number 0 or more, below 1"),
        (CHASE.replace("0.9", "high"), "discount is 'high'; want a number"),
        (CHASE.replace("start: s0", "start: s9"), "start: unknown state 's9': known are C, X1, X2, s0"),
        (CHASE.replace("start: s0", "start: [1, 1]"), r"start has shape \(2,\); want \(7,\)"),
        (CHASE.replace("start: s0", "start: {s0: 0.5}"), "start sums to 0.5; want a distribution"),
        (CHASE.replace("actions: [3, 3]", "actions: 3"), "actions is 3; want how many each agent has"),
        (CHASE.replace("actions: [3, 3]", "actions: [3]"), r"actions is \[3\]; want how many each agent has"),
        (CHASE.replace("actions: [3, 3]", f"actions: {[1] * 70}"), "of at most 16"),
        ("rewards: [1, 2]", r"rewards have shape \(2,\); want \[n, A_1, .., A_n\] of n = 2"),
        (CHASE.replace("X2, C]", "X2, X2]"), "states is .*; want how many, or different words"),
        (CHASE.replace("  C: C\n", ""), "transitions: nothing is said of C; want where play goes"),
        (CHASE.replace("  C: C\n", "  C: c\n"), "transitions of C: unknown state 'c': did you mean 'C'"),
        (CHASE.replace("  C: C\n", "  C: C\n  D: C\n"), "transitions: unknown state 'D'"),
        (CHASE.replace("  C: C\n", "  C: {C: -1, s0: 2}\n"), "transitions of C holds -1; want a distribution"),
        (CHASE.replace("  C: C\n", "  C: {C: yes}\n"), "transitions of C: the probability of C is 'yes'"),
        (CHASE.replace("{2 2: s2, else: s1}", "{2 2: s2}"), "transitions of s0: nothing is said of joint action 0 0"),
        (CHASE.replace("2 2: s2", "2 3: s2"), r"transitions of s0: joint action '2 3'; agents have \[3, 3\] actions"),
        (CHASE.replace("2 2: s2", "2 a: s2"), "transitions of s0: '2 a' is no joint action; want 2 numbers"),
        (CHASE.replace("X2: [-1, 1]", "X2: [-1]"), r"rewards of X2 are \[-1\]; want a list of 2"),
        (CHASE.replace("X2: [-1, 1]", "X3: [-1, 1]"), "rewards: unknown state 'X3'"),
        (CHASE.replace("states: [s0, s1, s2, s3, X1, X2, C]", "states: 3000"), "more than 10000000 probabilities"),
        (CHASE.replace("name: chase", "name: [1]"), r"name is \[1\]; want a word"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(BadGame, match=told) as refused:
        read(tmp_path, text)
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith(str(tmp_path / "game.yaml"))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(BadGame, match=r"none\.yaml: there is no such file in "):
        read_game(tmp_path / "none.yaml")
    with pytest.raises(BadGame, match="cannot be read"):
        read_game(tmp_path)
    (tmp_path / "bytes.yaml").write_bytes(b"rewards: \xff")
    with pytest.raises(BadGame, match="byte 9 is not UTF-8 text"):
        read_game(tmp_path / "bytes.yaml")
    with pytest.raises(BadGame, match="nested deeper than 20 levels"):
        read(tmp_path, "rewards: " + "[" * 30)
