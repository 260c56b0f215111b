import math

import numpy as np
import pytest
from arch.bootstrap import IIDBootstrap, IndependentSamplesBootstrap
from scipy import stats

import analysis.statistics
from analysis.statistics import (
    STATISTICS,
    Statistic,
    expanded_level,
    holm,
    improvement_interval,
    interval,
    iqm,
    paired_difference,
    performance_profile,
    probability_of_improvement,
    stars,
    stratified_improvement,
    stratified_interval,
)


def test_t_interval_equals_scipys():
    scores = [1.0, 2.0, 4.0, 7.0]
    found = interval(scores)
    low, high = stats.t.interval(0.95, 3, loc=np.mean(scores), scale=stats.sem(scores))
    assert (found.low, found.high) == pytest.approx((low, high))
    assert (found.n, found.method) == (4, "t")


@pytest.mark.parametrize("statistic", ["mean", "iqm", "median"])
def test_interval_of_ten_runs_is_the_bca_bootstrap(statistic: Statistic):
    scores = np.random.default_rng(0).normal(5, 2, 12)
    found = interval(scores, statistic=statistic)
    same = stats.bootstrap(
        (scores,),
        STATISTICS[statistic],
        n_resamples=9999,
        confidence_level=expanded_level(0.95, [12]),
        rng=np.random.default_rng(0),
    )
    assert found.method == "BCa"
    assert (found.low, found.high) == pytest.approx(tuple(same.confidence_interval))


@pytest.mark.parametrize("statistic", ["mean", "iqm", "median"])
def test_bootstrap_intervals_equal_archs(statistic: Statistic):
    # 16 lopsided scores: bias and acceleration are not zero
    scores = np.random.default_rng(3).gamma(2.0, 3.0, 16)
    found = interval(scores, statistic=statistic)
    oracle = IIDBootstrap(scores, seed=np.random.default_rng(1))
    level = expanded_level(0.95, [16])
    low, high = oracle.conf_int(STATISTICS[statistic], reps=9999, method="bca", size=level)[:, 0]
    # two bootstraps of 9999 draws each differ by their noise at the ends
    width = found.high - found.low
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.06 * width)


def test_stratified_interval_resamples_games_apart():
    # two games whose levels differ by far more than their runs do: runs resampled in one heap would mix the levels
    rng = np.random.default_rng(0)
    games = [rng.normal(0, 1, 10), rng.normal(100, 1, 10)]
    found = stratified_interval(games)
    oracle = IndependentSamplesBootstrap(*games, seed=np.random.default_rng(1))
    level = expanded_level(0.95, [10, 10])
    low, high = oracle.conf_int(
        lambda a, b: np.mean([*a, *b]), reps=9999, method="percentile", size=level
    )[:, 0]  # fmt: skip
    assert (found.estimate, found.n) == (pytest.approx(np.mean(games)), 20)
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.1)
    assert interval(np.concatenate(games)).high - interval(np.concatenate(games)).low > 10 * (found.high - found.low)


def test_few_runs_of_several_games_are_not_resampled():
    with pytest.raises(ValueError, match="6 runs of 2 games"):
        stratified_interval([[1.0, 2.0, 3.0], [1.0, 2.0, 4.0]])


def test_iqm_of_few_runs_has_yuens_interval():
    scores = np.array([1.0, 2.0, 4.0, 7.0, 30.0, 3.0])
    found = interval(scores, statistic="iqm")
    # against a sample of zeros with a spread that vanishes, Yuen's two-sample test is the one-sample one
    near = 1e-9 * np.arange(6)
    test = stats.ttest_ind(scores, near, trim=0.25, equal_var=False)
    half = (found.high - found.low) / 2
    freedom = 6 - 2 * 1 - 1
    assert found.estimate / test.statistic == pytest.approx(half / stats.t.ppf(0.975, freedom), rel=1e-6)
    assert found.method == "t"


@pytest.mark.parametrize("statistic", ["mean", "iqm", "median"])
@pytest.mark.parametrize("n", [5, 10, 20])
def test_intervals_cover_at_their_level(n: int, statistic: Statistic, monkeypatch: pytest.MonkeyPatch):
    # fewer draws widen the noise of an interval, not its coverage
    monkeypatch.setattr(analysis.statistics, "RESAMPLES", 599)
    rng = np.random.default_rng(n)
    rounds = 4000 if n < 10 else 1000
    found = [interval(rng.normal(3.0, 1.0, n), seed=i, statistic=statistic) for i in range(rounds)]
    hits = sum(f.low <= 3.0 <= f.high for f in found)
    assert 0.93 <= hits / rounds <= 0.97


