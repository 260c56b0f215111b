"""Updates of behavioural cloning per CPU second at batch 32, beside a step as the library `imitation` takes it.

    OMP_NUM_THREADS=1 python benchmarks/clone_speed.py [--updates 500] [--repeats 7]

The library cannot be installed beside Ray 2.60. Its step (imitation 1.0.1, algorithms/bc.py) is written down here: the
negative log-likelihood, entropy and squared norms of all weights, with a value head, by autograd and PyTorch's Adam.
Both have layers of 256 x 256 and CartPole's spaces; they take turns, and medians over the turns are told.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1]))

from mfmarl.imitation.bc import BCAgent

BATCH, STATES, ACTIONS, STEPS = 32, 4, 2, 2000


def library(states: Tensor, actions: Tensor) -> Callable[[int], None]:
    """The library's step, on a policy with the parts that its own has."""
    body = nn.Sequential(nn.Linear(STATES, 256), nn.Tanh(), nn.Linear(256, 256), nn.Tanh())
    policy, value = nn.Linear(256, ACTIONS), nn.Linear(256, 1)
    weights = [p for part in (body, policy, value) for p in part.parameters()]
    adam = torch.optim.Adam(weights)

    def run(updates: int) -> None:
        for k in range(updates):
            at = k % (STEPS // BATCH) * BATCH
            latent = body(states[at : at + BATCH])
            law = torch.distributions.Categorical(logits=policy(latent))
            value(latent)
            likely = law.log_prob(actions[at : at + BATCH]).mean()
            norm = sum(p.square().sum() for p in weights) / 2
            loss = -likely - 1e-3 * law.entropy().mean() + 0.0 * norm
            adam.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            adam.step()

    return run


def ours(states: Tensor, actions: Tensor) -> Callable[[int], None]:
    """`BCAgent.fit`."""
    agent = BCAgent({"state_dim": STATES, "action_dim": ACTIONS, "hidden_dims": (256, 256), "batch_size": BATCH})
    agent.take_in(states.numpy())
    return lambda updates: agent.fit(states.numpy(), actions.numpy(), updates) and None


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--updates", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    states = torch.from_numpy(rng.normal(size=(STEPS, STATES)).astype(np.float32))
    actions = torch.from_numpy(rng.integers(0, ACTIONS, STEPS))
    both = {"library": library(states, actions), "ours": ours(states, actions)}
    speeds: dict[str, list[float]] = {name: [] for name in both}
    for turn in range(args.repeats + 1):
        for name, run in both.items():
            began = time.process_time()
            run(args.updates)
            if turn:
                speeds[name].append(args.updates / (time.process_time() - began))
    found = {name: statistics.median(values) for name, values in speeds.items()}
    for name, speed in found.items():
        print(f"{name}: {speed:.0f} updates per CPU second ({min(speeds[name]):.0f} to {max(speeds[name]):.0f})")
    each = [a / b for a, b in zip(speeds["ours"], speeds["library"], strict=True)]
    print(f"ratio {statistics.median(each):.2f} ({min(each):.2f} to {max(each):.2f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
