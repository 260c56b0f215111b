"""The report's tests against one method, aggregates and normalised scores, on made-up scores."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.figures.learning_curves import over_seeds
from analysis.figures.profit_density import MOST, profit_density, thinned
from analysis.figures.style import looks
from analysis.report.across import across_improvement, across_table, shared
from analysis.report.aggregates import aggregate_table
from analysis.report.comparison import Comparison, reference_of
from analysis.report.comparisons import differences_of, improvement_table, judged
from analysis.report.differences import difference_words, differences_section
from analysis.report.game_result import GameResult
from analysis.report.latex import latex
from analysis.report.normalised import Normalised, normalised
from analysis.report.parts import Cell, Table
from analysis.report.profiles import profile_table
from analysis.report.study_tests import family_words, study_tests, study_words
from analysis.statistics import holm
from mfmarl.errors import UserError

TYPES = ("small", "large")


def study_of(scores: dict[str, list[float]], references: dict[str, float] | None = None) -> Any:
    """A study of which only the scores are known: those of both types, the second one higher by 1."""
    rows = [
        {"policy": policy, "seed": seed, "type": name, "profit": value + shift}
        for policy, values in (scores | {k: [v] * 3 for k, v in (references or {}).items()}).items()
        for seed, value in enumerate(values)
        for name, shift in zip(TYPES, (-0.5, 0.5), strict=True)
    ]
    agents = pd.DataFrame(rows)

    def of(metric: str, policy: str, type_name: str | None = None) -> pd.Series:
        mine = agents[(agents["policy"] == policy) & (True if type_name is None else agents["type"] == type_name)]
        return mine.groupby("seed")[metric].mean()

    labels = [method for method, values in scores.items() for _ in values]
    return SimpleNamespace(
        agents=agents, scores=of, methods=sorted(scores), references=list(references or {}), labels=labels,
        type_names=list(TYPES), missing={},
    )  # fmt: skip


def compared(scores: dict[str, list[float]], against: str = "mf", **references: float) -> Comparison:
    return Comparison(study_of(scores, references), against)


@pytest.fixture
def three() -> dict[str, list[float]]:
    rng = np.random.default_rng(0)
    base = rng.normal(0, 1, 12)
    return {
        "mf": list(base),
        "is": list(base + 1 + rng.normal(0, 0.1, 12)),
        "fresh": list(base + rng.normal(0, 0.5, 12)),
        "mfp": list(base - 1 + rng.normal(0, 0.1, 12)),
    }


def test_every_method_is_tested_against_one_and_corrected_together(three: dict[str, list[float]]) -> None:
    found = differences_of(compared(three))
    overall = found.overall.set_index("method")
    assert list(overall.index) == ["fresh", "is", "mfp"]
    plain = [stats.ttest_rel(three[m], three["mf"]).pvalue for m in overall.index]
    assert list(overall["p"]) == pytest.approx(plain)
    assert list(overall["p_holm"]) == pytest.approx(holm(plain))
    types = found.tests[found.tests["type"] != "all agents"]
    assert list(types["p_holm"]) == pytest.approx(holm([float(p) for p in types["p"]]))
    assert judged(found.overall) == (["is"], ["mfp"], ["fresh"])
    difference = np.subtract(three["is"], three["mf"])
    hedges = 1 - 3 / (4 * 11 - 1)
    assert overall.loc["is", "effect"] == pytest.approx(difference.mean() / difference.std(ddof=1) * hedges)
    said = difference_words(compared(three), found.overall)
    assert said[0].startswith("IS (+")
    assert "earns more than MF" in said[0]
    assert said[1].startswith("mfp (-")
    assert "earns less" in said[1]
    assert "No difference from MF can be told of fresh" in said[2]


def test_methods_with_too_few_seeds_in_common_are_named(three: dict[str, list[float]]) -> None:
    found = differences_of(compared(three | {"new": [1.0, 2.0]}))
    assert found.untested == {"new": "2 seeds in common"}
    assert "new" not in set(found.tests["method"])
    section = differences_section(compared(three | {"new": [1.0, 2.0]}), found, {})
    assert section.text[0] == "No test against MF of new (2 seeds in common); 3 seeds in common give one."


def test_every_pair_is_in_the_matrix_and_its_halves_add_up(three: dict[str, list[float]]) -> None:
    table = improvement_table(compared(three)).set_index(["method", "other"])
    assert len(table) == 12
    for one, other in table.index:
        assert table.loc[(one, other), "probability"] + table.loc[(other, one), "probability"] == pytest.approx(1)
        assert table.loc[(one, other), "low"] == pytest.approx(1 - table.loc[(other, one), "high"])


def test_reference_is_the_named_one_else_mf_else_the_first() -> None:
    assert reference_of(["fresh", "is", "mf"], None) == "mf"
    assert reference_of(["fresh", "is"], None) == "fresh"
    assert reference_of(["fresh", "is"], "is") == "is"
    with pytest.raises(UserError, match=r"--against frehs: no run is of that method.*did you mean 'fresh'"):
        reference_of(["fresh", "is"], "frehs")


def test_aggregates_say_why_there_is_no_interval(three: dict[str, list[float]]) -> None:
    table = aggregate_table(compared(three | {"new": [1.0, 2.0]})).set_index(["statistic", "policy"])
    assert table.loc[("iqm", "is"), "estimate"] == pytest.approx(stats.trim_mean(three["is"], 0.25))
    assert table.loc[("median", "is"), "low"] < np.median(three["is"]) < table.loc[("median", "is"), "high"]
    row = table.loc[("mean", "new")]
    assert (row["estimate"], row["note"]) == (1.5, "no interval: 2 of at least 3 seeds")
    assert np.isnan(row["low"])


def test_scores_are_normalised_between_random_orders_and_base_stock() -> None:
    found = normalised(study_of({"is": [5.0, 10.0, 15.0]}, {"random": 0.0, "base_stock": 20.0}))
    assert list(found.scores["is"]) == [0.25, 0.5, 0.75]
    assert "random was not played" in normalised(study_of({"is": [5.0]}, {"base_stock": 20.0})).why
    assert "no more than" in normalised(study_of({"is": [5.0]}, {"random": 20.0, "base_stock": 20.0})).why


def test_profile_is_the_share_of_runs_above() -> None:
    table = profile_table({"is": [[0.0, 1.0, 2.0, 3.0]], "few": [[9.0, 9.0]]})
    assert set(table["method"]) == {"is"}
    at = table[table["threshold"] > 1.5].iloc[0]
    assert at["mean"] == 0.5
    assert np.isnan(at["low"])  # four runs give no band


def game(folder: str, scores: dict[str, list[float]], corrected: set[str], agents: int = 9) -> GameResult:
    mine = compared(scores)
    found = differences_of(mine)
    series = {method: pd.Series(values) for method, values in scores.items()}
    methods = sorted(scores)
    return GameResult(
        folder, f"inventory/{folder}", agents, "mf", series, Normalised(series), found.overall, found.pairs, methods,
        corrected,
    )  # fmt: skip


def test_study_corrects_over_all_games(three: dict[str, list[float]]) -> None:
    few = {method: values[:8] for method, values in three.items()}
    tests = study_tests([game("a", few, {"is"}), game("b", few, {"is"})])
    assert len(tests) == 6
    assert list(tests["p_holm"]) == pytest.approx(holm([float(p) for p in tests["p"]]))
    assert (tests["p_holm"] >= tests["p_holm_game"]).all()
    assert "over all 6 comparisons over 2 games" in family_words(tests)
    said = study_words([game("a", few, {"is"}), game("b", few, {"is"})], tests)
    assert said[0] == (
        "Methods that weigh stored steps for drift (IS) against MF: of 2 comparisons 2 earn more, 0 less, in 0 no "
        "difference can be told."
    )
    assert said[1] == "They earn more: IS on a, N = 9 and b, N = 9."
    assert "They earn less: mfp on a, N = 9 and b, N = 9." in said


def test_over_games_only_seeds_count_that_all_methods_have(three: dict[str, list[float]]) -> None:
    # the method that lacks runs of the second game, where all do badly
    easy = {"mf": [1.0, 1.1, 1.2, 1.3, 1.4, 1.5], "is": [1.0, 1.1, 1.2, 1.3, 1.4, 1.5]}
    hard = {"mf": [0.0, 0.1, 0.2, 0.3, 0.4, 0.5], "is": [0.0, 0.1, 0.2]}
    games = [game("a", easy, set()), game("b", hard, set())]
    scores = shared(games)
    assert {method: [len(one) for one in by_game] for method, by_game in scores.items()} == {"is": [6, 3], "mf": [6, 3]}
    table = across_table(scores).set_index(["statistic", "policy"])
    assert table.loc[("mean", "is"), "estimate"] == pytest.approx(table.loc[("mean", "mf"), "estimate"])
    assert across_improvement([game("a", easy, set())])["probability"].tolist() == [0.5]
    assert shared([game("a", easy, set()), game("b", {"mf": [1.0, 2.0, 3.0], "is": [1.0]}, set())]).keys() == {"mf"}


def test_latex_has_rules_and_escapes_names() -> None:
    rows = [[Cell("a_b & 50%"), Cell("1.5", "1 to 2")], [Cell("<x>"), Cell("–")]]
    text = latex(Table("cap_tion", ["", "$ / period"], rows))
    for line in (r"\toprule", r"\midrule", r"\bottomrule", r"\begin{tabular}{lr}"):
        assert line in text
    assert r"a\_b \& 50\% & 1.5 [1 to 2] \\" in text
    assert r"\textless{}x\textgreater{} & -- \\" in text
    assert r"& \$ / period \\" in text


def test_thinned_values_keep_their_distribution() -> None:
    values = np.random.default_rng(0).normal(3, 2, 5 * MOST)
    kept = thinned(values)
    assert kept.size == MOST
    assert np.quantile(kept, [0.1, 0.5, 0.9]) == pytest.approx(np.quantile(values, [0.1, 0.5, 0.9]), abs=0.01)
    assert thinned(values[:10]).size == 10


def test_a_policy_far_off_the_axis_has_no_ridge() -> None:
    rng = np.random.default_rng(0)
    profit = {"is": rng.normal(10, 1, 50), "mf": rng.normal(11, 1, 50), "random": rng.normal(-900, 1, 50)}
    episodes = pd.concat([pd.DataFrame({"policy": p, "profit": values}) for p, values in profit.items()])
    found = profit_density(episodes, list(profit), "mf", looks(list(profit)), "store")
    assert found is not None
    assert [text.get_text() for text in found[0].axes[0].get_yticklabels()] == ["MF", "IS"]
    assert set(found[1]["policy"]) == {"is", "mf"}
    density = found[1].set_index("policy").loc["is"]
    assert np.trapezoid(density["density"], density["profit"]) == pytest.approx(1, abs=0.02)


def test_time_curves_end_where_the_first_seed_does() -> None:
    lines = [
        {"method": "is", "seed": seed, "time_s": float(t), "return_mean": float(t)}
        for seed, end in ((1, 10), (2, 20), (3, 20))
        for t in range(end + 1)
    ]
    found = over_seeds(pd.DataFrame(lines), "return_mean", bins=11, along="time_s")
    # a value that is its own time: every curve is the diagonal, and all seeds agree
    assert found["mean"].to_numpy() == pytest.approx(found["time_s"].to_numpy())
    assert (found["high"] - found["low"]).to_numpy() == pytest.approx(np.zeros(11))
