"""The command `mfmarl train`."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, UseAppendAction

from mfmarl.arguments import GivenPath, GivenText, flag_of, given, line
from mfmarl.errors import UserError
from mfmarl.registry import ALGORITHMS, JOBS, METHODS, load

_Flag = Annotated[bool, FlagCreatePairsOff, given()]


@dataclass(frozen=True)
class Train:
    """Train one run into a run folder: configuration, journal, checkpoints.

    What is not given comes from CONFIG, then from the defaults. Ctrl-C saves; a run that was interrupted or killed goes
    on with --resume, bit for bit; a baseline (ppo, dqn) goes on with its weights, but plays new episodes and fills its
    replay anew.

    Examples:
      mfmarl train --method is --num-agents 50 --num-episodes 1000
      mfmarl train configs/train/demo.yaml --method mf --seed 1 --set mfq.discount=0.95 num_envs=32
      mfmarl train --algorithm ppo --num-agents 50 --num-episodes 300
      mfmarl train --resume runs/mfq-is-market-easy-n50-s1-0a1b2c
    """

    config: Annotated[GivenPath, Positional, given("[CONFIG]")] = None
    """YAML with differences from the defaults."""
    method: Annotated[GivenText, given("|".join(METHODS), "is")] = None
    """How stored steps are corrected for the drift of the others' policies."""
    algorithm: Annotated[GivenText, given("|".join(ALGORITHMS), "mfq")] = None
    """What learns; ppo and dqn are RLlib's own, as baselines, and have no method."""
    env: Annotated[GivenText, given("ENV", "inventory/market-easy")] = None
    """Environment, family/name."""
    num_agents: Annotated[GivenText, given("N", "the environment's own")] = None
    """Agents in the population, 2 or more."""
    num_episodes: Annotated[GivenText, given("E", "1000")] = None
    """Episodes to play, all copies together."""
    seed: Annotated[GivenText, given("S", "drawn, shown and stored")] = None
    """Root of all random streams."""
    num_env_runners: Annotated[GivenText, given("R", "0: in the driver")] = None
    """Remote processes that play."""
    num_learners: Annotated[GivenText, given("L", "0: in the driver")] = None
    """Remote processes that learn."""
    set: Annotated[UseAppendAction[tuple[str, ...]], given("KEY=VALUE [KEY=VALUE ...]")] = ()
    """Any configuration key, e.g. --set mfq.discount=0.95 env_options.horizon=26."""
    resume: Annotated[GivenPath, given("RUN")] = None
    """Go on with this run folder, or go back to this one of its checkpoints."""
    name: Annotated[GivenText, given("NAME", "made of the configuration")] = None
    """Name of the run folder."""
    runs_dir: Annotated[Path, given("DIR", "runs")] = Path("runs")
    """Where run folders are."""
    address: Annotated[GivenText, given("HOST:PORT|auto", "RAY_ADDRESS, or a Ray of this machine")] = None
    """Ray cluster to train on."""
    insecure: _Flag = False
    """Join another machine's cluster without a token."""
    local: _Flag = False
    """Train in this process without Ray: the same numbers."""
    quiet: _Flag = False
    """Print nothing but the run folder."""
    verbose: _Flag = False
    """Print every iteration, workers' output and tracebacks."""

    def run(self) -> int:
        """Train, and print the run folder."""
        from mfmarl.config import TrainConfig, read_config
        from mfmarl.launch.cluster_access import check_access
        from mfmarl.runs.progress import Progress
        from mfmarl.strict_yaml import read_value

        keys = ("num_agents", "num_episodes", "seed", "num_env_runners", "num_learners")
        numbers = {key: getattr(self, key) for key in keys}
        flags = {key: read_value(text, flag_of(key)) for key, text in numbers.items() if text is not None}
        words = {"method": self.method, "algorithm": self.algorithm, "env": self.env}
        flags |= {key: text for key, text in words.items() if text is not None}
        config: TrainConfig
        if self.resume is not None:
            from mfmarl.runs.schema import open_run, run_of

            given = [flag_of(key) for key in flags] + ["--set"] * bool(self.set)
            given += ["CONFIG"] * (self.config is not None) + ["--name"] * (self.name is not None)
            if given:
                raise UserError(f"--resume goes on with the run's own configuration; leave out {', '.join(given)}")
            config = open_run(run_of(self.resume)).config
        else:
            config = read_config(self.config, flags, self.set)
        if not self.local:
            check_access(self.address, insecure=self.insecure, told=line)
        progress = Progress(quiet=self.quiet, verbose=self.verbose)
        with closing(progress):
            run = load(JOBS, "train")(
                config,
                self.runs_dir,
                name=self.name,
                backend="local" if self.local else "rllib",
                resume=self.resume,
                progress=progress,
                address=self.address,
            )
        print(run)
        return 0
