"""The coordination study: the published figures over seeds, what a run's figures are, and what theory says beside."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import stats

from envs.markov import coordination
from envs.markov.experts import SHARES, coordination_joint
from mfmarl.imitation.magail import many_runs
from mfmarl.imitation.magail.coordination import expert_counts, study, thresholds
from mfmarl.imitation.magail.coordination_outcome import outcome
from mfmarl.imitation.magail.coordination_settings import CoordinationSettings, Expert
from mfmarl.imitation.magail.theory import BETA_C

PUBLISHED = {0.0: 0.96, 0.1: 0.93, 0.5: 0.54, 1.0: 0.50, 5.0: 0.50}
"""beta -> coordination rate, the mean over five seeds."""
ROUNDING = 0.005


def small(**given: Any) -> CoordinationSettings:
    return CoordinationSettings.model_validate(
        {"betas": (0.0, 0.5), "seeds": (1, 2), "epochs": 9, "collect_every": 4, "eval_episodes": 50} | given
    )


def test_published_figures_over_64_seeds() -> None:
    settings = CoordinationSettings(seeds=tuple(range(64)), collect_every=400, eval_episodes=1)
    assert settings.betas == tuple(PUBLISHED)
    outcomes = study(settings).outcomes
    rng = np.random.default_rng(0)
    for beta, published in PUBLISHED.items():
        mine = [one for one in outcomes if one.beta == beta]
        rates = np.array([one.coordination_rate for one in mine])
        # what the mean over five seeds of ours comes to, 95 % of the time
        low, high = np.quantile(rng.choice(rates, (20_000, 5)).mean(1), (0.025, 0.975))
        assert low - ROUNDING <= published <= high + ROUNDING, (beta, low, high)
        classes = [one.collapse for one in mine]
        if beta <= 0.1:
            assert "symmetric" not in classes
            share = stats.binomtest(classes.count("AA"), len(mine)).proportion_ci(0.99)
            assert share.low < 0.5 < share.high
        if beta >= 1:
            assert set(classes) == {"symmetric"}
        # either failure is as far from the expert as the other, and the rate alone tells them apart
        assert all(0.5579 < one.js_distance < 0.62 for one in mine)


def test_a_killed_study_goes_on_to_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = study(small())
    monkeypatch.setattr(many_runs, "KEPT_EVERY_S", 0.0)

    def kill(text: str) -> None:
        if text.startswith("epoch 6 "):
            raise KeyboardInterrupt

    path = tmp_path / "training.safetensors"
    with pytest.raises(KeyboardInterrupt):
        study(small(), checkpoint=path, told=kill)
    seen: list[str] = []
    again = study(small(), checkpoint=path, told=seen.append)
    # told comes before the epoch is kept
    assert seen[0] == "epoch 6 of 9"
    assert again.outcomes == whole.outcomes
    for mine, other in zip(again.history.logits, whole.history.logits, strict=True):
        np.testing.assert_array_equal(mine, other)


def test_a_run_is_the_same_whatever_runs_beside_it() -> None:
    batch, alone = study(small()).outcomes, study(small(betas=(0.5,), seeds=(2,))).outcomes
    assert [(one.beta, one.seed) for one in batch] == [(0.0, 1), (0.0, 2), (0.5, 1), (0.5, 2)]
    for name, value in vars(alone[0]).items():
        assert getattr(batch[3], name) == (value if isinstance(value, str) else pytest.approx(value, abs=1e-12))


def test_figures_of_an_outcome_by_hand() -> None:
    p, q = 0.9, 0.6
    law = np.einsum("a,b->ab", [p, 1 - p], [q, 1 - q])[None]
    expert = np.array([[0.5, 0.0], [0.0, 0.5]])
    found = outcome(0.1, 3, law, expert, 4000)
    rate = p * q + (1 - p) * (1 - q)
    cells = [p * q, p * (1 - q), (1 - p) * q, (1 - p) * (1 - q)]
    np.testing.assert_allclose([found.AA, found.AB, found.BA, found.BB], cells)
    assert (found.p_a_1, found.p_a_2, found.coordination_rate) == pytest.approx((p, q, rate))
    # the first gains by A for sure q - V, the second p - V
    assert found.nash_conv == pytest.approx(p + q - 2 * rate)
    assert found.exploitability == pytest.approx(p - rate)
    assert found.collapse == "AA"
    assert found.js_distance == pytest.approx(math.sqrt(_divergence([0.5, 0, 0, 0.5], [0.54, 0.36, 0.06, 0.04])))
    # four standard deviations of 4000 episodes
    assert found.episodes == 4000
    assert found.played_coordination_rate == pytest.approx(rate, abs=4 * math.sqrt(rate * (1 - rate) / 4000))
    assert found.played_js_distance == pytest.approx(found.js_distance, abs=0.03)
    assert outcome(0.7, 3, law, expert, 4000).played_coordination_rate == found.played_coordination_rate


def test_a_signal_is_nothing_to_leave_and_shows_the_expert() -> None:
    found = study(CoordinationSettings(betas=(0.0,), seeds=(0, 1, 2), signals=2, epochs=2000))
    # theory is of agents who draw independently
    assert found.thresholds.unbounded is None
    for one in found.outcomes:
        assert one.js_distance < 0.05
        assert one.coordination_rate > 0.99
        assert (one.nash_conv, one.collapse) == (0.0, "AA+BB")


def test_settings_of_learning_come_to_the_training() -> None:
    plain = CoordinationSettings(betas=(0.0,), seeds=(0,), epochs=30)
    low = study(plain.model_copy(update={"lowest_logit": -0.1})).history.logits[0].min()
    assert low == pytest.approx(-0.1)
    assert study(plain).history.logits[0].min() < -0.2
    widths = study(plain.model_copy(update={"hidden": (8,)}))
    assert widths.outcomes != study(plain).outcomes
    assert len(study(plain.model_copy(update={"discriminator": "centralised"})).history.logits) == 2


def _divergence(a: list[float], b: list[float]) -> float:
    return sum(
        x / 2 * math.log2(2 * x / (x + y)) for one, two in ((a, b), (b, a)) for x, y in zip(one, two, strict=True) if x
    )


def test_experts_are_those_of_the_game() -> None:
    assert set(get_args(Expert)) == set(SHARES)
    assert expert_counts("bimodal").tolist() == [[500, 0], [0, 500]]
    assert expert_counts("asymmetric").tolist() == [[700, 0], [0, 300]]
    assert expert_counts("all_AA").tolist() == [[1000, 0], [0, 0]]
    noisy = expert_counts("noisy")
    assert (noisy[0, 0], noisy[1, 1], noisy[0, 1] + noisy[1, 0]) == (450, 450, 100)
    assert expert_counts("mixed").sum() == 1000
    # the study takes its numbers of actions from the game
    assert coordination().num_actions == (2, 2)


def test_thresholds_only_where_the_expert_treats_actions_alike() -> None:
    bimodal = thresholds(coordination_joint("bimodal")[0], "non_saturating", -4.0)
    assert bimodal.unbounded == pytest.approx(BETA_C, abs=1e-7)
    assert bimodal.at_lowest_logit == pytest.approx(1.473, abs=1e-3)
    noisy = thresholds(coordination_joint("noisy")[0], "non_saturating", -4.0)
    assert noisy.unbounded == pytest.approx(0.318, abs=1e-3)
    # log D of an expert who plays all alike: D = 1/2 everywhere, and only its slope, -2, is left
    assert thresholds(coordination_joint("mixed")[0], "non_saturating", -4.0).unbounded == pytest.approx(-0.5)
    for expert in ("asymmetric", "all_AA"):
        assert thresholds(coordination_joint(expert)[0], "non_saturating", -4.0).unbounded is None


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [("betas", (0.1, 0.0, 0.1), "0.1 stands twice"), ("seeds", (7, 7), "7 stands twice"), ("betas", (), "at least 1"),
     ("betas", (math.nan,), "finite"), ("betas", (-0.1,), "greater than or equal to 0"), ("epochs", 0, "greater than"),
     ("lr_disc", 0.0, "greater than 0"), ("expert_type", "bimodl", "bimodal"), ("reward", "gail", "not permitted")],
)  # fmt: skip
def test_settings_out_of_range_are_refused(key: str, value: object, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        CoordinationSettings.model_validate({key: value})
