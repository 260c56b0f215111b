"""Learned gaps against exact ones on `easy`, and how often their intervals cover a known gap.

    OMP_NUM_THREADS=1 python benchmarks/learned_gap.py coverage [--repetitions 1000] [--out docs/figures]
    OMP_NUM_THREADS=1 python benchmarks/learned_gap.py quality [--run RUN] [--profiles base_stock] [--types supermarket]
        [--num-agents 99] [--measure-agents 999] [--num-episodes E] [--out docs/figures] [--work build/learned]

coverage: Cournot with a fixed deviator among sellers who draw from the grid; its gap is a closed form. quality: no
jitter, a fresh deviator per profile and type, trained among `num-agents` and measured among `measure-agents`: is
learned <= exact <= bound, and how much of the exact gap is learned? With --run the policies of a trained run of the
game (`mfmarl train --num-agents 99 --set env_options.jitter=0`) are one more profile, `trained`, whose deviators also
start from the run's networks. Exact gaps are of `measure-agents`, own weight included; `response` is what the best
response of infinitely many agents gains where deviators are measured, in the same episodes for stayer and deviator.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

import envs
from analysis.equilibrium.bound import bound_gaps
from analysis.equilibrium.exact import exact_gaps, exact_profile
from analysis.equilibrium.gaps import Estimate
from analysis.equilibrium.learned import Act, estimate, measured_gap, paired_returns, piece, starts
from envs.inventory.mean_field import Profile, best_response, evaluate, mean_field
from envs.inventory.mean_field.best_response import as_policy
from envs.one_shot.cournot import CournotConfig
from envs.population import PopulationEnv, type_slices
from mfmarl.deviator import train_deviator
from mfmarl.deviator_config import DeviatorConfig
from mfmarl.network import types_of
from mfmarl.players import profile_player, reference_player
from mfmarl.policy import Policy
from mfmarl.seeding import stream
from mfmarl.subject import Subject, Trained, run_subject

AGENTS, PHI, DISCOUNT = 10, 0.9, 0.9
DISCOUNTED, BOUND_EPISODES, BOUND_AGENTS = 0.99, 32, 16
QUANTITY = 8
"""The deviator's action: 4 units."""
EPISODES = (8, 16, 64)
PROFILES = ("random", "base_stock", "equilibrium", "planner")


@dataclass(frozen=True)
class Coverage:
    """How often 95 % intervals cover the known gap."""

    episodes: int
    repetitions: int
    gap: float
    mean: float
    covered: float


@dataclass(frozen=True)
class Quality:
    """One deviator; $ per episode, with half-widths of 95 % intervals."""

    profile: str
    type_name: str
    num_agents: int
    measured_agents: int
    value: float
    """Of staying, exactly."""
    limit: float
    """The exact gap among infinitely many."""
    exact: float
    response: float
    response_half: float
    learned: float
    learned_half: float
    start: str
    bound: float
    bound_half: float
    share_of_exact: float
    share_of_response: float
    in_order: bool
    """learned <= exact <= bound, within the intervals."""
    cpu_s: float


def cournot() -> Subject:
    """Sellers who draw from the grid of quantities, each alike."""

    def make(copies: int) -> PopulationEnv:
        return envs.make("games/cournot", num_envs=copies, num_agents=AGENTS, seed=0, phi=PHI)

    return Subject(make, reference_player("random", DISCOUNT), DISCOUNT)


def known_gap(action: int) -> float:
    """Of a seller of the first type who plays a fixed quantity: its own counts in the mean with 1 / N."""
    c = CournotConfig(phi=PHI)
    q = np.linspace(0, c.largest, round(c.largest / c.grid_step) + 1)
    mean = ((AGENTS - 1) * q.mean() + q) / AGENTS
    worth = (c.alpha - c.beta * mean - c.costs[0]) * q - 0.5 * c.phi * q**2
    return float((worth[action] - worth.mean()) * (1 - DISCOUNT**c.horizon) / (1 - DISCOUNT))


def intervals(action: int, repetitions: int, episodes: int) -> list[Estimate]:
    """Independent estimates of that gap."""
    subject = cournot()
    act: Act = lambda obs: np.full(obs.shape[:2], action)  # noqa: E731
    found = []
    for seed in range(repetitions):
        stay, leave = paired_returns(
            subject, 0, [("fresh", act)], who="one", episodes=episodes, copies=episodes, seed=stream(episodes, seed)
        )
        found.append(estimate(leave - stay))
    return found


def coverage(repetitions: int, episodes: int) -> Coverage:
    """Intervals of `episodes` paired episodes each."""
    gap, found = known_gap(QUANTITY), intervals(QUANTITY, repetitions, episodes)
    covered = float(np.mean([one.low <= gap <= one.high for one in found]))
    return Coverage(episodes, repetitions, gap, float(np.mean([one.value for one in found])), covered)


def market(num_agents: int, copies: int) -> PopulationEnv:
    """`easy`, all agents of a type alike."""
    return envs.make("inventory/market-easy", num_envs=copies, num_agents=num_agents, seed=0, jitter=0.0)


