"""`mfmarl demonstrate` and `mfmarl imitate`: whole files, goes on bit for bit, and one line for each mistake."""

from __future__ import annotations

import csv
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mfmarl.cli import run_command
from mfmarl.errors import UserError
from mfmarl.imitation import run as running
from mfmarl.imitation.demonstrations import Demonstrations
from mfmarl.imitation.expert_names import expert_of
from mfmarl.imitation.judging import judged, mean_of
from mfmarl.imitation.judging import told as figure_told
from mfmarl.imitation.plan import plan_of
from mfmarl.imitation.rollout import episodes
from mfmarl.registry import IMITATION
from tests.rewritten import words_of

ROOT = Path(__file__).parents[2]
PENDULUM = ROOT / "configs" / "imitate" / "dagger_pendulum.yaml"

POLE = "CartPole-v1"
WALK = "tests.mfmarl.imitation.walk:Walk-v0"
EXPERT = "tests.mfmarl.imitation.walk:expert"
SMALL = {
    "bc": ["--updates", "400", "--set", "hidden_dims=[8]", "dropout=0.2", "label_noise=0.1", "batch_size=7"],
    "gail": ["--interactions", "96", "--set", "hidden_dims=[8]", "num_envs=2", "rollout=12", "ppo.epochs=1"],
    "airl": ["--interactions", "96", "--set", "hidden_dims=[8]", "num_envs=2", "rollout=12", "ppo.epochs=1"],
    "maxent_irl": ["--updates", "4", "--set", "round=2"],
    "dagger": ["--interactions", "24", "--set", "hidden_dims=[8]", "updates=20"],
    "mega_dagger": ["--interactions", "24", "--set", "hidden_dims=[8]", "updates=20", "world.updates=5"],
    "multi_expert": ["--interactions", "60", "--set", "hidden_dims=[8]", "updates=20"],
    "safety_filter": ["--interactions", "24", "--set", "hidden_dims=[8]", "updates=20", "takeover=0.5", "release=0.6"],
}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Demonstrations of the walk and of the lake."""
    folder = tmp_path_factory.mktemp("shown")
    files = {"walk": (WALK, EXPERT), "lake": ("FrozenLake-v1", "optimal")}
    for name, (env, expert) in files.items():
        command = ["demonstrate", "--env", env, "--expert", expert, "--episodes", "8", "--out", str(folder / name)]
        assert run_command([*command[:-1], f"{command[-1]}.npz"]) == 0
    return {name: folder / f"{name}.npz" for name in files}


def arguments(method: str, shown: dict[str, Path], out: Path) -> list[str]:
    lake = method == "maxent_irl"
    given = ["imitate", method, "--env", "FrozenLake-v1" if lake else WALK, "--out", str(out), "--quiet"]
    given += ["--evaluations", "2", *SMALL[method]]
    if method in ("bc", "gail", "airl", "maxent_irl"):
        return [*given, "--demonstrations", str(shown["lake" if lake else "walk"])]
    given += ["--expert", EXPERT] * (2 if method in ("multi_expert", "safety_filter") else 1)
    return given + (["--barrier", "tests.mfmarl.imitation.walk:margin"] if method == "safety_filter" else [])


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return [{k: v for k, v in row.items() if k != "cpu_seconds"} for row in csv.DictReader(file)]


def contents(folder: Path) -> dict[str, Any]:
    """All that an imitation left, but for its CPU seconds."""
    words = words_of(folder / "imitation.json")
    del words["cpu_seconds"]
    return {
        "words": words,
        "history": rows(folder / "history.csv"),
        "evaluations": rows(folder / "evaluations.csv"),
        "agent": (folder / "agent" / "agent.safetensors").read_bytes(),
    }


class Killed(BaseException):
    """As a signal that cannot be caught."""


@pytest.mark.parametrize("method", sorted(IMITATION))
def test_killed_at_any_moment_it_goes_on_bit_for_bit(
    method: str,
    shown: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(running, "SECONDS_BETWEEN_SAVES", 0.0)
    monkeypatch.setattr(running, "AT_END", 3)
    monkeypatch.setattr(running, "DURING", 2)
    rename, written = os.rename, list[object]()

    def counting(*paths: Any) -> None:
        written.append(paths)
        rename(*paths)

    monkeypatch.setattr(os, "rename", counting)
    assert run_command(arguments(method, shown, tmp_path / "whole")) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'whole'}\n"
    whole = contents(tmp_path / "whole")
    assert whole["words"]["complete"]
    assert len(whole["history"]) >= 3
    assert {row["acting"] for row in whole["evaluations"]} == {"mode", "sampled"}
    for after in (1, 3, 4, 8, 11, len(written) - 1):
        # the first is imitation.json; then tables, agent.safetensors, agent.json and imitation.json again and again;
        # the last says that all is done
        left, folder = [after], tmp_path / f"killed {after}"

        def killing(*paths: Any, left: list[int] = left) -> None:
            if not left[0]:
                raise Killed
            left[0] -= 1
            rename(*paths)

        monkeypatch.setattr(os, "rename", killing)
        with pytest.raises(Killed):
            run_command(arguments(method, shown, folder))
        monkeypatch.setattr(os, "rename", rename)
        assert not words_of(folder / "imitation.json")["complete"]
        assert run_command(["imitate", "--resume", str(folder), "--quiet"]) == 0
        assert contents(folder) == whole, f"killed at the writing of file {after}"


def test_ctrl_c_saves_and_ends(
    shown: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(running, "AT_END", 3)
    assert run_command([*arguments("dagger", shown, tmp_path / "whole"), "--seed", "1"]) == 0

    def pressing(*given: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return judged(*given)

    monkeypatch.setattr(running, "judged", pressing)
    several = tmp_path / "several"
    assert run_command([*arguments("dagger", shown, several), "--seeds", "2"]) == 130
    assert f"saved; `mfmarl imitate --resume {several}` goes on" in capsys.readouterr().err
    assert sorted(one.name for one in several.iterdir()) == ["s0", "s1"]
    assert not (several / "s1" / "agent").exists()
    monkeypatch.setattr(running, "judged", judged)
    assert run_command(["imitate", "--resume", str(several), "--quiet"]) == 0
    assert capsys.readouterr().out == f"{several / 's0'}\n{several / 's1'}\n"
    assert contents(several / "s1") == contents(tmp_path / "whole")
    assert run_command(["imitate", "--resume", str(several), "--quiet"]) == 0, "nothing is left to do"


def test_every_kth_step_alone_is_learnt_from(shown: dict[str, Path], tmp_path: Path) -> None:
    counts = {}
    for every in ("1", "3"):
        out = tmp_path / every
        assert run_command([*arguments("gail", shown, out), "--every", every]) == 0
        words = words_of(out / "imitation.json")
        counts[every] = words["counts"]["demonstrations"]
    # walks of 6 steps
    assert counts == {"1": 48, "3": 16}


def test_what_an_imitation_leaves(shown: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "bc"
    small = [text for text in arguments("bc", shown, out) if text != "--quiet"]
    assert run_command([*small, "--episodes", "5"]) == 0
    err = capsys.readouterr().err
    assert f"bc on {WALK}, seed 0" in err
    assert "by likeliest actions" in err
    words = words_of(out / "imitation.json")
    assert (words["method"], words["env"], words["seed"], words["schema"]) == ("bc", WALK, 0, 1)
    assert (words["demonstrations"]["episodes"], words["demonstrations"]["steps"]) == (5, 30)
    assert words["demonstrations"]["expert"] == EXPERT
    assert words["counts"] == {"demonstrations": 30, "interactions": 0, "queries": 0, "updates": 400}
    assert words["config"]["learning_rate"] == 3e-4
    assert set(words["metrics"]["return_mode"]) == {"mean", "low", "high"}
    names = {"return_sampled", "success", "mmd", "wasserstein", "visitation", "action_similarity", "diversity"}
    assert names <= set(words["metrics"])
    found = [row for row in rows(out / "evaluations.csv") if row["updates"] == "400" and row["acting"] == "mode"]
    assert np.mean([float(row["return"]) for row in found]) == pytest.approx(words["metrics"]["return_mode"]["mean"])
    assert {row["updates"] for row in rows(out / "evaluations.csv")} == {"200", "400"}
    expert = expert_of(str(out), WALK, 0)
    assert expert(np.array([[0.5, 1.0]], np.float32)).shape == (1,)
    assert run_command(small) == 2
    assert "go on with it by --resume" in capsys.readouterr().err


def test_a_saved_imitator_is_an_expert(shown: dict[str, Path], tmp_path: Path) -> None:
    for method in ("safety_filter", "maxent_irl"):
        out = tmp_path / method
        assert run_command(arguments(method, shown, out)) == 0
        env = "FrozenLake-v1" if method == "maxent_irl" else WALK
        assert len(episodes(env, expert_of(str(out), env, 0), 2, 0)) == 2


def test_demonstrations_are_told_of_and_stored_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    out = tmp_path / "cartpole.npz"
    command = ["demonstrate", "--env", "CartPole-v1", "--expert", "cartpole", "--episodes", "3", "--out", str(out)]
    assert run_command([*command, "--minari", "cartpole/rule-v0"]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [str(out), str(tmp_path / "minari" / "cartpole" / "rule-v0")]
    assert "return 500 [500, 500], lengths 500 to 500 (mean 500), 0 terminated, 3 truncated" in printed.err
    assert (Demonstrations.from_npz(out).returns == 500).all()
    one, other = (
        plan_of("bc", env="CartPole-v1", seed=0, demonstrations=d) for d in (str(out), "minari:cartpole/rule-v0")
    )
    assert one.sha256 == other.sha256
    assert run_command(command) == 2


def test_noise_draws_from_all_actions(tmp_path: Path) -> None:
    for noise in ("0", "0.5", "1"):
        out = str(tmp_path / f"{noise}.npz")
        command = ["demonstrate", "--env", WALK, "--expert", EXPERT, "--episodes", "100", "--noise", noise]
        assert run_command([*command, "--out", out]) == 0
        steps = Demonstrations.from_npz(Path(out)).transitions
        # half of what is drawn is the expert's action as well
        wrong = float(((steps.states[:, 0] < 0) != steps.actions).mean())
        assert wrong == pytest.approx(float(noise) / 2, abs=0.06)


def broken(shown: dict[str, Path], folder: Path, **arrays: Any) -> Path:
    """The walk's demonstrations with some arrays changed."""
    with np.load(shown["walk"]) as file:
        found = {name: file[name] for name in file.files}
    for name, change in arrays.items():
        found[name] = change(found[name])
    np.savez(folder / "broken.npz", **found)
    return folder / "broken.npz"


