"""What an audit found, as one JSON file: RUN/audit/audit.json, which reports read; that of a reference policy in the
run's game stands beside it, RUN/audit/audit-NAME.json."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from analysis.equilibrium.distances import PolicyDistance, TwoSample
from analysis.equilibrium.gaps import By, Estimate, Gaps, What, out_of_order
from analysis.equilibrium.rates import FiniteAgents
from mfmarl.errors import DamagedFile, UserError
from mfmarl.runs.files import to_json, write_whole
from mfmarl.runs.summed import read_summed, summed

FOLDER, AUDIT = "audit", "audit.json"
MAX_BYTES = 64 << 20


@dataclass(frozen=True)
class Deviation:
    """The learned deviator of one type beside an agent that stays."""

    type_name: str
    what: What
    start: str
    """What it was trained from: ``fresh`` or ``checkpoint``, whichever gained more."""
    base_returns: tuple[float, ...]
    """[E]: discounted return of the agent that stays, an independent episode each, $."""
    best_returns: tuple[float, ...]
    """[E]: of the deviator in the same episodes."""
    distance: PolicyDistance | None
    """Of the two policies at observations that the deviator visited; None for continuous actions."""
    test: TwoSample
    episodes: int = 0
    """That it was trained on where fresh, see `DeviatorConfig.episodes`; 0 where that was not kept."""
    rules: int = 0
    """`mfmarl.deviator.RULES` that it was trained by."""


@dataclass(frozen=True)
class TypeLeftOut:
    """Play without one type: what changes for another."""

    left_out: str
    type_name: str
    value_with: float
    """$ per agent."""
    value_without: float
    gap_with: float
    gap_without: float


@dataclass(frozen=True)
class Line:
    """A profile that the audited one is held against: the exact equilibrium, or the planner."""

    name: str
    value: float
    """Mean over the population in the exact mean field, $ per agent."""
    nash_conv: float
    """$ per agent."""


@dataclass(frozen=True)
class Absent:
    """What the game does not have by one way."""

    by: By
    why: str


# holds for the parts too: a number that is none would be drawn as nothing
@with_config(ConfigDict(allow_inf_nan=False))
@dataclass(frozen=True)
class Audit:
    """How far the policies of a run are from an equilibrium."""

    run: str
    policy: str
    """``trained``, or the reference policy that was audited in the run's game."""
    label: str
    """Method of the run, as reports call it."""
    env: str
    num_agents: int
    checkpoint: int
    """Iteration of the checkpoint."""
    seed: int
    discount: float
    value: Estimate
    """Mean discounted return over the population, $ per agent."""
    gaps: tuple[Gaps, ...]
    left_out: tuple[TypeLeftOut, ...]
    deviations: tuple[Deviation, ...]
    lines: tuple[Line, ...]
    subject: str
    """Digest of what was audited: the checkpoint, the policy, the data and the seed."""
    absent: tuple[Absent, ...]
    """What could not be worked out, and why."""
    jitter: float
    """Spread of the agents of a type, which exact numbers leave out."""
    mean_actions: tuple[tuple[float, ...], ...]
    """[T, M]: the population's mean action by period, shares of one-hot actions or means of continuous ones."""
    finite: FiniteAgents | None = None
    """The profile among other numbers of agents, where that was asked for."""
    split: str | None = None
    """Part of the data that was played; None where the game holds none out."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know of the whole."""
        notes = [f"no {one.why}" for one in self.absent]
        if self.split is not None:
            part = "held out of training" if self.split == "test" else "that policies are trained on"
            notes.append(f"values and gaps are of the data {part} (split {self.split})")
        if self.jitter and self.found("exact") is not None:
            notes.append(
                "the exact numbers are of agents who are alike within their type, learned gaps and bounds of the run's "
                f"own agents (jitter {self.jitter:g}): they compare to the last dollar only with env_options.jitter=0"
            )
        return (*notes, *out_of_order(self.gaps))

    def found(self, by: By, what: What = "unilateral gap") -> Gaps | None:
        """The gaps found in one way, if they were."""
        return next((one for one in self.gaps if (one.by, one.what) == (by, what)), None)

    @property
    def nash_conv(self) -> tuple[Estimate | None, Estimate | None, Estimate | None]:
        """NashConv from below (learned), exactly, and from above (bound), $ per agent; None where it was not found for
        all types."""

        def of(by: By) -> Estimate | None:
            found = self.found(by)
            return found.nash_conv if found is not None and found.complete else None

        return of("learned"), of("exact"), of("bound")


