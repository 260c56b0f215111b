"""scripts/demo.py: which commands it gives, that it goes on where it stopped, and that a failure ends it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The script as a module, told to write below `tmp_path`; its commands are noted in `demo.given`."""
    spec = importlib.util.spec_from_file_location("demo", ROOT / "scripts" / "demo.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setattr(sys, "path", list(sys.path))
    spec.loader.exec_module(module)
    module.given = []  # type: ignore[attr-defined]

    def note(arguments: Sequence[str], label: str) -> None:
        module.given.append(list(arguments))
        if arguments[0] == "train":
            resumed = "--resume" in arguments
            run = Path(arguments[2]) if resumed else tmp_path / "runs" / arguments[arguments.index("--name") + 1]
            run.mkdir(parents=True, exist_ok=True)
            (run / "run.json").touch()
            (run / "complete.json").touch()
        elif arguments[0] == "evaluate":
            (Path(arguments[1]) / "evaluation.h5").touch()

    monkeypatch.setattr(module, "_mfmarl", note)
    monkeypatch.setattr(sys, "argv", ["demo.py", "--out", str(tmp_path), "--set", "num_envs=4"])
    return module


def test_trains_evaluates_and_reports(demo: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.main() == 0
    train = [c for c in demo.given if c[0] == "train"]
    assert len(train) == len([c for c in demo.given if c[0] == "evaluate"]) == 6
    flags = {(c[c.index("--method") + 1], c[c.index("--seed") + 1]) for c in train}
    assert flags == {(method, seed) for method in ("is", "mf") for seed in ("1", "2", "3")}
    assert all(c[-2:] == ["--set", "num_envs=4"] for c in train)
    *before, report = demo.given
    assert report[0] == "report"
    assert len(report) == 1 + 6 + 2
    assert report[-2:] == ["--out", str(tmp_path / "report")]
    assert all(c[0] != "report" for c in before)
    assert str(tmp_path / "report" / "index.html") in capsys.readouterr().out


def test_goes_on_where_it_stopped(demo: ModuleType, tmp_path: Path) -> None:
    assert demo.main() == 0
    runs = sorted((tmp_path / "runs").iterdir())
    (runs[0] / "complete.json").unlink()
    (runs[0] / "evaluation.h5").unlink()
    (runs[1] / "evaluation.h5").unlink()
    demo.given.clear()
    assert demo.main() == 0
    assert sorted(c[:3] for c in demo.given[:-1]) == [
        ["evaluate", str(runs[0]), "--episodes"],
        ["evaluate", str(runs[1]), "--episodes"],
        ["train", "--resume", str(runs[0])],
    ]


def test_a_failure_ends_it_with_its_code(demo: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(arguments: Sequence[str], label: str) -> None:
        demo.given.append(list(arguments))
        raise SystemExit(3)

    monkeypatch.setattr(demo, "_mfmarl", fail)
    with pytest.raises(SystemExit) as error:
        demo.main()
    assert error.value.code == 3
    assert all(c[0] == "train" for c in demo.given)
    assert len(demo.given) <= 2


def test_commands_run_in_processes_of_their_own(capfd: pytest.CaptureFixture[str]) -> None:
    spec = importlib.util.spec_from_file_location("demo_itself", ROOT / "scripts" / "demo.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module._mfmarl(["--version"], "is seed 1")
    assert capfd.readouterr().out.startswith("[is seed 1] ")
    with pytest.raises(SystemExit) as error:
        module._mfmarl(["trian"], "is seed 1")
    assert error.value.code == 2
    assert "did you mean 'train'?" in capfd.readouterr().out