def subject_of(profile: str, num_agents: int, run: Path | None) -> Subject:
    """A reference policy, or the trained policies of `run`, among `num_agents`."""
    make = partial(market, num_agents)
    if profile != "trained":
        return Subject(make, reference_player(profile, DISCOUNTED), DISCOUNTED)
    assert run is not None
    whole = run_subject(run)
    assert whole.trained is not None
    slices = type_slices(make(1).agent_types)
    network = whole.trained.network.among(types_of(slices))
    firsts = [whole.trained.reward_scale[first] for first, _ in whole.trained.network.shape.types]
    scale = np.repeat(firsts, [one.stop - one.start for one in slices])
    return Subject.of_networks(make, Trained(network, scale), DISCOUNTED, whole.algorithm)


def quality(
    profile: str, type_name: str, num_agents: int, measure_agents: int, config: DeviatorConfig, work: Path,
    run: Path | None,
) -> Quality:  # fmt: skip
    """Train and measure one deviator."""
    subject, larger = (subject_of(profile, agents, run) for agents in (num_agents, measure_agents))
    env: Any = subject.make(1)
    kind = list(env.type_names).index(type_name)
    played = profile if subject.trained is None else Policy(subject.trained.network)
    game = mean_field(env.config, gamma=DISCOUNTED)
    limit = exact_gaps(env.config, played, discount=DISCOUNTED).types[kind].gap.value
    exact = exact_gaps(env.config, played, discount=DISCOUNTED, num_agents=measure_agents).types[kind]
    bound = bound_gaps(
        larger.make, larger.player, episodes=BOUND_EPISODES, discount=DISCOUNTED, types=[type_name], agents=BOUND_AGENTS
    ).types[0].gap  # fmt: skip
    evaluation = evaluate(game, exact_profile(game, played).profile)
    policies = list(exact_profile(game, played).profile.policies)
    policies[kind] = as_policy(game.types[kind], best_response(game, evaluation.path, kind).actions)
    response = _response(larger, kind, Profile(tuple(policies)), game, config)
    began = time.process_time()
    folders = {
        start: train_deviator(subject, kind, piece(work / profile, type_name, "one", start), config, start=start)
        for start in starts(subject)
    }
    spent = time.process_time() - began
    measured = measured_gap(larger, type_name, folders, config)
    learned = measured.gap.gap
    return Quality(
        profile, type_name, num_agents, measure_agents, exact.base.value, limit, exact.gap.value,
        response.value, response.high - response.value, learned.value, learned.high - learned.value, measured.chosen,
        bound.value, bound.high - bound.value, learned.value / exact.gap.value, learned.value / response.value,
        learned.low <= exact.gap.value <= bound.high, spent,
    )  # fmt: skip


def _response(subject: Subject, kind: int, profile: Profile, game: Any, config: DeviatorConfig) -> Estimate:
    """What the exact best response gains in the game itself, on the episodes that deviators are measured on."""
    copies, seed = config.evaluation_copies, stream(config.seed, "response", kind)
    gains = []
    for r in range(max(1, config.evaluation_episodes // copies)):
        begin, returns = stream(seed, r), []
        for leaves in (False, True):
            env = subject.deviation(kind, "one", copies, begin, first=r * copies)
            step = env.reset(begin)
            rows, total = np.arange(copies)[:, None], np.zeros((copies, 1))
            play = profile_player(game, profile)(env.inner, begin)
            for t in range(env.horizon):
                step = env.step(play(env.inner_step)[rows, env.places]) if leaves else env.stay()
                total += subject.discount**t * step.reward
            returns.append(total.mean(1))
        gains.append(returns[1] - returns[0])
    return estimate(np.concatenate(gains))


def written(rows: list[Any], path: Path) -> None:
    """One CSV, a row a dataclass."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, list(asdict(rows[0])), lineterminator="\n")
        table.writeheader()
        table.writerows(asdict(row) for row in rows)


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("coverage", "quality"))
    parser.add_argument("--repetitions", type=int, default=1000)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--profiles", nargs="+")
    parser.add_argument("--types", nargs="+", default=["convenience", "supermarket", "discounter"])
    parser.add_argument("--num-agents", type=int, default=99)
    parser.add_argument("--measure-agents", type=int, default=999)
    parser.add_argument("--evaluation-episodes", type=int, default=DeviatorConfig().evaluation_episodes)
    parser.add_argument("--num-episodes", type=int, default=DeviatorConfig().num_episodes)
    parser.add_argument("--out", type=Path, default=Path("docs/figures"))
    parser.add_argument("--work", type=Path, default=Path("build/learned"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[Any] = []
    todo: list[Callable[[], Any]]
    if given.what == "coverage":
        todo = [partial(coverage, given.repetitions, episodes) for episodes in EPISODES]
    else:
        copies = max(1, DeviatorConfig().evaluation_copies * 99 // given.measure_agents)
        config = DeviatorConfig(
            num_episodes=given.num_episodes,
            evaluation_episodes=given.evaluation_episodes,
            evaluation_copies=copies,
        )
        todo = [
            partial(
                quality, profile, name, given.num_agents, given.measure_agents, config,
                given.work / str(given.num_agents), given.run,
            )
            for profile in given.profiles or (PROFILES if given.run is None else ("trained", *PROFILES))
            for name in given.types
        ]
    for row in todo:
        rows.append(row())
        print(rows[-1], flush=True)
        written(rows, given.out / f"learned_{given.what}.csv")


if __name__ == "__main__":
    main()
