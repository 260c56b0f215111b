import numpy as np
import pytest
import torch

from mfmarl.replay import PopulationReplay
from tests.games import MatchingGame, make_pair

CPU = torch.device("cpu")


def filled(fragments: int = 5, capacity: int = 200) -> tuple[PopulationReplay, list]:
    rollout, _ = make_pair(MatchingGame(num_envs=4, num_agents=6, length=5))
    replay, batches = PopulationReplay(capacity, CPU), []
    for _ in range(fragments):
        batches.append(rollout.collect(7))
        replay.add([batches[-1]])
    return replay, batches


def test_neighbours_in_time_are_found_across_fragments():
    replay, batches = filled()
    obs = np.concatenate([b.obs for b in batches])
    action = np.concatenate([b.action for b in batches])
    truncated = np.concatenate([b.truncated for b in batches])
    ring = replay.rings[0]
    flat = ring.drawable()
    sample = ring.gather(flat)
    for row, index in enumerate(flat):
        t, copy = divmod(int(index), 4)
        np.testing.assert_array_equal(sample.obs[row], obs[t, copy])
        np.testing.assert_array_equal(sample.last_action[row], action[t - 1, copy])
        if truncated[t, copy]:
            fragment, step = divmod(t, 7)
            np.testing.assert_array_equal(sample.next_obs[row], batches[fragment].final_obs[step][copy])
            np.testing.assert_array_equal(sample.next_action[row], action[t, copy])
        else:
            np.testing.assert_array_equal(sample.next_obs[row], obs[t + 1, copy])
            np.testing.assert_array_equal(sample.next_action[row], action[t + 1, copy])


def test_the_oldest_and_newest_steps_are_never_drawn():
    replay, _ = filled(fragments=3)
    slots = np.unique(replay.rings[0].drawable() // 4)
    assert slots.tolist() == list(range(1, 20))


def test_old_slots_give_way_and_final_observations_with_them():
    replay, batches = filled(fragments=30, capacity=64)
    ring = replay.rings[0]
    assert (ring.capacity, ring.size) == (16, 16)
    # at most ceil(16 / 5) + 1 ends stand in 16 slots
    assert ring.final_obs.shape[0] <= 4
    newest = np.concatenate([b.obs for b in batches])[-16:]
    order = (ring.position - ring.size + np.arange(16)) % 16
    np.testing.assert_array_equal(ring.columns["obs"][torch.from_numpy(order)], newest)


def test_a_restarted_runner_is_not_joined_to_its_past():
    rollout, _ = make_pair(MatchingGame(num_envs=4, num_agents=6, length=5))
    replay = PopulationReplay(200, CPU)
    first = rollout.collect(7)
    again = rollout.collect(7)
    again.continues = False
    replay.add([first])
    replay.add([again])
    slots = np.unique(replay.rings[0].drawable() // 4)
    assert 6 not in slots
    assert 5 in slots


def test_state_is_taken_back_whole():
    replay, _ = filled()
    other = PopulationReplay(200, CPU)
    other.set_state(replay.get_state())
    a, b = replay.sample(32, np.random.default_rng(0)), other.sample(32, np.random.default_rng(0))
    for name in a.__dataclass_fields__:
        torch.testing.assert_close(getattr(a, name), getattr(b, name), rtol=0, atol=0)


def test_refuses_fragments_longer_than_its_ring():
    rollout, _ = make_pair(MatchingGame(num_envs=4))
    with pytest.raises(ValueError, match="does not fit a replay of 4 slots"):
        PopulationReplay(16, CPU).add([rollout.collect(7)])
