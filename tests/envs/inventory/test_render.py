"""The running episode by type, as a table and as a picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import envs
from envs.inventory.history import History
from envs.inventory.render import BARS, ansi, rgb, spark_line
from envs.population import Step


def play(history: History, periods: int, copies: int = 2, **options: object) -> list[Step]:
    env = envs.make("inventory/market-easy", num_envs=copies, num_agents=5, seed=0, **options)
    rng = np.random.default_rng(0)
    steps = [env.step(rng.integers(11, size=(copies, 5))) for _ in range(periods)]
    for step in steps:
        history.add(step)
    return steps


def history(copies: int = 2) -> History:
    return History(envs.make("inventory/market-easy", num_envs=copies, num_agents=5, seed=0))


def test_values_are_means_over_the_agents_of_a_type() -> None:
    kept = history()
    steps = play(kept, 3)
    episode = kept.episode(1)
    assert (episode.type_names, episode.counts.tolist()) == (["convenience", "supermarket", "discounter"], [2, 2, 1])
    for t, step in enumerate(steps):
        stock, reward = step.metrics["stock"][1], step.reward[1].astype(float)
        assert episode.values["stock"][t].tolist() == [stock[:2].mean(), stock[2:4].mean(), stock[4]]
        assert episode.values["reward"][t].tolist() == [reward[:2].mean(), reward[2:4].mean(), reward[4]]
    ordered = sum(s.metrics["order"][1] for s in steps)
    arrived = sum(s.metrics["received"][1] for s in steps)
    assert episode.values["on_order"][-1, 2] == (ordered - arrived)[4]
    revenue, sold = steps[0].metrics["ledger/sales_revenue"][1, 4], steps[0].metrics["sold"][1, 4]
    assert episode.values["price"][0, 2] == pytest.approx(revenue / sold)


def test_a_copy_that_ended_stays_until_its_next_step() -> None:
    kept = history()
    step = play(kept, 1)[0]
    # copy 0 ends in its second period, copy 1 in its third
    for ended in ([True, False], [False, True], [False, False]):
        kept.add(replace(step, truncated=np.array(ended)))
        if ended == [True, False]:
            assert [kept.episode(b).periods for b in (0, 1)] == [2, 2]
        if ended == [False, True]:
            assert [kept.episode(b).periods for b in (0, 1)] == [1, 3]
    assert [kept.episode(b).periods for b in (0, 1)] == [2, 1]


def test_episodes_that_are_over_take_no_memory() -> None:
    kept = history()
    play(kept, 9, horizon=2)
    assert len(kept._kept["reward"]) == 1


def test_the_table_is_the_last_period() -> None:
    kept = history()
    step = play(kept, 4)[-1]
    lines = ansi(kept.episode(1), 1).splitlines()
    assert lines[0] == "copy 1, period 4: means over agents, units and $"
    row = lines[4].split()
    assert row[:2] == ["discounter", "1"]
    assert float(row[2]) == step.metrics["stock"][1, 4]
    assert float(row[-1]) == pytest.approx(step.reward[1, 4], abs=0.005)
    everyone = lines[5].split()
    assert everyone[:2] == ["all", "5"]
    assert float(everyone[2]) == pytest.approx(step.metrics["stock"][1].mean(), abs=0.005)
    price = step.metrics["ledger/sales_revenue"][1].sum() / step.metrics["sold"][1].sum()
    assert float(everyone[-2]) == pytest.approx(price, abs=0.005)
    # three spark lines of four bars each for stock and orders; lost sales leave no backlog
    assert sum(set(line.split()[-1]) <= set(BARS) and len(line.split()[-1]) == 4 for line in lines) == 6
    assert lines[-1] == "backlog: none"


def test_spark_lines_go_from_nought_to_the_top() -> None:
    assert spark_line(np.array([0.0, 1, 2, 4, 7.9, 8]), 8.0) == "▁▂▃▅██"


def test_the_picture_shows_each_type_in_its_colour() -> None:
    kept = history()
    assert np.unique(rgb(kept.episode(0)).reshape(-1, 3), axis=0).shape[0] > 1
    play(kept, 5)
    picture = rgb(kept.episode(0))
    assert (picture.dtype, picture.shape) == (np.uint8, (640, 960, 3))
    import seaborn as sns

    seen = {tuple(p) for p in picture.reshape(-1, 3).tolist()}
    for colour in sns.color_palette("colorblind", 3):
        assert tuple(round(255 * c) for c in colour) in seen


def test_a_network_is_drawn_by_its_echelons() -> None:
    env = envs.make("inventory/network-30", seed=0)
    kept = History(env)
    for _ in range(3):
        step = env.step(np.full((1, 30), 4))
        kept.add(step)
    episode = kept.episode()
    assert episode.type_names == list(env.type_names)
    leaves = env.agent_types == episode.type_names.index("echelon_4")
    assert episode.values["stock"][-1, 4] == pytest.approx(step.metrics["stock"][0, leaves].mean())
    assert "echelon_4" in ansi(episode)
    assert rgb(episode).shape == (640, 960, 3)


def test_refusals() -> None:
    kept = history()
    step = play(kept, 1)[0]
    with pytest.raises(ValueError, match=r"copy is 2; there are copies 0\.\.1"):
        kept.episode(2)
    with pytest.raises(ValueError, match=r"the step has no stock, backlog.* among its metrics"):
        kept.add(replace(step, metrics={}))
