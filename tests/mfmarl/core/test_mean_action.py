import pytest
import torch

from mfmarl.core.mean_action import action_counts, mean_action, total_variation


def test_leaves_the_agent_itself_out():
    action = torch.tensor([[0, 1, 1, 2]])
    counts = action_counts(action, 3)
    assert counts.tolist() == [[1.0, 2.0, 1.0]]
    seen = mean_action(counts, action)
    # agent 0 sees actions 1, 1, 2; agent 1 sees 0, 1, 2
    torch.testing.assert_close(seen[0, 0], torch.tensor([0.0, 2 / 3, 1 / 3]))
    torch.testing.assert_close(seen[0, 1], torch.tensor([1 / 3, 1 / 3, 1 / 3]))
    torch.testing.assert_close(seen.sum(-1), torch.ones(1, 4))


def test_everyone_else_equals_a_full_graph():
    action = torch.randint(0, 5, (7, 9), generator=torch.Generator().manual_seed(0))
    counts = action_counts(action, 5)
    everyone = ~torch.eye(9, dtype=torch.bool)
    torch.testing.assert_close(mean_action(counts, action), mean_action(counts, action, everyone))


def test_a_graph_averages_over_its_neighbours_only():
    action = torch.tensor([[0, 1, 1]])
    chain = torch.tensor([[False, True, False], [True, False, True], [False, True, False]])
    seen = mean_action(action_counts(action, 2), action, chain)
    assert seen[0].tolist() == [[0.0, 1.0], [0.5, 0.5], [0.0, 1.0]]


def test_refuses_agents_without_neighbours():
    action = torch.tensor([[0, 1]])
    with pytest.raises(ValueError, match="agent 0 has no neighbour"):
        mean_action(action_counts(action, 2), action, torch.zeros(2, 2, dtype=torch.bool))
    with pytest.raises(ValueError, match="at least 2 agents"):
        mean_action(torch.ones(1, 2), torch.zeros(1, 1, dtype=torch.long))


def test_total_variation_of_known_laws():
    p, q = torch.tensor([[0.5, 0.5], [1.0, 0.0]]), torch.tensor([[0.25, 0.75], [0.0, 1.0]])
    assert total_variation(p, q).tolist() == [0.25, 1.0]
