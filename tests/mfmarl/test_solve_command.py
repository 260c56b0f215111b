"""`mfmarl solve`: files that are whole, goes on bit for bit, and one line for each mistake."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from envs.mean_field import FiniteMFG, make, names
from mfmarl.cli import run_command
from mfmarl.errors import DamagedFile
from mfmarl.solve import SolveProgress, solve_into
from mfmarl.solve_command import Solve
from mfmarl.solvers import SOLVERS, fixed_point, solve
from mfmarl.solvers.problem import Problem, problem_of
from mfmarl.solvers.saved import Saved, read_solution, write_solution
from mfmarl.solvers.state_tree import put_together, taken_apart
from tests.mfmarl.solvers.test_solvers import FIXED_KERNELS

FILES = ["audit.csv", "convergence.png", "flow.gif", "solution.json", "solution.safetensors"]
"""Printed; the lock lies beside them."""


def told(capsys: pytest.CaptureFixture[str], arguments: list[str], code: int = 2) -> str:
    assert run_command(["solve", *arguments]) == code
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert err.startswith("mfmarl: ")
    return err


def test_within_the_tolerance_is_0(tmp_path: Path) -> None:
    assert run_command(["solve", "left-right", "--out", str(tmp_path / "solved")]) == 0


def test_a_folder_that_takes_no_file_is_told_before_solving(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("mfmarl.solve.solve", None)
    assert "file" in told(capsys, ["crowd-1d", "--out", str(tmp_path / "file")], code=4)


def test_pictures_of_an_earlier_state_are_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "beach"
    small = ["--set", "size=5", "horizon=4", "--out", str(out)]
    assert run_command(["solve", "beach-bar", *small, "--max-iterations", "2"]) == 1

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mfmarl.solve.solve", killed)
    assert run_command(["solve", "--resume", str(out), "--max-iterations", "9"]) == 130
    assert sorted(path.name for path in out.iterdir()) == ["lock", "solution.json", "solution.safetensors"]


def test_solves_into_a_folder_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "beach"
    command = ["solve", "beach-bar", "--set", "size=5", "horizon=4", "mirror_prox.growth=1.6", "--out", str(out)]
    # 1: it is not within the tolerance
    assert run_command([*command, "--max-iterations", "3", "--tol", "0"]) == 1
    printed = capsys.readouterr()
    assert sorted(Path(line).name for line in printed.out.splitlines()) == FILES
    assert sorted(path.name for path in out.iterdir()) == sorted([*FILES, "lock"])
    assert "beach-bar by mirror_prox" in printed.err
    assert "after 3 iterations" in printed.err
    said = json.loads((out / "solution.json").read_text())
    assert (said["game"], said["parameters"], said["settings"]) == (
        "beach-bar",
        {"size": 5, "horizon": 4},
        {"growth": 1.6},
    )
    assert (said["iterations"], said["reason"], said["converged"]) == (3, "iterations", False)
    assert [point[0] for point in said["history"]] == [0, 1, 2, 3]
    assert run_command(["solve", "--resume", str(out), "--max-iterations", "9"]) == 1
    game = make("beach-bar", size=5, horizon=4)
    assert isinstance(game, FiniteMFG)
    whole = solve(game, "mirror_prox", tol=0, max_iterations=9, growth=1.6)
    found = read_solution(out)
    assert found.tol == 0
    np.testing.assert_array_equal(found.solution.pi, whole.pi)
    np.testing.assert_array_equal(found.solution.mu, whole.mu)
    assert [p.exploitability for p in found.solution.history] == [p.exploitability for p in whole.history]
    audit = pd.read_csv(out / "audit.csv")
    assert len(audit) == 4 * 5
    assert audit["share"].sum() == pytest.approx(whole.exploitability, abs=1e-12)
    assert (audit["loss"] > -1e-12).all()
    assert (out / "flow.gif").read_bytes()[:6] == b"GIF89a"
    assert (out / "convergence.png").read_bytes()[1:4] == b"PNG"


@pytest.mark.parametrize("solver", sorted(SOLVERS))
def test_every_solver_goes_on_bit_for_bit_from_its_file(solver: str, tmp_path: Path) -> None:
    pull = 0.0 if solver in FIXED_KERNELS else 1.0
    problem = Problem("garnet", solver, {"pull": pull, "states": 4, "horizon": 4})
    game, made = problem.build()
    whole = solve(game, made, tol=0, max_iterations=8)
    half = solve(game, made, tol=0, max_iterations=4)
    write_solution(tmp_path, game, Saved(problem, 0.0, 8, half))
    read = read_solution(tmp_path)
    assert read.solution.history == half.history
    rest = solve(game, made, tol=0, max_iterations=8, resume_from=read.solution)
    np.testing.assert_array_equal(whole.pi, rest.pi)
    assert [p.exploitability for p in whole.history] == [p.exploitability for p in rest.history]


def test_states_of_every_kind_come_back() -> None:
    state = fixed_point.SoftState(np.array([[-np.inf, 0.1]]), np.float64(0.3), 7)  # type: ignore[arg-type]
    value = {"a": (state, [1, True, None, "x"], float("inf")), "b": np.arange(3)}
    tree, arrays = taken_apart(value, "state")
    assert sorted(arrays) == ["state.a.0.pi", "state.b"]
    back = put_together(json.loads(json.dumps(tree)), arrays, fixed_point)
    assert back["a"][1:] == value["a"][1:]
    np.testing.assert_array_equal(back["a"][0].pi, state.pi)
    assert (back["a"][0].prior, back["a"][0].iteration) == (0.3, 7)
    with pytest.raises(TypeError, match=r"state\.1 is a set"):
        taken_apart((1, {2}), "state")
    with pytest.raises(DamagedFile, match="no dataclass"):
        put_together({"record": "soft_answer", "fields": {}}, {}, fixed_point)


def test_a_damaged_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    problem = Problem("left-right")
    game, solver = problem.build()
    write_solution(tmp_path, game, Saved(problem, 0.0, 5, solve(game, solver, tol=0, max_iterations=2)))
    path = tmp_path / "solution.safetensors"
    good = path.read_bytes()
    path.write_bytes(good[:-9] + bytes([good[-9] ^ 1]) + good[-8:])
    assert "SHA-256 does not fit" in told(capsys, ["--resume", str(tmp_path)])
    for cut in (0, 5, 100, len(good) - 1):
        path.write_bytes(good[:cut])
        assert "is damaged" in told(capsys, ["--resume", str(tmp_path)])
    path.unlink()
    assert "has no solution.safetensors" in told(capsys, ["--resume", str(tmp_path)])


def test_one_line_for_each_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean 'crowd-1d'?" in told(capsys, ["crowd1d"])
    assert "did you mean 'mirror_prox'?" in told(capsys, ["crowd-1d", "--solver", "miror_prox"])
    assert "has no setting 'horizn'; did you mean 'horizon'?" in told(capsys, ["crowd-1d", "--set", "horizn=3"])
    assert "want a whole number" in told(capsys, ["crowd-1d", "--set", "horizon=2.5"])
    assert "want a number" in told(capsys, ["attractor", "--set", "L=high"])
    assert "has no setting 'step_size'" in told(capsys, ["crowd-1d", "--set", "solver.step_size=1"])
    assert "there is no 'mirror_descent' here" in told(capsys, ["crowd-1d", "--set", "mirror_descent.step_size=1"])
    weight = ["crowd-1d", "--solver", "fictitious_play", "--set", "solver.weight=slow"]
    assert "want 'harmonic' or 'constant'" in told(capsys, weight)
    assert "size is 2; want a whole number, 3 or more" in told(capsys, ["crowd-1d", "--set", "size=2"])
    assert "L is -1" in told(capsys, ["attractor", "--set", "L=-1"])
    several = told(capsys, ["predator-prey", "--solver", "omi", "--out", str(tmp_path / "new")])
    assert "omi takes games of one population" in several
    assert "these take it: boltzmann_iteration, " in several
    followed = told(capsys, ["garnet", "--solver", "omi", "--set", "pull=1.0", "--out", str(tmp_path / "new")])
    assert "omi takes games whose transitions do not follow the population" in followed
    assert "interior_point" in followed
    assert not (tmp_path / "new").exists()
    assert "give a GAME" in told(capsys, [])
    assert "--tol: got -1" in told(capsys, ["crowd-1d", "--tol=-1"])
    assert "--max-iterations" in told(capsys, ["crowd-1d", "--max-iterations", "0"])
    extra = ["crowd-1d", "--resume", str(tmp_path), "--set", "size=5", "--out", "x"]
    assert "leave out GAME, --set, --out" in told(capsys, extra)
    (tmp_path / "solution.safetensors").touch()
    assert f"--resume {tmp_path}" in told(capsys, ["left-right", "--out", str(tmp_path)])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["solution.safetensors"]


def test_the_help_lists_all_games_and_solvers() -> None:
    said = " ".join((Solve.__doc__ or "").split())
    assert f"Games: {', '.join(names())}." in said
    assert f"Solvers: {', '.join(sorted(SOLVERS))}." in said


def test_settings_by_the_solvers_name_or_that_word() -> None:
    found = problem_of("garnet", "mirror_descent", {"pull": 1, "mirror_descent.step_size": 0.2})
    assert (found.parameters, found.settings) == ({"pull": 1}, {"step_size": 0.2})
    assert problem_of("garnet", "mirror_descent", {"solver.step_size": 0.2}).settings == {"step_size": 0.2}


def test_ctrl_c_saves_and_it_goes_on(tmp_path: Path) -> None:
    class Pressing(SolveProgress):
        def update(self, line: Mapping[str, Any]) -> None:
            if not self.quiet:
                self.quiet = True
                signal.raise_signal(signal.SIGINT)

    problem = Problem("left-right")
    before = signal.getsignal(signal.SIGINT)
    ended = solve_into(tmp_path, problem, tol=0.0, max_iterations=6, progress=Pressing())
    assert signal.getsignal(signal.SIGINT) is before
    assert (ended.interrupted, ended.saved.solution.iterations) == (True, 1)
    read = read_solution(tmp_path)
    rest = solve_into(
        tmp_path, problem, tol=0.0, max_iterations=6, resume_from=read, progress=SolveProgress(quiet=True)
    )
    assert not rest.interrupted
    game, solver = problem.build()
    whole = solve(game, solver, tol=0.0, max_iterations=6)
    np.testing.assert_array_equal(rest.saved.solution.pi, whole.pi)
