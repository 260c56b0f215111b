"""The command `mfmarl bounds`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff

from mfmarl.arguments import given, number, say, whole_number, whole_numbers
from mfmarl.registry import JOBS, load


@dataclass(frozen=True)
class Bounds:
    """Tabulate how far reweighted means may be off: bound, simulated error and ESS over stored steps and agents.

    Examples:
      mfmarl bounds
      mfmarl bounds --drift .5:.55 --agents 30,100,1000 --steps 1000,10000 --out drift
      mfmarl bounds --drift logit:.1:.3 --estimators joint,marginal --delta .01 --seed 1
    """

    drift: Annotated[str, given("P:P2|logit:MEAN:SD", ".5:.6")] = ".5:.6"
    """Everyone's probability of action 1, then and now; or differing agents whose logits move by Normal(MEAN, SD^2)."""
    actions: Annotated[str, given("A", "2")] = "2"
    """Actions of an agent whose logits move."""
    agents: Annotated[str, given("N,N,...", "10,30,50,100,300,1000")] = "10,30,50,100,300,1000"
    """Agents; each is a neighbour of all others."""
    steps: Annotated[str, given("n,n,...", "100,1000,10000,100000")] = "100,1000,10000,100000"
    """Stored population steps."""
    estimators: Annotated[str, given("NAME,NAME,...", "all")] = ""
    """joint, marginal, gaussian, mixture (half of the steps fresh), uncorrected."""
    delta: Annotated[str, given("D", ".05")] = ".05"
    """Bounds hold with probability 1 - D."""
    clip: Annotated[str, given("C", "20")] = "20"
    """Largest weight of clipped forms."""
    bandwidth: Annotated[str, given("H", ".05")] = ".05"
    """gaussian: standard deviation added to the mean action index, under both laws."""
    floor: Annotated[str, given("SHARE", ".1")] = ".1"
    """ESS / n below which a weight counts as not usable."""
    repetitions: Annotated[str, given("R", "1000")] = "1000"
    """Simulated replays of every size."""
    seed: Annotated[str, given("S", "0")] = "0"
    """Root of all random streams."""
    out: Annotated[Path, given("DIR", "bounds")] = Path("bounds")
    """Folder for bounds.csv, bounds.png and bounds.svg."""
    verbose: Annotated[bool, FlagCreatePairsOff, given()] = False
    """Show where an error arose."""

    def run(self) -> int:
        """Simulate, print the table and write the files."""
        settings = {
            "drift": self.drift,
            "actions": whole_number("--actions", self.actions, 2),
            "agents": whole_numbers("--agents", self.agents),
            "steps": whole_numbers("--steps", self.steps),
            "estimators": tuple(name for name in self.estimators.split(",") if name),
            "delta": number("--delta", self.delta),
            "clip": number("--clip", self.clip),
            "bandwidth": number("--bandwidth", self.bandwidth),
            "floor": number("--floor", self.floor),
            "repetitions": whole_number("--repetitions", self.repetitions, 2),
            "seed": whole_number("--seed", self.seed, 0),
        }
        tabulate, show, write = load(JOBS, "bounds"), load(JOBS, "bounds table"), load(JOBS, "bounds files")
        found = tabulate(**settings, told=say)
        show(found)
        for path in write(found, self.out):
            print(path)
        return 0
