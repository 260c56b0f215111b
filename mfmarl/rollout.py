"""Policies x PopulationEnv -> PopulationBatch: the sampler, the same on every runner and in the local trainer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from envs.population import PopulationEnv, Step, type_slices
from mfmarl.errors import TrainingFailed
from mfmarl.network import PolicyNetwork


@dataclass
class PopulationBatch:
    """T consecutive steps of B copies: about 30 bytes plus the observation per agent step, no per-agent objects.

    The next observation of slot t stands in slot t + 1, or in `final_obs` where the copy was truncated at t.
    """

    obs: NDArray[np.float32]
    """[T, B, N, D]"""
    action: NDArray[Any]
    """[T, B, N]: uint8, or float32 where actions are continuous."""
    log_prob: NDArray[np.float32]
    """[T, B, N], of the action played, under the policy that played it."""
    reward: NDArray[np.float32]
    """[T, B, N]"""
    started: NDArray[np.bool_]
    """[T, B]: this is the first step of an episode, so there was no mean action before it."""
    terminated: NDArray[np.bool_]
    """[T, B]"""
    truncated: NDArray[np.bool_]
    """[T, B]"""
    log_probs: NDArray[np.float32] | None = None
    """[T, B, N, A]: of all actions, under the policy that played, where the drift estimator needs them; [T, B, N, 2],
    mean and log std of the law before squashing, where actions are continuous."""
    final_obs: dict[int, NDArray[np.float32]] = field(default_factory=dict)
    """t -> [B, N, D] where some copy was truncated at t."""
    returns: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))
    """[episodes that ended, N]: discounted return."""
    profits: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))
    """[episodes that ended, N]: mean reward per step."""
    entropy: float = 0.0
    """Mean entropy of the policies, in nats."""
    runner: int = 0
    version: int = 0
    """Of the policies that played (`PolicyNetwork.version`)."""
    continues: bool = True
    """False where the runner was restarted: slot 0 does not follow the runner's previous fragment."""

    def env_steps(self) -> int:
        """Environment steps: T x B. RLlib asks for this name."""
        return int(self.action.shape[0] * self.action.shape[1])

    def agent_steps(self) -> int:
        """Agent steps: T x B x N. RLlib asks for this name."""
        return int(self.action.size)


def batch_arrays(batch: PopulationBatch) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """A fragment as (arrays, JSON-able rest), for a checkpoint."""
    fields = {name: getattr(batch, name) for name in batch.__dataclass_fields__ if name != "final_obs"}
    if batch.log_probs is None:
        del fields["log_probs"]
    arrays, rest = split_state(fields)
    return arrays | {f"final_obs/{t}": a for t, a in batch.final_obs.items()}, rest


def batch_from(arrays: Mapping[str, NDArray[Any]], rest: Mapping[str, Any]) -> PopulationBatch:
    """The fragment that `batch_arrays` took apart."""
    final = {int(k.split("/")[1]): np.array(a) for k, a in arrays.items() if k.startswith("final_obs/")}
    columns: dict[str, Any] = {k: np.array(a) for k, a in arrays.items() if not k.startswith("final_obs/")}
    return PopulationBatch(**columns, **rest, final_obs=final)


def split_state(state: Mapping[str, Any]) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """A flat state as (its arrays, its numbers and strings): tensors go to safetensors, the rest to JSON."""
    arrays = {k: v for k, v in state.items() if isinstance(v, np.ndarray)}
    return arrays, {k: v for k, v in state.items() if k not in arrays}


