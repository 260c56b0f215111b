"""One multilayer perceptron per agent type, stacked in one module.

Stacked tensors [K, in, out] keep the K types in one optimiser step, one weight transfer and one checkpoint tensor per
layer; a type can be frozen by a mask. Agents are sorted by type, so a type's rows are a slice and nothing is padded.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


class StackedMLP(nn.Module):
    """K networks of the same shape with ReLU between the layers."""

    def __init__(self, types: Sequence[slice], inputs: int, hidden: Sequence[int], outputs: int, seed: int) -> None:
        """Args:
        types: the agents of each type, in order, covering 0..N-1.
        inputs, hidden, outputs: layer widths.
        seed: of the initial weights (He uniform; the last layer a hundredth of it, so that all actions start alike).
        """
        super().__init__()
        self.types = list(types)
        widths = [inputs, *hidden, outputs]
        generator = torch.Generator().manual_seed(seed)
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for layer, (a, b) in enumerate(pairwise(widths)):
            bound = (6.0 / a) ** 0.5 * (0.01 if layer == len(widths) - 2 else 1.0)
            uniform = torch.rand((len(self.types), a, b), generator=generator) * 2.0 - 1.0
            self.weights.append(nn.Parameter(uniform * bound))
            self.biases.append(nn.Parameter(torch.zeros(len(self.types), b)))

    def forward(self, x: Tensor) -> Tensor:
        """[R, N, inputs] -> [R, N, outputs]: agent j through the network of its type."""
        rows = x.shape[0]
        weights = [w.unbind(0) for w in self.weights]
        biases = [b.unbind(0) for b in self.biases]
        outputs = []
        for k, agents in enumerate(self.types):
            h = x[:, agents].reshape(-1, x.shape[-1])
            for layer in range(len(weights)):
                h = torch.addmm(biases[layer][k], h, weights[layer][k])
                if layer < len(weights) - 1:
                    h = torch.relu_(h)
            outputs.append(h.view(rows, -1, h.shape[-1]))
        return torch.cat(outputs, 1) if len(outputs) > 1 else outputs[0]

    @torch.no_grad()
    def infer(self, x: Tensor, chunk_rows: int = 4096) -> Tensor:
        """`forward` without gradients, a few thousand agent rows at a time so that activations stay in cache."""
        step = max(1, chunk_rows // x.shape[1])
        if x.shape[0] <= step or x.is_cuda:
            return self.forward(x)
        return torch.cat([self.forward(part) for part in torch.split(x, step)])
