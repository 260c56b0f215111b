"""One imitation into a folder: it can be killed at any moment, and goes on bit for bit."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mfmarl.errors import TrainingFailed
from mfmarl.imitation import folder as files
from mfmarl.imitation.asked import BY_DEMONSTRATIONS, BY_SEVERAL, BY_UPDATES
from mfmarl.imitation.convergence import convergence
from mfmarl.imitation.folder import Row
from mfmarl.imitation.judging import AT_END, DURING, judged, metrics, told
from mfmarl.imitation.plan import Given, Plan, given_of
from mfmarl.imitation.result import Counts
from mfmarl.imitation.saved import TENSORS
from mfmarl.registry import IMITATION, load
from mfmarl.runs.interrupt import ctrl_c
from mfmarl.runs.lock import hold
from mfmarl.runs.progress import Progress, duration, short

SECONDS_BETWEEN_SAVES = 1.0
"""Shorter rounds share a save: what is lost is the last round, or the last second."""


@dataclass(frozen=True)
class Imitated:
    """What came of it."""

    folder: Path
    interrupted: bool


class Interrupted(Exception):
    """The person wants it to end; all is saved."""


class ImitationProgress(Progress):
    """A row of the last round, redrawn on a terminal, and plain lines elsewhere."""

    def cells(self, line: Mapping[str, Any]) -> dict[str, str]:
        """Heading -> text."""
        share = min(line["done"] / line["total"], 1.0) if line["total"] else 1.0
        counts = {name: f"{line[name]:,}" for name in ("interactions", "queries", "updates") if line.get(name)}
        losses = ("loss", "discriminator_loss", "mismatch")
        # a round in which no episode ended has no return
        known = {name: short(line.get(name)) for name in ("return", "judged", *losses)}
        figures = {name.replace("_", " "): text for name, text in known.items() if text != "-"}
        return {"round": f"{line['round']:,} ({share:.0%})"} | counts | figures | {"left": duration(line["left"])}


def begin(folder: Path, plan: Plan) -> None:
    """Make the folder of an imitation, in which nothing is learnt yet.

    Raises:
        UserError: where it has one already, or the method does not take what it is given; there is no folder then.
        StorageFailed: where it takes no file.
    """
    given = given_of(plan)
    _agent(plan, given, folder / files.AGENT)
    files.take(folder, plan, _told(given, Counts(), 0.0, {}))


def imitate(folder: Path, *, quiet: bool = False, verbose: bool = False, progress: Progress | None = None) -> Imitated:
    """Begin the imitation that `folder` was made for, or go on with it; judge the policy now and then and at the end.

    Ctrl-C ends after the round under way, and saves.

    Raises:
        UserError: where what the plan names is not there, or has changed.
        TrainingFailed: where a loss is not finite; what was saved before stands.
        StorageFailed: where the folder takes no file.
    """
    plan = files.plan_in(folder)
    shown = progress or ImitationProgress(quiet=quiet, verbose=verbose)
    if files.read_words(folder).get("complete"):
        shown.note(f"{folder}: complete")
        return Imitated(folder, interrupted=False)
    given = given_of(plan)
    with hold(folder), closing(shown), ctrl_c() as interrupted:
        shown.start(plan.total, f"{plan.method} on {plan.env}, seed {plan.seed}")
        work = _Work(plan, given, folder, shown, interrupted)
        with suppress(Interrupted):
            work.learn()
            work.finish()
            return Imitated(folder, interrupted=False)
    return Imitated(folder, interrupted=True)


class _Work:
    """What a round of learning is followed by."""

    def __init__(
        self, plan: Plan, given: Given, folder: Path, shown: Progress, interrupted: Callable[[], bool]
    ) -> None:
        self.plan, self.given, self.folder, self.shown, self.interrupted = plan, given, folder, shown, interrupted
        self.agent, counts = _agent(plan, given, folder / files.AGENT)
        self.history = files.read_rows(folder / files.HISTORY, counts)
        self.evaluations = files.read_rows(folder / files.EVALUATIONS, counts)
        self.cpu = float(self.history[-1]["cpu_seconds"]) if self.history else 0.0
        self.measure = "updates" if plan.method in BY_UPDATES else "interactions"
        self.done_before, self.began = self._done(counts), time.monotonic()
        self.last_return: float | None = None
        self.saved_at = time.monotonic()
        self.clock = time.process_time()

    def _done(self, counts: Counts) -> int:
        return int(getattr(counts, self.measure))

    def learn(self) -> None:
        """Train to the end of the plan."""
        plan, agent = self.plan, self.agent
        done = self._done(agent.counts)
        if plan.method in BY_UPDATES and done >= plan.total:
            return
        self.clock = time.process_time()
        if plan.method == "bc":
            agent.train(plan.updates, self.after_round)
        elif plan.method == "maxent_irl":
            agent.train(plan.updates, plan.interactions, self.after_round)
        elif plan.method in BY_DEMONSTRATIONS or done < plan.total:
            agent.train(plan.interactions, self.after_round)

    def after_round(self, row: Row) -> None:
        """Note a round, judge the policy where that is due, and save."""
        self.cpu += time.process_time() - self.clock
        plan, agent, counts = self.plan, self.agent, self.agent.counts
        before = int(self.history[-1][self.measure]) if self.history else 0
        done = self._done(counts)
        number = len(self.history) + 1
        _check_finite(row, number)
        self.history.append({"round": number, **asdict(counts), **row, "cpu_seconds": round(self.cpu, 3)})
        due = done < plan.total and done * plan.evaluations // plan.total > before * plan.evaluations // plan.total
        if due:
            found = judged(plan, agent.policy, counts, DURING)
            self.evaluations += found.rows
            self.last_return = found.mean_return("mode")
        if due or self.interrupted() or done >= plan.total or time.monotonic() - self.saved_at >= SECONDS_BETWEEN_SAVES:
            self.save()
        if done < plan.total and self.interrupted():
            raise Interrupted
        self._show(row, done, number)
        self.clock = time.process_time()

    def _show(self, row: Row, done: int, number: int) -> None:
        total = self.plan.total
        # what was learnt before a resumption took no time of this one
        pace = (time.monotonic() - self.began) / max(done - self.done_before, 1)
        extra = {} if self.last_return is None else {"judged": self.last_return}
        left = pace * max(total - done, 0)
        self.shown.update({**row, **extra, "round": number, "done": done, "total": total, "left": left})

    def save(self) -> None:
        """Tables first, then the agent: whatever tables have beyond it is learnt again."""
        if self.evaluations:
            files.write_rows(self.folder / files.EVALUATIONS, self.evaluations)
        files.write_rows(self.folder / files.HISTORY, self.history)
        self.agent.save(self.folder / files.AGENT)
        files.write_words(self.folder, self.plan, _told(self.given, self.agent.counts, self.cpu, {}))
        self.saved_at = time.monotonic()

    def finish(self) -> None:
        """Judge the last policy, and say so."""
        plan, agent = self.plan, self.agent
        last = judged(plan, agent.policy, agent.counts, AT_END)
        found = metrics(plan, self.given, agent.policy, last)
        matched = convergence(self.history, agent.config.tol) if plan.method == "maxent_irl" else None
        if matched is not None:
            found["convergence"] = asdict(matched)
        # a process that was killed after judging, and before it said so, has left these rows
        self.evaluations = [row for row in self.evaluations if not _at(row, agent.counts)] + last.rows
        self.save()
        more = _told(self.given, agent.counts, self.cpu, {**found, "complete": True})
        files.write_words(self.folder, plan, more)
        returns = found["metrics"]
        self.shown.end(
            f"return {told(returns['return_mode'])} by likeliest actions, {told(returns['return_sampled'])} drawn; "
            f"expert {told(found['expert_return'])}; {self.cpu:.1f} CPU seconds"
        )
        if matched is not None:
            self.shown.note(matched.told())


def _agent(plan: Plan, given: Given, folder: Path) -> tuple[Any, Counts]:
    """A new imitator, or the one that was saved, and how far it is."""
    kind = load(IMITATION, plan.method)
    begun = (folder / TENSORS).exists()
    keys: dict[str, Any] = {} if plan.method == "bc" else {"env": plan.env}
    if plan.method in BY_SEVERAL:
        keys["experts"] = given.experts
    elif given.experts:
        keys["expert"] = given.experts[0]
    if given.barrier is not None:
        keys["barrier"] = given.barrier
    if plan.method in BY_DEMONSTRATIONS or not begun:
        # agents that ask have demonstrations among what they were told
        keys["demonstrations"] = given.demonstrations
    agent = kind.load(folder, **keys) if begun else kind(plan.config, **keys, seed=plan.seed)
    return agent, agent.counts if begun else Counts()


def _at(row: Row, counts: Counts) -> bool:
    return (int(row["interactions"]), int(row["updates"])) == (counts.interactions, counts.updates)


def _told(given: Given, counts: Counts, cpu: float, found: Mapping[str, Any]) -> dict[str, Any]:
    """What `imitation.json` says beside the plan."""
    shown = given.demonstrations
    size = {} if shown is None else {"episodes": len(shown), "steps": shown.steps, "expert": shown.told.get("expert")}
    nothing: dict[str, Any] = {"metrics": {}, "expert_return": None, "complete": False}
    return {"demonstrations": size, "counts": asdict(counts), "cpu_seconds": round(cpu, 3), **nothing, **found}


def _check_finite(row: Row, number: int) -> None:
    for name, value in row.items():
        if name.endswith("loss") and not math.isfinite(value):
            raise TrainingFailed(f"round {number}: {name} is {value}; lower the learning rates, or raise penalties")
