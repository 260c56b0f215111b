"""The command `mfmarl audit`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional

from mfmarl.arguments import GivenText, given, say, teller, whole_number
from mfmarl.errors import UserError
from mfmarl.registry import JOBS, load, suggestion

IMITATION = "imitation.json"
WAYS = ("exact", "learned", "bound")
_Flag = Annotated[bool, FlagCreatePairsOff, given()]


@dataclass(frozen=True)
class Audit:
    """Measure how far a run's policies are from an equilibrium: best-response gaps by type, and NashConv.

    exact: backward induction on the prices that the policies make; learned: deviators trained with everyone else
    frozen, a lower bound; bound: information relaxation, an upper bound. Each type is excluded in turn: one of its
    agents leaves (unilateral gap), all of them learn again together (type deviation), the game goes on without them
    (leave-type-out). The results stand in RUN/audit, where calls add to each other; one that was interrupted goes on
    where it stopped, and `mfmarl report` draws them.

    The folder of an imitation of a type of a game (inventory/market-easy:discounter), or one with several, is audited
    beside the expert: return, gap, NashConv and Nash imitation gap into FOLDER/audit.csv, exactly unless --by says so.

    Examples:
      mfmarl audit runs/mfq-is-market-easy-n50-s1-0a1b2c
      mfmarl audit RUN --exclude discounter --by exact,bound
      mfmarl audit RUN --policy base_stock --by exact
    """

    run_folder: Annotated[Path, Positional, given("RUN")]
    """Run folder with a checkpoint, or a folder of imitations."""
    exclude: Annotated[str, given("TYPE[,TYPE]|all", "all")] = "all"
    """Exclude only these types, each in turn: the ones that deviators are trained for."""
    by: Annotated[GivenText, given("exact,learned,bound", "all that the game has")] = None
    """Ways to the best response."""
    policy: Annotated[str, given("NAME", "trained")] = "trained"
    """Audit this reference policy in the run's game instead."""
    split: Annotated[GivenText, given("train|test", "what the run was trained on")] = None
    """Part of recorded data, where the game holds some out."""
    episodes: Annotated[GivenText, given("E", "66000, fewer where T > 52")] = None
    """Episodes that a deviator is trained on, a minute or two on one core; fewer make a looser lower bound. At least
    768, which play together; from the run's own networks it is half as many, of a whole type that learns again a fifth.
    Measuring takes as long whatever is given."""
    seed: Annotated[str, given("S", "0")] = "0"
    """Root of all random streams."""
    finite: _Flag = False
    """Also play the profile among 10 to 10,000 agents, and fit the rate at which it comes to the mean field."""
    local: _Flag = False
    """Train deviators one after another in this process, without Ray."""
    address: Annotated[GivenText, given("HOST:PORT|auto", "RAY_ADDRESS, or a Ray of this machine")] = None
    """Ray cluster to train deviators on."""
    insecure: _Flag = False
    """Join another machine's cluster without a token."""
    verbose: _Flag = False
    """Show where an error arose."""

    def run(self) -> int:
        """Audit, print the table and the file's path."""
        by = tuple(part.strip() for part in self.by.split(",")) if self.by is not None else ()
        for way in by:
            if way not in WAYS:
                raise UserError(f"--by: there is no {way!r}; there are {', '.join(WAYS)}{suggestion(way, WAYS)}")
        if self.local and self.address is not None:
            raise UserError("--local trains in this process, --address on a cluster; leave one out")
        types = () if self.exclude == "all" else tuple(part.strip() for part in self.exclude.split(","))
        settings = load(JOBS, "audit settings")(
            types=types,
            by=by,
            policy=self.policy,
            split=self.split,
            episodes=None if self.episodes is None else whole_number("--episodes", self.episodes, 1, 10**9),
            seed=whole_number("--seed", self.seed, 0),
            finite=self.finite,
            local=self.local,
            address=self.address,
        )
        if not self.local:
            from mfmarl.launch.cluster_access import check_access

            check_access(self.address, insecure=self.insecure, told=_note)
        tell = teller()
        if _imitations(self.run_folder):
            path = load(JOBS, "imitation audit")(self.run_folder, settings, told=tell)
            tell("")
            load(JOBS, "imitation audit table")(path)
            print(path)
            return 0
        path = load(JOBS, "audit")(self.run_folder, settings, told=tell, noted=_note)
        tell("")
        load(JOBS, "audit table")(self.run_folder, self.policy)
        print(path)
        return 0


def _imitations(folder: Path) -> bool:
    """Whether a folder is one of `mfmarl imitate`, or has such folders in it."""
    return (folder / IMITATION).exists() or any(folder.glob(f"*/{IMITATION}"))


def _note(text: str) -> None:
    """A line that stays."""
    say("")
    print(text, file=sys.stderr, flush=True)
