"""The command line: what reaches the jobs, one line per mistake, exit codes, and nothing heavy behind --help."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mfmarl import cli, registry, report_command, train_command
from mfmarl.cli import COMMANDS, run_command
from mfmarl.config import TrainConfig, read_config
from mfmarl.errors import StorageFailed, TrainingFailed, UserError
from mfmarl.runs.checkpoint import write_checkpoint
from mfmarl.runs.lock import hold
from mfmarl.runs.schema import create_run, mark_complete
from mfmarl.trainer import make_env

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "ray", "pandas", "matplotlib", "numba", "scipy", "seaborn", "h5py", "gymnasium", "numpy")
CALLS = 200_000
"""Of Python functions, for any --help: about a quarter of a second where 120,000 of them take .15 s. They are the same
on every machine; the seconds themselves are counted by tests/soak/soak_commands.py."""


def make_run(folder: Path, name: str, **settings: Any) -> Path:
    config = TrainConfig(seed=1, **settings)
    return create_run(
        config,
        folder,
        name=name,
        agent_types=[0, 0, 1],
        type_names=["a", "b"],
        agent_names=["x", "y", "z"],
        device="cpu",
    )


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Jobs that note what they were called with instead of doing it."""
    called: dict[str, Any] = {}

    def fake(table: dict[str, registry.Entry], name: str) -> Callable[..., Any]:
        def job(*args: Any, **kwargs: Any) -> Path | list[Path]:
            called[name] = (args, kwargs)
            # what these folders hold are runs
            return [] if name == "imitation folders" else Path("made")

        return job

    for module in (cli, report_command, train_command):
        monkeypatch.setattr(module, "load", fake)
    return called


def told(capsys: pytest.CaptureFixture[str], arguments: list[str], code: int) -> str:
    assert run_command(arguments) == code
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert err.startswith("mfmarl: ")
    return err


