"""The command `mfmarl search`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import FlagCreatePairsOff, Positional

from mfmarl.arguments import GivenText, given, line, whole_number
from mfmarl.registry import JOBS, load
from mfmarl.study_command import jobs_that_fit

if TYPE_CHECKING:
    from mfmarl.launch.search_config import Search as SearchFile
    from mfmarl.launch.trials import Trial


@dataclass(frozen=True)
class Search:
    """Search for good settings: points of a space are suggested by Optuna, trained, evaluated and scored.

    Each trial is one run for each of the file's seeds, in ordinary run folders; its score is their mean. A trial that
    fails is told of and does not stop the others. Killed at any moment, the same call goes on: what the folder has is
    not trained again; with more trials in the file it does these. trials.csv has all trials, best.yaml the
    configuration of the best one. Exit codes: 0 done, 3 no trial has a score.

    Examples:
      mfmarl search configs/search/learning_rate.yaml
      mfmarl search configs/search/learning_rate.yaml --jobs 2
      mfmarl search configs/search/learning_rate.yaml --address auto
      mfmarl train runs/learning_rate/best.yaml --seed 7
    """

    file: Annotated[Path, Positional, given("SEARCH.yaml")]
    """The search: name, base configuration, space."""
    runs_dir: Annotated[Path, given("DIR", "runs")] = Path("runs")
    """Where the search's folder is, DIR/NAME; on a cluster a folder that all nodes see."""
    jobs: Annotated[GivenText, given("J", "as many as processors and memory hold")] = None
    """Runs at a time; more at a time know less of each other."""
    address: Annotated[GivenText, given("HOST:PORT|auto", "processes of this machine")] = None
    """Ray cluster to train on, one task a run."""
    insecure: Annotated[bool, FlagCreatePairsOff, given()] = False
    """Join another machine's cluster without a token."""
    verbose: Annotated[bool, FlagCreatePairsOff, given()] = False
    """Show workers' output, and where an error arose."""

    def run(self) -> int:
        """Search, and print where the best configuration is."""
        from mfmarl.runs.files import storing
        from mfmarl.runs.lock import hold

        jobs = None if self.jobs is None else whole_number("--jobs", self.jobs, 1, 4096)
        search: SearchFile = load(JOBS, "search")(self.file)
        load(JOBS, "search game")(search)
        folder = self.runs_dir / search.config.name
        notes = folder / ".search"
        with storing(notes, "cannot make"):
            notes.mkdir(parents=True, exist_ok=True)
        with hold(notes):
            trials = self._search(search, folder, jobs)
        scored = [trial for trial in trials if trial.score is not None]
        if not scored:
            line(f"mfmarl: none of {len(trials)} trials has a score; first: {trials[0].error}")
            return 3
        failed = len(trials) - len(scored)
        print(folder / "best.yaml")
        if failed:
            line(f"{failed} of {len(trials)} trials failed; {folder / 'trials.csv'} says why")
        line(f"next: mfmarl train {folder / 'best.yaml'} --seed S, with seeds that the search had not")
        return 0

    def _search(self, search: SearchFile, folder: Path, jobs: int | None) -> Sequence[Trial]:
        from mfmarl.launch.local_pool import LocalPool, Pool

        pool: Pool
        resources = search.config.resources
        if self.address is None:
            places = jobs_that_fit(resources)
            pool = LocalPool(jobs or places, verbose=self.verbose)
        else:
            from mfmarl.launch.cluster_access import check_access
            from mfmarl.rllib.quiet import take_token

            check_access(self.address, insecure=self.insecure, told=line)
            take_token(self.address)
            cluster = load(JOBS, "study on Ray")(resources, self.address, verbose=self.verbose)
            pool, places = cluster, cluster.places
        try:
            if pool.hint is not None:
                line(pool.hint)
            found = load(JOBS, "search trials")(search, folder)
            config = search.config
            sampler = load(JOBS, "search sampler")(search.space, config.mode, config.seed, len(found))
            driver = load(JOBS, "search run")(search, folder, found, pool, sampler, jobs=jobs or places, told=line)
            trials: Sequence[Trial] = driver.run()
        finally:
            pool.close()
        return trials
