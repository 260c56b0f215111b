"""GAIL and AIRL on RLlib's PPO, and experts from it: on a real Ray, with one learner and with two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mfmarl.errors import TrainingFailed, UserError
from mfmarl.imitation import experts
from mfmarl.imitation.demonstrations import Demonstrations
from mfmarl.imitation.rollout import episodes, spaces_of
from mfmarl.imitation.settings import of_spaces

pytest.importorskip("ray")
pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("one_ray")]

ENV = "CartPole-v1"
SETTINGS: dict[str, Any] = {
    "hidden_dims": (8,), "num_envs": 4, "rollout": 32, "discriminator_batch": 64, "discriminator_steps": 2,
    "policy_lr": 0.01, "discriminator_lr": 0.01, "ppo": {"minibatch": 32, "epochs": 2},
}  # fmt: skip


def shown() -> Demonstrations:
    spaces = spaces_of(ENV)
    return Demonstrations.from_episodes(episodes(ENV, experts.cartpole, 1, 0), spaces, ENV)


def paid_by(algorithm: Any) -> list[dict[str, np.ndarray]]:
    """What each learner's rewards depend on."""
    from mfmarl.rllib.adversarial_ppo import rewards_of
    from mfmarl.rllib.reward_connector import reward_state

    found = algorithm.learner_group.foreach_learner(lambda learner: reward_state(rewards_of(learner)))
    return [one.get() for one in found]


@pytest.mark.parametrize(("method", "num_learners"), [("airl", 0), ("gail", 2)])
def test_all_learners_pay_by_the_drivers_discriminator(method: Any, num_learners: int) -> None:
    from mfmarl.rllib.adversarial_imitation import algorithm_config
    from mfmarl.rllib.adversarial_ppo import IMITATION, digest
    from mfmarl.rllib.reward_connector import reward_state

    settings = of_spaces(spaces_of(ENV)) | SETTINGS
    config = algorithm_config(method, ENV, settings, shown(), 1000, 1, num_learners=num_learners)
    algorithm: Any = config.build_algo()
    try:
        before = reward_state(algorithm.agent)
        for _ in range(2):
            result = algorithm.train()
        # the driver's normaliser has moved on since: it has taken in the last round
        now = {name: x for name, x in reward_state(algorithm.agent).items() if ".norm." not in name}
        assert any((x != before[name]).any() for name, x in now.items())
        states = paid_by(algorithm)
        assert len(states) == max(1, num_learners)
        for state in states:
            assert digest(state) == digest(states[0])
            for name, x in now.items():
                np.testing.assert_array_equal(state[name], x)
        assert result["env_runners"]["num_env_steps_sampled_lifetime"] == pytest.approx(256, abs=8)
        assert 0 <= result[IMITATION]["expert_accuracy"] <= 1
        weights = algorithm.learner_group.foreach_learner(lambda one: one.module.get_state())
        first, *others = [_flat(one.get()) for one in weights]
        for other in others:
            np.testing.assert_array_equal(first, other)
        # one that did not get it is found out
        algorithm.config._is_frozen = False
        algorithm.config.num_learners = num_learners + 2
        with pytest.raises(TrainingFailed, match="learners' discriminators are"):
            algorithm.send_out()
        algorithm.config.num_learners = num_learners
    finally:
        algorithm.stop()


@pytest.mark.parametrize("method", ["gail", "airl"])
def test_a_checkpoint_holds_the_discriminator(method: Any, tmp_path: Path) -> None:
    from mfmarl.rllib.adversarial_imitation import algorithm_config

    settings = of_spaces(spaces_of(ENV)) | SETTINGS | {"past_rollouts": 2}
    first: Any = algorithm_config(method, ENV, settings, shown(), 1000, 1).build_algo()
    try:
        for _ in range(2):
            first.train()
        first.save_to_path(tmp_path)
        kept, ends = first.agent.arrays(), first.agent.ends
        first.train()
        assert (
            first.agent.arrays()["discriminator_optimiser.0.step"] == kept["discriminator_optimiser.0.step"] + 2
        ).all()
        # taken back, and in another process's place
        first.restore_from_path(tmp_path)
        again = type(first).from_checkpoint(tmp_path)
        other: Any = algorithm_config(method, ENV, settings, shown(), 1000, seed=7).build_algo()
        other.restore_from_path(tmp_path)
    finally:
        first.stop()
    for one in (first, again, other):
        found = one.agent.arrays()
        assert sorted(found) == sorted(kept)
        for name, x in kept.items():
            np.testing.assert_array_equal(found[name], x, err_msg=name)
        assert (one.agent.ends, len(one.agent.past)) == (ends, 2)
    for one in (again, other):
        try:
            result = one.train()
            assert result["env_runners"]["num_env_steps_sampled_lifetime"] == pytest.approx(384, abs=12)
            assert one.agent.arrays()["discriminator_optimiser.0.step"] == kept["discriminator_optimiser.0.step"] + 2
            assert len(one.agent.past) == 3
        finally:
            one.stop()


def _flat(state: Any) -> np.ndarray:
    return np.concatenate([np.ravel(value) for value in state["default_policy"].values()])


def test_demonstrations_of_another_environment_are_refused() -> None:
    from mfmarl.rllib.adversarial_imitation import algorithm_config

    with pytest.raises(UserError, match="4 state entries, 2 actions; Pendulum-v1 has 3 state entries"):
        algorithm_config("gail", "Pendulum-v1", of_spaces(spaces_of(ENV)) | SETTINGS, shown(), 100)


def test_an_expert_learns_and_demonstrates() -> None:
    from mfmarl.rllib.expert import ppo_expert

    told: list[tuple[int, float]] = []
    act = ppo_expert(ENV, 6 * 2048, 0, lambda *row: told.append(row))
    assert [steps for steps, _ in told] == [2048 * i for i in range(1, 7)]
    spaces = spaces_of(ENV)
    recorded = Demonstrations.from_episodes(episodes(ENV, act, 4, 0), spaces, ENV, {"expert": "RLlib PPO"})
    # a policy that pushes at random falls after 22 steps
    assert recorded.returns.mean() > 60
    again = episodes(ENV, act, 4, 0)
    np.testing.assert_array_equal(recorded.observations, np.concatenate([one.observations for one in again]))


def test_an_expert_learns_from_rewards_over_what_the_first_round_was_worth() -> None:
    from ray.rllib.env.single_agent_episode import SingleAgentEpisode

    from mfmarl.rllib.expert import ScaledRewards

    def episode(*rewards: float) -> SingleAgentEpisode:
        T = len(rewards)
        return SingleAgentEpisode(
            observations=[np.zeros(1)] * (T + 1), actions=[0] * T, rewards=list(rewards), infos=[{}] * (T + 1),
            len_lookback_buffer=0,
        )  # fmt: skip

    scaled = ScaledRewards(discount=0.5)
    first = [episode(4.0, 8.0), episode(-2.0)]
    held = first[0]
    scaled(batch={}, episodes=first)
    # worth 4 + .5 * 8, 8 and -2
    rms = np.sqrt((8**2 + 8**2 + 2**2) / 3)
    np.testing.assert_allclose([*first[0].get_rewards(), *first[1].get_rewards()], np.array([4, 8, -2]) / rms)
    assert list(held.get_rewards()) == [4.0, 8.0], "the env runner's own episode tells of returns"
    later = [episode(100.0)]
    scaled(batch={}, episodes=later)
    np.testing.assert_allclose(later[0].get_rewards(), [100 / rms])
