"""An audit in one command: what it writes, that it goes on where it stopped, and how it refuses."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.equilibrium.audit import audit
from analysis.equilibrium.audit_file import Absent, Audit, gathered, read_audit, write_audit
from analysis.equilibrium.audit_settings import Settings
from analysis.equilibrium.audit_table import lines_of, table_of
from analysis.equilibrium.exact import SCATTERED, exact_gaps
from analysis.equilibrium.gaps import By, Estimate, ImpossibleGap
from analysis.report import write_report
from analysis.report.audit import _answer
from mfmarl.cli import run_command
from mfmarl.config import config_from
from mfmarl.deviator_config import DeviatorConfig
from mfmarl.errors import DamagedFile, UserError
from mfmarl.evaluate import evaluate
from mfmarl.policy import Policy
from mfmarl.train import train
from tests.rewritten import rewrite

OPTIONS = {"horizon": 6, "jitter": 0.0}
AGENTS = 30
SMALL = Settings(episodes=600, measured_episodes=128, bound_episodes=16, local=True)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = config_from(
        {
            "num_agents": AGENTS, "num_episodes": 64, "seed": 1, "env_options": OPTIONS, "method": "mf",
            "mfq": {"hidden": [8]},
        }
    )  # fmt: skip
    return train(config, tmp_path_factory.mktemp("runs"), backend="local")


@pytest.fixture(scope="module")
def audited(run: Path) -> Audit:
    assert audit(run, SMALL) == run / "audit" / "audit.json"
    return read_audit(run)


def test_every_way_and_every_kind_of_exclusion_is_there(audited: Audit) -> None:
    names = ["convenience", "supermarket", "discounter"]
    kinds = [(one.what, one.by, [t.type_name for t in one.types]) for one in audited.gaps]
    assert sorted(kinds) == sorted(
        [
            ("unilateral gap", "exact", names),
            ("unilateral gap", "bound", names),
            ("unilateral gap", "learned", names),
            ("type deviation", "learned", names),
        ]
    )
    assert len(audited.left_out) == 6
    assert {line.name for line in audited.lines} == {"equilibrium", "planner"}
    assert {(one.what, one.type_name) for one in audited.deviations} == {
        (what, name) for what in ("unilateral gap", "type deviation") for name in names
    }


def test_the_gaps_are_those_of_the_functions_and_in_order(run: Path, audited: Audit) -> None:
    exact = exact_gaps("inventory/market-easy", Policy.load(run), options=OPTIONS, num_agents=AGENTS)
    mine, upper, lower = (audited.found(by) for by in ("exact", "bound", "learned"))
    assert mine is not None
    assert upper is not None
    assert lower is not None
    assert [one.gap.value for one in mine.types] == pytest.approx([one.gap.value for one in exact.types])
    # of few agents who look at the mean action, which scatters
    assert SCATTERED in mine.notes
    assert SCATTERED not in exact_gaps("inventory/market-easy", Policy.load(run), options=OPTIONS).notes
    assert SCATTERED not in exact_gaps("inventory/market-easy", "base_stock", num_agents=AGENTS, options=OPTIONS).notes
    for low, one, high in zip(lower.types, mine.types, upper.types, strict=True):
        assert low.gap.low <= one.gap.value <= high.gap.high
        # what is simulated and what is worked out are values of the same profile
        assert abs(low.base.value - one.base.value) < 3 * (low.base.high - low.base.value) + 0.02 * abs(one.base.value)


def test_deviations_hold_what_the_gaps_say(audited: Audit) -> None:
    learned = audited.found("learned")
    assert learned is not None
    for one in audited.deviations:
        if one.what != "unilateral gap" or one.start == "stay":
            continue
        gap = next(g for g in learned.types if g.type_name == one.type_name)
        mean = sum(one.best_returns) / len(one.best_returns) - sum(one.base_returns) / len(one.base_returns)
        assert gap.gap.value == pytest.approx(mean)
        assert one.distance is not None
        assert one.distance.wasserstein > 0


def test_a_finished_piece_is_not_done_again(run: Path, audited: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("computed again")

    for name in ("exact_gaps", "bound_gaps", "leave_type_out", "solved"):
        monkeypatch.setattr(f"analysis.equilibrium.audit.{name}", never)
    monkeypatch.setattr("analysis.equilibrium.audit_learned.learned_gaps", never)
    audit(run, SMALL)
    assert read_audit(run) == audited


@pytest.mark.parametrize("by", ["exact", "bound", "learned"])
def test_calls_add_to_each_other(run: Path, audited: Audit, by: By) -> None:
    whole = audit(run, SMALL).read_bytes()
    audit(run, replace(SMALL, types=("discounter",), by=(by,)))
    found = read_audit(run)
    assert sorted(found.gaps, key=repr) == sorted(audited.gaps, key=repr)
    assert (found.left_out, found.lines, found.deviations) == (audited.left_out, audited.lines, audited.deviations)
    audit(run, SMALL)
    assert (run / "audit" / "audit.json").read_bytes() == whole
    # another seed is another audit
    noted: list[str] = []
    audit(run, replace(SMALL, seed=1, by=("exact",)), noted=noted.append)
    told = f"{run}/audit/audit.json was of seed 0; this call writes seed 1 in its place, the pieces of seed 0 stay"
    assert noted == [told]
    assert [one.by for one in read_audit(run).gaps] == ["exact"]
    audit(run, SMALL)


def test_other_numbers_of_agents_are_played_where_asked_for(run: Path, audited: Audit) -> None:
    audit(run, replace(SMALL, by=("exact",), finite=True))
    finite = read_audit(run).finite
    assert finite is not None
    assert [one.num_agents for one in finite.sizes] == sorted({one.num_agents for one in finite.sizes})
    assert max(one.num_agents for one in finite.sizes) >= 9_000
    # the largest population's value is the limit, up to its standard error and the last of C / N
    last, first = finite.sizes[-1], finite.sizes[0]
    assert abs(last.gap) < 5 * last.error + abs(first.gap) / 10
    audit(run, SMALL)
    assert read_audit(run).finite == finite
    assert any("value among N agents" in line for line in lines_of(read_audit(run)))


def test_types_out_of_order_or_twice_stand_in_the_rows_that_are_theirs(run: Path, audited: Audit) -> None:
    shorter = replace(SMALL, episodes=300, seed=1)
    audit(run, replace(shorter, types=("discounter", "convenience", "discounter"), by=("exact", "learned")))
    some = read_audit(run)
    learned, exact = some.found("learned"), some.found("exact")
    assert learned is not None
    assert exact is not None
    assert [one.type_name for one in learned.types] == ["convenience", "discounter"]
    assert exact.complete
    assert not learned.complete
    table = table_of(some)
    names, of_learned, of_exact = (list(table.columns[i].cells) for i in (0, 2, 3))
    assert names == ["convenience", "supermarket", "discounter", "all (NashConv)"]
    assert [cell == "–" for cell in of_learned] == [False, True, False, True]
    assert "–" not in of_exact
    # a part bounds nothing from above
    assert any("NashConv is between" in line for line in lines_of(audited))
    assert not any("NashConv is between" in line for line in lines_of(some))
    audit(run, SMALL)


def test_the_report_has_the_audit(run: Path, audited: Audit, tmp_path: Path) -> None:
    evaluate(run, episodes=3)
    page = write_report([run], tmp_path)
    text = page.read_text()
    assert "Equilibrium audit" in text
    assert "the audit is of iteration" not in text
    exact = audited.nash_conv[1]
    assert exact is not None
    assert f"{exact.value:,.1f} $ ({exact.value / abs(audited.value.value):.1%}) an episode (NashConv)" in text
    lines = (tmp_path / "audit_gaps.csv").read_text().splitlines()
    # three types and NashConv by three ways, and three type deviations
    assert len(lines) == 1 + 3 * 4 + 3
    for name in ("audit_returns.csv", "audit_values.csv", "audit_lines.csv", "audit_left_out.csv"):
        assert (tmp_path / name).exists()


def test_the_command_prints_the_table(run: Path, audited: Audit, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["audit", str(run), "--by", "exact"]) == 0
    told = capsys.readouterr().out
    assert "NashConv" in told
    assert "price of anarchy" in told
    assert told.strip().splitlines()[-1] == str(run / "audit" / "audit.json")


def test_the_audit_of_a_reference_policy_stands_beside_the_runs_own(
    run: Path, audited: Audit, capsys: pytest.CaptureFixture[str]
) -> None:
    before = audit(run, SMALL).read_bytes()
    assert run_command(["audit", str(run), "--by", "exact", "--policy", "random"]) == 0
    told = capsys.readouterr().out
    assert told.lstrip().startswith("random on inventory/market-easy")
    assert told.strip().splitlines()[-1] == str(run / "audit" / "audit-random.json")
    assert read_audit(run, "random").policy == "random"
    assert (run / "audit" / "audit.json").read_bytes() == before
    with pytest.raises(UserError, match="--policy base_stock"):
        read_audit(run, "base_stock")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--exclude", "discunter"], "--exclude: there is no type 'discunter'; there are"),
        (["--by", "exakt"], "did you mean 'exact'"),
        (["--policy", "base-stok"], "base_stock"),
        (["--split", "test"], "no data to split"),
        (["--episodes", "0"], "whole number"),
        (["--episodes", "99999999999"], "at most 1,000,000,000"),
        (["--local", "--address", "auto"], "leave one out"),
    ],
    ids=str,
)
def test_bad_input_is_one_line(run: Path, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["audit", str(run), *arguments]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_exact_gaps_are_not_worked_out_for_other_numbers_of_agents(
    run: Path, audited: Audit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("computed")

    for name in ("exact_gaps", "leave_type_out", "solved"):
        monkeypatch.setattr(f"analysis.equilibrium.audit.{name}", never)
    audit(run, replace(SMALL, seed=2, by=("bound",), finite=True))
    found = read_audit(run)
    assert found.finite is not None
    assert [one.by for one in found.gaps] == ["bound"]
    monkeypatch.undo()
    audit(run, SMALL)


def test_a_run_without_checkpoint_and_a_damaged_file_are_told(run: Path, audited: Audit, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a run folder"):
        audit(tmp_path)
    (tmp_path / "audit").mkdir()
    shutil.copy(run / "audit" / "audit.json", tmp_path / "audit")
    rewrite(tmp_path / "audit" / "audit.json", lambda told: told["gaps"][0]["types"][0].update(share="many"))
    with pytest.raises(DamagedFile, match=r"gaps\.0\.types\.0\.share"):
        read_audit(tmp_path)
    mine = tmp_path / run.name
    shutil.copytree(run, mine)
    shutil.copy(tmp_path / "audit" / "audit.json", mine / "audit" / "audit.json")
    noted: list[str] = []
    audit(mine, SMALL, noted=noted.append)
    (told,) = noted
    assert told.startswith(f"{mine}/audit/audit.json is no whole audit of this version (gaps.0.types.0.share: ")
    assert told.endswith("; this call writes it anew")
    assert read_audit(mine) == audited


def test_a_folder_in_place_of_the_file_is_told_before_the_work_begins(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / run.name
    shutil.copytree(run, mine)
    (mine / "audit" / "audit.json").unlink(missing_ok=True)
    (mine / "audit" / "audit.json").mkdir(parents=True)
    assert run_command(["audit", str(mine), "--by", "exact", "--seed", "3"]) == 4
    assert f"{mine}/audit/audit.json is a folder, not a regular file: move it away" in capsys.readouterr().err


def test_learned_gaps_of_longer_training_stay(run: Path, audited: Audit, tmp_path: Path) -> None:
    mine = tmp_path / run.name
    shutil.copytree(run, mine)
    learned = audited.found("learned")
    assert learned is not None
    assert learned.notes[0] == "fresh deviators trained on 768 episodes, chosen on some others and measured on 128 more"
    better = replace(learned.types[2], gap=Estimate(99.0, 98.0, 100.0))
    longer = tuple(
        replace(one, episodes=5000) if (one.type_name, one.what) == ("discounter", "unilateral gap") else one
        for one in audited.deviations
    )
    gaps = replace(learned, types=(*learned.types[:2], better))
    write_audit(
        mine, replace(audited, deviations=longer, gaps=tuple(gaps if one is learned else one for one in audited.gaps))
    )
    for piece in (mine / "audit" / "pieces").glob("learned-*-convenience-*"):
        piece.unlink()
    noted: list[str] = []
    # the deviators are there, so none is trained; of convenience, nothing is finished nor asked for
    audit(mine, replace(SMALL, types=("supermarket", "discounter"), by=("learned",)), noted=noted.append)
    (told,) = noted
    assert told.startswith(f"unilateral gap of discounter: {mine}/audit/audit.json has learned ones of deviators ")
    assert told.endswith("trained on 5,000 episodes; those stay, this call would train on 768")
    found = read_audit(mine)
    mixed = found.found("learned")
    assert mixed is not None
    assert mixed.types == gaps.types
    numbers = "5,000 (discounter), 768 (convenience, supermarket)"
    assert mixed.notes[0].startswith(f"fresh deviators trained on {numbers} episodes")
    assert found.found("learned", "type deviation") == audited.found("learned", "type deviation")
    assert found.deviations == longer


def test_the_help_tells_the_least_number_of_episodes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run_command(["audit", "--help"])
    told = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert f"At least {DeviatorConfig().deviators}, which play together" in told
    assert f"{DeviatorConfig().num_episodes}, fewer where" in told


def test_a_line_of_the_command_says_what_is_replaced(
    run: Path, audited: Audit, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["audit", str(run), "--by", "exact", "--seed", "7"]) == 0
    assert "audit.json was of seed 0; this call writes seed 7 in its place" in capsys.readouterr().err
    audit(run, SMALL)


def test_policies_of_another_game_are_told(run: Path, tmp_path: Path) -> None:
    other = train(
        config_from({"num_agents": 12, "num_episodes": 8, "seed": 1, "env_options": OPTIONS, "mfq": {"hidden": [8]}}),
        tmp_path, backend="local",
    )  # fmt: skip
    shutil.rmtree(other / "checkpoints")
    shutil.copytree(run / "checkpoints", other / "checkpoints")
    told = r"another game: they play \[10, 12, 8\] agents by type, .* has \[4, 5, 3\]"
    for by in ("exact", "learned", "bound"):
        with pytest.raises(UserError, match=told):
            audit(other, Settings(by=(by,), local=True))


def test_another_checkpoint_is_another_audit_and_the_report_says_which_it_is_of(
    run: Path, audited: Audit, tmp_path: Path
) -> None:
    mine = tmp_path / run.name
    shutil.copytree(run, mine)
    evaluate(mine, episodes=3)
    # as where a run that was stopped is audited and then trained on
    (newest,) = list((mine / "checkpoints").glob("ckpt_*"))[-1:]
    write_audit(mine, replace(audited, checkpoint=audited.checkpoint - 1, subject="older"))
    told = f"the audit is of iteration {audited.checkpoint - 1}, the run is at {audited.checkpoint} since"
    assert told in write_report([mine], tmp_path / "before").read_text()
    assert newest.name == f"ckpt_{audited.checkpoint:06d}"
    audit(mine, replace(SMALL, by=("exact",)))
    assert [one.by for one in read_audit(mine).gaps] == ["exact"]


def test_the_exact_nash_conv_is_told_though_deviators_were_trained_for_some_types(audited: Audit) -> None:
    gaps = tuple(replace(one, types=one.types[:1]) if one.by == "learned" else one for one in audited.gaps)
    some = replace(audited, gaps=gaps)
    _, exact, upper = audited.nash_conv
    assert some.nash_conv == (None, exact, upper)
    assert exact is not None
    (told,) = _answer([("mf", 1, some)], ["mf"])
    assert f"{exact.value:,.1f} $ ({exact.value / abs(audited.value.value):.1%}) an episode (NashConv)" in told
    assert not any("NashConv is between" in line for line in lines_of(some))


def test_an_impossible_gap_of_an_earlier_call_is_an_error_of_the_next(
    run: Path, audited: Audit, tmp_path: Path
) -> None:
    mine = tmp_path / run.name
    shutil.copytree(run, mine)
    learned = audited.found("learned")
    assert learned is not None
    bad = replace(learned.types[0], gap=Estimate(-50.0, -51.0, -49.0))
    impossible = replace(learned, types=(bad, *learned.types[1:]))
    write_audit(mine, replace(audited, gaps=tuple(impossible if one is learned else one for one in audited.gaps)))
    with pytest.raises(ImpossibleGap, match="the learned unilateral gap is -50"):
        audit(mine, replace(SMALL, by=("exact",)))


def test_the_part_of_the_data_is_told(audited: Audit) -> None:
    assert audited.split is None
    assert not any("split" in note for note in audited.notes)
    assert "values and gaps are of the data held out of training (split test)" in replace(audited, split="test").notes


def test_what_the_game_does_not_have_stays_told_till_it_is_found(audited: Audit, tmp_path: Path) -> None:
    (tmp_path / "audit").mkdir()
    absent = (Absent("exact", "exact gaps: too large"), Absent("bound", "bound gaps: none"))
    learned = tuple(one for one in audited.gaps if one.by == "learned")
    write_audit(tmp_path, replace(audited, gaps=learned, absent=absent, left_out=(), lines=()))
    exact = tuple(one for one in audited.gaps if one.by == "exact")
    found = gathered(replace(audited, gaps=exact, deviations=()), read_audit(tmp_path))
    assert found.absent == absent[1:]
    assert (found.gaps, found.deviations) == ((*exact, *learned), audited.deviations)
    assert (found.left_out, found.lines) == (audited.left_out, audited.lines)


def test_the_part_that_the_run_was_trained_on_is_the_same_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    game = {"env": "inventory/market-orange-juice", "env_options": {"horizon": 3}, "mfq": {"hidden": [4]}}
    run = train(config_from({**game, "num_episodes": 4, "seed": 1}), tmp_path, backend="local")
    small, noted = Settings(by=("bound",), bound_episodes=2), list[str]()
    whole = audit(run, small).read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr("analysis.equilibrium.audit.bound_gaps", pytest.fail)
        assert audit(run, replace(small, split="train"), noted=noted.append).read_bytes() == whole
    assert noted == []
    audit(run, replace(small, split="test"), noted=noted.append)
    (told,) = noted
    assert "was of split train; this call writes split test in its place" in told
