"""Search files: what the space is, and one line for every mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from mfmarl.config import config_hash
from mfmarl.errors import UserError
from mfmarl.launch.search_config import Choices, Floats, Integers, Search, read_search
from mfmarl.launch.search_game import check_game
from mfmarl.launch.trials import found_trials, score_of
from mfmarl.launch.work import Job, do_cell

SEARCH = """
name: tiny
base:
  env: games/cournot
  num_agents: 4
  num_episodes: 8
  num_envs: 2
  fragment_length: 4
  checkpoint_every: 4
  mfq: {replay_population_steps: 64, warmup_population_steps: 16}
space:
  mfq.learning_rate: {low: 1e-4, high: 1e-2, log: true}
  mfq.hidden: [[8], [8, 8]]
trials: 4
seeds: [1, 2]
evaluation: {episodes: 2}
"""


def search_in(folder: Path, text: str = SEARCH) -> Search:
    (folder / "s.yaml").write_text(text)
    return read_search(folder / "s.yaml")


def space(folder: Path, lines: str) -> dict[str, object]:
    text = SEARCH[: SEARCH.index("  mfq.learning")] + lines + SEARCH[SEARCH.index("trials:") :]
    return dict(search_in(folder, text).space)


def test_ranges_and_choices(tmp_path: Path) -> None:
    found = dict(search_in(tmp_path).space)
    assert found == {"mfq.learning_rate": Floats(1e-4, 1e-2, True), "mfq.hidden": Choices(([8], [8, 8]))}
    found = space(tmp_path, "  mfq.batch_population_steps: {low: 2, high: 9, step: 3}\n")
    assert found == {"mfq.batch_population_steps": Integers(2, 9, 3, False)}
    steps = found["mfq.batch_population_steps"]
    assert isinstance(steps, Integers)
    assert [n for n in range(12) if steps.has(n)] == [2, 5, 8]
    assert steps.ends == (2, 8)
    # a decimal number by its own type, however its ends are written
    assert space(tmp_path, "  importance.clip: {low: 2, high: 9}\n") == {"importance.clip": Floats(2.0, 9.0, False)}


def test_choices_are_as_runs_keep_them(tmp_path: Path) -> None:
    found = space(tmp_path, "  mfq.temperature_start: [1, 2]\n")["mfq.temperature_start"]
    assert repr(found) == "Choices(values=(1.0, 2.0))"
    with pytest.raises(UserError, match=r"got \[1.0, 1.0\]; want choices, each once"):
        space(tmp_path, "  mfq.temperature_start: [1, 1.0]\n")


@pytest.mark.parametrize(
    ("key", "choices"),
    [("mfq.temperature_start", "[1, 2]"), ("mfac.value_clip", "[5, null]"), ("mfq.hidden", "[[8], [8, 8]]")],
)
def test_every_choice_is_known_again_in_the_folder(tmp_path: Path, key: str, choices: str) -> None:
    text = SEARCH[: SEARCH.index("  mfq.learning")] + f"  {key}: {choices}\ntrials: 2\nevaluation: {{episodes: 2}}\n"
    search = search_in(tmp_path, text.replace("cournot", "coordination"))
    made = {}
    for value in search.space[key].ends:
        config = search.run_config({key: value}, 1)
        job = Job(str(tmp_path), config_hash(config), config.model_dump(mode="json"), 2)
        assert do_cell(job).kind == "done"
        made[repr(value)] = score_of(tmp_path / job.digest, "return")
    again = search_in(tmp_path, text.replace("cournot", "coordination"))
    assert {repr(trial.point[key]): trial.score for trial in found_trials(again, tmp_path)} == made


def test_a_point_makes_the_configuration_of_a_run(tmp_path: Path) -> None:
    search = search_in(tmp_path)
    config = search.run_config({"mfq.learning_rate": 0.002, "mfq.hidden": [8, 8]}, 2)
    assert (config.seed, config.mfq.learning_rate, config.mfq.hidden) == (2, 0.002, (8, 8))
    assert (config.num_agents, config.mfq.replay_population_steps) == (4, 64)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("low: 1e-4", "low: 1e-1"), "line 12: space.mfq.learning_rate: low 0.1 is not less than high 0.01"),
        (("low: 1e-4", "low: 0.0"), "line 12: space.mfq.learning_rate: low 0.0 has no logarithm"),
        (("high: 1e-2", "high: 50"), "line 12: mfq.learning_rate: got 50.0; want at most 1"),
        (("log: true", "step: 2"), "step is of whole numbers; leave it out"),
        (("log: true", "lag: true"), "want {low: 1e-4, high: 1e-2, log: true}, {low: 1, high: 9, step: 2}, or a list"),
        (("mfq.learning_rate", "mfq.learning_rat"), "there is no such key; did you mean 'mfq.learning_rate'?"),
        (("[[8], [8, 8]]", "[[8], [8]]"), "line 13: space.mfq.hidden: got [[8], [8]]; want choices, each once"),
        (("[[8], [8, 8]]", "[[8], [none]]"), "line 13: mfq.hidden.0: got "),
        (("seeds: [1, 2]", "seeds: [1, 1]"), "line 15: seeds: got [1, 1]; want whole numbers of 0 or more, each once"),
        (("seeds: [1, 2]", "seeds: []"), "line 15: seeds: got []; want at least 1 of them"),
        (("trials: 4", "trials: 0"), "line 14: trials: got 0; want at least 1"),
        (("  num_agents: 4", "  num_agents: 4\n  seed: 3"), "line 6: base has no seed here; give seeds: [3]"),
        (("mfq: {replay", "mfq: {hidden: [4], replay"), "line 13: mfq.hidden is in base too ("),
        (("mfq.hidden: [[8], [8, 8]]", "mfq.discount: [0.9, 0.99]"), "scores do not compare; take metric: profit"),
        (("trials: 4", "trails: 4"), "unknown key trails; did you mean 'trials'?"),
        (("trials: 4", "mode: best"), "line 14: mode: got \"best\"; want 'max' or 'min'"),
        (("  mfq.hidden", "  seed: [1, 2]\n  mfq.hidden"), "line 13: space.seed: a seed is no setting; give seeds:"),
    ],
)
def test_a_bad_search_file_is_told_in_one_line(tmp_path: Path, change: tuple[str, str], told: str) -> None:
    assert change[0] in SEARCH
    with pytest.raises(UserError) as error:
        search_in(tmp_path, SEARCH.replace(*change))
    assert told in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("trials: 4", "metric: profits"), "got 'profits'; games/cournot is measured by return, profit; did"),
        (("{episodes: 2}", "{episodes: 2, split: train}"), "split"),
        (("games/cournot", "games/cournut"), "cournut"),
    ],
)
def test_a_game_that_cannot_be_scored_is_told_before_the_first_trial(
    tmp_path: Path, change: tuple[str, str], told: str
) -> None:
    with pytest.raises(UserError) as error:
        check_game(search_in(tmp_path, SEARCH.replace(*change)))
    assert told in str(error.value)
    check_game(search_in(tmp_path))
