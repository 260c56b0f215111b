"""The command line. Nothing heavy is imported before a command runs, so that every --help is instant.

Exit codes: 0 done, 2 bad input, 3 training failed, 4 storage failed, 130 interrupted.
"""

from __future__ import annotations

import io
import os
import re
import sys
import traceback
from collections.abc import Sequence
from contextlib import redirect_stderr, suppress
from dataclasses import dataclass, fields
from inspect import cleandoc
from pathlib import Path
from typing import Annotated, NoReturn, Protocol

import tyro
from tyro.conf import FlagCreatePairsOff, Positional, UseAppendAction

from mfmarl.arguments import GivenPath, GivenText, flag_of
from mfmarl.arguments import given as _given
from mfmarl.arguments import say as _say
from mfmarl.arguments import whole_number as _whole_number
from mfmarl.audit_command import Audit
from mfmarl.bounds_command import Bounds
from mfmarl.demonstrate_command import Demonstrate
from mfmarl.errors import StorageFailed, TrainingFailed, UserError
from mfmarl.imitate_command import Imitate
from mfmarl.magail_commands import MagailCoordination, MagailZeroSum
from mfmarl.magail_market_command import MagailMarket
from mfmarl.mending import mend
from mfmarl.registry import JOBS, load, suggestion
from mfmarl.report_command import Report
from mfmarl.search_command import Search
from mfmarl.solve_command import Solve
from mfmarl.study_command import Study
from mfmarl.submit_command import Submit
from mfmarl.train_command import Train

_Flag = Annotated[bool, FlagCreatePairsOff, _given()]
_RunsDir = Annotated[Path, _given("DIR", "runs")]


class Command(Protocol):
    """A command's options as a dataclass; `run` does it and returns the exit code."""

    def run(self) -> int:
        """Do it."""
        ...


@dataclass(frozen=True)
class Evaluate:
    """Play a run's trained policies beside the reference policies; write per-agent metrics of every episode.

    Examples:
      mfmarl evaluate runs/mfq-is-market-easy-n50-s1-0a1b2c
      mfmarl evaluate runs/store-83 --episodes 50 --split test --seed 7
      mfmarl evaluate runs/store-83 --ledger play.parquet
    """

    run_folder: Annotated[Path, Positional, _given("RUN")]
    """Run folder."""
    episodes: Annotated[str, _given("E", "20")] = "20"
    """Episodes of each policy."""
    seed: Annotated[GivenText, _given("S", "made of the run's seed")] = None
    """Root of the evaluation's random streams; runs with one seed meet the same demand."""
    split: Annotated[GivenText, _given("train|test", "test, where there is one")] = None
    """Part of the data to play on."""
    ledger: Annotated[GivenPath, _given("FILE")] = None
    """Write the trained policies' play too, a row per copy, agent and period: .parquet or .csv."""
    verbose: _Flag = False
    """Show where an error arose."""

    def run(self) -> int:
        """Evaluate, show the mean returns and print the file."""
        from mfmarl.runs.schema import open_run

        if self.ledger is not None and self.ledger.suffix not in (".parquet", ".csv"):
            raise UserError(f"--ledger {self.ledger}: want a name that ends in .parquet or .csv")

        episodes = _whole_number("--episodes", self.episodes, 1)
        seed = None if self.seed is None else _whole_number("--seed", self.seed, 0)
        open_run(self.run_folder)
        made = load(JOBS, "evaluate")(self.run_folder, episodes, seed, self.split, self.ledger)
        # the path alone goes to stdout, for scripts
        print(load(JOBS, "evaluation table")(made), file=sys.stderr)
        print(f"next: mfmarl report {self.run_folder} [RUN ...] --out report", file=sys.stderr)
        print(made)
        return 0


@dataclass(frozen=True)
class Export:
    """Write a run's policies for other programs: safetensors with JSON, or ONNX.

    Examples:
      mfmarl export runs/mfq-is-market-easy-n50-s1-0a1b2c
      mfmarl export runs/mfq-is-market-easy-n50-s1-0a1b2c --format onnx --out policy
    """

    run_folder: Annotated[Path, Positional, _given("RUN")]
    """Run folder."""
    format: Annotated[str, _given("safetensors|onnx", "safetensors")] = "safetensors"
    """safetensors with JSON, which `Policy.load` reads back, or a graph for any ONNX runtime."""
    out: Annotated[Path, _given("DIR", "policy")] = Path("policy")
    """Folder of the files."""
    verbose: _Flag = False
    """Show where an error arose."""

    def run(self) -> int:
        """Write the files, and print their paths."""
        from mfmarl.runs.schema import open_run

        formats = ("safetensors", "onnx")
        if self.format not in formats:
            raise UserError(f"--format {self.format}: want safetensors or onnx{suggestion(self.format, formats)}")
        open_run(self.run_folder)
        for path in load(JOBS, "export")(self.run_folder, self.format, self.out):
            print(path)
        return 0


