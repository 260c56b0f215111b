import math

import numpy as np
import pytest
from scipy import stats

from analysis.statistics import holm, interval, iqm, paired_difference, probability_of_improvement, stars


def test_t_interval_equals_scipys():
    scores = [1.0, 2.0, 4.0, 7.0]
    found = interval(scores)
    low, high = stats.t.interval(0.95, 3, loc=np.mean(scores), scale=stats.sem(scores))
    assert (found.low, found.high) == pytest.approx((low, high))
    assert (found.n, found.method) == (4, "t")


def test_interval_of_ten_runs_is_the_bca_bootstrap():
    scores = np.random.default_rng(0).normal(5, 2, 12)
    found = interval(scores)
    same = stats.bootstrap((scores,), np.mean, n_resamples=9999, method="BCa", rng=np.random.default_rng(0))
    assert found.method == "BCa"
    assert (found.low, found.high) == pytest.approx(tuple(same.confidence_interval))


@pytest.mark.parametrize("n", [5, 10, 20])
def test_intervals_cover_at_their_level(n: int):
    rng = np.random.default_rng(n)
    rounds = 1000 if n < 10 else 400
    hits = 0
    for _ in range(rounds):
        scores = rng.normal(3.0, 1.0, n)
        if n < 10:
            found = interval(scores)
            hits += found.low <= 3.0 <= found.high
        else:
            got = stats.bootstrap((scores,), np.mean, n_resamples=999, method="BCa", rng=rng).confidence_interval
            hits += got.low <= 3.0 <= got.high
    # BCa of the mean of 10 covers about .91, and 400 rounds have a standard error of .011
    assert (0.93 if n < 10 else 0.88) <= hits / rounds <= 0.975


def test_iqm_leaves_out_both_quarters():
    assert iqm([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 1000.0]) == 3.5


@pytest.mark.parametrize("scores", [[1.0, 2.0], [1.0], []])
def test_too_few_runs_give_no_interval(scores: list[float]):
    with pytest.raises(ValueError, match="3 or more do"):
        interval(scores)


def test_scores_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="score 1 is nan"):
        interval([1.0, math.nan, 2.0])


def test_constant_scores_are_marked():
    found = interval([2.0, 2.0, 2.0])
    assert (found.method, found.low, found.high) == ("constant", 2.0, 2.0)


def test_improvement_over_itself_is_one_half():
    scores = [3.0, 1.0, 2.0]
    assert probability_of_improvement(scores, scores) == 0.5
    assert probability_of_improvement([2.0, 3.0], [0.0, 1.0]) == 1.0
    # 3 beats 1, ties with 3; 2 beats 1, loses to 3
    assert probability_of_improvement([3.0, 2.0], [1.0, 3.0]) == pytest.approx(2.5 / 4)


def test_paired_test_equals_scipys():
    x, y = np.array([3.0, 5.0, 4.0, 6.0]), np.array([2.0, 3.0, 3.5, 4.0])
    found = paired_difference(x, y)
    assert found.test == "paired t"
    assert found.p_value == pytest.approx(stats.ttest_rel(x, y).pvalue)
    assert found.interval.estimate == pytest.approx(1.375)
    with pytest.raises(ValueError, match="equal lengths"):
        paired_difference(x, y[:3])


def test_paired_difference_without_spread_is_not_tested():
    found = paired_difference([1.0, 2.0, 3.0], [0.0, 1.0, 2.0])
    assert math.isnan(found.p_value)
    assert stars(found.p_value) == "–"
    assert paired_difference([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]).p_value == 1.0


def test_holm_by_hand():
    # sorted .01 x 3, .02 x 2, .04 x 1
    assert holm([0.02, 0.01, 0.04]) == pytest.approx([0.04, 0.03, 0.04])
    assert math.isnan(holm([0.5, math.nan])[1])


def test_marks():
    assert [stars(p) for p in (0.0005, 0.005, 0.03, 0.2)] == ["***", "**", "*", "n.s."]
