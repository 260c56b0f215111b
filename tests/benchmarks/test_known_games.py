"""One-shot games are learned by the configuration that ships, shortened; rows are resumed by their configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import known_games
from mfmarl.config import TrainConfig, read_config

# a quarter of the steps, with averages four times as fast; far from where congestion oscillates
SHORT = ["num_episodes=400", "mfq.target_rate=0.02"]


def config(game: str, *sets: str) -> TrainConfig:
    return read_config(known_games.CONFIG, {"env": f"games/{game}", "seed": 1}, sets)


@pytest.mark.parametrize("game", ["coordination", "prisoners-dilemma", "cournot", "identity"])
def test_games_with_a_pure_answer_are_learned(game: str) -> None:
    shortened = config(game, *SHORT)
    row = known_games.judged(shortened, *known_games.trained(shortened))
    assert row["solved"] == "1", row
    assert int(row["env_steps"]) == 4000
    assert int(row["agent_steps"]) == 80_000


def test_congestion_is_learned() -> None:
    shortened = config("congestion", "num_episodes=800", "mfq.target_rate=0.005")
    row = known_games.judged(shortened, *known_games.trained(shortened))
    assert row["solved"] == "1", row
    # routes taken alike are .12 away
    assert float(row["distance"]) < 0.05


def test_rows_are_resumed_and_the_table_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "games.csv"
    call = ["--games", "identity", "--seeds", "2", "--out", str(out), "--set", "num_episodes=16", "num_envs=2"]
    first = known_games.main(call)
    told, kept = capsys.readouterr().out, out.read_bytes()
    # nothing is learned in so few episodes
    assert first == 1
    assert "| identity | 0 of 2 |" in told
    rows = known_games.read_rows(out)
    rows[0]["solved"] = "1"
    known_games.write_rows(out, rows)
    assert known_games.main(call) == 1
    # the row was read, not trained again
    assert "| identity | 1 of 2 (1 right) |" in capsys.readouterr().out
    assert len(out.read_bytes().splitlines()) == len(kept.splitlines()) == 3
    out.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="give another --out"):
        known_games.main(call)
