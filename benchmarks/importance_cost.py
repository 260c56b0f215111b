"""Processor milliseconds of each drift estimator for the steps of one training iteration, and of a forward pass.

    python benchmarks/importance_cost.py --steps 416 --agents 30 50 100 1000 --actions 7

`forward` is one pass of 2x64 networks over the same M x N agent rows (D = 20 observations and the mean action), the
unit that training is made of: an iteration of `mf` takes about five of them and its sampling. `weights` is what
follows any estimator (clip, k-hat, self-normalisation); `weights, all on` adds Pareto smoothing and an ESS floor.
Policies drift moderately; `hard` is the worst case of `marginal`, nearly deterministic policies that have moved.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from mfmarl.core.importance import (  # noqa: E402
    action_moments,
    drift_weights,
    gaussian_log_ratio,
    gaussian_log_ratio_one_hot,
    joint_log_ratio,
    marginal_log_ratio,
    mixture_log_ratio,
)
from mfmarl.core.importance_config import ImportanceConfig  # noqa: E402

OBSERVATIONS = 20


def population(steps: int, agents: int, actions: int, sharpness: float, drift: float) -> tuple[Tensor, Tensor, Tensor]:
    """(new, old, action): float32 log-probabilities [M, N, A] and what old played."""
    generator = torch.Generator().manual_seed(0)
    logits = sharpness * torch.randn(steps, agents, actions, generator=generator)
    old = torch.log_softmax(logits, -1)
    new = torch.log_softmax(logits + drift * torch.randn(steps, agents, actions, generator=generator), -1)
    action = torch.multinomial(old.exp().flatten(0, 1), 1, generator=generator).view(steps, agents)
    return new, old, action


def forward(steps: int, agents: int, actions: int) -> Callable[[], object]:
    """A pass of 2x64 networks without gradients, a few thousand rows at a time."""
    widths = [OBSERVATIONS + actions, 64, 64, actions]
    layers = [torch.nn.Linear(a, b) for a, b in pairwise(widths)]
    network = torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1], torch.nn.ReLU(), layers[2])
    rows = torch.randn(steps * agents, widths[0])

    def run() -> object:
        with torch.no_grad():
            return torch.cat([network(part) for part in torch.split(rows, 4096)])

    return run


def candidates(steps: int, agents: int, actions: int) -> dict[str, Callable[[], object]]:
    """Every row of the table as a call."""
    new, old, action = population(steps, agents, actions, 1.0, 0.1)
    hard = population(steps, agents, actions, 200.0, 60.0)
    pick = action.unsqueeze(-1)
    now, then = new.gather(-1, pick).squeeze(-1), old.gather(-1, pick).squeeze(-1)
    behaviours = then.expand(8, -1, -1)
    shares = torch.full((8,), 1 / 8)
    ratio = joint_log_ratio(now, then)
    value = action.float()
    stabilised = ImportanceConfig(pareto=True, ess_floor=0.5)
    calls: dict[str, Callable[[], object]] = {
        "forward": forward(steps, agents, actions),
        "joint": lambda: joint_log_ratio(now, then),
        "mixture of 8": lambda: mixture_log_ratio(now, behaviours, shares),
        "gaussian": lambda: gaussian_log_ratio(*action_moments(new), *action_moments(old), value),
        "gaussian, one-hot": lambda: gaussian_log_ratio_one_hot(new, old, action),
        "marginal": lambda: marginal_log_ratio(new, old, action),
        "marginal, hard": lambda: marginal_log_ratio(*hard),
        "weights": lambda: drift_weights(ratio, ImportanceConfig()),
        "weights, all on": lambda: drift_weights(ratio, stabilised),
    }
    if agents > 300:
        # minutes of a case that no mended run stays in, and gigabytes of covariances
        del calls["marginal, hard"], calls["gaussian, one-hot"]
    return calls


def main() -> int:
    """Least of a few rounds, in which the candidates take turns; processor time, since machines are shared."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--steps", type=int, default=416, help="population steps M")
    parser.add_argument("--agents", type=int, nargs="+", default=[30, 50, 100, 1000])
    parser.add_argument("--actions", type=int, default=7)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for agents in options.agents:
        calls = candidates(options.steps, agents, options.actions)
        best = dict.fromkeys(calls, float("inf"))
        for _ in range(options.rounds):
            for name, call in calls.items():
                began = time.process_time()
                call()
                best[name] = min(best[name], 1e3 * (time.process_time() - began))
        print(f"M = {options.steps}, N = {agents}, A = {options.actions}")
        for name, ms in best.items():
            print(f"  {name:18s} {ms:9.1f} ms   {ms / best['forward']:7.2f} forward passes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
