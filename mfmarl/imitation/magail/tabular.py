"""MAGAIL with tables (Song et al. 2018), many runs at once: a leading axis R of runs, each of its own seed and beta.

An epoch: as many rollouts as are asked for; one step of the discriminators, by batches of expert's and learners' joint
actions; one step of the policies along the score-function gradient of what the discriminators pay, and of entropy.
A run draws from its own generators, and so is the same alone and in a batch.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor
from torch.nn import functional

from mfmarl.errors import UserError
from mfmarl.imitation.magail.joint import joint_of
from mfmarl.imitation.magail.rollouts import Arena, Rollouts, rolled_out
from mfmarl.imitation.magail.theory import FLOOR, Array, RewardStyle
from mfmarl.imitation.saved import load_optimiser, optimiser_arrays
from mfmarl.runs.files import to_json
from mfmarl.runs.sealed import Arrays, read_sealed, write_sealed
from mfmarl.seeding import generator

Sharing = Literal["single", "centralised", "decentralised"]
KEPT_EVERY_S = 10.0
"""Seconds between two checkpoints."""
KEY, SCHEMA = "magail", 1
LARGEST = 16 << 30
"""Bytes of a checkpoint that is read."""
RECORDED = ("epochs", "discriminator_loss", "entropy", "played")
"""Arrays of `History` that a checkpoint has by their names."""


class MAGAILConfig(BaseModel):
    """Settings that all runs of a batch share."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    discriminator: Sharing = Field(
        "single", description="one D(s, a_1..a_n); one of them an agent (centralised); or D_i(s, a_i) (decentralised)"
    )
    reward_style: RewardStyle = Field("non_saturating", description="log D, -log(1-D), or both (airl)")
    epochs: int = Field(400, ge=1, description="steps of the discriminators and of the policies")
    rollouts: int = Field(200, ge=1, description="rollouts an epoch, no fewer and no more")
    batch_size: int = Field(
        64, ge=1, description="joint actions of the expert, and of the learners, a discriminator step"
    )
    policy_from: Literal["batch", "rollouts"] = Field(
        "batch", description="steps of the policies' gradient: the discriminators' batch, or all of the rollouts"
    )
    baseline: bool = Field(False, description="returns count by what they exceed their mean in the state by")
    lr_policy: float = Field(0.01, gt=0, description="Adam's rate of the policies")
    lr_disc: float = Field(0.01, gt=0, description="Adam's rate of the discriminators")
    policy_init_uniform: bool = Field(False, description="logits of policies start at 0; else at .1 N(0, 1)")
    collect_every: int = Field(10, ge=1, description="epochs between two records; the last epoch is recorded too")


@dataclass(frozen=True)
class Run:
    """What is a run's own."""

    seed: int
    beta: float = 0.0
    """Weight of the entropy bonus, in nats."""


@dataclass(frozen=True)
class History:
    """K records of R runs."""

    runs: tuple[Run, ...]
    epochs: NDArray[np.int64]
    """[K], counted from 1."""
    policies: tuple[Array, ...]
    """An agent each: pi_i[K, R, S, A_i], after the epoch."""
    logits: tuple[Array, ...]
    """A discriminator each: [K, R, S, A_1..A_n], or decentralised [K, R, S, A_i], after the epoch."""
    discriminator_loss: Array
    """[K, R]: in nats, the mean over discriminators, before the epoch's step; 2 ln 2 where nothing is told apart."""
    entropy: Array
    """[K, R, n]: nats, the mean over the steps of the policies' gradient, before the policies' step."""
    played: NDArray[np.int64]
    """[K, R, S, A_1..A_n]: how often in the epoch's rollouts."""
    rollouts: NDArray[np.int64]
    """[K]: played by a run up to and with the epoch."""
    expert_samples: NDArray[np.int64]
    """[K]: drawn from the demonstrations up to and with the epoch."""

    @property
    def joint(self) -> Array:
        """[K, R, S, A_1..A_n]: the joint law of actions in every state."""
        return joint_of(self.policies)


