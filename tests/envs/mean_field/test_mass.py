"""Laws and rewards that go wrong only where the population comes to be: refused by name, in every kind of game."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from envs.mean_field import CommonNoiseMFG, CoupledMFG, FiniteMFG, Population, StationaryMFG
from envs.mean_field.batch import machine_code
from envs.mean_field.games.crowd import crowd_1d
from envs.mean_field.games.toys import AttractorMFG
from envs.mean_field.kernel import BadKernel, MovingKernel, dense, moving, sparse_kernel
from envs.mean_field.loops import Loops
from envs.mean_field.stepwise import stepwise

EVERYWHERE = np.broadcast_to(np.arange(2), (2, 2, 2)).copy()
TO_ONE = np.array([[[1.0, 0.0], [0.0, 1.0]]] * 2)
"""Action 0 leads to s=0, action 1 to s=1."""


def grows(above: float) -> Callable[[int, np.ndarray], np.ndarray]:
    """Rows of s=1, a=1 sum to more than 1 where more than `above` are in s=1."""

    def law(t: int, mu: np.ndarray) -> np.ndarray:
        out = np.broadcast_to(TO_ONE, (*mu.shape[:-1], 2, 2, 2)).copy()
        out[..., 1, 1, 1] += np.maximum(0.0, mu[..., 1] - above)
        return out

    return law


def game(kernel: Any, initial: tuple[float, float] = (1.0, 0.0), **more: Any) -> FiniteMFG:
    given = {"reward": lambda t, mu: np.zeros((*mu.shape, 2))} | more
    return FiniteMFG(name="g", horizon=3, initial=np.array(initial), kernel=kernel, **given)


def always(action: int, *lead: int) -> np.ndarray:
    return np.broadcast_to(np.eye(2)[action], (*lead, 2, 2)).copy()


def test_a_law_is_checked_where_all_begin_and_go() -> None:
    with pytest.raises(BadKernel, match=r"^g: P\(\. \| s=1, a=1\) at t=0 sums to 1\.3; want a distribution"):
        game(moving(EVERYWHERE, grows(0.6)), (0.1, 0.9))
    # at the uniform mu all is well, and at t = 1 half are in s=1
    late = moving(EVERYWHERE, lambda t, mu: grows(0.25 if t else 0.5)(t, mu))
    with pytest.raises(BadKernel, match=r"^g: P\(\. \| s=1, a=1\) at t=1 sums to 1\.25"):
        game(late)


def test_a_flow_that_gains_mass_is_refused() -> None:
    made = game(moving(EVERYWHERE, grows(0.6)))
    assert made.exploitability(made.uniform_policy()) == 0
    told = r"^g: P\(\. \| s=1, a=1\) at t=1 sums to 1\.4"
    for ask in (made.flow, made.exploitability, made.action_values, made.audit, machine_code(made), stepwise(made)):
        with pytest.raises(BadKernel, match=told):
            ask(always(1, 3))
        # one of a batch
        if ask != made.audit:
            with pytest.raises(BadKernel, match=told):
                ask(np.stack([always(0, 3), always(1, 3)]))


def test_an_audit_sees_what_is_not_played() -> None:
    # all are in s=1 and play 0 there: no mass meets the bad row
    pi = always(1, 3)
    pi[1:] = always(0, 2)
    made = game(moving(EVERYWHERE, grows(0.6)))
    assert made.flow(pi).sum(-1) == pytest.approx(1)
    with pytest.raises(BadKernel, match=r"s=1, a=1\) at t=1 sums to 1\.4"):
        made.audit(pi)


def test_a_kernel_that_pushes_other_mass_than_its_rows_say() -> None:
    class Leaks(MovingKernel):
        def push(self, t: int, x: np.ndarray, mu: Any) -> np.ndarray:
            return 0.5 * super().push(t, x, mu)

    with pytest.raises(BadKernel, match=r"^g: a distribution of the flow has mass 0\.125"):
        game(Leaks(EVERYWHERE, lambda t, mu: np.broadcast_to(TO_ONE, (*mu.shape[:-1], 2, 2, 2))))


def not_everywhere(t: np.ndarray, mu: np.ndarray) -> np.ndarray:
    # fine until all are in s=1
    bad = np.where(mu[..., 1] > 0.9, np.nan, 0.0)
    return np.repeat((mu * [0.0, 1.0] + bad[..., None])[..., None], 2, -1)


def test_rewards_that_are_not_finite_are_named() -> None:
    made = game(dense(TO_ONE), reward=not_everywhere)
    told = r"^g: the reward of t=1, s=0, a=0 is nan against this flow$"
    mu = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
    for ask in (made.exploitability, made.action_values, made.audit, stepwise(made)):
        for pi in (always(1, 3), np.stack([always(0, 3), always(1, 3)])):
            with pytest.raises(ValueError, match=told):
                ask(pi)
    with pytest.raises(ValueError, match=told):
        made.best_response(mu)
    with pytest.raises(ValueError, match=told):
        made.evaluate(always(0, 3), mu)
    last = game(dense(TO_ONE), terminal=lambda mu: np.where(mu > 0.9, np.inf, 0.0) * [0.0, 1.0] if mu[..., 1].any()
                else np.zeros(mu.shape))  # fmt: skip
    with pytest.raises(ValueError, match=r"^g: the reward of s=1 is inf against this flow$"):
        last.exploitability(always(1, 3))


def nan_loop(t: int, mu: np.ndarray, x: np.ndarray, params: Any, out: np.ndarray) -> None:
    for s in range(2):
        for a in range(2):
            out[s, a] = np.nan if mu[1] > params[0] else s * mu[s]


def heavy_law(t: int, mu: np.ndarray, params: Any, out: np.ndarray) -> None:
    for s in range(2):
        for a in range(2):
            out[s, a, 0], out[s, a, 1] = 1.0 - a, 1.0 * a
    out[1, 1, 1] += max(0.0, mu[1] - params[1])


def test_machine_code_says_what_the_functions_say() -> None:
    stays, light = moving(EVERYWHERE, grows(2.0)), {"reward": lambda t, mu: not_everywhere(t, np.minimum(mu, 0.9))}
    nan, heavy = Loops(nan_loop, (0.9, 2.0), heavy_law), Loops(nan_loop, (2.0, 0.6), heavy_law)
    nowhere = game(stays, reward=not_everywhere, loops=nan)
    gains = game(moving(EVERYWHERE, grows(0.6)), loops=heavy, **light)
    for made, told in (
        (nowhere, "^g: the reward of t=1, s=0, a=0 is nan"),
        (gains, r"^g: P.*s=1, a=1\) at t=1 sums to 1\.4"),
        # loops that are wrong where the functions are not
        (game(stays, loops=nan, **light), "^g: machine code's flows or gaps are not finite"),
        (game(stays, loops=heavy, **light), "^g: machine code's flows or gaps are not finite"),
    ):
        exploitability = machine_code(made)
        assert np.isfinite(exploitability(always(0, 3)))
        with pytest.raises(ValueError, match=told):
            exploitability(np.stack([always(0, 3), always(1, 3)]))


def test_several_populations_common_noise_and_stationary_games_too() -> None:
    told = r"P\(\. \| s=1, a=1\) at t=1 sums to 1\.4"
    kernel = MovingKernel(EVERYWHERE, lambda t, mu: grows(0.6)(t, mu["hen"]))
    hen = Population(
        initial=np.array([1.0, 0.0]), kernel=kernel, reward=lambda t, mu: np.repeat(mu["hen"][..., None], 2, -1)
    )
    coupled = CoupledMFG(name="c", horizon=3, populations={"hen": hen})
    for ask in (coupled.flow, coupled.exploitability, coupled.audit):
        with pytest.raises(BadKernel, match=f"^c, hen: {told}"):
            ask({"hen": always(1, 3)})
    noisy = CommonNoiseMFG(
        name="n", horizon=3, initial=np.array([1.0, 0.0]), kernels=(moving(EVERYWHERE, grows(0.6)),),
        reward=lambda t, mu, z: not_everywhere(t, mu), noise=np.ones(1), noise_matrix=np.ones((1, 1)),
    )  # fmt: skip
    with pytest.raises(BadKernel, match=f"^n: {told}"):
        noisy.exploitability(always(1, 3))
    pi = always(1, 3)
    pi[1:] = always(0, 2)
    with pytest.raises(BadKernel, match=f"^n: {told}"):
        noisy.audit(pi)
    with pytest.raises(ValueError, match=r"^n: the reward of history=1, s=0, a=0 is nan against this flow"):
        noisy.best_response(noisy.flow(pi))
    rests = StationaryMFG(
        name="r", kernel=moving(EVERYWHERE, grows(0.6)), reward=lambda mu: not_everywhere(np.zeros(1), mu), discount=0.5
    )
    with pytest.raises(BadKernel, match=r"^r: P\(\. \| s=1, a=1\) sums to"):
        rests.exploitability(always(1))
    still = StationaryMFG(
        name="r", kernel=dense(TO_ONE), reward=lambda mu: not_everywhere(np.zeros(1), mu), discount=0.5
    )
    with pytest.raises(ValueError, match=r"^r: the reward of s=0, a=0 is nan in this population$"):
        still.exploitability(always(1))


@pytest.mark.parametrize("horizon", [0, -1, 2.0])
def test_horizons_of_all_kinds(horizon: Any) -> None:
    told = f"horizon is {horizon}; want a whole number, 1 or more"
    crowd = crowd_1d(3, 1)
    with pytest.raises(ValueError, match=f"^attractor: {told}"):
        _ = AttractorMFG(horizon, 0.5).game
    hen = Population(initial=crowd.initial, kernel=crowd.kernel, reward=lambda t, mu: np.zeros((len(t), 3, 3)))
    with pytest.raises(ValueError, match=f"^c: {told}"):
        CoupledMFG(name="c", horizon=horizon, populations={"hen": hen})
    with pytest.raises(ValueError, match=f"^n: {told}"):
        CommonNoiseMFG(
            name="n", horizon=horizon, initial=crowd.initial, kernels=(crowd.kernel,),
            reward=lambda t, mu, z: np.zeros((*mu.shape, 3)), noise=np.ones(1), noise_matrix=np.ones((1, 1)),
        )  # fmt: skip


def test_successors_that_are_no_whole_numbers() -> None:
    with pytest.raises(BadKernel, match=r"next\[0, 0, 0\] is 0\.7; want a state, 0 to 1"):
        sparse_kernel(np.array([[[0.7]], [[1.0]]]), np.ones((2, 1, 1)))
    with pytest.raises(BadKernel, match=r"next\[1, 0, 0\] is nan"):
        moving(np.array([[[0.0]], [[np.nan]]]), lambda t, mu: np.ones((2, 1, 1)))
    with pytest.raises(BadKernel, match=r"shape \(0, 1, 1\)"):
        sparse_kernel(np.zeros((0, 1, 1)), np.zeros((0, 1, 1)))
    assert sparse_kernel([[[1]], [[0]]], np.ones((2, 1, 1))).next.dtype == np.int64
