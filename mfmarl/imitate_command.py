"""The command `mfmarl imitate`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import FlagCreatePairsOff, Positional, UseAppendAction

from mfmarl.arguments import GivenPath, GivenText, given, line, whole_number
from mfmarl.errors import UserError
from mfmarl.registry import IMITATION, JOBS, load, suggestion

SEVERAL = ("magail-coordination", "magail-zero-sum", "magail-market")
"""Commands of their own, after the same word."""


@dataclass(frozen=True)
class Imitate:
    """Learn to play as an expert does, from demonstrations or by asking it.

    The folder gets imitation.json (settings, counts, CPU seconds, and how near the policy comes to the expert),
    history.csv (a row a round), evaluations.csv (a row an episode) and agent/. Ctrl-C saves and ends; an imitation
    that was interrupted or killed goes on with --resume, bit for bit.

    Methods: bc, gail, airl and maxent_irl learn from demonstrations; dagger and mega_dagger ask one expert, and
    multi_expert and safety_filter several. Experts are those of `mfmarl demonstrate`, but for ppo. Of several agents
    at once, with options of their own: `mfmarl imitate magail-coordination`, `magail-zero-sum`, `magail-market`.

    Keys of --config and --set are the method's own, which --settings prints with their defaults; a file may also
    have method, env, interactions, updates and evaluations.

    Examples:
      mfmarl imitate bc --demonstrations cartpole.npz --updates 2000
      mfmarl imitate gail --config configs/imitate/gail_cartpole.yaml --demonstrations cartpole.npz --seeds 5
      mfmarl imitate dagger --env Pendulum-v1 --expert pendulum --interactions 2600 --set loss=mse rollout=200
      mfmarl imitate maxent_irl --demonstrations lake.npz
      mfmarl imitate multi_expert --env CartPole-v1 --expert cartpole --expert my_module:expert
      mfmarl imitate gail --settings
      mfmarl imitate --resume imitations/gail-CartPole-v1
    """

    method: Annotated[GivenText, Positional, given("[METHOD]")] = None
    """How, one of the above."""
    env: Annotated[GivenText, given("ID", "the demonstrations'")] = None
    """Environment: any of gymnasium's, or module:Id."""
    demonstrations: Annotated[GivenText, given("FILE.npz|minari:ID")] = None
    """What the expert did, as `mfmarl demonstrate` records it; of methods that ask, what is known before."""
    episodes: Annotated[GivenText, given("N", "all")] = None
    """The first N episodes of them alone."""
    every: Annotated[GivenText, given("K", "1")] = None
    """Every K-th step of each episode alone, from a drawn one on: tells methods apart."""
    expert: Annotated[UseAppendAction[tuple[str, ...]], given("EXPERT")] = ()
    """Who is asked; several by giving it several times."""
    barrier: Annotated[GivenText, given("MODULE:FUNCTION")] = None
    """Of safety_filter: states [n, D] -> h [n], at least 0 where it is safe."""
    interactions: Annotated[GivenText, given("N", "gail, airl 60000; those that ask 5000")] = None
    """Steps of the environment to learn in."""
    updates: Annotated[GivenText, given("N", "bc 10000; maxent_irl 100")] = None
    """Gradient steps of bc, rounds of maxent_irl."""
    seed: Annotated[GivenText, given("S", "0")] = None
    """Root of all random streams."""
    seeds: Annotated[GivenText, given("N")] = None
    """Imitate N times, with seeds 0 to N - 1, each in a folder of its own, DIR/s0 and so on."""
    config: Annotated[GivenPath, given("FILE.yaml")] = None
    """Differences from the method's defaults."""
    set: Annotated[UseAppendAction[tuple[str, ...]], given("KEY=VALUE [KEY=VALUE ...]")] = ()
    """Any setting of the method, e.g. --set policy_lr=0.003 ppo.epochs=6."""
    settings: Annotated[bool, FlagCreatePairsOff, given()] = False
    """Print the method's settings with defaults and meanings, and do nothing else."""
    evaluations: Annotated[GivenText, given("N", "10")] = None
    """Moments over training at which the policy is judged, besides the end."""
    out: Annotated[GivenPath, given("DIR", "imitations/METHOD-ENV")] = None
    """Folder; one that has an imitation is refused."""
    resume: Annotated[GivenPath, given("DIR")] = None
    """Go on with the imitation, or the several, in this folder."""
    quiet: Annotated[bool, FlagCreatePairsOff, given()] = False
    """Print nothing but the folders."""
    verbose: Annotated[bool, FlagCreatePairsOff, given()] = False
    """Print every round, and show where an error arose."""

    def run(self) -> int:
        """Imitate, and print the folders."""
        if self.resume is not None:
            return self._all(self._resumed(self.resume), self.resume)
        if self.method is None:
            raise UserError("imitate how? give a METHOD, or --resume DIR to go on with an imitation")
        if self.method not in IMITATION:
            known = (*IMITATION, *SEVERAL)
            hint = suggestion(self.method, known)
            raise UserError(f"unknown method {self.method!r}{hint}; there are {', '.join(known)}")
        if self.settings:
            return self._print_settings(self.method)
        if self.seed is not None and self.seeds is not None:
            raise UserError("--seed is of one imitation, --seeds of several; leave one out")
        if self.seeds is None:
            seeds = [0 if self.seed is None else whole_number("--seed", self.seed, 0)]
        else:
            seeds = list(range(whole_number("--seeds", self.seeds, 1, 10_000)))
        numbers, given = self._numbers(), self._given()
        told = ("every", "interactions", "updates")
        env = load(JOBS, "imitation asked")(self.method, **given, **{name: numbers[name] for name in told})
        out = self.out or Path("imitations") / f"{self.method}-{_leaf(env)}"
        folders = [out] if self.seeds is None else [out / f"s{seed}" for seed in seeds]
        for folder in folders:
            load(JOBS, "imitation place")(folder)
        if not self.quiet:
            self._announce(env, len(seeds), out)
        plan = load(JOBS, "imitation plan")
        plans = [plan(self.method, **given, **numbers, sets=self.set, seed=seed) for seed in seeds]
        # all are there before one begins, so that --resume finds those that have not
        for plan, folder in zip(plans, folders, strict=True):
            load(JOBS, "imitation folder")(folder, plan)
        return self._all(folders, out)

    def _print_settings(self, method: str) -> int:
        from rich.console import Console

        table = load(JOBS, "imitation settings")(method)
        # without a terminal, lines are not folded
        Console(width=None if sys.stdout.isatty() else 240).print(table)
        return 0

    def _announce(self, env: str, seeds: int, out: Path) -> None:
        """At once, as torch takes seconds to come."""
        source = [] if self.demonstrations is None else [f"from {self.demonstrations}"]
        source += [f"asking {' and '.join(self.expert)}"] if self.expert else []
        line(f"{self.method} on {env} {', '.join(source)}{f', {seeds} seeds' * (seeds > 1)}, into {out}")

    def _numbers(self) -> dict[str, int | None]:
        lows = {"episodes": 1, "every": 1, "interactions": 1, "updates": 1, "evaluations": 0}
        return {
            name: None if text is None else whole_number(f"--{name}", text, low, 10**12)
            for name, low in lows.items()
            for text in [getattr(self, name)]
        }

    def _given(self) -> dict[str, Any]:
        return {
            "env": self.env,
            "config": self.config,
            "demonstrations": self.demonstrations,
            "experts": self.expert,
            "barrier": self.barrier,
        }

    def _resumed(self, folder: Path) -> list[Path]:
        mine = ("resume", "quiet", "verbose")
        flags = ["METHOD" if f.name == "method" else f"--{f.name}" for f in fields(self) if f.name not in mine]
        names = [f.name for f in fields(self) if f.name not in mine]
        if extra := [
            flag for flag, name in zip(flags, names, strict=True) if getattr(self, name) not in (None, (), False)
        ]:
            raise UserError(f"--resume goes on with the folder's own settings; leave out {', '.join(extra)}")
        if not folder.is_dir():
            raise UserError(f"--resume {folder}: there is no such folder")
        if not self.quiet:
            line(f"going on in {folder}")
        found: list[Path] = load(JOBS, "imitations begun")(folder)
        return found

    def _all(self, folders: Sequence[Path], top: Path) -> int:
        for folder in folders:
            done = load(JOBS, "imitate")(folder, quiet=self.quiet, verbose=self.verbose)
            if done.interrupted:
                print(f"saved; `mfmarl imitate --resume {top}` goes on", file=sys.stderr)
                return 130
            print(folder)
        if len(folders) > 1 and not self.quiet:
            line(load(JOBS, "imitations told")(folders))
        return 0


def _leaf(env: str) -> str:
    """Of an environment's name, fit for a folder."""
    return "".join(c if c.isalnum() or c in "._+-" else "-" for c in env.split("/", 1)[-1])[:60]
