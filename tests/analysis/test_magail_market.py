"""The study of MAGAIL on a market: the demonstrator put back has its own gaps, and a folder goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.equilibrium.exact import exact_gaps, market_config
from analysis.magail_market import audited, imitators, ordered, study
from analysis.magail_market_results import is_done, less_cloning, over_seeds, with_imitation_gap
from envs.inventory.mean_field import split
from mfmarl.cli import run_command
from mfmarl.errors import DamagedFile, UserError
from mfmarl.imitation.imitated import Imitated
from mfmarl.imitation.magail.market_play import market_game
from mfmarl.imitation.type_experts import expert_of
from mfmarl.runs.lock import hold
from tests.rewritten import words_of

NAME = "inventory/market-easy,jitter=0,num_agents=15,horizon=6"
GAME = market_game(NAME)
SMALL: dict[str, Any] = {"copies": 1, "hidden_dims": (8,), "bc_start": 20, "epochs": 1, "minibatch": 64}


def test_the_demonstrator_put_back_is_the_equilibrium() -> None:
    own = audited(GAME, None)
    again = audited(GAME, imitators(GAME, {one.type_name: expert_of(one).law for one in GAME.types}))
    for before, after in zip(own.types, again.types, strict=True):
        assert abs(before.gap.value - after.gap.value) < 1e-6
        # of a value of hundreds of $
        assert 0 <= before.gap.value < 0.01 * abs(before.base.value)
    assert abs(own.nash_conv.value - again.nash_conv.value) < 1e-6


def test_one_imitator_of_many_is_the_profile_of_one() -> None:
    first = GAME.types[0]

    def uniform(states: np.ndarray) -> np.ndarray:
        return np.full((len(states), GAME.actions), 1 / GAME.actions)

    laws = {one.type_name: uniform if one is first else expert_of(one).law for one in GAME.types}
    together = audited(GAME, imitators(GAME, laws))
    market = split(market_config(first.env, first.options), first.one.num_agents)
    alone = exact_gaps(market, Imitated(first, uniform), discount=first.subject.discount)
    assert abs(together.nash_conv.value - alone.nash_conv.value) < 1e-6
    assert together.nash_conv.value > audited(GAME, None).nash_conv.value + 1


def test_imitators_play_what_their_laws_say() -> None:
    def always(action: int) -> Any:
        return lambda states: np.eye(GAME.actions)[np.full(len(states), action)]

    profile = imitators(GAME, {one.type_name: always(k + 2) for k, one in enumerate(GAME.types)})
    shares = ordered(GAME, profile, 0)
    for k, one in enumerate(GAME.types):
        mine = shares[shares["type"] == one.type_name].set_index("action")["share"]
        assert mine.to_dict() == {action: float(action == k + 2) for action in range(GAME.actions)}
    env = GAME.types[0].subject.make(2)
    play = profile.player(env, 0)
    joint = play(env.reset(0))
    np.testing.assert_array_equal(joint, np.broadcast_to(np.asarray(env.agent_types) + 2, joint.shape))


def test_figures_over_seeds() -> None:
    values = [("expert", 2.0, 2.0, 1.0), ("bc", 5.0, 8.0, 8.0)]
    every = {"by": "exact", "type": "all", "figure": "NashConv", "low": 0.0, "high": 0.0}
    rows = pd.DataFrame(
        [{"method": name, "seed": seed, "value": v} | every for name, *of in values for seed, v in enumerate(of)]
    )
    table = over_seeds(with_imitation_gap(rows))
    means = dict(zip(zip(table["method"], table["figure"], strict=True), table["estimate"], strict=True))
    assert means["bc", "NashConv"] == 7.0
    # 3, 6 and 7
    assert abs(means["bc", "NIG"] - 16 / 3) < 1e-12
    assert means["expert", "NIG"] == 0.0


def test_pairs_are_of_one_seed() -> None:
    of = {"bc": (5.0, 8.0, 11.0), "magail": (7.0, 9.0, 14.0)}
    rows = [
        {"method": name, "seed": seed, "by": "exact", "figure": "NashConv", "value": v}
        for name, values in of.items()
        for seed, v in enumerate(values)
    ]
    found = less_cloning(pd.DataFrame(rows[::-1]))["exact"]
    # 2, 1 and 3: mean 2, t of 2 degrees 4.3027 over the root of 3
    assert abs(found["estimate"] - 2) < 1e-12
    assert abs(found["high"] - (2 + 4.302653 / 3**0.5)) < 1e-5
    assert less_cloning(pd.DataFrame(rows[:2])) == {}


def run(out: Path, **more: Any) -> list[Path]:
    asked: dict[str, Any] = {
        "profile": "equilibrium", "episodes": 1, "seeds": (0,), "iterations": 2, "by": ("exact",), "config": SMALL,
    }  # fmt: skip
    return study(NAME, **(asked | more), out=out)


def test_a_folder_takes_more_seeds_and_no_other_study(tmp_path: Path) -> None:
    run(tmp_path)
    first = (tmp_path / "s0" / "rows.csv").read_bytes()
    paths = run(tmp_path, seeds=(0, 1))
    assert (tmp_path / "s0" / "rows.csv").read_bytes() == first
    assert {path.name for path in paths} == {"gaps.csv", "orders.csv", "results.json", "orders.png", "gaps_exact.png"}
    results = words_of(tmp_path / "results.json")
    table = pd.read_csv(tmp_path / "gaps.csv")
    assert table["interactions"].dtype == pd.read_csv(tmp_path / "orders.csv")["action"].dtype == np.int64
    mine = table[(table["method"] == "magail") & (table["figure"] == "NashConv")]
    told = [one for one in results["means"] if one["method"] == "magail" and one["figure"] == "NashConv"]
    assert told[0]["n"] == 2
    assert told[0]["estimate"] == pytest.approx(mine["value"].mean())
    assert results["interactions"] == 2 * 15 * 6
    assert results["complete"]
    assert results["seeds"] == [0, 1]
    with pytest.raises(
        UserError, match=r"holds this study with iterations 2, not 3; choose another folder by --outdir"
    ):
        run(tmp_path, iterations=3)
    with pytest.raises(UserError, match="exact or bound"):
        run(tmp_path / "other", by=("guess",))


def test_a_damaged_file_is_named_with_the_mend(tmp_path: Path) -> None:
    run(tmp_path)
    for name in ("rows.csv", "orders.csv"):
        path = tmp_path / "s0" / name
        whole = path.read_bytes()
        lines = whole.splitlines(keepends=True)
        for cut in (
            b"", b"\xff\xfe", b"a,b\n1,2\n", b"".join(lines[:-1]), whole[: whole.rindex(b",")], whole[:-1] + b"x",
            whole.replace(b"expert", b"export"),
        ):  # fmt: skip
            path.write_bytes(cut)
            with pytest.raises(DamagedFile, match=rf"s0/{name} is damaged: [^\n]*; delete it, and the same command"):
                run(tmp_path, seeds=(1, 0))
        # nothing was done for the other seed meanwhile
        assert not (tmp_path / "s1").exists()
        path.unlink()
        run(tmp_path)
        assert is_done(tmp_path / "s0")
        if name == "orders.csv":
            assert path.read_bytes() == whole
    (tmp_path / "results.json").write_text("{")
    with pytest.raises(DamagedFile, match=r"results\.json is damaged"):
        run(tmp_path)


def test_a_study_that_was_killed_keeps_its_folder(tmp_path: Path) -> None:
    def killed(text: str) -> None:
        if "cloning" in text:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, told=killed)
    with pytest.raises(UserError, match="holds this study with episodes 1, not 2"):
        run(tmp_path, episodes=2)
    run(tmp_path)
    assert words_of(tmp_path / "results.json")["complete"]
    assert {path.name for path in tmp_path.iterdir() if path.suffix not in (".png", ".csv")} == {
        "lock", "results.json", "s0",
    }  # fmt: skip


def test_a_folder_that_cannot_be_taken_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file is a file; want a folder: give another --outdir"):
        run(tmp_path / "file")
    (tmp_path / "out").mkdir()
    with hold(tmp_path / "out"), pytest.raises(UserError, match="is in use"):
        run(tmp_path / "out")
    assert not list((tmp_path / "out").glob("s*"))


def test_a_mistake_in_flags_is_told_before_torch_comes(tmp_path: Path) -> None:
    wrong = [["--episodes", "0"], ["--by", "learned"], ["--set", "copiez=3"], ["--reward-style", "hinge"]]
    code = (
        f"import sys\nfrom mfmarl.cli import run_command\nfor flags in {wrong!r}:\n"
        "    assert run_command(['imitate', 'magail-market', *flags]) == 2\n"
        "assert not {'torch', 'pandas', 'numba'} & set(sys.modules)"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--seeds", "3", "3"], "--seeds: want each once, and 3 stands twice"),
        (["--seeds", "x"], "--seeds: got 'x'; want a whole number"),
        (["--episodes", "0"], "--episodes: got '0'; want a whole number of at least 1"),
        (["--reward-style", "hinge"], '--reward-style: got "hinge"'),
        (["--discriminator", "single"], '--discriminator: got "single"'),
        (["--set", "copiez=3"], "--set copiez=3: unknown key copiez; did you mean 'copies'"),
        (["--by", "learned"], "--by: got 'learned'; want exact or bound"),
        (["--tag", "a/b"], "--tag: got 'a/b'"),
        (["--env", f"{NAME}:discounter"], "want the game alone"),
        (["--env", "inventory/market-eazy"], "inventory/market-easy"),
        (["--profile", "equilibrum"], "equilibrium"),
        (["--profile", "smoothing"], "no profile"),
    ],
)
def test_bad_input_is_told_in_one_line(
    flags: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = flags if "--env" in flags else ["--env", NAME, *flags]
    assert run_command(["imitate", "magail-market", "--outdir", str(tmp_path / "out"), *given]) == 2
    error = capsys.readouterr().err
    assert told in error.strip().splitlines()[-1]
    assert len([line for line in error.splitlines() if line.startswith("mfmarl:")]) == 1
    # so that the mended command may have the folder
    assert not (tmp_path / "out").exists()
