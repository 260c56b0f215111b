"""What an agent of the network sees, entry by entry."""

from __future__ import annotations

import numpy as np

from tests.envs.inventory.network.games import CHAIN, make, on_tree, with_customers


def test_entries_by_hand() -> None:
    network = on_tree(
        CHAIN, initial_stock=50, slip=0.0, lead_time=2, demand_mode="uniform", demand_low=5, demand_high=5,
        action_mode="absolute", action_grid=(0, 5, 10, 15),
    )  # fmt: skip
    with_customers(network, [[20], [5], [70]])
    names = [e.name for e in network._observed.entries]
    assert names[:5] == ["stock", "backlog", "pipeline_0", "pipeline_1", "demand_1"]
    assert names[24:] == ["own_mu", "own_depth", "own_cost", "own_children", "type_echelon_0", "type_echelon_1"]
    assert network.observation_space.shape == (30,)
    first = network.reset(0).obs[0]
    # nothing has happened: stock 50 of 100, all the rest is none, which is -1; c / p is 1/2 and 2/3
    np.testing.assert_allclose(first[0, :24], [0.0] + [-1.0] * 23)
    constants = np.array([[1, 0, 1 / 2, 1, 1, 0], [1, 1, 2 / 3, 0, 0, 1]])
    np.testing.assert_allclose(first[:, 24:], constants, rtol=1e-6)
    with_customers(network, [[20], [5], [70]])
    # flows are seen in units of min(4 mu, order_cap) = 20: 10 -> 0, 20 and more -> 1
    seen = network.step(np.array([[3, 2]])).obs[0, :, :24].astype(float).round(6)
    np.testing.assert_allclose(seen[:, 0], [2 * 40 / 100 - 1, 2 * 30 / 100 - 1])
    np.testing.assert_allclose(seen[:, 2:4], [[-1, 0.5], [-1, 0]])
    np.testing.assert_allclose(seen[:, 4:6], [[0, -1], [1, -1]])
    np.testing.assert_allclose(seen[:, 14:16], [[0.5, -1], [0, -1]])
    network.step(np.array([[0, 0]]))
    seen = network.step(np.array([[0, 1]])).obs[0, :, :24].astype(float).round(6)
    # the shop had 25, got 10 and was asked for 70: it owes 35; the latest comes first
    np.testing.assert_allclose(seen[1, :4], [-1, 2 * 35 / 100 - 1, -1, -0.5])
    np.testing.assert_allclose(seen[1, 4:8], [1, -0.5, 1, -1])
    np.testing.assert_allclose(seen[1, 14:18], [-0.5, -1, 0, -1])
    # of 15 ordered by the factory all have arrived
    np.testing.assert_allclose(seen[0, 2:4], [-1, -1])


def test_ten_periods_are_remembered() -> None:
    network = on_tree(CHAIN, horizon=40, action_mode="absolute", action_grid=tuple(range(41)))
    orders = np.arange(1, 41)
    for order in orders[:25]:
        step = network.step(np.array([[order, 0]]))
    flow = min(4 * network.parameters.mu[0], 100)
    seen = step.obs[0, 0, 13:23]
    np.testing.assert_allclose(seen, 2 * orders[24:14:-1] / flow - 1, rtol=1e-5)


def test_late_units_are_seen_as_due() -> None:
    network = make(slip=1.0, initial_stock=0)
    network.step(np.full((1, 30), 4))
    sent = network.pipeline[0].copy()
    assert sent.any()
    step = network.step(np.zeros((1, 30), int))
    flow = np.minimum(4 * network.parameters.mu, 100)
    np.testing.assert_allclose(step.obs[0, :, 2], np.minimum(2 * sent[0] / flow, 2) - 1, rtol=1e-5)
    assert "units due in this period, late ones included" in network.describe_observation().splitlines()[2]
