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

    def forward(self, *parts: Tensor) -> Tensor:
        """[R, N, a], [R, N, b], ... with a + b + ... inputs -> [R, N, outputs]: agent j through its type's network."""
        outputs = self.forward_types(self.by_type(*parts))
        shaped = [h.view(parts[0].shape[0], -1, h.shape[-1]) for h in outputs]
        return torch.cat(shaped, 1) if len(shaped) > 1 else shaped[0]

    def by_type(self, *parts: Tensor) -> list[Tensor]:
        """[R, N, a], [R, N, b], ... -> for each type k its agents' rows [R n_k, a + b + ...], step by step."""
        if len(parts) == 1:
            return [parts[0][:, agents].flatten(0, 1) for agents in self.types]
        return [torch.cat([p[:, agents] for p in parts], -1).flatten(0, 1) for agents in self.types]

    def forward_types(self, rows: Sequence[Tensor]) -> list[Tensor]:
        """For each type its rows [R_k, inputs] -> [R_k, outputs]."""
        weights = [w.unbind(0) for w in self.weights]
        biases = [b.unbind(0) for b in self.biases]
        outputs = []
        for k, h in enumerate(rows):
            for layer in range(len(weights)):
                h = torch.addmm(biases[layer][k], h, weights[layer][k])
                if layer < len(weights) - 1:
                    h = torch.relu_(h)
            outputs.append(h)
        return outputs

    @torch.no_grad()
    def infer(self, *parts: Tensor, chunk_rows: int = 4096) -> Tensor:
        """`forward` without gradients, a few thousand agent rows at a time so that activations stay in cache."""
        steps, agents = parts[0].shape[:2]
        size = max(1, chunk_rows // agents)
        if steps <= size or parts[0].is_cuda:
            return self.forward(*parts)
        return torch.cat([self.forward(*(p[i : i + size] for p in parts)) for i in range(0, steps, size)])
