"""Whole episodes as a tidy table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import envs
from envs.inventory.ledger import TERMS, UNITS
from envs.inventory.ledger_frame import KEYS, EpisodeRecorder, record, write_frame
from envs.population import Step


def game(copies: int = 2, **options: object) -> envs.PopulationEnv:
    return envs.make("inventory/market-easy", num_envs=copies, num_agents=4, seed=0, horizon=3, **options)


def fours(_: Step) -> np.ndarray:
    return np.full((2, 4), 4)


def test_a_row_for_every_copy_period_and_agent() -> None:
    env, again = game(), game()
    frame = record(env, fours, 4, seed=5)
    assert list(frame.columns) == [*KEYS, *TERMS, *UNITS, "reward"]
    assert len(frame) == 2 * 2 * 3 * 4
    assert frame["copy"].tolist() == [0] * 24 + [1] * 24
    assert frame["episode"].tolist() == ([0] * 12 + [1] * 12) * 2
    assert frame["period"].tolist() == ([1] * 4 + [2] * 4 + [3] * 4) * 4
    assert frame["agent"].tolist() == list(env.agent_names) * 12  # type: ignore[attr-defined]
    assert frame["type"].tolist()[:4] == ["convenience", "supermarket", "supermarket", "discounter"]
    again.reset(5)
    for episode in range(2):
        for period in (1, 2, 3):
            step = again.step(np.full((2, 4), 4))
            for copy in range(2):
                here = frame[(frame[["copy", "episode", "period"]] == [copy, episode, period]).all(axis=1)]
                np.testing.assert_array_equal(here["received"], step.metrics["received"][copy])
                np.testing.assert_array_equal(here["ledger/sales_revenue"], step.metrics["ledger/sales_revenue"][copy])
                np.testing.assert_array_equal(here["reward"], step.reward[copy])
    np.testing.assert_allclose(frame[list(TERMS)].sum(axis=1), frame["reward"], rtol=1e-5, atol=1e-3)


def test_episodes_beyond_those_wanted_are_left_out() -> None:
    frame = record(game(), fours, 3, seed=0)
    assert sorted(set(zip(frame["copy"], frame["episode"], strict=True))) == [(0, 0), (0, 1), (1, 0)]
    assert len(frame) == 3 * 3 * 4


def test_copies_that_end_apart_are_counted_apart() -> None:
    env = game()
    step = env.step(np.full((2, 4), 4))
    recorder = EpisodeRecorder(env)
    for ended in ([True, False], [False, False], [True, True], [False, False]):
        recorder.add(replace(step, truncated=np.array(ended)))
    assert recorder.ended == [(0, 0), (0, 1), (1, 0)]
    frame = recorder.to_frame()
    one = frame[frame["agent"] == "discounter_3"]
    assert one[["copy", "episode", "period"]].to_numpy().tolist() == [
        [0, 0, 1], [0, 1, 1], [0, 1, 2], [0, 2, 1],
        [1, 0, 1], [1, 0, 2], [1, 0, 3], [1, 1, 1],
    ]  # fmt: skip
    kept = recorder.to_frame([(0, 1)])
    assert (len(kept), set(kept["episode"]), set(kept["copy"])) == (8, {1}, {0})


def test_before_the_first_step_there_are_no_rows() -> None:
    assert list(EpisodeRecorder(game()).to_frame().columns) == list(KEYS)


@pytest.mark.parametrize("name", ["play.parquet", "play.csv"])
def test_files_hold_the_table(tmp_path: Path, name: str) -> None:
    frame = record(game(), fours, 2, seed=1)
    path = tmp_path / name
    write_frame(frame, path)
    read = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    pd.testing.assert_frame_equal(read, frame, check_dtype=path.suffix == ".parquet", check_categorical=False)
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_a_network_is_recorded_too() -> None:
    env = envs.make("inventory/network-30", seed=0, horizon=5)
    frame = record(env, lambda _: np.full((1, 30), 4), 1)
    assert len(frame) == 5 * 30
    assert "slipped" in frame
    terms = [name for name in frame if name.startswith("ledger/")]
    np.testing.assert_allclose(frame[terms].sum(axis=1), frame["reward"], rtol=1e-5, atol=1e-3)


def test_refusals(tmp_path: Path) -> None:
    env = game()
    with pytest.raises(ValueError, match="episodes is 0; at least one is played"):
        record(env, fours, 0)
    recorder = EpisodeRecorder(env)
    step = env.step(np.full((2, 4), 4))
    with pytest.raises(ValueError, match=r"rewards have shape \(1, 4\); this recorder is of \(2, 4\)"):
        recorder.add(replace(step, reward=step.reward[:1]))
    recorder.add(step)
    with pytest.raises(ValueError, match=r"different metrics: .*stock.* only in some"):
        recorder.add(replace(step, metrics={}))
    with pytest.raises(ValueError, match=r"play\.txt: want a name that ends in \.parquet or \.csv"):
        write_frame(recorder.to_frame(), tmp_path / "play.txt")
