"""A columnar ring of whole population steps, on the learner's device. A sample is M population steps.

Each runner has a ring of its own, since its fragments follow each other in time: the next observation of slot t is
that of slot t + 1, so nothing is stored twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mfmarl.rollout import PopulationBatch

COLUMNS = ("obs", "action", "log_prob", "reward", "log_probs")
FLAGS = ("started", "terminated", "truncated", "cut")


def _dtype(array: NDArray[Any]) -> torch.dtype:
    return torch.float32 if array.dtype == np.float32 else torch.uint8


@dataclass(frozen=True)
class PopulationSample:
    """M population steps as the learner needs them; `N` agents, `D` observation entries, `A` actions."""

    obs: Tensor
    """[M, N, D]"""
    action: Tensor
    """[M, N]: int64, or float32 where actions are continuous."""
    log_prob: Tensor
    """[M, N], under the policies that played."""
    version: Tensor
    """int64 [M], of the policies that played."""
    reward: Tensor
    """[M, N]"""
    terminated: Tensor
    """bool [M]"""
    last_action: Tensor
    """[M, N]: actions of the step before."""
    started: Tensor
    """bool [M]: there was no step before, and `last_action` means nothing."""
    ended: Tensor
    """bool [M]: the episode ended here, terminated or truncated."""
    next_obs: Tensor
    """[M, N, D]: what followed, the final observation where the copy was truncated."""
    next_action: Tensor
    """[M, N]: what was played there; at an end, the actions of this step stand in."""
    next_log_prob: Tensor
    """[M, N], likewise."""
    next_version: Tensor
    """int64 [M], likewise."""
    log_probs: Tensor | None = None
    """[M, N, A]: of all actions, under the policies that played, where runners send them."""
    next_log_probs: Tensor | None = None
    """[M, N, A], of the step after."""


class RunnerRing:
    """The ring of one runner: `capacity` slots of B copies."""

    def __init__(self, capacity: int, batch: PopulationBatch, device: torch.device) -> None:
        copies, agents, width = batch.obs.shape[1:]
        self.capacity = capacity
        self.device = device
        self.columns: dict[str, Tensor] = {
            "obs": torch.zeros((capacity, copies, agents, width), device=device),
            "action": torch.zeros((capacity, copies, agents), dtype=_dtype(batch.action), device=device),
            "log_prob": torch.zeros((capacity, copies, agents), device=device),
            "reward": torch.zeros((capacity, copies, agents), device=device),
        }
        if batch.log_probs is not None:
            self.columns["log_probs"] = torch.zeros((capacity, *batch.log_probs.shape[1:]), device=device)
        lead = (capacity, copies)
        # host side: what decides which steps can be drawn
        self.flags: dict[str, NDArray[np.bool_]] = {
            name: np.zeros(lead, np.bool_) for name in FLAGS
        }
        self.final_row = np.full(capacity, -1, np.int64)
        self.version = np.zeros(capacity, np.int64)
        self.final_obs = torch.zeros((0, copies, agents, width), device=device)
        self.position = 0
        self.size = 0

    def add(self, batch: PopulationBatch) -> None:
        """Write a fragment behind the one before; the oldest slots give way."""
        steps = batch.action.shape[0]
        if steps > self.capacity - 2:
            raise ValueError(
                f"a fragment of {steps} steps does not fit a replay of {self.capacity} slots a runner: "
                "raise replay_population_steps or shorten fragment_length"
            )
        if self.size and not batch.continues:
            self.flags["cut"][(self.position - 1) % self.capacity] = True
        slots = (self.position + np.arange(steps)) % self.capacity
        index = torch.from_numpy(slots).to(self.device)
        for name, column in self.columns.items():
            column.index_copy_(0, index, torch.tensor(getattr(batch, name), device=self.device))
        for name in ("started", "terminated", "truncated"):
            self.flags[name][slots] = getattr(batch, name)
        self.flags["cut"][slots] = False
        self.final_row[slots] = -1
        self.version[slots] = batch.version
        for t, final in batch.final_obs.items():
            self._add_final(int(slots[t]), final)
        self.position = int((self.position + steps) % self.capacity)
        self.size = min(self.capacity, self.size + steps)

    def _add_final(self, slot: int, final: NDArray[np.float32]) -> None:
        used = set(self.final_row[self.final_row >= 0].tolist())
        row = next((r for r in range(self.final_obs.shape[0]) if r not in used), self.final_obs.shape[0])
        if row == self.final_obs.shape[0]:
            room = torch.zeros((max(4, row), *self.final_obs.shape[1:]), device=self.device)
            self.final_obs = torch.cat([self.final_obs, room])
        self.final_obs[row] = torch.tensor(final, device=self.device)
        self.final_row[slot] = row

    def drawable(self) -> NDArray[np.int64]:
        """Flat (slot, copy) indices, oldest first, of the steps whose predecessor and successor are known."""
        order = (self.position - self.size + np.arange(self.size)) % self.capacity
        if order.size < 3:
            return np.empty(0, np.int64)
        # the oldest slot lacks its predecessor, the newest its successor
        slots = order[1:-1]
        ended = self.flags["terminated"][slots] | self.flags["truncated"][slots]
        good = ended | ~self.flags["cut"][slots]
        # a runner that started anew has a fresh episode there, so `started` covers the lost predecessor
        copies = good.shape[1]
        flat = slots[:, None] * copies + np.arange(copies)
        return np.asarray(flat[good], np.int64)

    def gather(self, flat: NDArray[np.int64]) -> PopulationSample:
        """The population steps at flat (slot, copy) indices."""
        copies = self.columns["action"].shape[1]
        slot, copy = np.divmod(flat, copies)
        last = ((slot - 1) % self.capacity) * copies + copy
        terminated = self.flags["terminated"][slot, copy]
        ended = terminated | self.flags["truncated"][slot, copy]
        following = np.where(ended, flat, ((slot + 1) % self.capacity) * copies + copy)
        here, before, after = (torch.from_numpy(i).to(self.device) for i in (flat, last, following))
        column = {name: c.flatten(0, 1) for name, c in self.columns.items()}
        next_obs = column["obs"].index_select(0, after)
        final = np.flatnonzero(ended & (self.final_row[slot] >= 0))
        if final.size:
            rows = torch.from_numpy(self.final_row[slot[final]] * copies + copy[final]).to(self.device)
            next_obs[torch.from_numpy(final).to(self.device)] = self.final_obs.flatten(0, 1)[rows]
        following_slot = following // copies
        laws = column.get("log_probs")

        def actions(index: Tensor) -> Tensor:
            stored = column["action"].index_select(0, index)
            return stored if stored.is_floating_point() else stored.long()

        return PopulationSample(
            obs=column["obs"].index_select(0, here),
            action=actions(here),
            log_prob=column["log_prob"].index_select(0, here),
            version=torch.from_numpy(self.version[slot]).to(self.device),
            reward=column["reward"].index_select(0, here),
            terminated=torch.from_numpy(terminated).to(self.device),
            last_action=actions(before),
            started=torch.from_numpy(self.flags["started"][slot, copy]).to(self.device),
            ended=torch.from_numpy(ended).to(self.device),
            next_obs=next_obs,
            next_action=actions(after),
            next_log_prob=column["log_prob"].index_select(0, after),
            next_version=torch.from_numpy(self.version[following_slot]).to(self.device),
            log_probs=None if laws is None else laws.index_select(0, here),
            next_log_probs=None if laws is None else laws.index_select(0, after),
        )

    def get_state(self) -> dict[str, NDArray[Any]]:
        """Everything as arrays."""
        state: dict[str, NDArray[Any]] = {name: column.cpu().numpy() for name, column in self.columns.items()}
        state |= self.flags
        state |= {
            "final_row": self.final_row.copy(),
            "version": self.version.copy(),
            "final_obs": self.final_obs.cpu().numpy(),
            "cursor": np.array([self.position, self.size]),
        }
        return state

    def set_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take back what `get_state` gave."""
        for name in COLUMNS:
            if name in state:
                self.columns[name] = torch.from_numpy(np.array(state[name])).to(self.device)
        for name in FLAGS:
            self.flags[name] = np.array(state[name])
        self.final_row = np.array(state["final_row"])
        self.version = np.array(state["version"])
        self.final_obs = torch.from_numpy(np.array(state["final_obs"])).to(self.device)
        self.position, self.size = (int(i) for i in state["cursor"])


