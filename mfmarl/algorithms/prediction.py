"""What networks that stand in for an observed mean action learn from: methods mfp and mfap."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mfmarl.core.losses import weighted_mean
from mfmarl.network import PolicyNetwork


def prediction_loss(
    network: PolicyNetwork, inputs: Sequence[Tensor], played: Tensor, weight: Tensor, count: int
) -> Tensor:
    """Half the squared error of the predicted mean action, summed over its entries; a weighted mean over rows.

    The mean of a law minimises its expected squared error, so the prediction is the expected mean action.

    Args:
        inputs: of each network's rows, `PolicyNetwork.predictor_inputs` side by side.
        played: [R, F], the mean actions that were played, in the order of the networks.
        weight: [R]
        count: what the sum is divided by.
    """
    assert network.predictor is not None
    predicted = torch.cat([network.as_mean_action(out) for out in network.predictor.forward_types(inputs)])
    return weighted_mean(0.5 * (predicted - played).square().sum(-1), weight, count)
