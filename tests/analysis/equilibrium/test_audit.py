"""An audit in one command: what it writes, that it goes on where it stopped, and how it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from analysis.equilibrium.audit import Settings, audit
from analysis.equilibrium.audit_file import Audit, read_audit
from analysis.equilibrium.exact import exact_gaps
from analysis.equilibrium.gaps import Estimate, Gaps, ImpossibleGap, TypeGap, check_gaps
from analysis.report import write_report
from mfmarl.cli import run_command
from mfmarl.config import config_from
from mfmarl.errors import DamagedFile, UserError
from mfmarl.evaluate import evaluate
from mfmarl.policy import Policy
from mfmarl.train import train

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
    monkeypatch.setattr("analysis.equilibrium.audit.learned_gaps", never)
    audit(run, SMALL)
    assert read_audit(run) == audited
    audit(run, Settings(types=("discounter",), by=("exact",)))
    assert [one.type_name for one in read_audit(run).gaps[0].types] == ["discounter"]
    audit(run, SMALL)


def test_the_report_has_the_audit(run: Path, audited: Audit, tmp_path: Path) -> None:
    evaluate(run, episodes=3)
    page = write_report([run], tmp_path)
    text = page.read_text()
    assert "Equilibrium audit" in text
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


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--exclude", "discunter"], "did you mean 'discounter'"),
        (["--by", "exakt"], "did you mean 'exact'"),
        (["--policy", "base-stok"], "base_stock"),
        (["--split", "test"], "no data to split"),
        (["--episodes", "0"], "whole number"),
        (["--local", "--address", "auto"], "leave one out"),
    ],
    ids=str,
)
def test_bad_input_is_one_line(
    run: Path, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["audit", str(run), *arguments]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_what_the_game_does_not_have_is_a_note_unless_it_was_asked_for(tmp_path: Path) -> None:
    config = config_from({"env": "games/coordination", "num_agents": 6, "num_episodes": 32, "seed": 1, "method": "mf"})
    run = train(config, tmp_path, backend="local")
    with pytest.raises(UserError, match="--by exact: games/coordination has no exact mean field"):
        audit(run, Settings(by=("exact",)))
    with pytest.raises(UserError, match="--by bound"):
        audit(run, Settings(by=("bound",)))


def test_a_run_without_checkpoint_and_a_damaged_file_are_told(run: Path, audited: Audit, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a run folder"):
        audit(tmp_path)
    (tmp_path / "audit").mkdir()
    text = json.loads((run / "audit" / "audit.json").read_text())
    text["gaps"][0]["types"][0]["share"] = "many"
    (tmp_path / "audit" / "audit.json").write_text(json.dumps(text))
    with pytest.raises(DamagedFile, match=r"gaps\.0\.types\.0\.share"):
        read_audit(tmp_path)


def test_a_gap_below_zero_beyond_its_interval_is_an_error() -> None:
    def gaps(value: float, half: float) -> Gaps:
        gap = Estimate(value, value - half, value + half)
        return Gaps("unilateral gap", "learned", (TypeGap("fresh", 1.0, gap, gap, gap),))

    assert check_gaps(gaps(-1.0, 2.0)).nash_conv.value == -1.0
    with pytest.raises(ImpossibleGap, match="fresh: the learned unilateral gap is -3"):
        check_gaps(gaps(-3.0, 2.0))
