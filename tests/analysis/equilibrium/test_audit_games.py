"""What an audit finds in single games, and the rules that it takes its numbers by."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from analysis.equilibrium.audit import _played, audit
from analysis.equilibrium.audit_file import read_audit
from analysis.equilibrium.audit_learned import training
from analysis.equilibrium.audit_settings import Settings
from analysis.equilibrium.gaps import By, Estimate, Gaps, ImpossibleGap, TypeGap, check_gaps, out_of_order
from mfmarl.config import config_from
from mfmarl.errors import UserError
from mfmarl.players import constant_player
from mfmarl.subject import Subject, reference_subject
from mfmarl.train import train

OPTIONS = {"horizon": 6, "jitter": 0.0}


def test_what_the_game_does_not_have_is_a_note_unless_it_was_asked_for(tmp_path: Path) -> None:
    config = config_from({"env": "games/coordination", "num_agents": 6, "num_episodes": 32, "seed": 1, "method": "mf"})
    run = train(config, tmp_path, backend="local")
    with pytest.raises(UserError, match="--by exact: games/coordination has no exact mean field"):
        audit(run, Settings(by=("exact",)))
    with pytest.raises(UserError, match="--by bound"):
        audit(run, Settings(by=("bound",)))
    with pytest.raises(UserError, match=r"--finite: games/coordination has .*, which markets have; leave --finite out"):
        audit(run, Settings(finite=True))


def test_policies_of_one_network_an_agent_have_no_other_numbers_of_agents(tmp_path: Path) -> None:
    options = {"num_agents": 6, "num_episodes": 4, "seed": 1, "env_options": OPTIONS, "sharing": "agent"}
    run = train(config_from({**options, "mfq": {"hidden": [4]}}), tmp_path, backend="local")
    with pytest.raises(UserError, match=r"^--finite: .* \(sharing=agent\).*: train with sharing=type$"):
        audit(run, Settings(by=("bound",), finite=True))


def test_exact_gaps_are_of_the_types_and_shares_that_the_runs_agents_have(tmp_path: Path) -> None:
    def exact_of(agents: int, **options: float) -> Gaps:
        config = config_from(
            {
                "num_agents": agents, "num_episodes": 8, "seed": 1, "env_options": {"horizon": 3, **options},
                "method": "mf", "mfq": {"hidden": [4]},
            }
        )  # fmt: skip
        run = train(config, tmp_path, backend="local")
        audit(run, Settings(by=("exact",)))
        return read_audit(run).gaps[0]

    # of three types two have an agent, and four agents are a quarter, a half and a quarter
    assert [(one.type_name, one.share) for one in exact_of(2).types] == [("convenience", 0.5), ("supermarket", 0.5)]
    assert [one.share for one in exact_of(4, spill=0.5).types] == [0.25, 0.5, 0.25]


def test_a_gap_below_zero_beyond_its_interval_is_an_error() -> None:
    def gaps(value: float, half: float) -> Gaps:
        gap = Estimate(value, value - half, value + half)
        return Gaps("unilateral gap", "learned", (TypeGap("fresh", 1.0, gap, gap, gap),))

    assert check_gaps(gaps(-1.0, 2.0)).nash_conv.value == -1.0
    assert check_gaps(gaps(-3.0, 2.0)).nash_conv.value == -3.0
    with pytest.raises(ImpossibleGap, match="fresh: the learned unilateral gap is -4"):
        check_gaps(gaps(-4.0, 2.0))


def test_bounds_of_types_on_the_same_episodes_have_an_interval_that_holds_for_their_mean() -> None:
    # two types whose bounds rise and fall together: the mean's standard deviation is that of either
    def gaps(by: Literal["learned", "bound"]) -> Gaps:
        gap = Estimate(10.0, 8.0, 13.0)
        return Gaps("unilateral gap", by, (TypeGap("a", 0.4, gap, gap, gap), TypeGap("b", 0.6, gap, gap, gap)))

    assert gaps("bound").nash_conv == Estimate(10.0, pytest.approx(8.0), pytest.approx(13.0))
    apart = np.hypot(0.4, 0.6)
    assert gaps("learned").nash_conv == Estimate(10.0, pytest.approx(10 - 2 * apart), pytest.approx(10 + 3 * apart))


def test_values_discount_from_the_first_period_on() -> None:
    # what comes later counts next to nothing, so the value is the first period's reward
    make = reference_subject("random", "games/cournot", num_agents=4).make
    env = make(1)
    env.reset(0)
    first = env.step(np.full((1, 4), 1, env.action_space.dtype)).reward.mean()
    found = _played(Subject(make, constant_player(1), 1e-12), 0)
    assert found.value.value == pytest.approx(first, rel=1e-6)
    assert len(found.mean_actions) == env.horizon
    assert set(found.mean_actions) == {tuple(float(a == 1) for a in range(env.action_space.n))}
    assert abs(first) > 1e-3


def test_gaps_out_of_order_are_told() -> None:
    def gaps(by: By, value: float) -> Gaps:
        gap = Estimate(value, value - 1.0, value + 1.0)
        return Gaps("unilateral gap", by, (TypeGap("fresh", 1.0, gap, gap, gap),))

    assert out_of_order([gaps("learned", 3.0), gaps("exact", 2.0), gaps("bound", 1.0)]) == []
    (told,) = out_of_order([gaps("learned", 5.0), gaps("bound", 2.0)])
    assert told.startswith("fresh: the learned gap, 5.0 $, lies above the bound one, 2.0 $")


def test_deviators_of_long_games_are_trained_on_fewer_episodes() -> None:
    sizes = [(c.num_episodes, c.evaluation_episodes) for c in (training(Settings(), "one", t) for t in (6, 52, 365))]
    assert sizes == [(66_000, 2048), (66_000, 2048), (9_402, 291)]
    given = training(Settings(episodes=90, measured_episodes=7), "type", 365)
    assert (given.num_episodes, given.evaluation_episodes) == (18, 7)


def test_rates_are_of_the_games_shares_where_all_types_have_an_agent(tmp_path: Path) -> None:
    def sizes(agents: int) -> list[int]:
        config = config_from(
            {
                "num_agents": agents, "num_episodes": 8, "seed": 1, "env_options": {"horizon": 2}, "method": "mf",
                "mfq": {"hidden": [4]},
            }
        )  # fmt: skip
        mine = train(config, tmp_path, backend="local")
        audit(mine, Settings(by=("exact",), finite=True))
        finite = read_audit(mine).finite
        assert finite is not None
        return [one.num_agents for one in finite.sizes]

    # easy's shares are whole for multiples of 15; two agents have two types, one of each
    assert sizes(20)[:3] == [15, 30, 105]
    assert sizes(2)[:3] == [10, 30, 100]
