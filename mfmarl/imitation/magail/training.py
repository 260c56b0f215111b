"""MAGAIL while it trains: an epoch, its records, and the file that a killed training goes on from."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mfmarl.errors import DamagedFile, UserError
from mfmarl.imitation.magail.history import History, Record
from mfmarl.imitation.magail.mixture import information, starts, step_weights, unsignalled, with_signals
from mfmarl.imitation.magail.neural import Model, Nets, Tables, bounded, discriminator_nets, policy_nets
from mfmarl.imitation.magail.rollouts import Arena, rolled_out
from mfmarl.imitation.magail.settings import MAGAILConfig, Run
from mfmarl.imitation.magail.steps import first_logits, law, payments, step_discriminators, step_policies
from mfmarl.imitation.magail.theory import Sharing
from mfmarl.imitation.saved import load_optimiser, optimiser_arrays
from mfmarl.runs.files import to_json
from mfmarl.runs.sealed import Arrays, read_sealed, write_sealed
from mfmarl.seeding import generator

KEY, SCHEMA = "magail", 1
LARGEST = 16 << 30
"""Bytes of a checkpoint that is read."""
RECORDED, RECORDED_EACH = ("epoch", "weights", "loss", "entropy", "played"), ("policies", "logits")
"""Of `Record`, in a checkpoint by these names: arrays, and lists of them."""


class Training:
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
        mixture = settings.mixture
        self.signals = 1 if mixture is None else mixture.signals
        self.played_in = with_signals(arena, self.signals)
        by_sharing: dict[Sharing, list[tuple[int, ...]]] = {
            "single": [arena.actions],
            "centralised": [arena.actions] * n,
            "decentralised": [(size,) for size in arena.actions],
        }
        shapes = by_sharing[settings.discriminator]
        self.policies: Model
        self.judges: Tables | Nets
        if settings.network is None:
            pairs = range(n)
            self.policies = Tables([torch.from_numpy(first_logits(self.played_in, i, runs, settings)) for i in pairs])
            self.judges = Tables([torch.zeros((R, S, *shape), dtype=torch.float64) for shape in shapes])
        else:
            seeds, net = [run.seed for run in runs], settings.network
            seen = self.played_in.seen
            self.policies = policy_nets(seen, arena.actions, seeds, net, settings.policy_init_uniform)
            self.judges = discriminator_nets(arena.seen, shapes, seeds, net)
        # Adam moves every entry by its own averages, so that tables in one optimiser are as if each had its own
        self.of_policies = torch.optim.Adam(self.policies.parameters, lr=settings.lr_policy)
        self.of_judges = torch.optim.Adam(self.judges.parameters, lr=settings.lr_disc)
        self.signal_logits = torch.zeros((R, self.signals), dtype=torch.float64, requires_grad=True)
        self.of_signals = torch.optim.Adam(
            [self.signal_logits], lr=settings.lr_policy if mixture is None else mixture.lr
        )
        self.spent = -time.process_time()
        """To which the processor's time is added: CPU seconds in all calls."""
        self.epoch = 0
        self.records: list[Record] = []

    def step(self) -> None:
        """An epoch."""
        arena, settings = self.arena, self.settings
        R, n = len(self.runs), len(arena.actions)
        thetas = self.policies()
        laws, weights = [law(theta) for theta in thetas], law(self.signal_logits)
        begin = None if settings.mixture is None else starts(weights, arena.start)
        rollouts = rolled_out(self.played_in, laws, settings.rollouts, self.rolling, begin)
        batch = rollouts.batch(settings.batch_size, self.drawing)
        size = settings.batch_size
        drawn = [rng.multinomial(size, row) for rng, row in zip(self.drawing, self.shares, strict=True)]
        expert = (np.stack(drawn) / size).reshape(R, arena.states, *arena.actions)
        learners = unsignalled(batch.counts / batch.steps.reshape(R, *[1] * (n + 1)), self.signals)
        loss = step_discriminators(self.judges, self.of_judges, expert, learners, settings)
        used = batch if settings.policy_from == "batch" else rollouts
        paid = payments(self._judged(), arena, settings)
        if settings.mixture is not None:
            told = settings.mixture.weight(self.epoch, settings.epochs) * information(laws, weights)
            paid = [np.tile(r, (1, self.signals, *[1] * n)) + told for r in paid]
        entropy = step_policies(thetas, self.of_policies, used, paid, self.betas, settings.baseline)
        if settings.mixture is not None and settings.mixture.learnt:
            step_weights(self.signal_logits, self.of_signals, rollouts, np.mean(paid, axis=0))
        self.epoch += 1
        if self.epoch % settings.collect_every == 0 or self.epoch == settings.epochs:
            logits = [d.detach().numpy().copy() for d in self._judged()]
            pis = [law(theta) for theta in self.policies()]
            played = unsignalled(rollouts.counts, self.signals)
            self.records.append(Record(self.epoch, pis, law(self.signal_logits), logits, loss, entropy, played))

    def _judged(self) -> list[Tensor]:
        return [bounded(d, self.settings.lowest_logit) for d in self.judges()]

    def history(self) -> History:
        """The records so far."""
        records = self.records
        epochs = np.array([record.epoch for record in records])
        pis = [np.stack(pi) for pi in zip(*(record.policies for record in records), strict=True)]
        weights = np.stack([record.weights for record in records])
        K, R, Z = weights.shape
        given = tuple(pi.reshape(K, R, Z, self.arena.states, -1) for pi in pis)
        with_signals = self.settings.mixture is not None
        return History(
            runs=tuple(self.runs),
            epochs=epochs,
            policies=tuple((weights[..., None, None] * pi).sum(2) for pi in given) if with_signals else tuple(pis),
            logits=tuple(np.stack(x) for x in zip(*(record.logits for record in records), strict=True)),
            discriminator_loss=np.stack([record.loss for record in records]),
            entropy=np.stack([record.entropy for record in records]),
            played=np.stack([record.played for record in records]),
            rollouts=self.settings.rollouts * epochs,
            expert_samples=self.settings.batch_size * epochs,
            cpu_seconds=self.spent + time.process_time(),
            weights=weights if with_signals else None,
            given=given if with_signals else (),
        )

    def keep(self, path: Path, problem: str) -> None:
        """All of it into one file."""
        arrays: Arrays = {f"{name}.{i}": x.detach().numpy() for name, i, x in self._moving()}
        for name, adam in self._optimisers():
            arrays |= optimiser_arrays(name, adam)
        if self.records:
            for name in RECORDED:
                arrays[name] = np.stack([getattr(record, name) for record in self.records])
            for name in RECORDED_EACH:
                for i, each in enumerate(zip(*(getattr(record, name) for record in self.records), strict=True)):
                    arrays[f"{name}.{i}"] = np.stack(each)
        draws = {
            name: [rng.bit_generator.state for rng in generators]
            for name, generators in (("rolling", self.rolling), ("drawing", self.drawing))
        }
        words: dict[str, Any] = {"schema": SCHEMA, "problem": problem, "epoch": self.epoch, "generators": draws}
        words["cpu_seconds"] = self.spent + time.process_time()
        write_sealed(path, KEY, to_json(words), {name: np.array(array, order="C") for name, array in arrays.items()})

    def take_up(self, path: Path, problem: str) -> None:
        """What `keep` wrote."""
        try:
            words, arrays = read_sealed(path, KEY, SCHEMA, LARGEST)
        except DamagedFile as error:
            raise DamagedFile(f"{error}; move it away, and training begins anew") from error
        if words["problem"] != problem:
            raise UserError(f"{path} is of other runs, settings or demonstrations; move it away, or train elsewhere")
        with torch.no_grad():
            for name, i, x in self._moving():
                x.copy_(torch.from_numpy(arrays[f"{name}.{i}"]))
        for name, adam in self._optimisers():
            load_optimiser(name, adam, arrays)
        for name, generators in (("rolling", self.rolling), ("drawing", self.drawing)):
            for rng, state in zip(generators, words["generators"][name], strict=True):
                rng.bit_generator.state = state
        self.epoch = words["epoch"]
        self.spent += words["cpu_seconds"]
        each = {
            name: [arrays[key] for key in (f"{name}.{i}" for i in range(len(self.arena.actions))) if key in arrays]
            for name in RECORDED_EACH
        }
        self.records = [
            Record(
                epoch=int(epoch),
                policies=[pi[k] for pi in each["policies"]],
                logits=[d[k] for d in each["logits"]],
                weights=arrays["weights"][k],
                loss=arrays["loss"][k],
                entropy=arrays["entropy"][k],
                played=arrays["played"][k],
            )
            for k, epoch in enumerate(arrays.get("epoch", ()))
        ]

    def _moving(self) -> list[tuple[str, int, Tensor]]:
        named = (
            ("theta", self.policies.parameters),
            ("judge", self.judges.parameters),
            ("signal", [self.signal_logits]),
        )
        return [(name, i, x) for name, tensors in named for i, x in enumerate(tensors)]

    def _optimisers(self) -> list[tuple[str, torch.optim.Optimizer]]:
        return [("of_policies", self.of_policies), ("of_judges", self.of_judges), ("of_signals", self.of_signals)]