def with_nan(rows: Any) -> Any:
    rows = rows.copy()
    rows[9, 0] = np.nan
    return rows


@pytest.mark.parametrize(
    ("arrays", "part"),
    [
        ({"observations": with_nan}, "episode 1 has NaN or infinity in observations at step 2"),
        ({"observations": lambda x: x[:20]}, "observations have shape (20, 2); want (56, 2)"),
        ({"observations": lambda x: x[:20]}, "episode 2 is cut short"),
        ({"rewards": lambda x: x[:-1]}, "rewards have shape (47,); want (48,)"),
        ({"rewards": lambda x: x[:-1]}, "episode 7 is cut short"),
        ({"terminated": lambda x: x[:3]}, "episode 3 is cut short"),
        ({"lengths": lambda x: x[:0]}, "demonstrations hold no episode"),
        ({"lengths": lambda x: 0 * x}, "episode 0 has no step"),
        ({"actions": lambda x: x + 1}, "episode 0 has action 2 at step"),
    ],
)
def test_bad_demonstrations_name_episode_and_field(
    arrays: dict[str, Any], part: str, shown: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = broken(shown, tmp_path, **arrays)
    command = ["imitate", "bc", "--env", WALK, "--demonstrations", str(path), "--out", str(tmp_path / "out")]
    assert part in told(capsys, command)
    assert not (tmp_path / "out").exists()


def told(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> str:
    assert run_command(arguments) == 2
    *before, err = capsys.readouterr().err.splitlines()
    assert err.startswith("mfmarl: ")
    # what torch is needed for is checked after the line that says what begins
    assert not any("mfmarl:" in line for line in before)
    assert len(before) <= 1
    return err


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ("imitate", "imitate how? give a METHOD"),
        ("imitate gial", "unknown method 'gial'; did you mean 'gail'?"),
        ("imitate bc", "bc learns from demonstrations"),
        ("imitate dagger --expert cartpole", "dagger needs env: give --env, or --config with one"),
        ("imitate bc --env CartPole-v1", "bc learns from demonstrations: give --demonstrations FILE.npz or minari:ID"),
        ("imitate bc --env CartPole-v1 --demonstrations no.npz", "no.npz is no file; record demonstrations with"),
        ("imitate bc --env CartPole-v1 --demonstrations minari:no", "is no Minari data set"),
        ("imitate bc --env CartPol-v1 --demonstrations x.npz", "Did you mean: `CartPole`?"),
        ("imitate bc --env Pendulum-v1 --demonstrations LAKE", "4 actions; Pendulum-v1 has 3 state entries"),
        ("imitate bc --env FrozenLake-v1 --demonstrations LAKE --episodes 9", "--episodes 9: LAKE has 8"),
        ("imitate bc --env FrozenLake-v1 --demonstrations LAKE --every 0", "--every"),
        ("imitate dagger --env CartPole-v1 --expert cartpole --every 2", "--every is of demonstrations"),
        ("imitate bc --env FrozenLake-v1 --demonstrations LAKE --expert random", "bc asks no expert"),
        ("imitate bc --env FrozenLake-v1 --demonstrations LAKE --interactions 9", "bc plays nothing while it learns"),
        ("imitate gail --env FrozenLake-v1 --demonstrations LAKE --updates 9", "leave out --updates"),
        ("imitate gail --env FrozenLake-v1 --demonstrations LAKE --set polcy_lr=1", "did you mean 'policy_lr'?"),
        (
            "imitate gail --env FrozenLake-v1 --demonstrations LAKE --set ppo.clip=-1",
            "--set ppo.clip=-1: ppo.clip: got",
        ),
        (
            "imitate gail --env FrozenLake-v1 --demonstrations LAKE --set state_dim=3",
            "state_dim is the environment's own",
        ),
        ("imitate dagger --env CartPole-v1", "asks one expert while it learns: give --expert once; none is given"),
        ("imitate multi_expert --env CartPole-v1 --expert cartpole", "give --expert twice or more; got 1"),
        (
            "imitate safety_filter --env CartPole-v1 --expert cartpole --expert random",
            "needs --barrier module:function",
        ),
        ("imitate dagger --env CartPole-v1 --expert pendulum", "expert pendulum takes 3 state entries"),
        ("imitate dagger --env CartPole-v1 --expert carpole", "did you mean 'cartpole'?"),
        ("imitate dagger --env CartPole-v1 --expert ppo", "--expert ppo would be trained anew each time"),
        ("imitate dagger --env CartPole-v1 --expert math:sinn", "math has no 'sinn'; did you mean 'sin'?"),
        ("imitate dagger --env CartPole-v1 --expert math:pi", "math:pi is float, not a function"),
        ("imitate dagger --env CartPole-v1 --expert no_such:f", "cannot import 'no_such'"),
        ("imitate dagger --env CartPole-v1 --expert cartpole --seed 1 --seeds 2", "--seed is of one imitation"),
        ("imitate gail --resume . --env X --set a=1", "leave out METHOD, --env, --set"),
        ("imitate --resume .", "has no imitation"),
        ("demonstrate --env CartPole-v1 --expert cartpole", "record where? give --out FILE.npz"),
        ("demonstrate --env CartPole-v1 --expert cartpole --out x.csv", "want a name that ends in .npz"),
        (
            "demonstrate --env CartPole-v1 --expert cartpole --minari pole/v0",
            "ends in a version, such as cartpole/rule",
        ),
        ("demonstrate --env CartPole-v1 --expert cartpole --out x.npz --noise 2", "want a probability from 0 to 1"),
        ("demonstrate --env CartPole-v1 --expert random --out x.npz --iterations 2", "random does not learn"),
        ("demonstrate --env CartPole-v1 --expert optimal --out x.npz", "CartPole-v1 has no table of transitions"),
        (
            "demonstrate --env CartPole-v1 --expert math:sin --out x.npz",
            "the expert failed on states of shape (8, 4): TypeError",
        ),
    ],
)
def test_bad_input_is_one_line(
    arguments: str,
    part: str,
    shown: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    lake = str(shown["lake"])
    assert part.replace("LAKE", lake) in told(capsys, [lake if a == "LAKE" else a for a in arguments.split()])
    assert list(tmp_path.iterdir()) == []


def test_what_a_method_does_not_take_leaves_no_folder(
    shown: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["imitate", "maxent_irl", "--demonstrations", str(shown["walk"]), "--out", str(tmp_path / "out")]
    for _ in range(2):
        assert "maxent_irl takes numbered states, one-hot" in told(capsys, command)
    assert list(tmp_path.iterdir()) == []


def test_changed_demonstrations_are_not_gone_on_with(
    shown: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy.npz"
    copy.write_bytes(shown["walk"].read_bytes())
    command = arguments("bc", {**shown, "walk": copy}, tmp_path / "out")

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(running, "judged", killed)
        assert run_command(command) == 130
    capsys.readouterr()
    copy.write_bytes(broken(shown, tmp_path, rewards=lambda x: x - 1).read_bytes())
    assert "has changed since this imitation began" in told(capsys, ["imitate", "--resume", str(tmp_path / "out")])


def test_configuration_files(shown: dict[str, Path], tmp_path: Path) -> None:
    file = tmp_path / "gail.yaml"
    file.write_text("method: gail\nenv: FrozenLake-v1\ninteractions: 64\nhidden_dims: [8]\nppo:\n  epochs: 2\n")
    plan = plan_of("gail", env=None, seed=3, config=file, sets=["ppo.epochs=3"], demonstrations=str(shown["lake"]))
    assert (plan.env, plan.interactions, plan.seed) == ("FrozenLake-v1", 64, 3)
    assert (plan.config["hidden_dims"], plan.config["ppo"]["epochs"]) == ([8], 3)
    assert plan_of("gail", env=None, seed=3, config=file, interactions=5, demonstrations=str(shown["lake"])).total == 5
    file.write_text("env: CartPole-v1\ninteractions: 30\nupdates: 7\n")
    asking = plan_of("dagger", env=None, seed=0, config=file, experts=["cartpole"])
    assert (asking.total, asking.updates, asking.config["updates"]) == (30, 0, 7), "after a round, not in all"
    file.write_text("env: CartPole-v1\ninteractions: 0\n")
    with pytest.raises(UserError, match="interactions is 0; want 1 or more"):
        plan_of("dagger", env=None, seed=0, config=file, experts=["cartpole"])
    for config in PENDULUM.parent.glob("*dagger*.yaml"):
        rule = config.stem.split("_")[-1]
        assert plan_of(config.stem.removesuffix(f"_{rule}"), env=None, seed=0, config=config, experts=[rule]).total
    shipped = plan_of("dagger", env=None, seed=0, config=PENDULUM, experts=["pendulum"])
    assert shipped.config["beta"] == "first", "with .95^i too few states are the learner's own"
    file.write_text("env: FrozenLake-v1\nupdates: 7\n")
    assert plan_of("bc", env=None, seed=0, config=file, demonstrations=str(shown["lake"])).total == 7


def test_the_environment_is_the_demonstrations_where_none_is_given(
    shown: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    command = ["demonstrate", "--env", "CartPole-v1", "--expert", "cartpole", "--episodes", "1", "--minari", "pole-v0"]
    assert run_command(command) == 0
    for where, env in ((str(shown["lake"]), "FrozenLake-v1"), (str(shown["walk"]), WALK), ("minari:pole-v0", POLE)):
        assert plan_of("bc", env=None, seed=0, demonstrations=where).env == env
    # a configuration file's own comes first
    file = tmp_path / "bc.yaml"
    file.write_text("env: CartPole-v1\n")
    with pytest.raises(UserError, match="CartPole-v1 has 4 state entries"):
        plan_of("bc", env=None, seed=0, config=file, demonstrations=str(shown["lake"]))
    with np.load(shown["lake"]) as arrays:
        np.savez(tmp_path / "nameless.npz", **{name: arrays[name] for name in arrays.files if name != "about"})
    capsys.readouterr()
    found = told(capsys, ["imitate", "bc", "--demonstrations", str(tmp_path / "nameless.npz")])
    assert found.endswith(f"or --config with one; {tmp_path / 'nameless.npz'} names none")


def test_seeds_end_with_a_line_over_them(
    shown: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "lake"
    command = ["imitate", "maxent_irl", "--demonstrations", str(shown["lake"]), "--out", str(out), "--seeds", "3"]
    assert run_command([*command, "--evaluations", "0", "--set", "round=2", "--updates", "2"]) == 0
    first, *lines, last = capsys.readouterr().err.splitlines()
    assert first == f"maxent_irl on FrozenLake-v1 from {shown['lake']}, 3 seeds, into {out}"
    words = [words_of(out / f"s{seed}" / "imitation.json") for seed in range(3)]
    found = mean_of([one["metrics"]["return_mode"]["mean"] for one in words], (0, 1))
    assert last.startswith(f"3 seeds: return {figure_told(found)} by likeliest actions, ")
    assert last.endswith(f"; in {out / 's0'} to s2")
    assert found["low"] is not None
    assert found["low"] >= 0
    # no loss, return or evaluation, no field
    progress = [line for line in lines if line.startswith("round")]
    assert progress
    assert not any(" -  " in line or "return" in line or "judged" in line for line in progress)
    assert sum(line.startswith("not converged after 4 iterations: largest slope ") for line in lines) == 3
    assert {"mfmarl", "torch", "numpy", "gymnasium"} <= set(words[0]["versions"])
    other = out.parent / "other"
    assert run_command([*command[:4], "--out", str(other), "--evaluations", "0", "--updates", "1", "--quiet"]) == 0
    capsys.readouterr()
    assert run_command(["imitate", "--resume", str(tmp_path)]) == 0
    assert "4 imitations of several kinds; `mfmarl report" in capsys.readouterr().err
    with pytest.raises(UserError, match=r"holds imitators of several seeds: choose one, as .*lake/s0"):
        expert_of(str(out), "FrozenLake-v1", 0)
    assert words[0]["convergence"]["converged"] is False
    assert words[0]["convergence"]["slope"] > words[0]["convergence"]["tol"]
