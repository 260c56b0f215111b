"""Learned gaps: games with known gaps, the choice of the deviator, the interval, pieces that go on."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import envs
from analysis.equilibrium.gaps import Estimate, TypeGap, check_gaps
from analysis.equilibrium.learned import (
    LearnedGap,
    estimate,
    gaps_from,
    kind_of,
    learned_gap,
    learned_gaps,
    measured_gap,
    numbers_in_words,
    paired_returns,
    piece,
    turns_of,
)
from benchmarks.learned_gap import cournot, intervals, known_gap
from envs.inventory import newsvendor
from envs.population import PopulationEnv
from mfmarl.algorithms.mfac_config import MFACConfig
from mfmarl.deviator import DeviatorTrainer, train_deviator
from mfmarl.deviator_config import DeviatorConfig
from mfmarl.errors import UserError
from mfmarl.players import answer_player, constant_player, reference_player
from mfmarl.runs.checkpoint import checkpoint_paths
from mfmarl.subject import Start, Subject, Who, reference_subject, run_subject
from tests.games import AimingGame

DISCOUNT = 0.9
PERIODS = (1 - DISCOUNT**10) / (1 - DISCOUNT)
"""What a dollar in each of ten periods is worth."""


def game(name: str, copies: int, **options: Any) -> PopulationEnv:
    return envs.make(name, num_envs=copies, num_agents=10, seed=0, **options)


def dilemma(action: int = 0) -> Subject:
    return Subject(partial(game, "games/prisoners-dilemma"), constant_player(action), DISCOUNT)


def small(**options: Any) -> DeviatorConfig:
    settings: dict[str, Any] = {
        "num_episodes": 256, "deviators": 8, "batch_agent_steps": 32, "evaluation_episodes": 8, "evaluation_copies": 8,
    }  # fmt: skip
    return DeviatorConfig(**settings | options)


def constant(action: int) -> Any:
    return lambda obs: np.full(obs.shape[:2], action)


def test_one_defector_gains_the_temptation(tmp_path: Path) -> None:
    found = learned_gap(dilemma(), "prisoner", tmp_path, small())
    assert found.chosen == "fresh"
    assert found.policy == piece(tmp_path, "prisoner", "one", "fresh") / "policy"
    assert found.gap.gap.value == pytest.approx(2 * PERIODS)
    assert found.gap.base.value == pytest.approx(3 * PERIODS)
    assert found.gap.best.value == pytest.approx(5 * PERIODS)
    assert found.gap.share == 1


def test_all_who_defect_together_lose_and_that_is_another_number(tmp_path: Path) -> None:
    """Each gains by defecting, so they learn to, and earn 1 in place of 3: no lower bound of what a coalition can."""
    config = small(num_episodes=1500)
    found = learned_gap(dilemma(), "prisoner", tmp_path, config, who="type")
    assert found.tried["fresh"].value == pytest.approx(-2 * PERIODS)
    assert found.chosen == "stay"
    assert found.gap.gap == Estimate(0, 0, 0)
    gaps = gaps_from([found], "type")
    assert gaps.what == "type deviation"
    assert "no trained deviator of prisoner gained" in gaps.notes[1]
    check_gaps(gaps)


def test_where_everyone_defects_nothing_is_gained(tmp_path: Path) -> None:
    found = learned_gap(dilemma(1), "prisoner", tmp_path, small())
    assert (found.chosen, found.policy) == ("stay", None)
    assert found.gap.gap.low <= 0 <= found.gap.gap.high
    assert found.gap.base == found.gap.best


def test_cournot_at_its_equilibrium(tmp_path: Path) -> None:
    """The equilibrium of 20 sellers is on the grid: 5 and 3 units, mean 4."""
    make = partial(envs.make, "games/cournot", num_agents=20, seed=0)
    answer = make(num_envs=1).solution().answers["nash"]

    def copies(number: int) -> PopulationEnv:
        return make(num_envs=number)

    subject = Subject(copies, answer_player(answer), DISCOUNT)
    config = small(num_episodes=600, deviators=16, batch_agent_steps=128)
    found = learned_gaps(subject, tmp_path, config)
    for one in found:
        assert one.gap.gap.low - 1e-9 <= 0 <= one.gap.gap.high + 1e-9
    assert [one.gap.type_name for one in found] == ["cost-1", "cost-3"]
    check_gaps(gaps_from(found, "one"))


def test_continuous_actions_are_learned_by_actor_critic(tmp_path: Path) -> None:
    """Everyone plays .5: an agent whose target is drawn from 0, .5, 1 gains by aiming at what it sees."""

    def make(copies: int) -> PopulationEnv:
        return AimingGame(num_envs=copies)

    subject = Subject(make, constant_player(0.5), DISCOUNT)
    config = small(
        num_episodes=9000, deviators=128, batch_agent_steps=640, evaluation_episodes=64,
        mfac=MFACConfig(learning_rate=1e-3, learning_rate_end=1e-4, trace_decay=0.0),
    )  # fmt: skip
    found = learned_gap(subject, "straight", tmp_path, config)
    periods = (1 - DISCOUNT**5) / (1 - DISCOUNT)
    # two targets in three are half the range away, which costs 4 x 1/4 a period
    assert found.gap.gap.value > 0.8 * periods * 2 / 3


def test_the_run_itself_is_where_a_second_deviator_starts(tmp_path: Path) -> None:
    from mfmarl.config import TrainConfig
    from mfmarl.train import train

    run = train(
        TrainConfig(env="games/prisoners-dilemma", num_agents=6, num_episodes=32, num_envs=8, seed=1),
        tmp_path, name="run", backend="local",
    )  # fmt: skip
    subject = run_subject(run)
    assert subject.discount == 0.99
    found = learned_gap(subject, "prisoner", tmp_path / "audit", small())
    assert set(found.tried) == {"fresh", "checkpoint"}
    # the run has hardly begun, and every share of cooperation is a gain left
    assert found.gap.gap.value > 0
    assert found.chosen in found.tried


def test_the_choice_does_not_flatter_the_measure(tmp_path: Path) -> None:
    """The episodes of choice are not those of the measure, so the two estimates differ where play is random."""
    subject = Subject(cournot().make, cournot().player, DISCOUNT)
    config = small(num_episodes=64)
    path = train_deviator(subject, 0, tmp_path / "d", config)
    found = measured_gap(subject, "cost-1", {"fresh": path}, config)
    assert found.chosen == "fresh"
    assert found.tried["fresh"] != found.gap.gap
    again = measured_gap(subject, "cost-1", {"fresh": path}, config)
    assert again == found
    np.testing.assert_array_equal(again.best_returns, found.best_returns)
    assert estimate(found.best_returns - found.base_returns) == found.gap.gap


def test_the_interval_covers_the_known_gap_as_often_as_it_says() -> None:
    """A thousand repetitions are in `benchmarks/learned_gap.py`; here 300, four standard errors from 95 %."""
    covered = np.mean([one.low <= known_gap(8) <= one.high for one in intervals(8, 300, 16)])
    assert abs(covered - 0.95) < 4 * (0.95 * 0.05 / 300) ** 0.5


def test_pairing_narrows_the_interval() -> None:
    """Agents of easy that order the same number whoever plays: the demand in common falls out of the difference."""
    make = partial(game, "inventory/market-easy", horizon=6)
    subject = Subject(make, constant_player(4), DISCOUNT)
    stay, leave = paired_returns(
        subject, 1, [("fresh", constant(5))], who="one", episodes=64, copies=64, seed=1
    )
    assert (leave - stay).std() < 0.6 * np.hypot(leave.std(), stay.std())


def test_an_estimate_is_students_interval() -> None:
    """t(.975, 3) = 3.1824; the spread of 1, 2, 3, 4 is 1.2910."""
    found = estimate(np.array([1.0, 2.0, 3.0, 4.0]))
    assert found.value == 2.5
    assert found.high - 2.5 == pytest.approx(3.1824 * 1.2910 / 2, rel=1e-4)
    assert 2.5 - found.low == pytest.approx(found.high - 2.5)
    with pytest.raises(ValueError, match="needs 2 values"):
        estimate(np.ones(1))


def test_rounds_are_put_together_and_cut() -> None:
    subject, played = dilemma(), [("fresh", constant(1))]
    found: NDArray[np.float64] = paired_returns(subject, 0, played, who="one", episodes=7, copies=3, seed=0)  # type: ignore[arg-type]
    assert found.shape == (2, 7)
    np.testing.assert_allclose(found[1] - found[0], 2 * PERIODS)


def test_notes_and_shares_are_put_together() -> None:
    half = Estimate(2, 1, 3)
    gap, two = TypeGap("a", 0.25, half, half, half), np.ones(2)
    one = LearnedGap(gap, "fresh", Path("p"), {"fresh": half}, 96, two, two)
    gaps = gaps_from([one], "one")
    assert (gaps.what, gaps.by) == ("unilateral gap", "learned")
    assert gaps.nash_conv.value == 0.5
    assert gaps.notes == ("fresh deviators trained on 96 episodes, chosen on some others and measured on 2 more",)


def test_numbers_of_episodes_in_words() -> None:
    assert numbers_in_words({"a": 66_048, "b": 66_048}) == "66,048"
    assert numbers_in_words({"a": 66_220, "b": 66_048}) == "66,048 to 66,220"
    assert numbers_in_words({"a": 66_048, "b": 768, "c": 66_048}) == "66,048 (a, c), 768 (b)"
    assert numbers_in_words({"a": 66_048, "b": 0}) == "66,048 (a), an unknown number (b)"
    assert numbers_in_words({"a": 0}) == "an unknown number of"


@pytest.mark.parametrize("who", ["one", "type"])
@pytest.mark.parametrize(("asked", "crowd", "deviators"), [(1, 27, 8), (100, 3, 8), (100, 4, 7)])
def test_episodes_are_told_as_they_are_played(
    tmp_path: Path, who: Who, asked: int, crowd: int, deviators: int
) -> None:
    config = small(num_episodes=asked, crowd=crowd, deviators=deviators)
    told: list[str] = []
    found = learned_gap(dilemma(), "prisoner", tmp_path, config, who=who, told=told.append)
    trainer = DeviatorTrainer(dilemma(), 0, who, "fresh", config)
    together = trainer.rollout.env.num_envs * trainer.rollout.env.num_agents
    turns = turns_of(dilemma(), "prisoner", who, config)
    assert turns.agents == trainer.rollout.env.num_agents
    assert turns.agents * turns.copies == together
    # at least what was asked for, of whole copies, and no turn more
    assert asked <= found.episodes < asked + together + turns.agents
    assert found.episodes % together == 0
    called = "deviator of prisoner" if who == "one" else "all of prisoner together"
    assert told[-2] == f"{called}, fresh: {found.episodes:,} of {found.episodes:,} episodes"
    assert told[-1] == f"{called}: measuring on 2 + 8 episodes"


def test_a_deviator_from_the_networks_has_half_the_episodes() -> None:
    both: tuple[Start, ...] = ("fresh", "checkpoint")
    config = small(num_episodes=256, deviators=8)
    numbers = [turns_of(dilemma(), "prisoner", "one", config, start).episodes for start in both]
    assert numbers == [256, 128]
    assert small(num_episodes=1).episodes("checkpoint") == 1


def test_a_type_that_does_not_exist_is_told() -> None:
    with pytest.raises(UserError, match="no type 'prisonr'; types are prisoner; did you mean 'prisoner'"):
        kind_of(dilemma(), "prisonr")


@pytest.mark.ray
def test_types_train_side_by_side_on_ray(tmp_path: Path, one_ray: None) -> None:
    config = small()
    alone = learned_gaps(cournot(), tmp_path / "alone", config)
    aside = learned_gaps(cournot(), tmp_path / "aside", config, local=False)
    assert [one.gap for one in alone] == [one.gap for one in aside]


@pytest.mark.ray
def test_a_worker_that_dies_is_named_and_its_piece_goes_on(tmp_path: Path, one_ray: None) -> None:
    import os
    import signal

    from mfmarl.errors import TrainingFailed

    marked = tmp_path / "died"

    class Deadly:
        """Dies once in the training of a type, when the second has a checkpoint."""

        def __init__(self, folder: Path) -> None:
            self.folder = folder

        def __call__(self, env: PopulationEnv, seed: int) -> Any:
            part = self.folder / "cost-3_fresh"
            if not marked.exists() and checkpoint_paths(part):
                marked.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return reference_player("random", DISCOUNT)(env, seed)

    folder, config = tmp_path / "audit", small(checkpoint_every=4)
    subject = Subject(cournot().make, Deadly(folder), DISCOUNT)
    with pytest.raises(TrainingFailed, match=r"workers of cost-[13]_fresh \(WorkerCrashedError\) died; the other 1"):
        learned_gaps(subject, folder, config, local=False)
    found = learned_gaps(subject, folder, config, local=False)
    want = learned_gaps(cournot(), tmp_path / "undisturbed", config)
    assert [one.gap for one in found] == [one.gap for one in want]


def test_newsvendors_at_their_quantity_gain_nothing(tmp_path: Path) -> None:
    """Nothing is kept from period to period, so the newsvendor's quantity is everyone's best answer in each."""
    quantity, _ = newsvendor(mu=6.0, p=10.0, c=4.0, v=1.0)
    grid = tuple(float(q) for q in range(int(quantity) - 2, int(quantity) + 3))
    shop = {"mu": 6.0, "p0": 10.0, "c": 4.0, "h": 0.0, "delta": 1.0, "v": 1.0, "L": 0}

    def make(copies: int) -> PopulationEnv:
        return envs.make(
            "inventory/market-decoupled", num_envs=copies, num_agents=8, seed=0, jitter=0.0, types={"shop": shop},
            action_mode="absolute", action_grid=grid, horizon=4, initial_stock=0.0,
        )  # fmt: skip

    subject = Subject(make, constant_player(2), DISCOUNT)
    config = small(num_episodes=1000, deviators=32, batch_agent_steps=256, evaluation_episodes=256)
    found = learned_gap(subject, "shop", tmp_path, config)
    assert found.gap.gap.low <= 0 <= found.gap.gap.high
    # off the quantity something is lost, and it shows
    stay, less = paired_returns(
        subject, 0, [("fresh", constant(0))], who="one", episodes=4000, copies=1000, seed=1
    )
    assert estimate(less - stay).high < 0


def test_networks_are_audited_too(tmp_path: Path) -> None:
    """Random orders are bad enough for a deviator of a few hundred episodes to gain by."""
    subject = reference_subject("random", "inventory/network-30", options={"horizon": 10})
    name = subject.make(1).type_names[0]
    config = small(num_episodes=1500, deviators=64, batch_agent_steps=128, evaluation_episodes=64)
    found = learned_gap(subject, name, tmp_path, config)
    assert found.gap.gap.low > 0
