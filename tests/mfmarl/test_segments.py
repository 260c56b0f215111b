import numpy as np
import pytest
import torch

from mfmarl.replay import PopulationReplay
from mfmarl.segments import drawn_segments, joined, newest_segments
from tests.games import MatchingGame, make_pair


def filled(fragments: int, length: int = 4, runners: int = 1, slots: int = 40) -> PopulationReplay:
    replay = PopulationReplay(slots * runners * 3, torch.device("cpu"))
    rollouts = [make_pair(MatchingGame(num_envs=3, length=5), seed=r)[0] for r in range(runners)]
    for i in range(fragments):
        batches = [rollout.collect(length) for rollout in rollouts]
        for r, batch in enumerate(batches):
            batch.runner = r
            # so that a step is known by its reward: runner, time, copy
            batch.reward[:] = 1000 * r + (i * length + np.arange(length))[:, None, None] + 0.1 * np.arange(3)[:, None]
        replay.add(batches)
    return replay


def test_newest_segments_meet_every_step_once():
    seen: list[float] = []
    for fragments in range(2, 8):
        segments = newest_segments(filled(fragments), 4)
        assert segments is not None
        assert segments.known.shape == (4, 3)
        reward = segments.steps.reward[:, 0].view(4, 3)
        # one step before the newest, by time and then by copy
        torch.testing.assert_close(reward[:, 0], torch.arange(4.0) + 4 * fragments - 5)
        torch.testing.assert_close(reward[0] - reward[0, 0], torch.tensor([0.0, 0.1, 0.2]), atol=1e-5, rtol=0)
        seen += reward[:, 0].tolist()
    assert seen == [float(t) for t in range(3, 27)]


def test_there_is_none_before_a_predecessor_is_known():
    assert newest_segments(filled(1), 4) is None
    assert newest_segments(filled(2), 7) is None
    assert newest_segments(filled(2), 6) is not None
    assert newest_segments(PopulationReplay(100, torch.device("cpu")), 4) is None


def test_segments_continue_in_time_and_stop_where_episodes_end():
    segments = newest_segments(filled(6), 4)
    assert segments is not None
    steps, continues = segments.steps, segments.continues
    obs, following = steps.obs.view(4, 3, 6, 3), steps.next_obs.view(4, 3, 6, 3)
    assert 0 < int(continues[:-1].sum()) < continues[:-1].numel()
    for t in range(3):
        for copy in range(3):
            same = torch.equal(following[t, copy], obs[t + 1, copy])
            assert same or not bool(continues[t, copy])
            assert bool(steps.started.view(4, 3)[t + 1, copy]) != bool(continues[t, copy])


def test_a_step_after_which_the_runner_died_is_not_known():
    replay = filled(4)
    ring = replay.rings[0]
    ring.flags["cut"][(ring.position - 4) % ring.capacity] = True
    segments = newest_segments(replay, 4)
    assert segments is not None
    ended = segments.steps.ended.view(4, 3)
    assert torch.equal(segments.known[1], ended[1])
    assert bool(segments.known[[0, 2, 3]].all())
    assert not bool((segments.continues & ~segments.known).any())


def test_drawn_segments_begin_anywhere_and_stay_inside():
    replay = filled(12, runners=2, slots=20)
    segments = drawn_segments(replay, 4, 4000, np.random.default_rng(0))
    assert segments is not None
    reward = segments.steps.reward[:, 0].view(4, -1)
    torch.testing.assert_close(reward[1:] - reward[:-1], torch.ones(3, 4000), atol=1e-3, rtol=0)
    first, number = torch.unique((reward[0] * 10).round().long(), return_counts=True)
    # 20 slots hold times 28 to 47; a first step needs a predecessor, a last one (3 later) a successor: 29 to 43
    want = sorted(10_000 * r + 10 * t + c for r in range(2) for t in range(29, 44) for c in range(3))
    assert first.tolist() == want
    # uniform: 4000 draws over 90 places
    assert float(((number - 4000 / 90) ** 2 / (4000 / 90)).sum()) == pytest.approx(89, abs=5 * (2 * 89) ** 0.5)


def test_nothing_is_drawn_where_nothing_fits():
    assert drawn_segments(filled(1), 4, 5, np.random.default_rng(0)) is None
    assert drawn_segments(filled(5), 4, 0, np.random.default_rng(0)) is None


def test_joined_segments_stand_side_by_side():
    replay = filled(5)
    newest = newest_segments(replay, 4)
    older = drawn_segments(replay, 4, 2, np.random.default_rng(1))
    assert newest is not None
    assert older is not None
    both = joined([newest, older])
    assert both.known.shape == (4, 5)
    for name in ("obs", "reward", "last_action", "version"):
        column = getattr(both.steps, name).view(4, 5, *getattr(both.steps, name).shape[1:])
        torch.testing.assert_close(column[:, :3].flatten(0, 1), getattr(newest.steps, name))
        torch.testing.assert_close(column[:, 3:].flatten(0, 1), getattr(older.steps, name))
