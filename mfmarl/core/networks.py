"""One multilayer perceptron per agent type, stacked in one module; or one per agent, or one that all types share.

Stacked tensors [G, in, out] keep all networks in one optimiser step, one weight transfer and one checkpoint tensor per
layer; a type can be frozen by a mask. Agents are sorted by type, so a type's rows are a slice and nothing is padded.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from mfmarl.core.perceptron import differentiable, infer

Sharing = Literal["type", "agent", "all"]
EMBEDDING = 8
"""Entries of a type's embedding where all types share a network."""
BATCHED_FROM = 16
"""From so many networks of equal rows one batched product beats a loop over them."""


class StackedMLP(nn.Module):
    """Networks of the same shape with ReLU between the layers."""

    embedding: nn.Parameter | None

    def __init__(
        self,
        types: Sequence[slice],
        inputs: int,
        hidden: Sequence[int],
        outputs: int,
        seed: int,
        sharing: Sharing = "type",
        last_gain: float = 0.01,
    ) -> None:
        """Args:
        types: the agents of each type, in order, covering 0..N-1.
        inputs, hidden, outputs: layer widths.
        seed: of the initial weights (He uniform).
        sharing: one network per `type`, per `agent`, or one for `all`, which tells types apart by an embedding.
        last_gain: the last layer's weights are scaled by it; small, so that all actions start alike.
        """
        super().__init__()
        self.types = list(types)
        self.sharing: Sharing = sharing
        self.groups = self.types if sharing != "agent" else [slice(i, i + 1) for i in range(self.types[-1].stop)]
        networks = 1 if sharing == "all" else len(self.groups)
        generator = torch.Generator().manual_seed(seed)
        embedded = EMBEDDING if sharing == "all" else 0
        widths = [inputs + embedded, *hidden, outputs]
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for layer, (a, b) in enumerate(pairwise(widths)):
            bound = (6.0 / a) ** 0.5 * (last_gain if layer == len(widths) - 2 else 1.0)
            uniform = torch.rand((networks, a, b), generator=generator) * 2.0 - 1.0
            self.weights.append(nn.Parameter(uniform * bound))
            self.biases.append(nn.Parameter(torch.zeros(networks, b)))
        drawn = torch.randn((len(self.types), EMBEDDING), generator=generator) if embedded else None
        self.register_parameter("embedding", None if drawn is None else nn.Parameter(drawn))

    @property
    def inputs(self) -> int:
        """Entries of a row that the caller gives."""
        return int(self.weights[0].shape[1]) - (EMBEDDING if self.sharing == "all" else 0)

    def forward(self, *parts: Tensor) -> Tensor:
        """[R, N, a], [R, N, b], ... with a + b + ... inputs -> [R, N, outputs]: agent j through its own network."""
        outputs = self.forward_types(self.by_type(*parts))
        shaped = [h.view(parts[0].shape[0], -1, h.shape[-1]) for h in outputs]
        return torch.cat(shaped, 1) if len(shaped) > 1 else shaped[0]

    def by_type(self, *parts: Tensor) -> list[Tensor]:
        """[R, N, a], [R, N, b], ... -> for each group k its agents' rows [R n_k, a + b + ...], step by step.

        A group is a type, or an agent where each has its own network.
        """
        if len(parts) == 1:
            return [parts[0][:, agents].flatten(0, 1) for agents in self.groups]
        return [torch.cat([p[:, agents] for p in parts], -1).flatten(0, 1) for agents in self.groups]

    def forward_types(self, rows: Sequence[Tensor]) -> list[Tensor]:
        """For each group its rows [R_k, inputs] -> [R_k, outputs]."""
        if self.compiled(rows[0]):
            return differentiable(*self.stacked(), rows)
        if self.sharing == "agent" and len(rows) >= BATCHED_FROM:
            return list(self._batched(torch.stack(list(rows))).unbind(0))
        weights = [w.unbind(0) for w in self.weights]
        biases = [b.unbind(0) for b in self.biases]
        first = self._embedded()
        outputs = []
        for k, h in enumerate(rows):
            network = 0 if self.sharing == "all" else k
            for layer in range(len(weights)):
                weight, bias = weights[layer][network], biases[layer][network]
                if layer == 0 and first is not None:
                    # an embedding beside the inputs is a bias of the first layer that differs by type
                    weight, bias = weight[: self.inputs], bias + first[k]
                h = torch.addmm(bias, h, weight)
                if layer < len(weights) - 1:
                    h = torch.relu_(h)
            outputs.append(h)
        return outputs

    def _embedded(self) -> Tensor | None:
        if self.embedding is None:
            return None
        added: Tensor = self.embedding @ self.weights[0][0, self.inputs :]
        return added

    def _batched(self, rows: Tensor) -> Tensor:
        """[G, R, inputs] -> [G, R, outputs]"""
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            rows = torch.baddbmm(bias.unsqueeze(1), rows, weight)
            if layer < len(self.weights) - 1:
                rows = torch.relu_(rows)
        return rows

    def compiled(self, rows: Tensor) -> bool:
        """Whether compiled loops serve: one network a type, in float32 on the processor."""
        plain = rows.device.type == "cpu" and rows.dtype == self.weights[0].dtype == torch.float32
        return plain and self.sharing == "type"

    def stacked(self) -> tuple[list[Tensor], list[Tensor]]:
        """Weights and biases of the layers, as compiled loops take them."""
        return list(self.weights), list(self.biases)

    @torch.no_grad()
    def infer(self, *parts: Tensor, chunk_rows: int = 4096) -> Tensor:
        """`forward` without gradients, some rows at a time so that activations stay in cache."""
        steps, agents = parts[0].shape[:2]
        if self.compiled(parts[0]):
            return infer(*self.stacked(), parts, self.types)
        size = max(1, chunk_rows // agents)
        if steps <= size or parts[0].is_cuda:
            return self.forward(*parts)
        return torch.cat([self.forward(*(p[i : i + size] for p in parts)) for i in range(0, steps, size)])

    @torch.no_grad()
    def infer_type(self, k: int, *parts: Tensor) -> Tensor:
        """[R, a] (and [R, b]) -> [R, outputs]: any rows through the network of type k, by compiled loops.

        Raises:
            ValueError: where agents of a type have networks of their own.
        """
        if self.sharing == "agent":
            raise ValueError("with sharing=agent every agent has its own network, and no type has one")
        network = k if self.sharing == "type" else 0
        weights = [w[network : network + 1].detach() for w in self.weights]
        biases = [b[network : network + 1].detach() for b in self.biases]
        if (first := self._embedded()) is not None:
            # an embedding beside the inputs is a bias of the first layer that differs by type
            weights[0], biases[0] = weights[0][:, : self.inputs].contiguous(), biases[0] + first[k]
        return infer(weights, biases, [part.unsqueeze(1) for part in parts], [slice(0, 1)]).squeeze(1)
