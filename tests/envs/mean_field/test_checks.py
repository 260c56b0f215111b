"""What games of every kind refuse, and what they say."""

import numpy as np
import pytest

from envs.mean_field.checks import BadPolicy, alike, check_mask, check_played, check_rewards, occupancy
from envs.mean_field.kernel import dense
from envs.mean_field.populations import CoupledMFG, Population

MASK = np.array([[True, False], [True, True]])


def test_rewards_are_named_where_an_action_is() -> None:
    r = np.zeros((3, 2, 2))
    r[0, 0, 1] = np.inf
    check_rewards(r, (3, 2, 2), MASK, "g", "here")
    r[2, 1, 0] = np.nan
    with pytest.raises(ValueError, match=r"^g: the reward of t=2, s=1, a=0 is nan here$"):
        check_rewards(r, (3, 2, 2), MASK, "g", "here")
    with pytest.raises(ValueError, match=r"^g: the reward of s=1, a=0 is nan here$"):
        check_rewards(r[2], (2, 2), MASK, "g", "here")
    with pytest.raises(ValueError, match=r"rewards have shape \(2, 2\); want \(3, 2, 2\)"):
        check_rewards(r[2], (3, 2, 2), MASK, "g", "here")


def test_masks() -> None:
    check_mask(MASK, (2, 2), "g")
    with pytest.raises(BadPolicy, match=r"shape \(2, 2\); want bool \(2, 2\)"):
        check_mask(MASK.astype(int), (2, 2), "g")
    with pytest.raises(BadPolicy, match="state 1 has no action"):
        check_mask(np.array([[True], [False]]), (2, 1), "g")
    np.testing.assert_array_equal(alike(MASK, (2, 2)), [[1, 0], [0.5, 0.5]])
    check_played(np.array([[1.0, 0], [0.5, 0.5]]), MASK, "it")
    with pytest.raises(BadPolicy, match="it plays action 1 in state 0, which has it not"):
        check_played(np.full((4, 2, 2), 0.5), MASK, "it")


def test_rewards_that_see_actions_want_a_policy() -> None:
    np.testing.assert_array_equal(occupancy(np.array([0.5, 0.5]), alike(MASK, (2, 2)), "g"), [[0.5, 0], [0.25, 0.25]])
    with pytest.raises(ValueError, match=r"^g: rewards depend on the population's actions too; give its policy$"):
        occupancy(np.array([0.5, 0.5]), None, "g")


@pytest.mark.parametrize(
    ("pay", "mask", "told"),
    [
        (np.nan, None, "g, crowd: the reward of t=0, s=0, a=0 is nan where all play alike"),
        (1.0, np.zeros((1, 1), bool), "g, crowd: state 0 has no action"),
    ],
)
def test_games_of_several_populations_are_checked_too(pay: float, mask: np.ndarray | None, told: str) -> None:
    crowd = Population(
        initial=np.ones(1),
        kernel=dense(np.ones((1, 1, 1))),
        reward=lambda t, mu: np.full((len(t), 1, 1), pay),
        action_mask=mask,
    )
    with pytest.raises(ValueError, match=told):
        CoupledMFG(name="g", horizon=1, populations={"crowd": crowd})
