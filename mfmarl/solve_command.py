"""The command `mfmarl solve`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, UseAppendAction

from mfmarl.arguments import GivenPath, GivenText, given, number, whole_number
from mfmarl.errors import UserError
from mfmarl.registry import JOBS, load

TOL, MAX_ITERATIONS = "1e-3", "10000"


@dataclass(frozen=True)
class Solve:
    """Find an equilibrium of a finite mean-field game, and say how far from one the policy is (exploitability).

    The folder gets solution.safetensors (policy, flow, the solver's state), solution.json, convergence.png, flow.gif
    (flow.png of a game without an end) and audit.csv. Ctrl-C saves and ends; --resume goes on bit for bit, with the
    tolerance and iterations that it had where no others are given. Exit codes: 0 within the tolerance, 1 not within it.

    Games: attractor, beach-bar, beach-bar-closing, beach-bar-graphon, braess, building-evacuation, crowd-1d,
    crowd-1d-stationary, crowd-2d, crowd-avoidance, equilibrium-price, garnet, inventory-market, left-right,
    left-right-stationary, linear-quadratic, predator-prey, rock-paper-scissors, sis, sis-graphon, sis-stationary,
    teleport-crowd, tri-state-congestion.

    Solvers: boltzmann_iteration, control, entropy_continuation, fictitious_play, fixed_point, forward_sweep,
    interior_point, mf_omo, mf_psro, mirror_descent, mirror_prox, munchausen, omi, policy_iteration, portfolio,
    prior_descent.

    control seeks what the population could reach together, no equilibrium: --tol is of its first-order gap, and the
    optimum's exploitability is told beside it. Price of anarchy, of costs: "value" in the solution.json of an
    equilibrium over that of control; of gains the other way round.

    Examples:
      mfmarl solve crowd-1d
      mfmarl solve attractor --solver prior_descent --tol 1e-4 --set L=0.8 horizon=40
      mfmarl solve garnet --solver mirror_descent --set pull=1.0 mirror_descent.step_size=0.05 --out garnet
      mfmarl solve --resume garnet --tol 1e-6
      mfmarl solve predator-prey --tol 1e-2
      mfmarl solve braess --solver control --out optimum
    """

    game: Annotated[GivenText, Positional, given("[GAME]")] = None
    """Mean-field game, one of the above."""
    solver: Annotated[GivenText, given("SOLVER", "mirror_prox")] = None
    """What solves it, one of the above; games of some kinds are refused by some."""
    tol: Annotated[GivenText, given("E", TOL)] = None
    """Exploitability at which it ends; of control its first-order gap."""
    max_iterations: Annotated[GivenText, given("N", MAX_ITERATIONS)] = None
    """Iterations at which it ends in any case, those before --resume included."""
    set: Annotated[UseAppendAction[tuple[str, ...]], given("KEY=VALUE [KEY=VALUE ...]")] = ()
    """Settings of the game, e.g. horizon=40; with the solver's name before them of the solver, mirror_prox.growth=2."""
    out: Annotated[GivenPath, given("DIR", "solutions/GAME")] = None
    """Folder of the files; one that has a solution is refused."""
    resume: Annotated[GivenPath, given("DIR")] = None
    """Go on with the solution in this folder."""
    verbose: Annotated[bool, FlagCreatePairsOff, given()] = False
    """Show where an error arose."""

    def run(self) -> int:
        """Solve, write the files and print their paths."""
        if self.game is None and self.resume is None:
            raise UserError("solve what? give a GAME, or --resume DIR to go on with a solution")
        tol = None if self.tol is None else number("--tol", self.tol)
        if tol is not None and tol < 0:
            raise UserError(f"--tol: got {self.tol}; want 0 or more")
        most = None if self.max_iterations is None else whole_number("--max-iterations", self.max_iterations, 1)
        if self.resume is not None:
            flags = {"GAME": self.game, "--solver": self.solver, "--set": self.set or None, "--out": self.out}
            if extra := [flag for flag, value in flags.items() if value is not None]:
                raise UserError(f"--resume goes on with the folder's own problem; leave out {', '.join(extra)}")
            before = load(JOBS, "solution")(self.resume)
            folder, problem = self.resume, before.problem
            tol = before.tol if tol is None else tol
            most = before.max_iterations if most is None else most
        else:
            from mfmarl.config import parse_set

            settings = dict(parse_set(text) for text in self.set)
            before, problem = None, load(JOBS, "problem")(self.game, self.solver or "mirror_prox", settings)
            folder = self.out or Path("solutions") / str(self.game)
            if (folder / "solution.safetensors").exists():
                raise UserError(f"{folder} has a solution; go on with it by --resume {folder}, or choose another --out")
        tol = float(TOL) if tol is None else tol
        most = int(MAX_ITERATIONS) if most is None else most
        solved = load(JOBS, "solve")(folder, problem, tol=tol, max_iterations=most, resume_from=before)
        if solved.interrupted:
            print(f"saved; `mfmarl solve --resume {folder}` goes on", file=sys.stderr)
            return 130
        for path in [*solved.paths, *load(JOBS, "solution files")(folder, solved.game, solved.saved)]:
            print(path)
        return 0 if solved.saved.solution.converged else 1
