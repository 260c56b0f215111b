"""Doing a search: points are suggested, and trained as cells of a study; what the folder has is not done again."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from mfmarl.config import config_hash
from mfmarl.errors import StorageFailed, UserError
from mfmarl.launch.cell_state import check_there
from mfmarl.launch.drive import SECONDS_BETWEEN_LINES
from mfmarl.launch.local_pool import Pool
from mfmarl.launch.search_config import Point, Search
from mfmarl.launch.trials import Trial, best_of, new_trial, same, score_of, shown, write_trials
from mfmarl.launch.work import Job, Outcome
from mfmarl.runs.files import storing
from mfmarl.runs.journal import last_line

MAX_REPEATS = 200
"""Suggestions in a row that were tried before, after which the space counts as used up."""


class Sampler(Protocol):
    """What suggests points."""

    def ask(self) -> tuple[str, Point]:
        """A point, and the name under which it is told of."""
        ...

    def tell(self, name: str, score: float | None) -> None:
        """What a suggested point was worth; None where it failed."""
        ...

    def known(self, point: Point, score: float) -> None:
        """What a point was worth that was not suggested by this sampler."""
        ...


class SearchDriver:
    """One call of `mfmarl search`: which trials there are, what waits and what is at work.

    Args:
        trials: those that the folder has, of which what is left is done first.
        jobs: runs at a time.
    """

    def __init__(
        self,
        search: Search,
        folder: Path,
        trials: list[Trial],
        pool: Pool,
        sampler: Sampler,
        *,
        jobs: int,
        told: Callable[[str], None],
    ) -> None:
        self.search, self.folder, self.pool, self.sampler = search, folder, pool, sampler
        self.jobs, self.told = jobs, told
        self.trials = trials
        self._names: dict[int, str] = {}
        self._waiting: deque[tuple[Trial, int]] = deque()
        self._at_work: dict[str, tuple[Trial, int]] = {}
        self._attempts: Counter[str] = Counter()
        self._used_up = False

    def run(self, every_s: float = SECONDS_BETWEEN_LINES) -> list[Trial]:
        """Do what is left of the search; a trial that fails is told of and does not stop the others.

        Raises:
            StorageFailed: where the folder does not take the table of trials, or is moved away meanwhile.
        """
        config = self.search.config
        for trial in self.trials:
            if trial.score is not None:
                self.sampler.known(trial.point, trial.score)
            self._waiting.extend((trial, seed) for seed in trial.left)
        done = sum(trial.score is not None for trial in self.trials)
        begun = len(self.trials) - done
        self.told(f"{config.name}: {done} of {config.trials} trials are done, {begun} to go on with")
        with storing(self.folder, "cannot make"):
            self.folder.mkdir(parents=True, exist_ok=True)
        write_trials(self.search, self.folder, self.trials)
        shown_at = time.monotonic()
        while True:
            self._begin()
            if not self._at_work:
                return self.trials
            for outcome in self.pool.ended(1.0):
                self._ended(outcome)
            if self._at_work and time.monotonic() - shown_at >= every_s:
                shown_at = time.monotonic()
                self.told(self._line())

    def _begin(self) -> None:
        while len(self._at_work) < self.jobs and self.pool.has_room():
            if not self._waiting and not self._suggest():
                return
            trial, seed = self._waiting.popleft()
            config = trial.runs[seed]
            digest = config_hash(config)
            self._at_work[digest] = (trial, seed)
            played = self.search.config.evaluation
            values = config.model_dump(mode="json")
            self.pool.begin(Job(str(self.folder.absolute()), digest, values, played.episodes, played.split))

    def _suggest(self) -> bool:
        """Begin one more trial where there is one to begin."""
        while len(self.trials) < self.search.config.trials and not self._used_up:
            name, point = self.sampler.ask()
            by_point = {same(trial.point): trial for trial in self.trials}
            for _ in range(MAX_REPEATS):
                if same(point) not in by_point:
                    break
                self.sampler.tell(name, by_point[same(point)].score)
                name, point = self.sampler.ask()
            else:
                self._used_up = True
                self.told(f"all points that are suggested were tried; {len(self.trials)} trials are all there are")
                return False
            trial = new_trial(self.search, len(self.trials) + 1, point)
            self.trials.append(trial)
            self._names[trial.number] = name
            if trial.error:
                self._finish(trial)
                continue
            self._waiting.extend((trial, seed) for seed in trial.left)
            return True
        return False

    def _ended(self, outcome: Outcome) -> None:
        trial, seed = self._at_work.pop(outcome.digest)
        error = outcome.error
        if outcome.kind == "done":
            try:
                trial.scores[seed] = score_of(self.folder / outcome.digest, self.search.config.metric)
            except (UserError, StorageFailed) as refused:
                error = str(refused)
        if not error:
            if trial.score is not None:
                self._finish(trial)
            return
        check_there(self.folder)
        self._attempts[outcome.digest] += 1
        if outcome.again and self._attempts[outcome.digest] <= self.search.config.retries and not trial.error:
            self.told(f"trial {trial.number}, seed {seed} failed, will be tried again: {error}")
            self._waiting.append((trial, seed))
        elif not trial.error:
            trial.error = f"seed {seed}: {error}"
            # the others could not give it a score any more
            self._waiting = deque(pair for pair in self._waiting if pair[0] is not trial)
            self._finish(trial)

    def _finish(self, trial: Trial) -> None:
        name = self._names.pop(trial.number, None)
        if name is not None:
            self.sampler.tell(name, trial.score)
        elif trial.score is not None:
            self.sampler.known(trial.point, trial.score)
        config, best = self.search.config, best_of(self.search, self.trials)
        worth = f"failed: {trial.error}" if trial.score is None else f"{config.metric} {shown(trial.score)}"
        so_far = f"; best: trial {best.number}, {shown(best.score)}" if best is not None else ""
        self.told(f"trial {trial.number} of {config.trials} ({trial.words}): {worth}{so_far}")
        write_trials(self.search, self.folder, self.trials)

    def _line(self) -> str:
        ended = sum(t.score is not None or bool(t.error) for t in self.trials)
        at = []
        for digest, (trial, seed) in list(self._at_work.items())[:8]:
            line = last_line(self.folder / digest) if (self.folder / digest).is_dir() else None
            share = int(line["episodes"]) / trial.runs[seed].num_episodes if line else 0.0
            at.append(f"trial {trial.number} at {min(1.0, share):.0%}")
        return f"{ended} of {self.search.config.trials} trials ended; at work: {', '.join(at)}"