@dataclass(frozen=True)
class Ls:
    """List runs: method, environment, agents, seed, progress, and whether one is complete, running or can go on.

    Examples:
      mfmarl ls
      mfmarl ls demo/runs
    """

    runs_dir: Annotated[Path, Positional, _given("[DIR]", "runs")] = Path("runs")
    """Folder of run folders."""
    verbose: _Flag = False
    """Show where an error arose."""

    def run(self) -> int:
        """Print the table."""
        from rich.console import Console

        from mfmarl.runs.schema import list_runs
        from mfmarl.runs.table import runs_table

        runs = list_runs(self.runs_dir)
        if not runs:
            print(f"no runs in {self.runs_dir}; `mfmarl train` makes one", file=sys.stderr)
            return 0
        # without a terminal, lines are not folded
        Console(width=None if sys.stdout.isatty() else 240).print(runs_table(runs))
        return 0


@dataclass(frozen=True)
class Check:
    """Check an environment over whole episodes: determinism, finiteness, shapes, spaces, state, distinct copies.

    Examples:
      mfmarl check inventory/market-easy
      mfmarl check inventory/market-orange-juice --episodes 5
    """

    env: Annotated[str, Positional, _given("ENV")]
    """Environment, family/name."""
    num_agents: Annotated[GivenText, _given("N", "the environment's own")] = None
    """Agents in the population, 2 or more."""
    episodes: Annotated[str, _given("E", "3")] = "3"
    """Episodes to play."""
    verbose: _Flag = False
    """Show where an error arose."""

    def run(self) -> int:
        """Check; a fault is bad input, told in one line."""
        agents = None if self.num_agents is None else _whole_number("--num-agents", self.num_agents, 2)
        episodes = _whole_number("--episodes", self.episodes, 1)
        make, check = load(JOBS, "env"), load(JOBS, "check")
        check(lambda: make(self.env, num_envs=2, num_agents=agents, seed=0), episodes=episodes)
        print(f"{self.env}: {episodes} episodes checked, no fault found")
        return 0


@dataclass(frozen=True)
class References:
    """Tabulate the reference policies on an environment: return, exact value and NashConv where known, fill, bullwhip.

    Examples:
      mfmarl references inventory/market-easy
      mfmarl references inventory/market-easy --num-agents 1000 --set jitter=0 --seed 1 --out easy.csv
      mfmarl references inventory/market-orange-juice --policies base_stock smoothing --episodes 50
    """

    env: Annotated[str, Positional, _given("ENV")]
    """Environment, family/name."""
    policies: Annotated[tuple[str, ...], _given("NAME", "all")] = ()
    """Which reference policies."""
    episodes: Annotated[str, _given("E", "20")] = "20"
    """Episodes of each policy."""
    num_agents: Annotated[GivenText, _given("N", "the environment's own")] = None
    """Agents in the population, 2 or more."""
    seed: Annotated[GivenText, _given("S", "drawn and shown")] = None
    """Root of all random streams; policies of one table meet the same demand."""
    set: Annotated[UseAppendAction[tuple[str, ...]], _given("KEY=VALUE")] = ()
    """Settings of the environment, e.g. --set jitter=0 horizon=26."""
    out: Annotated[GivenPath, _given("CSV")] = None
    """Also write every number into this file."""
    verbose: _Flag = False
    """Show where an error arose."""

    def run(self) -> int:
        """Play, and print the table."""
        from mfmarl.config import parse_set

        episodes = _whole_number("--episodes", self.episodes, 1)
        agents = None if self.num_agents is None else _whole_number("--num-agents", self.num_agents, 2)
        seed = None if self.seed is None else _whole_number("--seed", self.seed, 0)
        options = dict(parse_set(text) for text in self.set)
        tabulate, show = load(JOBS, "references"), load(JOBS, "references table")
        found = tabulate(
            self.env, policies=self.policies, episodes=episodes, num_agents=agents, seed=seed, options=options,
            told=_say,
        )  # fmt: skip
        show(found, self.out)
        return 0


