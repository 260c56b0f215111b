"""The state after the end, on a chain where the best discriminator is known: one state, and an action that ends."""

from __future__ import annotations

import math

import pytest
import torch

from mfmarl.imitation.absorbing import Absorbing, Ends, absorbing
from mfmarl.imitation.discriminator import RewardForm, reward_of

DISCOUNT = 0.98
EXPERT = 0.3
"""The probability by which the expert ends."""
MANY = 10**9


def at(policy: float, expert: float = EXPERT) -> Absorbing:
    """Of so many steps that the one end more counts for nothing."""
    return absorbing(Ends(MANY, round(MANY * expert)), Ends(MANY, round(MANY * policy)), DISCOUNT)


def better_to_end(policy: float, form: RewardForm) -> float:
    """Q(end) - Q(go on) of a policy that ends with this probability, paid by the best discriminator."""
    after = at(policy)
    logits = torch.tensor([EXPERT / policy, (1 - EXPERT) / (1 - policy)], dtype=torch.float64).log() + after.in_task
    end, go_on = (reward_of(logits, form) - reward_of(torch.tensor(after.logit), form)).tolist()
    value = (policy * end + (1 - policy) * go_on) / (1 - DISCOUNT * (1 - policy))
    return float(end - (go_on + DISCOUNT * value))


def test_shares_of_occupancies() -> None:
    """Ends at .1 and .01 per step, gamma .98: 5 and .5 steps of stay for each in the task, 5/6 and 1/3 of all."""
    after = at(0.01, 0.1)
    assert after.logit == pytest.approx(math.log((5 / 6) / (1 / 3)), abs=1e-6)
    assert after.in_task == pytest.approx(math.log((1 / 6) / (2 / 3)), abs=1e-6)


@pytest.mark.parametrize("form", ["-log(1-D)", "log D - log(1-D)"])
def test_who_lives_too_long_is_paid_to_end_and_who_ends_too_soon_to_live(form: RewardForm) -> None:
    """Whatever the sign of the reward, which by itself pays for one of the two alone."""
    assert better_to_end(EXPERT, form) == pytest.approx(0.0, abs=1e-6)
    for longer in (0.01, 0.1, 0.25):
        assert better_to_end(longer, form) > 0
    for sooner in (0.35, 0.6, 0.9):
        assert better_to_end(sooner, form) < 0


def test_where_nobody_ends_a_stay_tells_nothing() -> None:
    assert absorbing(Ends(5000, 0), Ends(100, 0), DISCOUNT) == Absorbing(0.0, 0.0)


def test_one_end_of_the_policy_is_enough() -> None:
    """Rates 1/500 + 1/1000 and 1/1000: ln(1/3), less what the policy's stay takes from its steps in the task."""
    after = absorbing(Ends(500, 0), Ends(500, 1), 0.0)
    assert after.logit - after.in_task == pytest.approx(math.log(1 / 3))


def test_a_moving_average_of_a_constant_is_that_constant() -> None:
    """8 of 64 in every round; what is remembered is that rate, of 64 / (1 - .95) = 1280 steps in the end."""
    ends = Ends(0, 0)
    for _ in range(400):
        ends = ends.then(64, 8)
        assert ends.ended / ends.steps == pytest.approx(1 / 8, abs=1e-12)
    assert ends.steps == pytest.approx(1280.0)
    assert ends.then(64, 0).ended == pytest.approx(0.95 * 160.0), "a round without ends fades the rate by a twentieth"


def test_sides_without_steps() -> None:
    with pytest.raises(ValueError, match="got 0 steps of the expert and 5 of the policy"):
        absorbing(Ends(0, 0), Ends(5, 1), 0.9)


def test_without_discounting_nearly_all_is_stay() -> None:
    assert absorbing(Ends(100, 10), Ends(100, 20), 1.0).logit == pytest.approx(0.0)
