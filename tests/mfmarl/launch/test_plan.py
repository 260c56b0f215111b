"""What a study would take: counted cells, measured costs, and games that cannot be played told beforehand."""

from __future__ import annotations

from pathlib import Path

import pytest

from mfmarl.errors import UserError
from mfmarl.launch.games import Game, agent_steps, games_of
from mfmarl.launch.plan import plan, plan_words
from mfmarl.launch.probe import probe
from mfmarl.launch.study import Study
from mfmarl.runs.checkpoint import checkpoint_paths
from mfmarl.runs.journal import last_line
from tests.mfmarl.launch.conftest import SMALL, copied, small_study, unfinish


def test_games_give_the_agent_steps_of_every_cell(tmp_path: Path) -> None:
    text = SMALL.replace("  num_agents: 4\n", "").replace("  env: games/coordination\n", "")
    games = "  game:\n    a: {env: games/coordination, num_agents: 6}\n    b: {env: inventory/market-easy}\n"
    study = small_study(tmp_path, text + games)
    found = agent_steps(study)
    easy = next(cell for cell in study.cells if cell.point["game"] == "b")
    assert {found[c.digest] for c in study.cells if c.point["game"] == "a"} == {8.0 * 10 * 6}
    assert found[easy.digest] == 8.0 * 52 * games_of(study)[easy.digest].num_agents


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"games/coordination": "games/coordinatoin"}, "did you mean 'games/coordination'?"),
        ({"num_agents: 4": "env_options: {jitter: 0}"}, "games/coordination has no option 'jitter'"),
        (
            {"games/coordination": "inventory/market-easy", "num_agents: 4": "env_options: {action_mode: continuous}"},
            "mfq plays discrete actions; inventory/market-easy has",
        ),
    ],
)
def test_a_cell_that_cannot_be_played_is_told_before_any_is_begun(
    change: dict[str, str], told: str, tmp_path: Path
) -> None:
    text = SMALL
    for old, new in change.items():
        text = text.replace(old, new)
    with pytest.raises(UserError) as error:
        agent_steps(small_study(tmp_path, text))
    assert told in str(error.value)
    assert str(error.value).startswith("cell (seed 1, method mf): ")


def test_costs_are_those_of_the_cells_that_are_done(finished: tuple[Study, Path], tmp_path: Path) -> None:
    study, folder = copied(finished, tmp_path)
    # kinds are mf and is, cells mf 1, is 1, mf 2, is 2
    half = folder / study.cells[2].digest
    unfinish(half)
    kinds = plan(study, folder, probing=False)
    assert [[s.state for s in kind.states] for kind in kinds] == [["done", "resumable"], ["done", "done"]]
    assert [kind.game for kind in kinds] == [Game(4, 10)] * 2
    first, second = kinds
    assert first.cost is not None
    assert second.cost is not None
    line = last_line(folder / study.cells[0].digest)
    assert line is not None
    assert (first.cost.seconds, first.cost.source) == (line["time_s"], "1 cell done")
    assert first.cost.rate == pytest.approx(line["agent_steps"] / line["time_s"])
    journal = last_line(half)
    assert journal is not None
    # its share is told by its journal, which the kill left
    left = 1 - min(1.0, journal["episodes"] / 8)
    assert first.core_hours == pytest.approx(left * line["time_s"] / 3600)
    assert second.core_hours == 0.0
    files = [p for c in (study.cells[1], study.cells[3]) for p in (folder / c.digest).rglob("*") if p.is_file()]
    assert second.disk_bytes == pytest.approx(sum(p.stat().st_size for p in files))
    assert "core-hours left" in plan_words(study, kinds, 2)
    assert "not measured" not in plan_words(study, kinds, 2)


def test_a_probe_measures_time_and_disk(finished: tuple[Study, Path]) -> None:
    study, folder = finished
    config = study.cells[1].config
    cost = probe(config, Game(4, 10), 2, seconds=0.05)
    assert cost.source == "probe"
    assert cost.rate > 0
    # training and evaluation
    assert cost.seconds > 8 * 10 * 4 / cost.rate
    done = folder / study.cells[1].digest
    assert len(checkpoint_paths(done)) == 2
    size = sum(p.stat().st_size for p in done.rglob("*") if p.is_file())
    assert cost.disk_bytes == pytest.approx(size, rel=0.3)
    with pytest.raises(ValueError, match="ppo trains on Ray only"):
        probe(config.model_copy(update={"algorithm": "ppo"}), Game(4, 10), 2)
