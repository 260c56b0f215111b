import itertools
import math

import pytest
import torch

from mfmarl.core.importance import (
    drift_weights,
    effective_sample_size,
    joint_log_ratio,
    marginal_log_ratio,
)
from mfmarl.core.importance.convolution import leave_one_out_masses, log_masses
from mfmarl.core.importance.lattice_sum import leave_one_out_log_masses, sum_log_masses
from mfmarl.core.importance_config import ImportanceConfig
from tests.mfmarl.core.importance.laws import exact_log_mass, exact_log_ratio, played, population


@pytest.mark.parametrize("sharpness", [0.0, 0.3, 1.0, 3.0, 10.0])
@pytest.mark.parametrize(("agents", "actions"), [(2, 3), (3, 2), (5, 7), (9, 4)])
def test_equals_rational_arithmetic(agents: int, actions: int, sharpness: float):
    new, old, action = population(3, agents, actions, seed=agents, sharpness=sharpness, drift=1.0)
    exact = exact_log_ratio(new.exp().tolist(), old.exp().tolist(), action)
    # the probabilities of the reference are rounded: 1e-16 for each of the agents
    assert torch.allclose(marginal_log_ratio(new, old, action), exact, rtol=0, atol=1e-9)


def test_equals_enumeration_of_all_joint_actions():
    new, old, _ = population(1, 4, 3, seed=1, drift=1.0)
    joint = torch.tensor(list(itertools.product(range(3), repeat=4)))
    laws = [law.expand(joint.shape[0], -1, -1) for law in (new, old)]
    got = marginal_log_ratio(laws[0], laws[1], joint)
    for j in range(4):
        sums = joint.sum(1) - joint[:, j]
        masses = []
        for law in laws:
            others = (played(law, joint).sum(1) - played(law, joint)[:, j]).exp()
            # agent j takes each of its 3 actions in turn
            masses.append(torch.stack([others[sums == s].sum() / 3 for s in range(7)]))
        assert torch.allclose(got[:, j], (masses[0] / masses[1]).log()[sums], rtol=0, atol=1e-9)