_OfRuns = Train | Evaluate | Audit | Export | Ls | Report | Study | Submit | Search
_Magail = MagailCoordination | MagailMarket | MagailZeroSum
_Others = Check | References | Bounds | Solve | Demonstrate | Imitate | _Magail
COMMANDS: dict[str, type[_OfRuns | _Others]] = {
    "train": Train,
    "evaluate": Evaluate,
    "study": Study,
    "submit": Submit,
    "search": Search,
    "audit": Audit,
    "export": Export,
    "ls": Ls,
    "report": Report,
    "check": Check,
    "references": References,
    "bounds": Bounds,
    "solve": Solve,
    "demonstrate": Demonstrate,
    "imitate": Imitate,
    "imitate magail-coordination": MagailCoordination,
    "imitate magail-market": MagailMarket,
    "imitate magail-zero-sum": MagailZeroSum,
}


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with its code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    sys.exit(run_command(arguments))


def run_command(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit code, having printed one line where it is not 0."""
    verbose = "--verbose" in arguments
    try:
        return parse(arguments).run()
    except KeyboardInterrupt:
        told = (
            "interrupted; an audit, study or search goes on by the same command, a run or imitation by --resume, "
            "or by the same command where its folder is not there yet"
        )
        print(f"\nmfmarl: {told}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # the reader of our output has gone; keep Python's own flush at exit from complaining
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ConnectionError as error:
        return _told(error, 3, verbose)
    except (UserError, TrainingFailed, StorageFailed) as error:
        return _told(error, error.exit_code, verbose, mend(_name_of(arguments), error))
    except OSError as error:
        return _told(error, 4, verbose, mend(_name_of(arguments), error))
    except ValueError as error:
        # environments and reports refuse bad input with ValueErrors; a bare one could be a fault of ours
        return _told(error, 2, verbose, " (--verbose shows where)" if type(error) is ValueError and not verbose else "")


def _told(error: Exception, code: int, verbose: bool, hint: str = "") -> int:
    if verbose:
        traceback.print_exception(error, file=sys.stderr)
    text = " ".join(str(error).split()) or type(error).__name__
    print("mfmarl: " + "".join(c if c.isprintable() else "?" for c in text) + hint, file=sys.stderr)
    return code


def _name_of(arguments: Sequence[str]) -> str:
    """Two words where such a command is, `imitate magail-zero-sum`, else one."""
    two = " ".join(arguments[:2])
    return two if two in COMMANDS else arguments[0]


def parse(arguments: Sequence[str]) -> Command:
    """The command that `arguments` name, its options filled in.

    Raises:
        UserError: for an unknown command or option; suggests the nearest.
        SystemExit: after --help (0), or an option without its value (2).
    """
    if arguments and arguments[0] == "--version":
        import mfmarl

        print(mfmarl.__version__)
        raise SystemExit(0)
    if not arguments or arguments[0] in ("-h", "--help"):
        tyro.extras.subcommand_cli_from_dict(
            dict(COMMANDS),
            prog="mfmarl",
            description="Learn policies in large populations of agents, and see what they are worth. "
            "`mfmarl COMMAND --help` shows a command's options and examples.",
            args=["--help"],
        )
    name = _name_of(arguments)
    rest = arguments[1 + (name != arguments[0]) :]
    if name not in COMMANDS:
        raise UserError(f"unknown command {name!r}{suggestion(name, COMMANDS)}; there are {', '.join(COMMANDS)}")
    command = COMMANDS[name]
    options = ["--help", *(flag_of(f.name) for f in fields(command))]
    for text in rest:
        option = text.split("=")[0].replace("_", "-")
        if option.startswith("--") and option not in options:
            hint = suggestion(option, options) or f"; `mfmarl {name} --help` shows what there is"
            raise UserError(f"unknown option {text!r} of {name}{hint}")
    told = io.StringIO()
    try:
        with redirect_stderr(told):
            return tyro.cli(
                command, prog=f"mfmarl {name}", description=cleandoc(command.__doc__ or ""), args=_spread_sets(rest)
            )
    except SystemExit as error:
        if not error.code:
            raise
        raise UserError(f"{name}: {_unboxed(told.getvalue())}; `mfmarl {name} --help` shows the options") from None


def _unboxed(text: str) -> str:
    """What tyro says in a box of several lines, up to its first rule, as one line."""
    lines = [line.strip("│ ") for line in text.splitlines()[1:]]
    rule = next((i for i, line in enumerate(lines) if line.startswith(("─", "╰"))), len(lines))
    return " ".join(line for line in lines[:rule] if line).rstrip(".") or "the options cannot be read"


def _spread_sets(arguments: Sequence[str]) -> list[str]:
    """`--set a=1 b=2` as `--set a=1 --set b=2`, so that what follows the pairs is not taken for one."""
    out: list[str] = []
    inside = False
    for text in arguments:
        pair = re.match(r"[A-Za-z_][\w.]*=", text) is not None
        if inside and pair and out[-1] != "--set":
            out.append("--set")
        inside = text == "--set" or (inside and pair)
        out.append(text)
    return out
