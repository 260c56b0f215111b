import pytest

from mfmarl.errors import UserError
from mfmarl.imitation.schedules import constant, exponential, exponential_to, first, linear, schedule


def test_values() -> None:
    assert [exponential()(i) for i in range(3)] == pytest.approx([1, 0.95, 0.9025])
    assert [exponential_to(0.01, 3)(i) for i in range(4)] == pytest.approx([1, 0.1, 0.01, 0.01])
    assert [linear(0.0, 5)(i) for i in range(7)] == [1, 0.75, 0.5, 0.25, 0, 0, 0]
    assert [constant(0.3)(i) for i in (0, 9)] == [0.3, 0.3]
    assert [first()(i) for i in range(3)] == [1, 0, 0]


def test_the_default_is_a_twentieth_less_each_round() -> None:
    assert schedule("exponential", 0.95, None, 10)(2) == pytest.approx(0.9025)
    assert schedule("linear", 0.95, None, 3)(1) == 0.5
    assert schedule("constant", 0.95, 0.2, 3)(1) == 0.2


def test_an_exponential_that_is_to_end_at_zero_is_refused() -> None:
    with pytest.raises(UserError, match=r"beta_end is 0\.0; an exponential schedule never comes to it"):
        schedule("exponential", 0.95, 0.0, 10)
    with pytest.raises(UserError, match="beta_decay is 0"):
        exponential(0)
