"""Stacked networks against the same layers written out, for every way of sharing them."""

import pytest
import torch

from mfmarl.core.networks import BATCHED_FROM, StackedMLP

TYPES = [slice(0, 2), slice(2, 5)]


def written_out(network: StackedMLP, agent: int, row: torch.Tensor) -> torch.Tensor:
    kind = int(agent >= 2)
    which = {"type": kind, "agent": agent, "all": 0}[network.sharing]
    if network.embedding is not None:
        row = torch.cat([row, network.embedding[kind]])
    hidden = torch.relu(row @ network.weights[0][which] + network.biases[0][which])
    return hidden @ network.weights[1][which] + network.biases[1][which]


@pytest.mark.parametrize("sharing", ["type", "agent", "all"])
def test_every_agent_goes_through_its_network(sharing):
    network = StackedMLP(TYPES, 4, (7,), 3, seed=0, sharing=sharing, last_gain=1.0)
    obs, mean = torch.randn(6, 5, 3), torch.randn(6, 5, 1)
    out = network(obs, mean)
    assert out.shape == (6, 5, 3)
    for agent in range(5):
        row = torch.cat([obs[2, agent], mean[2, agent]])
        torch.testing.assert_close(out[2, agent], written_out(network, agent, row))
    torch.testing.assert_close(network.infer(obs, mean, chunk_rows=10), out.detach())


def test_many_networks_of_their_own_are_one_batched_product():
    agents = BATCHED_FROM + 3
    network = StackedMLP([slice(0, agents)], 4, (7,), 3, seed=0, sharing="agent")
    rows = network.by_type(torch.randn(6, agents, 4))
    batched = network.forward_types(rows)
    for k in (0, agents - 1):
        hidden = torch.relu(rows[k] @ network.weights[0][k] + network.biases[0][k])
        torch.testing.assert_close(batched[k], hidden @ network.weights[1][k] + network.biases[1][k])


def test_types_that_share_a_network_differ_by_their_embedding():
    network = StackedMLP(TYPES, 4, (7,), 3, seed=0, sharing="all", last_gain=1.0)
    obs = torch.randn(1, 1, 4).expand(1, 5, 4)
    out = network(obs)
    torch.testing.assert_close(out[0, 0], out[0, 1])
    assert float((out[0, 0] - out[0, 2]).abs().max().detach()) > 1e-3
    loss = out.square().sum()
    gradients = torch.autograd.grad(loss, list(network.parameters()))
    assert all(bool((g != 0).any()) for g in gradients)


@pytest.mark.parametrize("hidden", [(7,), (16, 9), (5, 6, 7)])
def test_compiled_gradients_are_those_of_the_plain_layers_in_double_precision(hidden):
    generator = torch.Generator().manual_seed(3)
    fast = StackedMLP(TYPES, 4, hidden, 3, seed=0, last_gain=1.0)
    plain = StackedMLP(TYPES, 4, hidden, 3, seed=0, last_gain=1.0).double()
    # more rows than a chunk, and a last chunk that is not full
    rows = [torch.randn(n, 4, generator=generator) for n in (1300, 37)]
    aims = [torch.randn(n, 3, generator=generator) for n in (1300, 37)]

    def gradients(network: StackedMLP, kind: torch.dtype) -> tuple[torch.Tensor, ...]:
        outputs = network.forward_types([r.to(kind) for r in rows])
        loss = sum((o - a.to(kind)).square().mean() for o, a in zip(outputs, aims, strict=True))
        return torch.autograd.grad(loss, list(network.parameters()))

    for got, want in zip(gradients(fast, torch.float32), gradients(plain, torch.float64), strict=True):
        torch.testing.assert_close(got.double(), want, rtol=1e-4, atol=1e-6)


def test_rows_of_other_agents_are_refused():
    network = StackedMLP([slice(0, 2), slice(2, 3)], 4, (8,), 3, seed=0)
    for agents in (1, 2, 4):
        with pytest.raises(ValueError, match=f"for 3 agents; got rows of {agents}"):
            network.infer(torch.zeros(5, agents, 4))