@pytest.mark.parametrize("arguments", [[], *(name.split() for name in COMMANDS)])
def test_help_is_light_quick_and_shows_examples(arguments: list[str]) -> None:
    code = (
        "import sys\ncalls = 0\n"
        "def count(frame, event, argument):\n    global calls\n    calls += event == 'call'\n"
        "sys.setprofile(count)\nfrom mfmarl.cli import run_command\n"
        f"try: run_command({[*arguments, '--help']!r})\n"
        "except SystemExit as e: assert e.code == 0\n"
        "sys.setprofile(None)\n"
        f"print('HEAVY', [m for m in {HEAVY!r} if m in sys.modules], calls)\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    heavy, calls = shown.rpartition("HEAVY ")[2].rsplit(maxsplit=1)
    assert heavy == "[]"
    assert int(calls) < CALLS
    if arguments:
        assert "Examples:" in shown
        assert f"mfmarl {' '.join(arguments)}" in shown
    else:
        assert all(name in shown for name in COMMANDS)


def test_train_passes_everything_on(jobs: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("num_envs: 4\nseed: 9\n")
    arguments = ["train", "--set", "mfq.discount=.9", "env_options.split=test", str(config), "--num_agents", "50"]
    arguments += ["--num-episodes", "7", "--method", "mf", "--seed", "3", "--set", "checkpoint_every=2", "--local"]
    arguments += ["--runs-dir", str(tmp_path), "--name", "x", "--quiet", "--num-env-runners=2", "--num-learners", "1"]
    assert run_command(arguments) == 0
    (made, runs_dir), keywords = jobs["train"]
    assert (made.num_agents, made.num_episodes, made.method, made.seed, made.num_envs) == (50, 7, "mf", 3, 4)
    assert (made.mfq.discount, made.env_options, made.checkpoint_every) == (0.9, {"split": "test"}, 2)
    assert (made.num_env_runners, made.num_learners) == (2, 1)
    assert keywords.pop("progress").quiet
    assert runs_dir == tmp_path
    assert keywords == {"name": "x", "backend": "local", "resume": None, "address": None}
    assert capsys.readouterr().out == "made\n"


def test_the_published_command(jobs: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", "0" * 64)
    command = ["train", "--method", "is", "--num_agents", "50", "--num_episodes", "1000", "--address", "head:6379"]
    assert run_command(command) == 0
    (made, _), keywords = jobs["train"]
    assert keywords["address"] == "head:6379"
    assert (made.method, made.num_agents, made.num_episodes) == ("is", 50, 1000)
    assert keywords["backend"] == "rllib"


def test_the_published_script_reads_the_same_flags() -> None:
    command = [sys.executable, "scripts/execute.py", "--method", "is", "--num_agents", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "mfmarl: --num-agents: got 1; want at least 2: a population is two agents or more\n"


def test_resume_takes_the_runs_own_configuration(
    jobs: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(tmp_path, "one", num_envs=4)
    assert run_command(["train", "--resume", str(run)]) == 0
    (made, _), keywords = jobs["train"]
    assert made == TrainConfig(seed=1, num_envs=4)
    assert keywords["resume"] == run
    capsys.readouterr()
    err = told(capsys, ["train", "--resume", str(run), "--seed", "2", "--set", "num_envs=3"], 2)
    assert "leave out --seed, --set" in err


def test_evaluate_report_and_check_pass_on(jobs: dict[str, Any], tmp_path: Path) -> None:
    run = make_run(tmp_path, "one")
    assert run_command(["evaluate", str(run), "--episodes", "5", "--split", "test"]) == 0
    assert jobs["evaluate"] == ((run, 5, None, "test", None), {})
    assert jobs["evaluation table"] == ((Path("made"),), {})
    assert run_command(["report", str(run), "--out", str(tmp_path / "r")]) == 0
    assert jobs["report"] == (([run], tmp_path / "r", None), {})
    assert jobs["report caveats"] == (([run],), {})
    assert run_command(["check", "inventory/market-easy", "--episodes", "4"]) == 0
    assert jobs["check"][1] == {"episodes": 4}


def test_report_takes_a_folder_of_runs_a_page_over_all_its_games(
    jobs: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study, out = tmp_path / "study", tmp_path / "r"
    runs = [make_run(study, name) for name in ("a", "b", "c")]
    for run in runs[:2]:
        (run / "evaluation.h5").touch()
    assert run_command(["report", str(study), "--out", str(out)]) == 0
    assert jobs["report"] == ((runs[:2], out, None), {})
    assert f"1 run not evaluated, left out: {runs[2]}" in capsys.readouterr().err
    other = make_run(study, "d", env="inventory/market-hard")
    (other / "evaluation.h5").touch()
    assert run_command(["report", str(study), "--out", str(out)]) == 0
    games = {"market-easy-n3": runs[:2], "market-hard-n3": [other]}
    arguments, options = jobs["study report"]
    # the last one is told of each page
    assert (arguments[:-1], options) == ((games, out, "study", None), {})
    assert jobs["report caveats"] == (([other],), {})
    assert capsys.readouterr().out == "made\n"
    assert run_command(["report", str(study), "--out", str(out), "--against", "is"]) == 0
    assert jobs["study report"][0][:-1] == (games, out, "study", "is")
    capsys.readouterr()
    assert "is a folder of runs and" in told(capsys, ["report", str(study), str(runs[0])], 2)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ("trian", "unknown command 'trian'; did you mean 'train'?"),
        ("study plann s.yaml", "study plann: want plan, run or status; did you mean 'plan'?"),
        ("study run nowhere.yaml", "nowhere.yaml: there is no such file"),
        ("study status s.yaml --jobs 2", "study status has no --jobs, only study plan and run; leave it out"),
        ("study run s.yaml --no-probe", "study run has no --no-probe, only study plan; leave it out"),
        ("study run s.yaml --jobs 2 --address auto", "--jobs is of this machine, --address of a cluster"),
        ("study run s.yaml --jobs 0", "--jobs: got '0'; want a whole number of at least 1"),
        ("train --num-agent 3", "unknown option '--num-agent' of train; did you mean '--num-agents'?"),
        ("train --zebra", "unknown option '--zebra' of train"),
        ("train --num-agents 1", "--num-agents: got 1; want at least 2"),
        ("train --num-agents x", '--num-agents: got "x"; want a whole number'),
        ("train --seed 010", "--seed: got 010, which YAML readers take differently"),
        ("train --seed", "Missing value for argument '--seed'"),
        ("train --method iss", "--method: got \"iss\"; want 'mf', 'is', 'fresh', 'is+fresh'"),
        ("train nowhere.yaml", "nowhere.yaml: there is no such file"),
        ("train --set x", "want key=value"),
        ("train --set mfq.discont=1", "did you mean 'discount'?"),
        ("train a.yaml b.yaml", "Unrecognized options: b.yaml"),
        ("train --resume nowhere", "nowhere does not exist"),
        ("train --env inventri/market", "did you mean 'inventory'?"),
        ("evaluate", "Missing from mfmarl evaluate: RUN"),
        ("evaluate nowhere", "nowhere does not exist"),
        ("evaluate . --ledger play.xlsx", "--ledger play.xlsx: want a name that ends in .parquet or .csv"),
        ("train --set horizon=4", "unknown key horizon; allowed are env, num_agents"),
        ("train --set horizon=4", "settings of the environment stand below env_options"),
        ("train --set mfq.hidden=[64", "--set mfq.hidden=[64: the [ is not closed; write ] after its last value"),
        ("evaluate . --episodes 0", "--episodes: got '0'; want a whole number of at least 1"),
        ("evaluate .", "is not a run folder: it has no run.json"),
        ("report", "no runs given"),
        ("report nowhere", "nowhere does not exist"),
        ("ls nowhere", "nowhere does not exist"),
        ("references", "Missing from mfmarl references: ENV"),
        ("references x --episodes 0", "--episodes: got '0'; want a whole number of at least 1"),
        ("references x --set horizon", "want key=value"),
        ("references inventory/market-eazy", "did you mean 'inventory/market-easy'?"),
        ("bounds --delta 1.5", "--delta 1.5: want a probability above 0 and below 1"),
        ("bounds --delta five", "--delta: got 'five'; want a number"),
        ("bounds --drift .5:1.2", "p' = 1.2; want a probability above 0 and below 1"),
        ("bounds --agents 10,1", "--agents: got 1; want 2 to 10,000"),
        ("bounds --agents 10,,30", "--agents: got ''; want a whole number"),
        ("bounds --estimators margnal", "no estimator 'margnal'; did you mean 'marginal'?"),
        ("check x --num-agents 1", "--num-agents: got '1'; want a whole number of at least 2"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(
    arguments: str, part: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert part in told(capsys, arguments.split(), 2)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (
            "--set env_options.price_couplng=1",
            "env_options.price_couplng: inventory/market-easy has no option 'price_couplng'; "
            "did you mean env_options.price_coupling?",
        ),
        (
            "--set env_options.product=4",
            "inventory/market-easy has no option 'product'; it is one of inventory/market-orange-juice",
        ),
        ("--set env_options.foo=1", "inventory/market-easy has no option 'foo'; there are action_grid, action_mode"),
        ("--env inventory/market-eazy", "did you mean 'inventory/market-easy'?"),
    ],
)
def test_what_the_environment_does_not_have_is_told_before_anything_is_made(
    arguments: str, part: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert part in told(capsys, ["train", "--runs-dir", str(tmp_path / "runs"), *arguments.split()], 2)
    assert not (tmp_path / "runs").exists()


def helped(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit):
        run_command([*arguments, "--help"])
    return " ".join(capsys.readouterr().out.replace("│", " ").split())


def test_help_shows_what_may_be_left_out_and_what_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    assert "usage: mfmarl train [-h] [OPTIONS] [CONFIG]" in helped(capsys, "train")
    assert "--set KEY=VALUE [KEY=VALUE ...]" in helped(capsys, "train")
    assert "usage: mfmarl report [-h] RUN [RUN ...] [--out DIR]" in helped(capsys, "report")
    assert "usage: mfmarl ls [-h] [DIR]" in helped(capsys, "ls")


def test_help_promises_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    top = helped(capsys)
    assert not {"imitate", "audit", "solve"} & {word.strip(".,").lower() for word in top.split()} - set(COMMANDS)
    example = re.search(r"e\.g\. --set (\S+) (\S+)\.", helped(capsys, "train"))
    assert example is not None
    config = read_config(None, {"seed": 1}, list(example.groups()))
    assert make_env(config, num_envs=1).num_envs == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UserError("bad"), 2),
        (ValueError("store_17 (agent 17, copy 3): action 12 is outside 0..10"), 2),
        (TrainingFailed("nan"), 3),
        (ConnectionError("Ray did not start"), 3),
        (StorageFailed("disk full"), 4),
        (PermissionError(13, "Permission denied", "/x"), 4),
        (KeyboardInterrupt(), 130),
    ],
)
def test_exit_codes(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(train_command, "load", lambda *_: fail)
    assert run_command(["train"]) == code
    err = capsys.readouterr().err
    assert str(error) in err
    assert "Traceback" not in err


def test_verbose_shows_where(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise TrainingFailed("nan")

    monkeypatch.setattr(train_command, "load", lambda *_: fail)
    assert run_command(["train", "--verbose"]) == 3
    assert "Traceback" in capsys.readouterr().err


def test_a_bug_is_no_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise AttributeError("a bug")

    monkeypatch.setattr(train_command, "load", lambda *_: fail)
    with pytest.raises(AttributeError):
        run_command(["train"])


def test_ls_shows_every_state(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("done", "halted", "new", "torn", "damaged", "busy"):
        run = make_run(tmp_path, name)
        if name not in ("new", "busy"):
            write_checkpoint(run, 5, {}, {"x": [1]}, "0" * 12)
        line = '{"iteration":5,"env_steps":1,"agent_steps":3,"metrics":{"return_mean":1234.56}}\n'
        (run / "journal.jsonl").write_text(line)
    mark_complete(tmp_path / "done", 5)
    (tmp_path / "torn" / "checkpoints" / "ckpt_000005" / "x.json").write_text("[")
    (tmp_path / "damaged" / "run.json").write_text("{")
    (tmp_path / "no run").mkdir()
    with hold(tmp_path / "busy"):
        assert run_command(["ls", str(tmp_path)]) == 0
    # long words go on in the next line
    told = capsys.readouterr().out.replace("\n ", " ")
    lines = {line.split()[0]: " ".join(line.split()) for line in told.splitlines()}
    assert list(lines) == ["run", "busy", "damaged", "done", "halted", "new", "torn"]
    assert "complete" in lines["done"]
    assert "1,234.6" in lines["done"]
    assert "running: process" in lines["busy"]
    assert "resumable" in lines["halted"]
    assert "resumable: no checkpoint yet" in lines["new"]
    assert "x.json has 1 bytes, its manifest says 3" in lines["torn"]
    assert "broken" in lines["torn"]
    assert "run.json is damaged" in lines["damaged"]
    assert lines["done"].split()[1:5] == ["is", "inventory/market-easy", "3", "1"]


def test_ls_of_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["ls", str(tmp_path)]) == 0
    assert "no runs" in capsys.readouterr().err


def test_module_and_version() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mfmarl", "--version"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "0.1.0"
