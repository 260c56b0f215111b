"""The command `mfmarl report`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional

from mfmarl.arguments import GivenText, given
from mfmarl.errors import UserError
from mfmarl.registry import JOBS, load


@dataclass(frozen=True)
class Report:
    """Compare evaluated runs, or imitations: one HTML page with figures, and the CSV behind each.

    Of a study's folder all runs that were evaluated; where it has several games, a page over all of them, and one for
    each in DIR/<game>. Every method is tested against one; Holm's correction is over all methods and games of a page,
    types apart. Of imitations (mfmarl imitate) a page for each environment.

    Examples:
      mfmarl report runs/* --out report
      mfmarl report runs/demo
      mfmarl report runs/is_vs_mf --out report --against independent
      mfmarl report runs/is-s1 runs/is-s2 runs/is-s3 runs/mf-s1 runs/mf-s2 runs/mf-s3 --out is-against-mf
      mfmarl report imitations/* --against bc
    """

    runs: Annotated[tuple[Path, ...], Positional, given("RUN [RUN ...]")]
    """Evaluated run folders, imitations, or folders of such; three seeds or more of each method."""
    out: Annotated[Path, given("DIR", "report")] = Path("report")
    """Folder for index.html and the CSV files; of imitations in several environments, for a folder of each."""
    against: Annotated[GivenText, given("METHOD", "mf or bc where it is there, else the first")] = None
    """The method that all others are compared against, by its name in the report."""
    verbose: Annotated[bool, FlagCreatePairsOff, given()] = False
    """Show where an error arose."""

    def run(self) -> int:
        """Write the report, and print its page."""
        from mfmarl.runs.folders import evaluated_runs, is_folder_of_runs
        from mfmarl.runs.schema import RUN, open_run

        if not self.runs:
            raise UserError("no runs given; want e.g. mfmarl report runs/*")
        for path in self.runs:
            if not path.exists():
                raise UserError(f"{path} does not exist")
        if imitations := load(JOBS, "imitation folders")(self.runs):
            return self._write_imitations(imitations)
        studies = [path for path in self.runs if is_folder_of_runs(path)]
        if studies and len(studies) < len(self.runs):
            run = next(path for path in self.runs if path not in studies)
            raise UserError(f"{studies[0]} is a folder of runs and {run} is not; give one or the other")
        if not studies:
            for run in self.runs:
                if run.is_dir() and not (run / RUN).exists():
                    raise UserError(f"{run} holds neither a run ({RUN}) nor an imitation (imitation.json)")
                open_run(run)
            self._write(list(self.runs))
            return 0
        found = evaluated_runs(studies)
        if found.unevaluated:
            count, first = len(found.unevaluated), found.unevaluated[0]
            told = f"{count} run{'s' * (count != 1)} not evaluated, left out: {first}{' ...' * (count > 1)}"
            _say(told)
        if len(found.by_game) == 1:
            self._write(next(iter(found.by_game.values())))
            return 0
        title = " and ".join(path.resolve().name for path in studies)
        page = load(JOBS, "study report")(found.by_game, self.out, title, self.against, _say)
        caveats: dict[str, list[str]] = {}
        for game, runs in found.by_game.items():
            caveats.setdefault(load(JOBS, "report caveats")(runs), []).append(game)
        for text, games in caveats.items():
            _tell(text, f"{', '.join(games)}: ")
        print(page)
        return 0

    def _write_imitations(self, imitations: list[Path]) -> int:
        from mfmarl.runs.folders import is_folder_of_runs
        from mfmarl.runs.schema import RUN

        for path in self.runs:
            if (path / RUN).exists() or is_folder_of_runs(path):
                raise UserError(f"{imitations[0]} is an imitation and {path} is of runs; give one or the other")
        count = len(imitations)
        pages = load(JOBS, "imitation report")(imitations, self.out, self.against)
        _say(f"{count} imitation{'s' * (count != 1)} into {self.out}")
        for page in pages:
            print(page)
        return 0

    def _write(self, runs: list[Path]) -> None:
        page = load(JOBS, "report")(runs, self.out, self.against)
        _tell(load(JOBS, "report caveats")(runs))
        print(page)


def _say(line: str) -> None:
    print(f"mfmarl: {line}", file=sys.stderr)


def _tell(caveats: str, where: str = "") -> None:
    """What the report cannot say."""
    if caveats:
        _say(f"{where}{caveats}")
