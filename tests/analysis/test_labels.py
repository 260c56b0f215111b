"""Names of runs: two that differ in more than the seed never share one."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest

from analysis.labels import labels
from mfmarl.config import TrainConfig
from mfmarl.settings_in_use import settings_in_use


def config(**changes: Any) -> TrainConfig:
    return TrainConfig.model_validate({"seed": 1} | changes)


VARIANTS: dict[str, dict[str, Any]] = {
    "is": {},
    "mf": {"method": "mf"},
    "fresh": {"method": "fresh"},
    "is+fresh": {"method": "is+fresh"},
    "is marginal": {"importance": {"estimator": "marginal"}},
    "is gaussian": {"importance": {"estimator": "gaussian"}},
    "is on both": {"importance": {"acts_on": "both"}},
    "is mixture on bootstrap": {"importance": {"estimator": "mixture", "acts_on": "bootstrap"}},
    "ppo": {"algorithm": "ppo"},
}


def test_a_method_says_estimator_and_what_weights_act_on() -> None:
    assert labels([config(**changes) for changes in VARIANTS.values()]) == list(VARIANTS)
    assert [config(**changes).label for changes in VARIANTS.values()] == list(VARIANTS)
    # settings of a correction that a method does not have are not its own
    assert labels([config(method="mf", importance={"estimator": "marginal", "clip": 3.0})]) == ["mf"]


def test_the_algorithm_is_said_where_the_runs_differ_in_it() -> None:
    q, actors = config(), config(algorithm="mfac", importance={"estimator": "joint"})
    assert labels([q, actors, config(algorithm="dqn")]) == ["mfq is", "mfac is", "dqn"]
    assert labels([actors, actors]) == ["is", "is"]
    assert actors.label == "mfac is"


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ({}, {"importance": {"clip": 5.0}}, ["is", "is clip=5.0"]),
        ({"method": "mf"}, {"method": "mf", "mfq": {"double_q": True}}, ["mf", "mf double_q=True"]),
        ({"sharing": "all"}, {"num_envs": 9}, ["is sharing=all", "is num_envs=9"]),
        ({"env_options": {"split": "train"}}, {}, ["is split=train", "is"]),
        ({"num_env_runners": 2}, {}, ["is num_env_runners=2", "is"]),
        (
            {"mfq": {"learning_rate": 0.01, "learning_rate_end": 0.002}},
            {"mfq": {"learning_rate": 0.01}},
            ["is learning_rate_end=0.002", "is"],
        ),
        (
            {"method": "fresh", "importance": {"fresh_samples": 4}},
            {"method": "fresh"},
            ["fresh fresh_samples=4", "fresh"],
        ),
        (
            {"importance": {"estimator": "gaussian", "bandwidth": 0.1}},
            {"importance": {"estimator": "gaussian"}},
            ["is gaussian bandwidth=0.1", "is gaussian"],
        ),
    ],
)  # fmt: skip
def test_settings_tell_runs_of_one_method_apart(
    first: dict[str, Any], second: dict[str, Any], told: list[str]
) -> None:
    assert labels([config(**first), config(**second)]) == told
    # whoever else is compared
    assert labels([config(**first), config(**second), config(method="independent")])[:2] == told


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 7}, {"checkpoint_every": 3}, {"num_env_runners": 1}, {"num_learners": 1},
        {"importance": {"fresh_samples": 4}}, {"importance": {"bandwidth": 0.5}}, {"mfac": {"clip": 0.3}},
        {"ppo": {"discount": 0.9}},
    ],
)  # fmt: skip
def test_what_changes_no_result_is_not_told(changes: dict[str, Any]) -> None:
    assert labels([config(), config(**changes)]) == ["is", "is"]


def test_different_methods_never_share_a_name() -> None:
    """Every pair of runs that differ in one or two settings, all compared at once."""
    single: list[dict[str, Any]] = [
        {"method": "mf"}, {"algorithm": "mfac"}, {"sharing": "agent"}, {"reward": "mean"}, {"mean_action": "scalar"},
        {"num_envs": 4}, {"fragment_length": 5}, {"importance": {"temper": 0.5}}, {"importance": {"pareto": True}},
        {"importance": {"ess_floor": 0.2}}, {"importance": {"self_normalise": False}},
        {"importance": {"acts_on": "both"}}, {"importance": {"estimator": "mixture"}}, {"mfq": {"hidden": [8]}},
    ]  # fmt: skip
    configs = [config(**one) for one in [{}, *single, *(a | b for a, b in combinations(single, 2))]]
    names = labels(configs)
    for (name, first), (other, second) in combinations(zip(names, configs, strict=True), 2):
        same = first.algorithm == second.algorithm and settings_in_use(first) == settings_in_use(second)
        assert (name == other) == same, (name, other)