@pytest.mark.parametrize("n", [5, 10, 20])
def test_improvement_intervals_cover_at_their_level(n: int):
    rng = np.random.default_rng(n)
    # X beats Y by one standard deviation of their difference
    truth = stats.norm.cdf(1.0)
    found = [improvement_interval(rng.normal(2**0.5, 1, n), rng.normal(0, 1, n)) for _ in range(2000)]
    assert 0.93 <= np.mean([f.low <= truth <= f.high for f in found]) <= 0.97


@pytest.mark.parametrize(("games", "n"), [(3, 5), (3, 10), (6, 20), (10, 5)])
def test_improvement_over_games_covers_at_its_level(games: int, n: int) -> None:
    rng = np.random.default_rng(0)
    shifts = np.linspace(0.0, 1.5, games)
    truth = np.mean(stats.norm.cdf(shifts / 2**0.5))
    found = [stratified_improvement([(rng.normal(s, 1, n), rng.normal(0, 1, n)) for s in shifts]) for _ in range(1000)]
    assert 0.93 <= np.mean([f.low <= truth <= f.high for f in found]) <= 0.97


def test_improvement_over_one_game_is_that_games() -> None:
    x, y = [1.0, 5.0, 3.0], [2.0, 2.5, 0.0]
    one, many = improvement_interval(x, y), stratified_improvement([(x, y)])
    assert (many.estimate, many.low, many.high) == pytest.approx((one.estimate, one.low, one.high))
    assert stratified_improvement([(x, x), (x, x)]).estimate == 0.5
    with pytest.raises(ValueError, match="no games"):
        stratified_improvement([])


@pytest.mark.parametrize(
    ("scores", "method"),
    [([1.0, 2.0, 2.0, 9.0], "degenerate"), ([0.3, 0.3, 0.1 + 0.2], "constant")],
)
def test_no_interval_where_nothing_is_known_of_the_spread(scores: list[float], method: str) -> None:
    found = interval(scores, statistic="iqm")
    assert found.method == method
    assert math.isnan(found.low) == (method == "degenerate")


def test_improvement_interval_by_hand():
    found = improvement_interval([2.0, 3.0, 4.0], [0.0, 1.0, 1.5])
    assert (found.estimate, found.high, found.method) == (1.0, 1.0, "Newcombe")
    # at estimate 1: (1 - t)^2 = z^2 t (1 - t) (1 + 2 ((1 - t) / (2 - t) + t / (1 + t))) / 9
    t, z = found.low, stats.norm.ppf(0.975)
    assert 0.3 < t < 0.8
    assert (1 - t) ** 2 == pytest.approx(z * z * t * (1 - t) * (1 + 2 * ((1 - t) / (2 - t) + t / (1 + t))) / 9)
    same = improvement_interval([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    assert same.estimate == 0.5
    assert same.low == pytest.approx(1 - same.high)


def test_profile_is_the_share_above_each_threshold():
    rng = np.random.default_rng(0)
    games = [rng.normal(0, 1, 30), rng.normal(1, 1, 20)]
    share, low, high = performance_profile(games, [-10.0, 0.5, 10.0])
    assert share[[0, 2]] == pytest.approx([1.0, 0.0])
    assert share[1] == pytest.approx((sum(games[0] > 0.5) + sum(games[1] > 0.5)) / 50)
    assert low[1] < share[1] < high[1]
    _, low, high = performance_profile([[1.0, 2.0, 3.0]], [0.0])
    assert np.isnan([*low, *high]).all()


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


def test_intervals_are_cut_to_what_can_be() -> None:
    found = interval([1.0, 0.9, 1.0])
    assert found.high > 1
    cut = found.within((0, 1))
    assert (cut.estimate, cut.low, cut.high, cut.method) == (found.estimate, found.low, 1.0, "t")
    nothing = interval([1.0, 2.0, 2.0, 9.0], statistic="iqm").within((0, 5))
    assert math.isnan(nothing.low)
    assert math.isnan(nothing.high)


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
    # t / sqrt(n), and Hedges' factor of 3 degrees of freedom
    assert found.effect == pytest.approx(stats.ttest_rel(x, y).statistic / 2 * (1 - 3 / 11))
    assert found.cliffs_delta == pytest.approx(np.mean(np.sign(x[:, None] - y)))
    with pytest.raises(ValueError, match="equal lengths"):
        paired_difference(x, y[:3])


def test_the_test_is_of_what_is_estimated() -> None:
    # one disaster in twelve pairs: ranks would call the first better, the mean is far below zero
    x = np.array([*range(1, 12), -1000.0])
    found = paired_difference(x, np.zeros(12))
    assert found.test == "paired t"
    assert found.interval.estimate < 0
    assert found.p_value > 0.05
    assert found.cliffs_delta > 0.8


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
