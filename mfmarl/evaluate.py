"""Playing a run's trained policies beside the reference policies, and writing what every agent got."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

import envs
from envs.inventory.ledger_frame import EpisodeRecorder, write_frame
from envs.inventory.market import InventoryMarket
from envs.inventory.network.network import InventoryNetwork
from envs.population import PopulationEnv, Step
from envs.views.joint import agent_names
from mfmarl.config import TrainConfig
from mfmarl.errors import UserError
from mfmarl.policy import Policy
from mfmarl.runs.files import storing
from mfmarl.runs.lock import hold
from mfmarl.runs.schema import open_run
from mfmarl.runs.store import Evaluation, PolicyTable, read_evaluation, write_evaluation
from mfmarl.seeding import stream
from mfmarl.subject import options_in
from mfmarl.yardstick import Play, Yardstick, yardstick_of

MAX_COPIES = 32


def evaluate(
    run: Path, episodes: int = 20, seed: int | None = None, split: str | None = None, ledger: Path | None = None
) -> Path:
    """Play `episodes` episodes of each policy and write RUN/evaluation.h5; returns its path.

    With `ledger` the trained policies' episodes are written there too, a row per copy, episode, period and agent.

    Inventory games are measured by all their metrics and held against base stock too; any other by return and mean
    reward, against random and constant actions. All policies meet the same demand. Without a seed it is made of the
    run's, so that runs of one seed are paired. Where the environment has held-out data, it is played on that unless
    `split` says otherwise.

    Raises:
        UserError: for a folder that is no run or has no checkpoint, and a split or ledger that the environment has not.
        StorageFailed: where the checkpoint is damaged, or the disk does not take the file.
    """
    torch.set_num_threads(1)
    info = open_run(run)
    config = info.config
    root = stream(info.seed, "evaluation") if seed is None else seed
    chosen, options = _split_options(config, split)
    copies = min(episodes, MAX_COPIES)

    def fresh() -> PopulationEnv:
        return envs.make(config.env, num_envs=copies, num_agents=config.num_agents, seed=root, **options)

    env = fresh()
    recorder = None
    if ledger is not None:
        if not isinstance(env, InventoryMarket | InventoryNetwork):
            raise UserError(f"--ledger {ledger}: {config.env} has no goods to keep a ledger of; leave it out")
        recorder = EpisodeRecorder(env)
    yardstick = yardstick_of(env)
    trained = Policy.load(run, seed=stream(root, "action"))

    def act(step: Step) -> NDArray[np.int64]:
        return trained.act(step.obs, step.mean_action)

    discount = config.discount
    tables = {"trained": _play(env, act, episodes, yardstick, discount, root, recorder)}
    if ledger is not None and recorder is not None:
        with storing(ledger):
            write_frame(recorder.to_frame(recorder.ended[:episodes]), ledger)
    for name in yardstick.references:
        other = fresh()
        play = yardstick.reference(name, other, stream(root, "reference", name), discount)
        tables[name] = _play(other, play, episodes, yardstick, discount, root)
    with hold(run):
        return write_evaluation(
            run,
            Evaluation(
                run=info.name,
                method=config.label,
                algorithm=config.algorithm,
                env=config.env,
                split=chosen,
                seed=root,
                discount=discount,
                # every environment with a name has it
                periods=int(cast(Any, env).horizon),
                agent_types=np.asarray(env.agent_types, np.int64),
                agent_names=agent_names(env),
                type_names=list(env.type_names),
                policies=tables,
            ),
        )


def _split_options(config: TrainConfig, split: str | None) -> tuple[str, dict[str, Any]]:
    """The part of the data that is played, and the environment's options that say so."""
    held_out = envs.has_held_out(config.env, **config.env_options)
    chosen = split or ("test" if held_out else None)
    return chosen or "simulated", options_in(config.env, config.env_options, chosen)


def return_table(path: Path) -> str:
    """Mean discounted return of every policy by type and over all agents, in $ an episode, a line a policy."""
    evaluation = read_evaluation(path)
    headings = [*evaluation.type_names, "all"] if len(evaluation.type_names) > 1 else ["all"]
    widths = [max(10, len(name)) for name in headings]
    lines = [f"{'mean return, $':14s}" + "".join(f"  {h:>{w}s}" for h, w in zip(headings, widths, strict=True))]
    # the file has them by the alphabet
    for policy in sorted(evaluation.policies, key=lambda name: name != "trained"):
        by_agent = evaluation.policies[policy].metrics["return"].mean(0)
        of_types = [by_agent[evaluation.agent_types == k].mean() for k in range(len(evaluation.type_names))]
        values = [*of_types, by_agent.mean()][-len(headings) :]
        lines.append(f"{policy:14s}" + "".join(f"  {v:{w},.1f}" for v, w in zip(values, widths, strict=True)))
    return "\n".join(lines)


def _play(
    env: PopulationEnv,
    play: Play,
    episodes: int,
    yardstick: Yardstick,
    discount: float,
    root: int,
    recorder: EpisodeRecorder | None = None,
) -> PolicyTable:
    """Metrics [episodes, N] of a policy; what the last round plays beyond that is left out."""
    step = env.reset(stream(root, "env"))
    meter = yardstick.meter(env.num_envs, env.num_agents, discount)
    rows: list[dict[str, NDArray[np.float64]]] = []
    done = 0
    while done < episodes:
        step = env.step(play(step))
        ended = meter.add(step)
        if recorder is not None:
            recorder.add(step)
        if ended is not None:
            rows.append(ended)
            done += next(iter(ended.values())).shape[0]
    table = {name: np.concatenate([r[name] for r in rows])[:episodes] for name in yardstick.metrics}
    why = {name: reason for name, reason in yardstick.missing.items() if np.isnan(table[name]).any()}
    return PolicyTable(table, why)
