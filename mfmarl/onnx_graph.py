"""Policies as an ONNX graph, written node by node: what a policy computes is a dozen products and a softmax.

In float64 between float32 inputs and outputs, as `Policy.probs`: a cold Boltzmann law blows the last bits of float32
values up to 1e-5 of probability, and every runtime sums in an order of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from mfmarl.core.networks import StackedMLP
from mfmarl.network import PolicyNetwork

OPSET = 17


@dataclass
class _Graph:
    """Nodes and constants under construction; every method returns the name of what it computes."""

    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)

    def constant(self, value: Any, kind: type = np.float64) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, kind), name))
        return name

    def node(self, kind: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        name = output or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def cast(self, value: str, kind: int, output: str | None = None) -> str:
        return self.node("Cast", value, to=kind, output=output)

    def slice(self, value: str, low: int, high: int, axis: int) -> str:
        ends = [self.constant([end], np.int64) for end in (low, high, axis)]
        return self.node("Slice", value, *ends)


def graph_of(network: PolicyNetwork) -> onnx.ModelProto:
    """The model of a population's policies, for any number R of copies.

    Inputs: `obs` [R, N, D]; `mean_action` [R, N, A], the mean one-hot actions of the step before, `Step.mean_action`
    (policies with one mean action per type take these, [R, N, K A]; independent learners take none). Output:
    `probs` [R, N, A] for discrete actions; for continuous ones `output` [R, N, 2], the parameters of the squashed
    Gaussian (`mfmarl.core.squashed_gaussian`).
    """
    graph, shape = _Graph(), network.shape
    agents = shape.types[-1][1]
    inputs = {"obs": shape.observations}
    obs, seen = graph.cast("obs", TensorProto.DOUBLE), None
    if shape.mean_action != "none":
        seen = graph.cast("mean_action", TensorProto.DOUBLE)
        entries = shape.num_actions or 1
        inputs["mean_action"] = shape.mean_field().width if shape.by_type else entries
        if shape.mean_action == "scalar" and shape.num_actions is not None and not shape.by_type:
            scale = np.arange(entries, dtype=float)[:, None] / max(1, entries - 1)
            seen = graph.node("MatMul", seen, graph.constant(scale))
    if network.predictor is not None:
        told = [seen] if shape.predictor == "obs_and_last" and seen is not None else []
        seen = _as_mean_action(graph, network, _mlp(graph, network.predictor, [obs, *told]))
    output = _mlp(graph, network.mlp, [obs, *([] if seen is None else [seen])])
    if shape.num_actions is None:
        name, width = "output", 2
    else:
        name, width, output = "probs", shape.num_actions, _probabilities(graph, network, output)
    graph.cast(output, TensorProto.FLOAT, output=name)
    tensors = [
        helper.make_tensor_value_info(key, TensorProto.FLOAT, ["R", agents, size]) for key, size in inputs.items()
    ]
    made = helper.make_tensor_value_info(name, TensorProto.FLOAT, ["R", agents, width])
    body = helper.make_graph(graph.nodes, "population_policy", tensors, [made], graph.constants)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="mfmarl")
    # the oldest format that has the operators, so that older runtimes read it
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    return model


def _probabilities(graph: _Graph, network: PolicyNetwork, output: str) -> str:
    scaled = graph.node("Div", output, graph.constant(float(network.temperature)))
    epsilon = float(network.epsilon)
    if epsilon == 0:
        return graph.node("Softmax", scaled, axis=-1)
    greedy = graph.node("Mul", graph.node("Softmax", scaled, axis=-1), graph.constant(1 - epsilon))
    return graph.node("Add", greedy, graph.constant(epsilon / (network.shape.num_actions or 1)))


def _as_mean_action(graph: _Graph, network: PolicyNetwork, output: str) -> str:
    """The predictor's output as `PolicyNetwork.as_mean_action` reads it."""
    shape = network.shape
    if shape.mean_action == "scalar":
        return graph.node("Sigmoid", output)
    blocks = len(shape.types) if shape.by_type else 1
    agents, actions = shape.types[-1][1], shape.num_actions or 1
    apart = graph.node("Reshape", output, graph.constant([-1, agents, blocks, actions], np.int64))
    simplex = graph.node("Softmax", apart, axis=-1)
    return graph.node("Reshape", simplex, graph.constant([-1, agents, blocks * actions], np.int64))


def _mlp(graph: _Graph, mlp: StackedMLP, parts: list[str]) -> str:
    """[R, N, a], [R, N, b], ... -> [R, N, outputs]"""
    rows = graph.node("Concat", *parts, axis=-1) if len(parts) > 1 else parts[0]
    if mlp.sharing == "agent":
        # networks first, so that one product serves all of them
        rows = graph.node("Transpose", rows, perm=[1, 0, 2])
        for layer, (weight, bias) in enumerate(zip(mlp.weights, mlp.biases, strict=True)):
            rows = graph.node("MatMul", rows, graph.constant(_array(weight)))
            rows = graph.node("Add", rows, graph.constant(_array(bias)[:, None]))
            rows = graph.node("Relu", rows) if layer < len(mlp.weights) - 1 else rows
        return graph.node("Transpose", rows, perm=[1, 0, 2])
    outputs = []
    for k, agents in enumerate(mlp.types):
        h, network = graph.slice(rows, agents.start, agents.stop, 1), 0 if mlp.sharing == "all" else k
        for layer, (weights, biases) in enumerate(zip(mlp.weights, mlp.biases, strict=True)):
            weight, bias = _array(weights)[network], _array(biases)[network]
            if layer == 0 and mlp.embedding is not None:
                # an embedding beside the inputs is a bias that differs by type
                bias = bias + _array(mlp.embedding)[k] @ weight[mlp.inputs :]
                weight = weight[: mlp.inputs]
            h = graph.node("Add", graph.node("MatMul", h, graph.constant(weight)), graph.constant(bias))
            h = graph.node("Relu", h) if layer < len(mlp.weights) - 1 else h
        outputs.append(h)
    return graph.node("Concat", *outputs, axis=1) if len(outputs) > 1 else outputs[0]


def _array(tensor: Tensor) -> NDArray[np.float64]:
    out: NDArray[np.float64] = tensor.detach().cpu().double().numpy()
    return out