class Rollout:
    """Steps a PopulationEnv with the current policies. State can be taken out and put back bit for bit."""

    def __init__(
        self,
        env: PopulationEnv,
        network: PolicyNetwork,
        *,
        discount: float,
        env_seed: int,
        action_seed: int,
        runner: int = 0,
        keep_log_probs: bool = False,
    ) -> None:
        self.env = env
        self.network = network
        self.mean_field = network.shape.mean_field()
        self.keep_log_probs = keep_log_probs
        self.discount = discount
        self.runner = runner
        self.env_seed = env_seed
        self._types = type_slices(env.agent_types)
        self._generator = torch.Generator().manual_seed(action_seed)
        self._continues = False
        self.total_steps = 0
        """Played since the start of the run, all copies at once in each."""
        self._step: Step = env.reset(env_seed)
        shape = (env.num_envs, env.num_agents)
        self._return = np.zeros(shape)
        self._profit = np.zeros(shape)
        self._age = np.zeros(env.num_envs, np.int64)
        continuous = env.action_space.dtype == np.float32
        self._last_action: NDArray[Any] = np.zeros(shape, np.float32 if continuous else np.uint8)

    def collect(self, steps: int) -> PopulationBatch:
        """Play `steps` steps of all copies.

        Raises:
            TrainingFailed: on a reward, observation or action value that is not finite; names agent, step and seed.
        """
        env = self.env
        lead = (steps, env.num_envs)
        agents = (*lead, env.num_agents)
        batch = PopulationBatch(
            obs=np.empty((*agents, self._step.obs.shape[-1]), np.float32),
            action=np.empty(agents, self._last_action.dtype),
            log_prob=np.empty(agents, np.float32),
            reward=np.empty(agents, np.float32),
            started=np.empty(lead, np.bool_),
            terminated=np.empty(lead, np.bool_),
            truncated=np.empty(lead, np.bool_),
            log_probs=np.empty((*agents, self.network.shape.outputs), np.float32) if self.keep_log_probs else None,
            runner=self.runner,
            version=int(self.network.version),
            continues=self._continues,
        )
        returns: list[NDArray[np.float64]] = []
        profits: list[NDArray[np.float64]] = []
        entropy = 0.0
        for t in range(steps):
            before = self._step
            if not np.isfinite(before.obs).all():
                self._refuse("observation", before.obs)
            last, started = torch.from_numpy(self._last_action), torch.from_numpy(self._age == 0)
            seen = self.mean_field.shown(torch.from_numpy(before.mean_action), last, started)
            drawn = self.network.play(
                torch.from_numpy(before.obs), seen, self._generator, entropy=t == 0, log_probs=self.keep_log_probs
            )
            chosen = drawn.log_prob.numpy()
            # the sum is finite exactly when no log-probability is nan or infinite
            if not np.isfinite(chosen.sum()):
                self._refuse("log-probability", chosen)
            if drawn.entropy is not None:
                entropy = float(drawn.entropy.mean())
            if batch.log_probs is not None:
                assert drawn.log_probs is not None
                batch.log_probs[t] = drawn.log_probs.numpy()
            played = drawn.action.numpy()
            after = env.step(played)
            if not np.isfinite(after.reward).all():
                self._refuse("reward", after.reward)
            if after.final_obs is not None:
                final = np.where(after.truncated[:, None, None], after.final_obs, 0.0)
                if not np.isfinite(final).all():
                    self._refuse("final observation", final)
            batch.obs[t] = before.obs
            batch.action[t] = played
            batch.log_prob[t] = chosen
            batch.reward[t] = after.reward
            batch.started[t] = self._age == 0
            batch.terminated[t] = after.terminated
            batch.truncated[t] = after.truncated
            self._last_action[:] = played
            self._return += (self.discount**self._age)[:, None] * after.reward
            self._profit += after.reward
            self._age += 1
            ended = after.terminated | after.truncated
            if ended.any():
                if after.truncated.any():
                    if after.final_obs is None:
                        raise TrainingFailed(f"{type(env).__name__} truncated an episode without final_obs")
                    batch.final_obs[t] = after.final_obs
                returns.append(self._return[ended])
                profits.append(self._profit[ended] / self._age[ended, None])
                self._return[ended] = 0.0
                self._profit[ended] = 0.0
                self._age[ended] = 0
            self._step = after
            self.total_steps += 1
        empty = np.empty((0, env.num_agents))
        batch.returns = np.concatenate([empty, *returns])
        batch.profits = np.concatenate([empty, *profits])
        batch.entropy = entropy
        self._continues = True
        return batch

    def _refuse(self, what: str, value: NDArray[np.float32]) -> None:
        entries = value.reshape((*self._return.shape, -1))
        copy, agent, entry = (int(i) for i in np.argwhere(~np.isfinite(entries))[0])
        names = getattr(self.env, "agent_names", None)
        name = names[agent] if names else f"agent {agent}"
        raise TrainingFailed(
            f"{name} (agent {agent}, copy {copy}) got {what} {entries[copy, agent, entry]} at step "
            f"{int(self._age[copy])} of its episode (step {self.total_steps} of runner {self.runner}, "
            f"seed {self.env_seed}); nothing was learned from it: mend the environment or its data, then "
            "`mfmarl train --resume`"
        )

    def get_state(self) -> dict[str, Any]:
        """Environment, generator and running episodes, as a flat mapping of arrays, numbers and strings."""
        state: dict[str, Any] = {f"env/{k}": v for k, v in self.env.get_state().items()}
        state |= {
            "obs": self._step.obs.copy(),
            "mean_action": self._step.mean_action.copy(),
            "return": self._return.copy(),
            "profit": self._profit.copy(),
            "age": self._age.copy(),
            "last_action": self._last_action.copy(),
            "generator": self._generator.get_state().numpy(),
            "total_steps": self.total_steps,
            "env_seed": self.env_seed,
        }
        return state

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `get_state` gave."""
        self.env.set_state({k.removeprefix("env/"): v for k, v in state.items() if k.startswith("env/")})
        nothing = np.zeros(self.env.num_envs, np.bool_)
        self._step = Step(
            obs=np.array(state["obs"]),
            mean_action=np.array(state["mean_action"]),
            reward=np.zeros((self.env.num_envs, self.env.num_agents), np.float32),
            terminated=nothing,
            truncated=nothing,
        )
        self._return = np.array(state["return"])
        self._profit = np.array(state["profit"])
        self._age = np.array(state["age"])
        self._last_action = np.array(state["last_action"])
        self._generator.set_state(torch.from_numpy(np.array(state["generator"])))
        self.total_steps = int(state["total_steps"])
        self.env_seed = int(state["env_seed"])
        self._continues = True