def magail(
    arena: Arena,
    demonstrations: NDArray[np.int64],
    runs: Sequence[Run],
    config: MAGAILConfig | None = None,
    *,
    checkpoint: Path | None = None,
    told: Callable[[str], None] | None = None,
) -> History:
    """Every run trained, all in one batch.

    Args:
        demonstrations: [S, A_1..A_n], how often the expert was seen to play so; or [R, S, A_1..A_n], a run its own.
        checkpoint: a file that the training is kept in, every ten seconds and at the end. The same call goes on from
            there, bit for bit; after the end it only reads.
        told: gets a line of progress every epoch.

    Raises:
        UserError: for demonstrations of another shape, or none; no runs; a beta that is no number; a checkpoint of
            other runs, settings or demonstrations.
        DamagedFile: where the checkpoint was cut short or changed.
        StorageFailed: where it cannot be read or written.
    """
    settings = MAGAILConfig() if config is None else config
    _check(arena, demonstrations, runs)
    training = _Training(arena, demonstrations, runs, settings)
    problem = _fingerprint(arena, demonstrations, runs, settings)
    if checkpoint is not None and checkpoint.exists():
        training.take_up(checkpoint, problem)
    kept = time.monotonic()
    while training.epoch < settings.epochs:
        training.step()
        if told is not None:
            told(f"epoch {training.epoch} of {settings.epochs}")
        over = training.epoch == settings.epochs
        if checkpoint is not None and (over or time.monotonic() - kept >= KEPT_EVERY_S):
            training.keep(checkpoint, problem)
            kept = time.monotonic()
    return training.history()


class _Training:
    """What changes while runs train: tables, Adam's averages, generators, records."""

    def __init__(
        self, arena: Arena, demonstrations: NDArray[np.int64], runs: Sequence[Run], settings: MAGAILConfig
    ) -> None:
        R, n, S = len(runs), len(arena.actions), arena.states
        self.arena, self.runs, self.settings = arena, runs, settings
        counts = np.broadcast_to(demonstrations, (R, S, *arena.actions)).reshape(R, -1)
        self.shares = counts / counts.sum(1, keepdims=True)
        self.betas = torch.tensor([run.beta for run in runs], dtype=torch.float64)
        self.rolling, self.drawing = (
            [generator(run.seed, "magail", name) for run in runs] for name in ("rollouts", "batches")
        )
        self.thetas = [torch.from_numpy(_first_logits(arena, i, runs, settings)).requires_grad_() for i in range(n)]
        by_sharing: dict[Sharing, list[tuple[int, ...]]] = {
            "single": [arena.actions],
            "centralised": [arena.actions] * n,
            "decentralised": [(size,) for size in arena.actions],
        }
        shapes = by_sharing[settings.discriminator]
        self.tables = [torch.zeros((R, S, *shape), dtype=torch.float64, requires_grad=True) for shape in shapes]
        # Adam moves every entry by its own averages, so that tables in one optimiser are as if each had its own
        self.of_policies = torch.optim.Adam(self.thetas, lr=settings.lr_policy)
        self.of_tables = torch.optim.Adam(self.tables, lr=settings.lr_disc)
        self.epoch = 0
        self.records: list[_Record] = []

    def step(self) -> None:
        """An epoch."""
        arena, settings = self.arena, self.settings
        R, n = len(self.runs), len(arena.actions)
        rollouts = rolled_out(arena, [_law(theta) for theta in self.thetas], settings.rollouts, self.rolling)
        batch = rollouts.batch(settings.batch_size, self.drawing)
        size = settings.batch_size
        drawn = [rng.multinomial(size, row) for rng, row in zip(self.drawing, self.shares, strict=True)]
        expert = (np.stack(drawn) / size).reshape(R, arena.states, *arena.actions)
        learners = batch.counts / batch.steps.reshape(R, *[1] * (n + 1))
        loss = _step_discriminators(self.tables, self.of_tables, expert, learners)
        used = batch if settings.policy_from == "batch" else rollouts
        paid = _paid(self.tables, arena, settings)
        entropy = _step_policies(self.thetas, self.of_policies, used, paid, self.betas, settings.baseline)
        self.epoch += 1
        if self.epoch % settings.collect_every == 0 or self.epoch == settings.epochs:
            logits = [table.detach().numpy().copy() for table in self.tables]
            pis = [_law(theta) for theta in self.thetas]
            self.records.append(_Record(self.epoch, pis, logits, loss, entropy, rollouts.counts))

    def history(self) -> History:
        """The records so far."""
        records = self.records
        epochs = np.array([record.epoch for record in records])
        return History(
            runs=tuple(self.runs),
            epochs=epochs,
            policies=tuple(np.stack(x) for x in zip(*(record.policies for record in records), strict=True)),
            logits=tuple(np.stack(x) for x in zip(*(record.logits for record in records), strict=True)),
            discriminator_loss=np.stack([record.loss for record in records]),
            entropy=np.stack([record.entropy for record in records]),
            played=np.stack([record.played for record in records]),
            rollouts=self.settings.rollouts * epochs,
            expert_samples=self.settings.batch_size * epochs,
        )

    def keep(self, path: Path, problem: str) -> None:
        """All of it into one file."""
        arrays: Arrays = {f"theta.{i}": theta.detach().numpy() for i, theta in enumerate(self.thetas)}
        arrays |= {f"table.{i}": table.detach().numpy() for i, table in enumerate(self.tables)}
        arrays |= optimiser_arrays("of_policies", self.of_policies) | optimiser_arrays("of_tables", self.of_tables)
        if self.records:
            told = self.history()
            arrays |= {f"policies.{i}": pi for i, pi in enumerate(told.policies)}
            arrays |= {f"logits.{i}": d for i, d in enumerate(told.logits)}
            arrays |= {name: getattr(told, name) for name in RECORDED}
        draws = {
            name: [rng.bit_generator.state for rng in generators]
            for name, generators in (("rolling", self.rolling), ("drawing", self.drawing))
        }
        words = {"schema": SCHEMA, "problem": problem, "epoch": self.epoch, "generators": draws}
        write_sealed(path, KEY, to_json(words), {name: np.array(array, order="C") for name, array in arrays.items()})

    def take_up(self, path: Path, problem: str) -> None:
        """What `keep` wrote."""
        words, arrays = read_sealed(path, KEY, SCHEMA, LARGEST)
        if words["problem"] != problem:
            raise UserError(f"{path} is of other runs, settings or demonstrations; move it away, or train elsewhere")
        with torch.no_grad():
            for i, theta in enumerate(self.thetas):
                theta.copy_(torch.from_numpy(arrays[f"theta.{i}"]))
            for i, table in enumerate(self.tables):
                table.copy_(torch.from_numpy(arrays[f"table.{i}"]))
        load_optimiser("of_policies", self.of_policies, arrays)
        load_optimiser("of_tables", self.of_tables, arrays)
        for name, generators in (("rolling", self.rolling), ("drawing", self.drawing)):
            for rng, state in zip(generators, words["generators"][name], strict=True):
                rng.bit_generator.state = state
        self.epoch = words["epoch"]
        policies = [arrays[f"policies.{i}"] for i in range(len(self.thetas)) if "epochs" in arrays]
        logits = [arrays[f"logits.{i}"] for i in range(len(self.tables)) if "epochs" in arrays]
        self.records = [
            _Record(
                int(epoch), [pi[k] for pi in policies], [d[k] for d in logits],
                arrays["discriminator_loss"][k], arrays["entropy"][k], arrays["played"][k],
            )
            for k, epoch in enumerate(arrays.get("epochs", ()))
        ]  # fmt: skip