_FILE = TypeAdapter(Audit)
TRAINED = "trained"


def audit_path(run: Path, policy: str = TRAINED) -> Path:
    """Where the audit of a run's own policies stands, or of a reference policy in its game."""
    return run / FOLDER / (AUDIT if policy == TRAINED else f"audit-{policy}.json")


def write_audit(run: Path, audit: Audit) -> Path:
    """Write the audit's file, whole or not at all; returns its path.

    Raises:
        StorageFailed: where the disk does not take it.
    """
    path = audit_path(run, audit.policy)
    write_whole(path, summed(_FILE.dump_python(audit, mode="json")))
    return path


@dataclass(frozen=True)
class Earlier:
    """What stands where an audit is to be written."""

    audit: Audit | None = None
    """Of the same subject, which a call adds to."""
    told: str = ""
    """What is lost when the file is written anew, and what stays."""


def earlier(run: Path, policy: str, subject: str, *, seed: int, split: str | None, checkpoint: int) -> Earlier:
    """What an earlier call left at the place of the audit of `subject`.

    Raises:
        StorageFailed: for what is no file, or cannot be read.
    """
    path = audit_path(run, policy)
    if not path.exists():
        return Earlier()
    try:
        before = _FILE.validate_json(to_json(read_summed(path, MAX_BYTES)))
    except DamagedFile as error:
        return Earlier(told=f"{error}; this call writes it anew")
    except ValidationError as error:
        return Earlier(told=f"{path} is no whole audit of this version ({_fault(error)}); this call writes it anew")
    if before.subject == subject:
        return Earlier(before)
    kinds = {
        "seed": (before.seed, seed), "split": (before.split, split), "iteration": (before.checkpoint, checkpoint)
    }  # fmt: skip
    other = {kind: pair for kind, pair in kinds.items() if pair[0] != pair[1]}
    if not other:
        return Earlier(told=f"{path} was worked out in another way; this call writes it anew")
    was, now = (", ".join(f"{kind} {pair[i]}" for kind, pair in other.items()) for i in (0, 1))
    return Earlier(told=f"{path} was of {was}; this call writes {now} in its place, the pieces of {was} stay")


def gathered(audit: Audit, before: Audit | None) -> Audit:
    """`audit` with what an earlier call found of the same subject by ways that it has nothing of."""
    if before is None:
        return audit
    now = {one.by for one in audit.gaps} | {one.by for one in audit.absent}
    return replace(
        audit,
        gaps=(*audit.gaps, *(one for one in before.gaps if one.by not in now)),
        absent=(*audit.absent, *(one for one in before.absent if one.by not in now)),
        left_out=audit.left_out if "exact" in now else before.left_out,
        lines=audit.lines if "exact" in now else before.lines,
        deviations=audit.deviations if "learned" in now else before.deviations,
        finite=audit.finite or before.finite,
    )


def read_audit(run: Path, policy: str = TRAINED) -> Audit:
    """The audit of a run folder, or of a reference policy there.

    Raises:
        UserError: where the run was not audited.
        DamagedFile: for a file that is no audit; names the place.
    """
    path = audit_path(run, policy)
    with_policy = "" if policy == TRAINED else f" --policy {policy}"
    if not path.exists():
        raise UserError(f"{run} was not audited; run `mfmarl audit {run}{with_policy}` first")
    again = f"run `mfmarl audit {run}{with_policy}` again"
    try:
        return _FILE.validate_json(to_json(read_summed(path, MAX_BYTES, again)))
    except ValidationError as error:
        raise DamagedFile(f"{path}: {_fault(error)}; {again}") from None


def _fault(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}"
