"""How documented commands become small enough for a test, and which of them cannot run here, and why."""

from __future__ import annotations

import contextlib
import re
import shutil
from pathlib import Path

from mfmarl.cli import run_command
from tests.documented import ROOT, documented, with_options, words
from tests.stand_ins import STAND_INS, shrink_configurations

NOT_RUN = {
    r"make ": "installs and runs everything: CI itself, tests/test_demo.py",
    r"pip install": "downloads",
    r"(RAY_AUTH_MODE=token )?ray ": "a cluster's own: tests/mfmarl/launch/test_ray_up.py, test_slurm_run.py",
    r"kubectl |ssh ": "another machine",
    r"mfmarl .*--kuberay .*--place": "kubectl: tests/mfmarl/launch/"
    "test_kuberay.py::test_placing_hands_it_over_and_makes_the_secret_once",
    r"mfmarl submit .*--address": "a job server: tests/faults/test_cluster.py::test_a_job_is_joined_left_and_stopped",
    r"mfmarl train .*--address": "a cluster: tests/mfmarl/rllib/"
    "test_nodes.py::test_runners_play_on_both_nodes_and_the_numbers_are_those_of_one_process",
    r"mfmarl study run .*--address": "a cluster: tests/faults/"
    "test_cluster.py::test_a_study_run_from_here_shows_the_token_too",
    r"mfmarl search .*--address": "a cluster: tests/mfmarl/launch/"
    "test_search.py::test_on_a_cluster_runs_are_tasks_and_their_scores_the_same",
    r"(PYTHONPATH=\S+ )?python -m pytest": "tests, which run as such",
    r"python - <<": "a block of Python; tests/envs/mean_field/test_finite.py",
    r"make = ": "a line of Python",
    r"(OMP_NUM_THREADS=1 )?python (benchmarks|examples|scripts)/": "options are looked up, --help runs in soak",
}
"""What a command starts with -> why it is not run, and what runs the same."""
FRAGMENTS = {
    "mfmarl COMMAND --help", "mfmarl study run", "mfmarl study status", "mfmarl imitate gail", "mfmarl imitate bc",
    "mfmarl demonstrate --env GAME:TYPE", "mfmarl submit --check", "mfmarl submit STUDY --address http://127.0.0.1:8265",
    "mfmarl imitate METHOD --config configs/imitate/... --set KEY=VALUE --seed S",
}  # fmt: skip
"""Parts of commands, named in sentences."""
ON_RAY = (
    "mfmarl train --num-agents 100 --num-env-runners 4 --num-learners 2",
    "mfmarl train --algorithm ppo --num-agents 50 --num-episodes 304 --seed 1",
    "mfmarl train --algorithm ppo --num-agents 50 --num-episodes 300",
    "mfmarl train --algorithm dqn --num-agents 50 --num-episodes 304 --seed 1",
)
TOO_DEAR = (
    r"mfmarl (study (run|plan)|search|references|bounds)", r"mfmarl audit (bc|dagger|DIR)", r"mfmarl audit .*--finite",
    r"mfmarl imitate magail-market", r"mfmarl imitate dagger .*--expert trained",
    r"mfmarl report (runs|demo/runs)", r"mfmarl train .*10000",
    r"mfmarl (train configs/train/demo|evaluate runs/store-83)", r"mfmarl check inventory/(network|market-orange)",
)  # fmt: skip
"""What a command starts with that takes more than 5 s even small: tests/soak/soak_commands.py runs it."""
NAMES = {
    "ENV": "inventory/market-easy", "METHOD": "bc", "FILE.npz": "file.npz", "[PATH]": "PATH",
    "env_options.sales=PATH": "env_options.sales=PATH.csv",
}  # fmt: skip
_EPISODES = {"--num-agents": "6", "--num-episodes": "4"}
_TINY = "num_envs=2 mfq.warmup_population_steps=16 mfq.hidden=[8]"
RULES: tuple[tuple[str, dict[str, str]], ...] = (
    (r".* --help", {}),
    (r"imitate .*--(settings|resume)", {}),
    (r"train --resume", {"--local": ""}),
    (r"train .*(sales|tree)=", {"--num-episodes": "2", "--local": "", "--set": _TINY}),
    (r"train configs", {"--num-episodes": "2", "--local": "", "--set": "num_envs=2"}),
    (r"train .*10000", {"--num-agents": "1000", "--num-episodes": "2", "--local": ""}),
    (r"train .*ppo", {**_EPISODES, "--set": "num_envs=2 ppo.batch_agent_steps=12"}),
    (r"train .*dqn", {**_EPISODES, "--set": "num_envs=2"}),
    (r"train .*--num-learners", {**_EPISODES, "--set": _TINY}),
    (r"train .*mfac", {**_EPISODES, "--local": "", "--set": "num_envs=2"}),
    (r"train", {**_EPISODES, "--local": "", "--set": _TINY}),
    (r"evaluate", {"--episodes": "2"}),
    (r"study run", {"--jobs": "1"}),
    (r"search", {"--jobs": "1"}),
    (r"audit (bc|dagger|DIR)", {"--by": "exact", "--episodes": "2"}),
    (r"audit .*--finite", {"--by": "exact", "--episodes": "2"}),
    (r"audit .*--by", {"--episodes": "2"}),
    (r"audit", {"--episodes": "2", "--by": "exact,bound"}),
    (r"check", {"--episodes": "1"}),
    (r"references .*orange", {"--episodes": "2"}),
    (r"references", {"--episodes": "2", "--num-agents": "6"}),
    (r"bounds", {"--agents": "10", "--steps": "100", "--repetitions": "20"}),
    (r"solve --resume", {"--tol": ".3"}),
    (r"solve", {"--tol": ".5", "--max-iterations": "30"}),
    (r"demonstrate .*ppo", {"--iterations": "1", "--episodes": "1", "--env": "CartPole-v1"}),
    (r"demonstrate", {"--episodes": "2"}),
    (
        r"imitate magail-coordination",
        {"--epochs": "2", "--betas": "0 1", "--seeds": "1 2 3", "--eval-episodes": "50"},
    ),
    (r"imitate (magail-zero-sum)", {"--epochs": "2", "--seeds": "1 2 3", "--expert-total": "100"}),
    (
        r"imitate (magail-market)",
        {"--env": "inventory/market-easy,num_agents=6,jitter=0,horizon=12", "--iterations": "1", "--seeds": "0 1 2",
         "--bc-start": "5", "--set": "copies=1 epochs=1 discriminator_steps=1"},
    ),
    (r"imitate bc", {"--updates": "20", "--evaluations": "1"}),
    (r"imitate maxent", {}),
    (r"imitate (gail|multi_expert)", {"--interactions": "128", "--set": "num_envs=2 rollout=32"}),
    (r"imitate dagger .*(market|profile)", {"--interactions": "104", "--set": "num_envs=2 rollout=52"}),
    (r"imitate dagger", {"--interactions": "128", "--set": "num_envs=2 rollout=32"}),
)  # fmt: skip
"""What a command starts with -> options that are replaced or added; the first that fits."""


