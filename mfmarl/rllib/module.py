"""The policies of all types as one RLModule."""

from __future__ import annotations

from typing import Any

from ray.rllib.core.rl_module.torch import TorchRLModule

from mfmarl.config import TrainConfig
from mfmarl.network import PolicyNetwork
from mfmarl.trainer import make_env, make_network


class PopulationModule(TorchRLModule):
    """K stacked networks in one module: several modules with DDP can deadlock when a shard lacks one."""

    network: PolicyNetwork

    def setup(self) -> None:
        """Build the networks of the run's configuration."""
        config = TrainConfig.model_validate(self.model_config["train"])
        self.network = make_network(config, make_env(config, num_envs=1))

    def _forward(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        return {"output": self.network(batch["obs"], batch["mean_action"])}