def _fingerprint(arena: Arena, demonstrations: NDArray[np.int64], runs: Sequence[Run], settings: MAGAILConfig) -> str:
    """Of all that decides how training goes."""
    told = {
        "config": settings.model_dump(mode="json"),
        "runs": [asdict(run) for run in runs],
        "actions": arena.actions,
        "discount": arena.discount,
    }
    sha = hashlib.sha256(to_json(told).encode())
    for array in (arena.start, arena.transitions, demonstrations):
        if array is not None:
            sha.update(f"{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()


@dataclass(frozen=True)
class _Record:
    """A row of `History`."""

    epoch: int
    policies: list[Array]
    logits: list[Array]
    loss: Array
    entropy: Array
    played: NDArray[np.int64]


def _check(arena: Arena, demonstrations: NDArray[np.int64], runs: Sequence[Run]) -> None:
    one = (arena.states, *arena.actions)
    wanted = (one, (len(runs), *one))
    if demonstrations.shape not in wanted:
        raise UserError(
            f"magail: demonstrations have shape {demonstrations.shape}; want {one}, a count each, or {wanted[1]}"
        )
    if (demonstrations < 0).any() or not (demonstrations.reshape(-1, math.prod(one)).sum(1) > 0).all():
        raise UserError("magail: demonstrations are negative, or none; want counts of 0 or more, and one above 0")
    if not runs:
        raise UserError("magail: no runs; want one or more")
    for run in runs:
        if not math.isfinite(run.beta):
            raise UserError(f"magail: beta of seed {run.seed} is {run.beta}; want a finite number")


def _first_logits(arena: Arena, agent: int, runs: Sequence[Run], config: MAGAILConfig) -> Array:
    shape = (arena.states, arena.actions[agent])
    if config.policy_init_uniform:
        return np.zeros((len(runs), *shape))
    return np.stack([0.1 * generator(run.seed, "magail", "policy", agent).normal(size=shape) for run in runs])


def _law(theta: Tensor) -> Array:
    out: Array = torch.softmax(theta.detach(), -1).numpy()
    return out


def _marginal(joint: Array, agent: int) -> Array:
    """[R, S, A_1..A_n] -> [R, S, A_i]"""
    out: Array = joint.sum(tuple(axis for axis in range(2, joint.ndim) if axis != agent + 2))
    return out


def _step_discriminators(
    tables: Sequence[Tensor], adam: torch.optim.Optimizer, expert: Array, learners: Array
) -> Array:
    """One step down mean softplus(-d) of the expert's + mean softplus(d) of the learners'; the losses before it, [R].

    Args:
        expert, learners: [R, S, A_1..A_n], shares of the batches.
    """
    losses = []
    for i, table in enumerate(tables):
        joint = table.shape == expert.shape
        own, other = (torch.from_numpy(x if joint else _marginal(x, i)) for x in (expert, learners))
        each = own * functional.softplus(-table) + other * functional.softplus(table)
        losses.append(each.flatten(1).sum(1))
    adam.zero_grad()
    # sums, so that no run and no table is told of another
    torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]
    adam.step()
    mean: Array = torch.stack(losses).detach().mean(0).numpy()
    return mean


