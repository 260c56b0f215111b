import numpy as np

from mfmarl.imitation import experts
from mfmarl.imitation.rollout import Act, episodes


def returns(env: str, act: Act, number: int) -> np.ndarray:
    return np.array([e.rewards.sum() for e in episodes(env, act, number, 5, num_envs=number)])


def test_cartpole_never_falls() -> None:
    assert (returns("CartPole-v1", experts.cartpole, 5) == 500).all()


def test_pendulum_swings_up_from_everywhere() -> None:
    found = returns("Pendulum-v1", experts.pendulum, 100)
    assert -165 < found.mean() < -125
    assert found.min() > -500


def test_acrobot_swings_up() -> None:
    # a few starts take twice as long
    assert -90 < np.median(returns("Acrobot-v1", experts.acrobot, 20)) < -70