@pytest.mark.parametrize("agents", [30, 100])
def test_many_agents_equal_the_sum_agent_after_agent(agents: int):
    new, _, action = population(4, agents, 5, seed=2, drift=1.0)
    got = leave_one_out_log_masses(new, action, 1e-9)
    for j in (0, agents // 2, agents - 1):
        others = torch.cat([new[:, :j], new[:, j + 1 :]], 1)
        slow = log_masses(others, action.sum(1) - action[:, j])
        assert torch.allclose(got[:, j], slow, rtol=0, atol=1e-9)


def test_tails_of_1e_minus_300_keep_all_digits():
    """12 agents that all play what they now do with probability 1e-25."""
    rare = [1 - 2e-25, 1e-25, 1e-25]
    old = torch.tensor([[[0.2, 0.5, 0.3]] * 13], dtype=torch.float64)
    new = torch.tensor([[rare] * 13], dtype=torch.float64)
    action = torch.full((1, 13), 2)
    got = marginal_log_ratio(new.log(), old.log(), action)
    assert torch.allclose(got, exact_log_ratio(new.tolist(), old.tolist(), action), rtol=0, atol=1e-9)
    assert float(got[0, 0]) == pytest.approx(12 * (math.log(1e-25) - math.log(0.3)), abs=1e-9)
    # and at half that sum, which many joint actions lead to
    middle = torch.ones_like(action)
    exact = exact_log_ratio(new.tolist(), old.tolist(), middle)
    assert torch.allclose(marginal_log_ratio(new.log(), old.log(), middle), exact, rtol=0, atol=1e-9)
    # the other way round: ratios of 1e300
    assert torch.allclose(marginal_log_ratio(old.log(), new.log(), action), -got, rtol=0, atol=1e-9)


def test_beyond_what_float64_holds():
    """Probabilities of 1e-400, which no tilt brings into reach: two agents in one, of three that seldom move."""
    log_rare = -400 * math.log(10.0)
    law = torch.tensor([0.0, -torch.inf, log_rare], dtype=torch.float64)
    laws = law.expand(1, 4, 3).clone()
    laws[0, 3] = torch.tensor([0.5, 0.0, 0.5]).double().log()
    action = torch.tensor([[2, 0, 0, 0]])
    got = leave_one_out_log_masses(laws, action, 1e-9)[0]
    half = math.log(0.5)
    # without agent 3, one of the three others moved; without another one, agent 3 did, or one of the two that are left
    assert got.tolist() == pytest.approx([half, half, half, log_rare + math.log(3)], abs=1e-9)
    assert float(leave_one_out_log_masses(laws, torch.tensor([[1, 0, 0, 0]]), 1e-9)[0, 1]) == -math.inf


@pytest.mark.parametrize("sharpness", [50.0, 200.0])
def test_nearly_deterministic_policies(sharpness: float):
    """Where policies have hardened and moved, one tilt does not serve all leave-one-out sums."""
    new, _, action = population(6, 12, 5, seed=0, sharpness=sharpness, drift=0.3 * sharpness)
    got = leave_one_out_log_masses(new, action, 1e-9)
    for j in range(12):
        others = torch.cat([new[:, :j], new[:, j + 1 :]], 1)
        slow = log_masses(others, action.sum(1) - action[:, j])
        assert torch.allclose(got[:, j], slow, rtol=1e-13, atol=1e-9)
    assert float(got.min()) < -30


def test_the_ways_agree():
    """Prefixes and suffixes, log space, rational arithmetic and inversion, on a lattice of spacing 2 and 3 too."""
    probs = torch.tensor([[0.2, 0.0, 0.8, 0.0], [0.5, 0.0, 0.5, 0.0], [0.3, 0.0, 0.0, 0.7], [0.1, 0.0, 0.9, 0.0]])
    law = probs.double().unsqueeze(0)
    for action in ([[2, 2, 3, 0]], [[0, 0, 0, 0]], [[2, 2, 3, 2]]):
        a = torch.tensor(action)
        exact = [
            exact_log_mass([law[0, i].tolist() for i in range(4) if i != j], int(a.sum() - a[0, j])) for j in range(4)
        ]
        assert leave_one_out_masses(law, a).log()[0].tolist() == pytest.approx(exact, abs=1e-12)
        assert leave_one_out_log_masses(law.log(), a, 1e-9)[0].tolist() == pytest.approx(exact, abs=1e-9)
        whole = exact_log_mass(law[0].tolist(), int(a.sum()))
        assert float(log_masses(law.log(), a.sum(1))) == pytest.approx(whole, abs=1e-12)
        assert float(sum_log_masses(law.log(), a, 1e-9)) == pytest.approx(whole, abs=1e-9)


def test_a_zero_of_the_characteristic_function_harms_no_other_agent():
    """One agent is uniform, so its characteristic function vanishes at frequencies that the others' sum needs."""
    law = torch.tensor([[[0.25] * 4, [0.9, 0.1, 0.0, 0.0], [0.8, 0.2, 0.0, 0.0]]], dtype=torch.float64)
    action = torch.tensor([[1, 0, 1]])
    exact = [exact_log_mass([law[0, i].tolist() for i in range(3) if i != j], [1, 2, 1][j]) for j in range(3)]
    assert leave_one_out_log_masses(law.log(), action, 1e-9)[0].tolist() == pytest.approx(exact, abs=1e-9)


def test_joint_and_marginal_agree_for_bernoulli_neighbours():
    """iid Bernoulli: the multinomial coefficient cancels; E[w^2] = 1.04^n, at n = 100 from the binomial law."""
    agents = 101
    old = torch.tensor([0.5, 0.5], dtype=torch.float64).log()
    new = torch.tensor([0.4, 0.6], dtype=torch.float64).log()
    action = (torch.arange(agents) < torch.arange(agents).unsqueeze(1)).long()
    laws = [law.expand(agents, agents, 2) for law in (new, old)]
    marginal = marginal_log_ratio(laws[0], laws[1], action)
    joint = joint_log_ratio(played(laws[0], action), played(laws[1], action))
    assert torch.allclose(marginal, joint, rtol=0, atol=1e-9)
    law = torch.tensor([math.comb(100, s) / 2.0**100 for s in range(101)], dtype=torch.float64)
    # agent 100 plays 0 in every row, and row s has s ones
    weight = marginal[:, 100].exp()
    assert float((law * weight).sum()) == pytest.approx(1.0, rel=1e-9)
    assert float((law * weight.square()).sum()) == pytest.approx(1.04**100, rel=1e-9)
    assert float((law * weight.square()).sum()) == pytest.approx(50.505, abs=1e-3)


def test_is_the_joint_weight_given_the_sum():
    """E[w_joint | sum] = w_marginal, by enumeration."""
    new, old, _ = population(1, 4, 3, seed=7, drift=1.5)
    joint = torch.tensor(list(itertools.product(range(3), repeat=4)))
    laws = [law.expand(joint.shape[0], -1, -1) for law in (new, old)]
    chance = played(laws[1], joint).sum(1).exp()
    ratio = joint_log_ratio(played(laws[0], joint), played(laws[1], joint)).exp()
    marginal = marginal_log_ratio(laws[0], laws[1], joint).exp()
    for j in range(4):
        sums = joint.sum(1) - joint[:, j]
        for s in sums.unique().tolist():
            at = sums == s
            mean = float((chance * ratio[:, j])[at].sum() / chance[at].sum())
            assert marginal[at, j].tolist() == pytest.approx([mean] * int(at.sum()), rel=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_effective_sample_size_is_never_below_that_of_joint(seed: int):
    """In expectation, so on many draws: the ratio of second moments is what the estimators differ in."""
    one_new, one_old, _ = population(1, 20, 5, seed=seed, sharpness=0.5, drift=0.25)
    draws = 4000
    new, old = one_new.expand(draws, -1, -1), one_old.expand(draws, -1, -1)
    generator = torch.Generator().manual_seed(seed)
    action = torch.multinomial(one_old[0].exp(), draws, replacement=True, generator=generator).T
    marginal = effective_sample_size(marginal_log_ratio(new, old, action).exp())
    joint = effective_sample_size(joint_log_ratio(played(new, action), played(old, action)).exp())
    assert bool((marginal >= joint).all())
    assert float(marginal.mean()) > 1.2 * float(joint.mean())


def test_neighbours_of_a_graph():
    new, old, action = population(5, 6, 4, seed=3, drift=1.0)
    graph = torch.tensor(
        [[j != i and (i + j) % 3 != 0 for j in range(6)] for i in range(6)]
    )
    graph[5] = False
    graph[5, 0] = True
    got = marginal_log_ratio(new, old, action, graph)
    for m, j in itertools.product(range(5), range(6)):
        others = graph[j].nonzero().flatten().tolist()
        s = int(action[m, others].sum())
        now, then = (exact_log_mass(law[m, others].exp().tolist(), s) for law in (new, old))
        assert float(got[m, j]) == pytest.approx(now - then, abs=1e-9)
    # a single neighbour's sum is its action
    assert torch.allclose(got[:, 5], (played(new, action) - played(old, action))[:, 0], rtol=0, atol=1e-9)
    full = ~torch.eye(6, dtype=torch.bool)
    assert torch.equal(marginal_log_ratio(new, old, action, full), marginal_log_ratio(new, old, action))


def test_without_drift_it_is_exactly_zero():
    new, old, action = population(5, 8, 4, seed=4)
    assert bool((marginal_log_ratio(old, old.clone(), action) == 0).all())
    weights = drift_weights(marginal_log_ratio(old, old.clone(), action), ImportanceConfig(estimator="marginal"))
    assert bool((weights.weight == 1).all())
    # one agent has moved in one step: its own weight there stays 1, as do all other steps'
    moved = old.clone()
    moved[2, 3] = new[2, 3]
    ratio = marginal_log_ratio(moved, old, action)
    assert (ratio != 0).nonzero().tolist() == [[2, j] for j in range(8) if j != 3]


def test_float32():
    new, old, action = population(6, 100, 7, seed=5)
    wide = marginal_log_ratio(new.float().double(), old.float().double(), action)
    narrow = marginal_log_ratio(new.float(), old.float(), action.to(torch.uint8))
    assert narrow.dtype == torch.float32
    assert torch.allclose(narrow.double(), wide, rtol=1e-6, atol=1e-6)


def test_what_cannot_be_is_refused_or_weightless():
    old = torch.tensor([[[0.5, 0.5], [1.0, 0.0], [1.0, 0.0]]], dtype=torch.float64)
    new = torch.tensor([[[0.5, 0.5], [0.5, 0.5], [1.0, 0.0]]], dtype=torch.float64)
    with pytest.raises(ValueError, match=r"probability 0 .* agent 0 played in step 0"):
        marginal_log_ratio(new.log(), old.log(), torch.tensor([[0, 1, 0]]))
    ratio = marginal_log_ratio(old.log(), new.log(), torch.tensor([[0, 1, 0]]))
    assert ratio[0].tolist() == pytest.approx([-math.inf, 0.0, 0.0], abs=1e-12)
    graph = torch.tensor([[False, True, False], [False, False, True], [True, True, False]])
    assert marginal_log_ratio(old.log(), new.log(), torch.tensor([[0, 1, 0]]), graph)[0, 0] == -math.inf


def test_refuses_probabilities_shapes_and_actions():
    new, old, action = population(2, 3, 4, seed=0)
    with pytest.raises(ValueError, match=r"old must hold log-probabilities.*step 0, agent 0"):
        marginal_log_ratio(new, old.exp(), action)
    with pytest.raises(ValueError, match=r"\(2, 3, 4\).*\(2, 2\)"):
        marginal_log_ratio(new, old, action[:, :2])
    with pytest.raises(ValueError, match=r"actions must be in 0\.\.3; got .*4"):
        marginal_log_ratio(new, old, action.clamp_min(1).index_fill(0, torch.tensor(0), 4))
    with pytest.raises(ValueError, match="one dtype"):
        marginal_log_ratio(new, old.float(), action)
    with pytest.raises(ValueError, match="agent 0 is its own neighbour"):
        marginal_log_ratio(new, old, action, torch.ones(3, 3, dtype=torch.bool))


@pytest.mark.parametrize("graph", [False, True])
def test_chunks_change_nothing(graph: bool, monkeypatch: pytest.MonkeyPatch):
    new, old, action = population(7, 9, 4, seed=8)
    neighbours = torch.eye(9).roll(1, 0).bool() | torch.eye(9).roll(3, 0).bool() if graph else None
    whole = marginal_log_ratio(new, old, action, neighbours)
    for module in ("marginal", "inversion", "convolution", "lattice_sum"):
        monkeypatch.setattr(f"mfmarl.core.importance.{module}._CHUNK", 50)
    assert torch.allclose(marginal_log_ratio(new, old, action, neighbours), whole, rtol=0, atol=1e-12)
    law = old.exp()
    loo = leave_one_out_masses(law, action).log()
    assert torch.allclose(loo, leave_one_out_log_masses(old, action, 1e-9), rtol=0, atol=1e-9)