def rewards_of_tables(logits: Tensor, style: RewardStyle) -> Tensor:
    """`theory.reward_of_logit` of tensors."""
    for_expert = (torch.sigmoid(logits) + FLOOR).log()
    against = -(torch.sigmoid(-logits) + FLOOR).log()
    if style == "non_saturating":
        return for_expert
    return against if style == "gail" else for_expert + against


def _paid(tables: Sequence[Tensor], arena: Arena, config: MAGAILConfig) -> list[Array]:
    """A discriminator each, [R, S, A_1..A_n]."""
    shape = (len(tables[0]), arena.states, *arena.actions)
    paid = []
    for i, table in enumerate(tables):
        r = rewards_of_tables(table.detach(), config.reward_style).numpy()
        if config.discriminator == "decentralised":
            r = r.reshape(*r.shape[:2], *(size if j == i else 1 for j, size in enumerate(arena.actions)))
        paid.append(np.broadcast_to(r, shape))
    return paid


def _step_policies(
    thetas: Sequence[Tensor],
    adam: torch.optim.Optimizer,
    rollouts: Rollouts,
    paid: Sequence[Array],
    betas: Tensor,
    baseline: bool,
) -> Array:
    """One step up the mean over steps of log pi_i(a|s) x the return from there + beta x entropy.

    Gives the entropies before it, [R, n]. Entropy is weighted by the states that were met, and does not itself pay for
    coming to a state.
    """
    steps = rollouts.steps
    sums = [rollouts.returns(r) for r in paid]
    entropies = []
    objective = torch.zeros((), dtype=torch.float64)
    for i, theta in enumerate(thetas):
        met = _marginal(rollouts.counts.astype(np.float64), i)
        returns = _marginal(sums[i if len(sums) > 1 else 0], i)
        visits = met.sum(-1, keepdims=True)
        if baseline:
            returns = returns - met * returns.sum(-1, keepdims=True) / np.maximum(visits, 1)
        weight = torch.from_numpy(returns / steps[:, None, None])
        log_pi = torch.log_softmax(theta, -1)
        entropy = -(log_pi.exp() * log_pi).sum(-1)
        entropies.append((torch.from_numpy(visits[..., 0] / steps[:, None]) * entropy).sum(-1))
        objective = objective + (weight * log_pi).sum() + (betas * entropies[i]).sum()
    adam.zero_grad()
    (-objective).backward()  # type: ignore[no-untyped-call]
    adam.step()
    out: Array = torch.stack(entropies, -1).detach().numpy()
    return out
