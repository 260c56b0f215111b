"""What an imitator is worth: episodes by its likeliest and by drawn actions, and how near they come to the expert's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy import stats

from mfmarl.core.laws import Categorical
from mfmarl.imitation.demonstrations import Demonstrations, Episode, Transitions
from mfmarl.imitation.environments import threshold_of
from mfmarl.imitation.metrics import action_similarity, empirical_laws, measured
from mfmarl.imitation.networks import Policy
from mfmarl.imitation.plan import Given, Plan
from mfmarl.imitation.result import Counts, generator
from mfmarl.imitation.return_range import ANY, Range, return_range
from mfmarl.imitation.rollout import episodes
from mfmarl.imitation.spaces import Spaces
from mfmarl.registry import JOBS, load
from mfmarl.seeding import stream

DURING, AT_END = 10, 20
"""Episodes of each kind of acting."""

Row = dict[str, Any]
Figure = dict[str, float | None]


@dataclass(frozen=True)
class Judged:
    """Of one policy."""

    rows: list[Row]
    """A row an episode."""
    shown: dict[str, list[Episode]]
    """mode, sampled -> the episodes."""

    def mean_return(self, acting: str) -> float:
        """Of one kind of acting."""
        return float(np.mean([one.rewards.sum() for one in self.shown[acting]]))


def judged(plan: Plan, policy: Policy, counts: Counts, number: int) -> Judged:
    """Play `number` episodes of each kind; their starts are the same at every moment of an imitation."""
    drawn = generator(stream(plan.seed, "drawn", counts.interactions, counts.updates))
    begin = stream(plan.seed, "evaluation")
    shown = {
        kind: episodes(plan.env, partial(policy.act, generator=by), number, begin)
        for kind, by in (("mode", None), ("sampled", drawn))
    }
    rows = [
        {
            **asdict(counts),
            "acting": kind,
            "episode": i,
            "seed": plan.seed,
            "return": float(one.rewards.sum()),
            "length": len(one.actions),
            "terminated": one.terminated,
            "truncated": one.truncated,
        }
        for kind, some in shown.items()
        for i, one in enumerate(some)
    ]
    return Judged(rows, shown)


def reference(plan: Plan, given: Given) -> Demonstrations:
    """What imitators are held against: the demonstrations, or where there are none episodes of the first expert."""
    if given.demonstrations is not None:
        return given.demonstrations
    played = episodes(plan.env, given.experts[0], AT_END, stream(plan.seed, "reference"))
    return Demonstrations.from_episodes(played, given.spaces, plan.env)


def metrics(plan: Plan, given: Given, policy: Policy, last: Judged) -> dict[str, Any]:
    """The specification's metrics of the last policy, with 95 % intervals over episodes where there are such."""
    expert = reference(plan, given)
    threshold = threshold_of(plan.env)
    least = float(expert.returns.min()) if threshold is None else threshold
    own, within = last.shown["mode"], return_range(plan.env)
    found = measured(own, [expert[i] for i in range(min(len(expert), AT_END))], given.spaces, plan.seed, least)
    returns = {kind: [one.rewards.sum() for one in some] for kind, some in last.shown.items()}
    good = int((found.returns >= least).sum())
    wilson = stats.binomtest(good, len(own)).proportion_ci(method="wilson")
    similar = similarity(policy, expert.transitions, given.spaces)
    return {
        "metrics": {
            "return_mode": mean_of(returns["mode"], within),
            "return_sampled": mean_of(returns["sampled"], within),
            "success": {"mean": good / len(own), "low": float(wilson.low), "high": float(wilson.high)},
            "mmd": _alone(found.mmd),
            "wasserstein": _alone(found.wasserstein),
            "visitation": _alone(found.visitation),
            "action_similarity": _alone(similar),
            "diversity": _alone(found.diversity),
            "expert_diversity": _alone(found.expert_diversity),
        },
        "expert_return": mean_of(expert.returns, within),
        "success_return": {"least": least, "is": "the expert's worst" if threshold is None else "gymnasium's"},
    }


def similarity(policy: Policy, steps: Transitions, spaces: Spaces) -> float:
    """Of a policy's actions and the expert's in the expert's states: likeliest ones where they are continuous.

    Numbered actions by their laws, the expert's as its shares in equal states: a policy that mixes as the expert does
    is then no further from it than the expert is itself.
    """
    if spaces.continuous:
        return action_similarity(policy.act(steps.states), steps.actions, spaces)
    with torch.no_grad():
        law = policy.law(torch.from_numpy(steps.states))
    assert isinstance(law, Categorical)
    return action_similarity(law.probs.numpy(), empirical_laws(steps.states, steps.actions, spaces), spaces)


def mean_of(values: ArrayLike, within: Range = ANY) -> Figure:
    """A mean with its 95 % interval, cut to what values can be; of fewer than 3 there is none."""
    found = np.asarray(values, float)
    if len(found) < 3:
        return _alone(float(found.mean()))
    interval = load(JOBS, "interval")(found).within(within)
    return {"mean": interval.estimate, "low": interval.low, "high": interval.high}


def _alone(value: float) -> Figure:
    return {"mean": value, "low": None, "high": None}


def told(figure: Figure) -> str:
    """`-146.2 [-150.1, -142.3]`, or the mean alone."""
    mean, low, high = figure["mean"], figure["low"], figure["high"]
    assert mean is not None
    return f"{mean:.4g}" if low is None or high is None else f"{mean:.4g} [{low:.4g}, {high:.4g}]"


def returns_told(shown: Sequence[Episode], env: str) -> str:
    """Returns, lengths and ends of episodes of `env`, in a line."""
    lengths = [len(one.actions) for one in shown]
    ended = sum(one.terminated for one in shown)
    returned = told(mean_of([one.rewards.sum() for one in shown], return_range(env)))
    return (
        f"return {returned}, lengths {min(lengths)} to {max(lengths)} "
        f"(mean {np.mean(lengths):.4g}), {ended} terminated, {sum(one.truncated for one in shown)} truncated"
    )