def run_small(line: str, folder: Path) -> int:
    """Run the command in FOLDER, beside what it reads; its exit code."""
    arguments = small(line)
    shutil.copytree(ROOT / "configs", folder / "configs")
    shrink_configurations(folder / "configs")
    for path in read_by(arguments):
        target = folder / path
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            STAND_INS[path](target)
            if arguments[:2] == ["train", "--resume"]:
                (target / "complete.json").unlink()
    given = [
        str(found) for word in arguments for found in (sorted(Path().glob(word)) if word.endswith("/*") else [word])
    ]
    try:
        code = run_command(given)
    except SystemExit as told:
        return int(told.code or 0)
    # neither a solution that has not converged nor a study that is not done is a failure here
    return 0 if code == 1 and (arguments[0] == "solve" or arguments[:2] == ["study", "status"]) else code


def small(line: str) -> list[str]:
    """The arguments of `mfmarl` that are run for a documented line."""
    arguments = [NAMES.get(word, word) for word in words(line)[1:]]
    text = " ".join(arguments)
    options = next((options for start, options in RULES if re.match(start, text)), {})
    if "--seeds" in arguments and "magail" not in text and arguments[0] == "imitate":
        options = {**options, "--seeds": "2"}
    return with_options(arguments, options)


def read_by(arguments: list[str]) -> list[str]:
    """The stand-ins that these arguments name, less what the command writes."""
    found = ["runs/own"] if arguments == ["ls"] else []
    for before, word in zip(["", *arguments], arguments, strict=False):
        if before in ("imitate", "solve") and not word.startswith("--"):
            continue
        if before in ("--out", "--name", "--outdir", "--ledger", "--minari", "--tag"):
            continue
        parts = (word, word.split("=")[-1].removesuffix(".csv"), word.split("=")[-1], word.split(":")[0])
        name = word.removesuffix("/*")
        found += [part for part in dict.fromkeys((name, *parts)) if part in STAND_INS]
    return found


def reason(line: str) -> str | None:
    """Why a line is not run, or None."""
    return next((why for start, why in NOT_RUN.items() if re.match(start, line)), None)


def is_dear(line: str) -> bool:
    """Whether it runs in soak only."""
    return any(re.match(start, line) for start in TOO_DEAR)


def runs_here() -> list[str]:
    """Lines that run without Ray, the dear ones too; of those that are the same when shrunk, the first."""
    seen: dict[str, str] = {}
    for line in documented():
        if reason(line) is None and line not in FRAGMENTS and line not in ON_RAY:
            with contextlib.suppress(ValueError):
                seen.setdefault(" ".join(small(line)), line)
    return list(seen.values())
