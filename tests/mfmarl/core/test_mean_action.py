import pytest
import torch

from mfmarl.core.mean_action import MeanField, total_variation

ACTION = torch.tensor([[0, 1, 1, 2]])


def random_actions(steps: int = 7, agents: int = 9, actions: int = 5) -> torch.Tensor:
    return torch.randint(0, actions, (steps, agents), generator=torch.Generator().manual_seed(0))


def test_leaves_the_agent_itself_out():
    seen = MeanField("one_hot", 3, 4).of(ACTION)
    # agent 0 sees actions 1, 1, 2; agent 1 sees 0, 1, 2
    torch.testing.assert_close(seen[0, 0], torch.tensor([0.0, 2 / 3, 1 / 3]))
    torch.testing.assert_close(seen[0, 1], torch.tensor([1 / 3, 1 / 3, 1 / 3]))
    torch.testing.assert_close(seen.sum(-1), torch.ones(1, 4))


def test_the_scalar_mean_is_the_place_on_the_scale():
    seen = MeanField("scalar", 3, 4).of(ACTION)
    # places 0, .5, .5, 1
    torch.testing.assert_close(seen[0, :, 0], torch.tensor([2 / 3, 0.5, 0.5, 1 / 3]))
    one_hot = MeanField("one_hot", 3, 4)
    torch.testing.assert_close(MeanField("scalar", 3, 4).shown(one_hot.of(ACTION)), seen)


def test_by_type_every_type_has_a_mean_of_its_own():
    types = (slice(0, 1), slice(1, 4))
    seen = MeanField("one_hot", 3, 4, types).of(ACTION)
    # agent 0 is the only one of its type, and sees nobody of it
    torch.testing.assert_close(seen[0, 0], torch.tensor([0.0, 0.0, 0.0, 0.0, 2 / 3, 1 / 3]))
    torch.testing.assert_close(seen[0, 1], torch.tensor([1.0, 0.0, 0.0, 0.0, 1 / 2, 1 / 2]))
    torch.testing.assert_close(seen[0, 3], torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]))


@pytest.mark.parametrize("kind", ["one_hot", "scalar"])
@pytest.mark.parametrize("types", [None, (slice(0, 4), slice(4, 9))])
def test_everyone_else_equals_a_full_graph(kind, types):
    action, everyone = random_actions(), ~torch.eye(9, dtype=torch.bool)
    graph = MeanField(kind, 5, 9, types, everyone)
    torch.testing.assert_close(MeanField(kind, 5, 9, types).of(action), graph.of(action))


def test_types_weighted_by_their_numbers_give_the_mean_over_all():
    action, types = random_actions(), (slice(0, 4), slice(4, 9))
    apart = MeanField("one_hot", 5, 9, types).of(action).unflatten(-1, (2, 5))
    number = torch.tensor([[3.0, 5.0]] * 4 + [[4.0, 4.0]] * 5)
    together = (apart * number[None, :, :, None]).sum(2) / 8
    torch.testing.assert_close(together, MeanField("one_hot", 5, 9).of(action))


def test_a_graph_averages_over_its_neighbours_only():
    chain = torch.tensor([[False, True, False], [True, False, True], [False, True, False]])
    seen = MeanField("one_hot", 2, 3, neighbours=chain).of(torch.tensor([[0, 1, 1]]))
    assert seen[0].tolist() == [[0.0, 1.0], [0.5, 0.5], [0.0, 1.0]]


@pytest.mark.parametrize("kind", ["one_hot", "scalar"])
@pytest.mark.parametrize("types", [None, (slice(0, 4), slice(4, 9))])
def test_certain_actions_are_expected_as_they_are_played(kind, types):
    action, field = random_actions(), MeanField(kind, 5, 9, types)
    certain = torch.nn.functional.one_hot(action, 5).float()
    torch.testing.assert_close(field.expected(certain), field.of(action))


def test_the_expected_mean_action_is_the_mean_over_draws():
    generator = torch.Generator().manual_seed(1)
    probs = torch.softmax(torch.randn(1, 6, 3, generator=generator), -1)
    field = MeanField("one_hot", 3, 6)
    draws = torch.multinomial(probs[0], 40_000, replacement=True, generator=generator).T
    means = field.of(draws)
    error = (means.mean(0) - field.expected(probs)[0]).abs()
    assert bool((error < 4 * means.std(0) / 200).all())


def test_continuous_actions_are_their_own_features():
    seen = MeanField("scalar", None, 3).of(torch.tensor([[0.0, 0.5, 1.0]]))
    torch.testing.assert_close(seen[0, :, 0], torch.tensor([0.75, 0.5, 0.25]))


def test_independent_learners_see_nothing():
    field = MeanField("none", 5, 9)
    assert field.of(random_actions()).shape == (7, 9, 0)
    assert field.expected(torch.ones(7, 9, 5)).shape == (7, 9, 0)
    assert field.shown(torch.ones(7, 9, 5)).shape == (7, 9, 0)


def test_refuses_what_has_no_mean():
    with pytest.raises(ValueError, match="agent 0 has no neighbour"):
        MeanField("one_hot", 2, 2, neighbours=torch.zeros(2, 2, dtype=torch.bool))
    with pytest.raises(ValueError, match="at least 2 agents"):
        MeanField("one_hot", 2, 1)
    with pytest.raises(ValueError, match=r"must be \[N, N\] with N = 3"):
        MeanField("one_hot", 2, 3, neighbours=torch.ones(2, 2, dtype=torch.bool))
    with pytest.raises(ValueError, match="continuous actions have no one-hot code"):
        MeanField("one_hot", None, 3)


def test_total_variation_of_known_laws():
    p, q = torch.tensor([[0.5, 0.5], [1.0, 0.0]]), torch.tensor([[0.25, 0.75], [0.0, 1.0]])
    assert total_variation(p, q).tolist() == [0.25, 1.0]
