"""RLlib's BC and MARWIL on shards of demonstrations, which are streamed: they need not fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import gymnasium as gym
import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from ray.rllib.algorithms.bc import BCConfig
from ray.rllib.algorithms.marwil import MARWILConfig
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
from ray.rllib.utils.metrics import LEARNER_RESULTS

from mfmarl.errors import TrainingFailed
from mfmarl.imitation.rollout import Act
from mfmarl.imitation.settings import checked
from mfmarl.imitation.spaces import Spaces
from mfmarl.rllib.action_laws import acting
from mfmarl.rllib.offline_shards import Shards, read_shards
from mfmarl.rllib.offline_stream import ShardStream
from mfmarl.rllib.quiet import hush


class OfflineConfig(BaseModel):
    """Settings of RLlib's offline imitation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Literal["bc", "marwil"] = Field("bc", description="marwil weights steps by exp(beta advantage)")
    beta: float = Field(1.0, gt=0, le=1, description="of marwil; at 0 it would be bc")
    hidden_dims: tuple[int, ...] = Field((256, 256), description="widths of the hidden layers")
    learning_rate: float = Field(3e-4, gt=0, le=1, description="of Adam")
    batch_size: int = Field(256, ge=1, description="steps of one gradient step")
    discount: float = Field(0.99, ge=0, le=1, description="of the returns that marwil's advantages are of")
    window: int = Field(25_600, ge=1, description="steps held in memory, in random order, that batches are cut from")


@dataclass(frozen=True)
class Offline:
    """An imitator that RLlib has trained."""

    act: Act
    """Its likeliest actions."""
    module: Any = field(repr=False)
    """RLlib's."""
    history: list[dict[str, float]] = field(repr=False)
    """A row a window: gradient steps by then, and RLlib's losses of its last batch."""


def imitate_offline(
    folder: Path,
    updates: int,
    seed: int = 0,
    config: OfflineConfig | Mapping[str, Any] | None = None,
    told: Callable[[dict[str, float]], None] | None = None,
) -> Offline:
    """Gradient steps on batches of the stream, which begins again where it ends.

    What is held in memory is one window of steps, twice, and the few episodes that are read together.

    Args:
        folder: of `write_shards`.
        updates: gradient steps, at least; the last window is learnt from whole.
        told: is given each row of the history.

    Raises:
        UserError: for settings or a folder that are wrong.
        TrainingFailed: where RLlib's learner fails, or a loss is not finite.
    """
    settings = checked(OfflineConfig, config or {})
    shards = read_shards(folder)
    hush()
    torch.set_num_threads(1)
    algorithm: Any = algorithm_config(settings, shards, folder, seed).build_algo()
    history: list[dict[str, float]] = []
    done = 0
    try:
        while done < updates:
            found = algorithm.train()[LEARNER_RESULTS].get(DEFAULT_MODULE_ID)
            if found is None:
                raise TrainingFailed(f"RLlib's learner gave no figures after update {done}")
            done = round(found["num_module_steps_trained_lifetime"] / settings.batch_size)
            history.append({"updates": done, **_figures(found)})
            if not np.isfinite(list(history[-1].values())).all():
                raise TrainingFailed(f"figures of update {done} are {history[-1]}: lower learning_rate")
            if told is not None:
                told(history[-1])
        module = algorithm.learner_group._learner.module[DEFAULT_MODULE_ID].unwrapped()
    finally:
        algorithm.stop()
    return Offline(acting(module, shards.spaces), module, history)


def algorithm_config(settings: OfflineConfig, shards: Shards, folder: Path, seed: int) -> Any:
    """RLlib's settings of BC or MARWIL on a folder of shards."""
    config = BCConfig() if settings.method == "bc" else MARWILConfig().training(beta=settings.beta)
    observations, actions = _gym_spaces(shards.spaces)
    return (
        config.environment(observation_space=observations, action_space=actions)
        .offline_data(
            input_=[str((folder / name).resolve()) for name in shards.files],
            offline_data_class=ShardStream,
            # one window an iteration
            dataset_num_iters_per_learner=1,
        )
        .training(
            lr=settings.learning_rate, gamma=settings.discount, train_batch_size_per_learner=settings.batch_size,
        )
        .rl_module(
            model_config=DefaultModelConfig(
                fcnet_hiddens=list(settings.hidden_dims), fcnet_activation="tanh", vf_share_layers=False
            )
        )
        .learners(num_learners=0, learner_config_dict={"window": settings.window})
        .reporting(min_time_s_per_iteration=0, min_sample_timesteps_per_iteration=0)
        .debugging(seed=seed % 2**31, log_level="ERROR")
    )  # fmt: skip


def _gym_spaces(spaces: Spaces) -> tuple[gym.Space[Any], gym.Space[Any]]:
    observations = gym.spaces.Box(-np.inf, np.inf, (spaces.state_dim,), np.float32)
    if not spaces.continuous:
        return observations, gym.spaces.Discrete(spaces.action_dim)
    low, high = np.array(spaces.low, np.float32), np.array(spaces.high, np.float32)
    return observations, gym.spaces.Box(low, high, dtype=np.float32)


def _figures(found: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(found[name]) for name in ("total_loss", "policy_loss", "vf_loss") if name in found}