class PopulationReplay:
    """The rings of all runners that feed one learner."""

    def __init__(self, population_steps: int, device: torch.device) -> None:
        self.population_steps = population_steps
        self.device = device
        self.rings: dict[int, RunnerRing] = {}

    def add(self, batches: list[PopulationBatch]) -> None:
        """Store fragments, which must come in the order of their runners so that runs repeat."""
        for batch in batches:
            if batch.runner not in self.rings:
                capacity = self.population_steps // (batch.action.shape[1] * len(batches))
                self.rings[batch.runner] = RunnerRing(capacity, batch, self.device)
            self.rings[batch.runner].add(batch)

    def __len__(self) -> int:
        return sum(ring.size * ring.columns["action"].shape[1] for ring in self.rings.values())

    @property
    def drawable(self) -> bool:
        """Whether there is a step with a predecessor and a successor."""
        return any(ring.drawable().size for ring in self.rings.values())

    def version_shares(self) -> dict[int, float]:
        """Version of the policies -> share of the stored steps that they played."""
        versions = np.concatenate(
            [np.repeat(r.version[: r.size], r.columns["action"].shape[1]) for _, r in sorted(self.rings.items())]
        )
        found, number = np.unique(versions, return_counts=True)
        return {int(v): int(n) / versions.size for v, n in zip(found, number, strict=True)}

    def sample(self, population_steps: int, rng: np.random.Generator) -> PopulationSample:
        """Uniform draws with replacement over all steps that have a successor: M = `population_steps`."""
        rings = [self.rings[r] for r in sorted(self.rings)]
        drawable = [ring.drawable() for ring in rings]
        bounds = np.cumsum([0, *(d.size for d in drawable)])
        if not bounds[-1]:
            raise ValueError("the replay holds no step with a successor yet")
        draw = rng.integers(bounds[-1], size=population_steps)
        parts = []
        for ring, flat, low, high in zip(rings, drawable, bounds[:-1], bounds[1:], strict=True):
            mine = draw[(draw >= low) & (draw < high)] - low
            if mine.size:
                parts.append(ring.gather(flat[mine]))
        if len(parts) == 1:
            return parts[0]
        named = {n: [getattr(p, n) for p in parts] for n in PopulationSample.__dataclass_fields__}
        mixed = {n: torch.cat(columns) for n, columns in named.items() if columns[0] is not None}
        # runners' draws were grouped above: shuffle, so that every gradient step sees all runners
        shuffle = torch.from_numpy(rng.permutation(population_steps)).to(self.device)
        return PopulationSample(**{name: column[shuffle] for name, column in mixed.items()})

    def get_state(self) -> dict[str, NDArray[Any]]:
        """All rings, flat: `<runner>/<column>` -> array."""
        return {f"{r}/{k}": v for r, ring in sorted(self.rings.items()) for k, v in ring.get_state().items()}

    def set_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take back what `get_state` gave."""
        self.rings = {}
        for runner in sorted({int(key.split("/", 1)[0]) for key in state}):
            mine = {k.split("/", 1)[1]: v for k, v in state.items() if k.startswith(f"{runner}/")}
            ring = RunnerRing.__new__(RunnerRing)
            ring.capacity, ring.device = mine["final_row"].shape[0], self.device
            ring.columns, ring.flags = {}, {}
            ring.set_state(mine)
            self.rings[runner] = ring
