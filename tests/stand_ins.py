"""What documented commands read, small, at the names that the pages give it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import yaml

from mfmarl.cli import run_command
from tests.analysis.small_imitations import make_imitation
from tests.analysis.small_runs import make_run
from tests.documented import MARKET, ROOT

TINY_RUN = {"num_agents": 6, "num_envs": 2, "num_episodes": 4, "env_options": {"jitter": 0.0, "horizon": 12}}
TINY_LEARNER = {"hidden": [8], "warmup_population_steps": 16}
METHODS = ("is", "mf", "independent")


@cache
def _store() -> Path:
    # kept from test to test, and removed by whoever empties the folder for temporary files
    return Path(mkdtemp(prefix="documented-"))


@cache
def _run(method: str, seed: int) -> Path:
    return make_run(_store(), method, seed, **TINY_RUN, mfq=TINY_LEARNER)


@cache
def _stores_run() -> Path:
    changes = {"env": "inventory/market-orange-juice", "num_agents": None, "num_envs": 2, "num_episodes": 2}
    return make_run(_store(), "is", 1, "stores", **changes, mfq=TINY_LEARNER)


@cache
def _done(*arguments: str) -> Path:
    """What a command writes, its last argument the name."""
    name = _store() / arguments[-1]
    assert run_command([*arguments[:-1], str(name)]) == 0
    return name


def _copied(made: Callable[[], Path]) -> Callable[[Path], None]:
    def put(path: Path) -> None:
        source = made()
        shutil.copytree(source, path) if source.is_dir() else shutil.copy(source, path)

    return put


def _runs(*methods: str) -> Callable[[Path], None]:
    def put(path: Path) -> None:
        for method in methods:
            for seed in (1, 2, 3):
                _copied(lambda m=method, s=seed: _run(m, s))(path / f"{method}-s{seed}")  # type: ignore[misc]

    return put


def _imitations(path: Path) -> None:
    for method in ("bc", "gail"):
        for seed in (1, 2, 3):
            make_imitation(path, method, seed)


def _sales(path: Path) -> None:
    units = np.random.default_rng(0).poisson(20, size=(6, 120))
    rows = [f"{agent},{period},{units[agent, period]}" for agent in range(6) for period in range(120)]
    path.write_text("agent,period,units\n" + "\n".join(rows) + "\n")


def _shown(env: str, expert: str, name: str, episodes: str = "2") -> Callable[[Path], None]:
    return _copied(
        lambda: _done("demonstrate", "--env", env, "--expert", expert, "--episodes", episodes, "--out", name)
    )


def _gail() -> Path:
    plays = ["--interactions", "128", "--set", "num_envs=2", "rollout=32", "--quiet", "--out", "gail"]
    _shown("CartPole-v1", "cartpole", "cartpole.npz")(_store() / "for-gail.npz")
    return _done("imitate", "gail", "--demonstrations", str(_store() / "for-gail.npz"), *plays)


def _imitator(env: str) -> Path:
    plays = ["--interactions", "104", "--set", "num_envs=2", "rollout=52", "--seeds", "2", "--quiet"]
    return _done("imitate", "dagger", "--env", env, "--expert", "equilibrium", *plays, "--out", "imitator")


def _solution(path: Path) -> None:
    game = "garnet" if path.name == "garnet" else "crowd-1d"
    _copied(lambda: _done("solve", game, "--tol", ".5", "--out", f"solved-{game}"))(path)


def _study(path: Path) -> None:
    path.write_text((ROOT / "configs/study/demo.yaml").read_text())
    shrink_configurations(path.parent)


def _script(path: Path) -> None:
    study, cluster = ROOT / "configs/study/demo.yaml", ROOT / "configs/cluster/slurm.yaml"
    _copied(lambda: _done("submit", str(study), "--slurm", str(cluster), "--out", "study.sbatch"))(path)


def _block(page: str, start: str) -> Callable[[Path], None]:
    """The block of a page that starts so."""

    def put(path: Path) -> None:
        blocks = re.findall(r"^```[a-z]*\n(.*?)^```", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)
        path.write_text(next(block for block in blocks if re.search(start, block)))

    return put


def _expert(path: Path) -> None:
    path.write_text("import numpy as np\n\n\ndef expert(observations):\n    return np.zeros(len(observations), int)\n")


_a_run = _copied(lambda: _run("is", 1))
STAND_INS: dict[str, Callable[[Path], None]] = {
    **dict.fromkeys(("RUN", "runs/mfq-is-market-easy-n50-s1-0a1b2c", "runs/own", "runs/profile"), _a_run),
    **{f"runs/{m}-s{s}": _copied(lambda m=m, s=s: _run(m, s)) for m in METHODS for s in (1, 2, 3)},  # type: ignore[misc]
    "runs/store-83": _copied(_stores_run),
    "runs": _runs("is", "mf"),
    "demo/runs": _runs("is", "mf"),
    "runs/demo": _runs("is", "mf"),
    "runs/is_vs_mf": _runs("is", "independent"),
    "runs/learning_rate/best.yaml": lambda path: path.write_text("num_agents: 6\n") and None,
    "sales.csv": _sales,
    "PATH": lambda path: _sales(path.with_suffix(".csv")),
    "cartpole.npz": _shown("CartPole-v1", "cartpole", "cartpole.npz"),
    "random.npz": _shown("CartPole-v1", "random", "random.npz"),
    "lake.npz": _shown("FrozenLake-v1", "optimal", "lake.npz", "50"),
    "shown.npz": _shown(MARKET, "equilibrium", "shown.npz"),
    "own.npz": _shown(MARKET, "equilibrium", "own.npz"),
    "trained.npz": _shown(MARKET, "equilibrium", "trained.npz"),
    "imitations": _imitations,
    "imitations/gail-CartPole-v1": _copied(_gail),
    **dict.fromkeys(("bc", "dagger", "DIR"), _copied(lambda: _imitator(MARKET))),
    "solutions/crowd-1d": _solution,
    "garnet": _solution,
    "study.sbatch": _script,
    "STUDY.yaml": _study,
    "study.yaml": _study,
    "tree.yaml": _block("docs/network.md", "^children"),
    "game.yaml": _block("docs/markov_games.md", "^states"),
    "my_module": lambda path: _expert(path.with_suffix(".py")),
}


def shrink_configurations(folder: Path) -> None:
    """Every YAML below FOLDER asks for little: few cells, episodes, trials, interactions."""
    for path in folder.rglob("*.yaml"):
        told = yaml.safe_load(path.read_text())
        if "grid" in told:
            told["base"] |= {"num_agents": 6, "num_episodes": 4, "num_envs": 2, "env_options": TINY_RUN["env_options"]}
            told["base"]["mfq"] = TINY_LEARNER
            told["evaluation"] = {"episodes": 2}
            told["grid"]["seed"] = [1]
            told["grid"].pop("game", None)
            if "variant" in told["grid"]:
                told["grid"]["variant"] = {name: told["grid"]["variant"][name] for name in ("mf", "independent")}
        elif "space" in told:
            told["base"] = {**TINY_RUN, "mfq": {"warmup_population_steps": 16}}
            told |= {"trials": 1, "seeds": [1], "evaluation": {"episodes": 2}}
        elif "interactions" in told:
            told |= {"interactions": 128, "num_envs": 2, "rollout": 32}
        else:
            continue
        path.write_text(yaml.safe_dump(told, sort_keys=False))
