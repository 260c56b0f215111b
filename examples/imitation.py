"""Imitating a rule that balances CartPole's pole, and a walk over a frozen lake, by functions.

    python examples/imitation.py

`mfmarl demonstrate` and `mfmarl imitate` do the same into files (docs/imitation.md).
"""

from __future__ import annotations

import numpy as np

from mfmarl.imitation import BCAgent, DAggerAgent, Demonstrations, MaxEntIRLAgent
from mfmarl.imitation.expert_names import expert_of
from mfmarl.imitation.rollout import Act, episodes, spaces_of
from mfmarl.imitation.settings import of_spaces

POLE, LAKE = "CartPole-v1", "FrozenLake-v1"


def returned(env: str, act: Act, number: int = 20) -> float:
    """The mean return of some episodes."""
    return float(np.mean([one.rewards.sum() for one in episodes(env, act, number, seed=1)]))


def main() -> None:
    """Print what experts and imitators return, and what the imitators asked for."""
    rule, spaces = expert_of("cartpole", POLE, seed=0), spaces_of(POLE)
    shown = Demonstrations.from_episodes(episodes(POLE, rule, 1, seed=0), spaces, POLE)
    settings = {**of_spaces(spaces), "hidden_dims": (64, 64), "learning_rate": 3e-3}
    print(f"the rule                  {returned(POLE, rule):6.1f}")
    cloned = BCAgent(settings, shown).train(updates=300)
    print(f"BC, {cloned.counts.demonstrations} steps shown       {returned(POLE, cloned.policy.act):6.1f}")
    asking = DAggerAgent({**settings, "rollout": 100, "updates": 100}, POLE, rule)
    asked = asking.train(interactions=500)
    print(f"DAgger, {asked.counts.queries} states asked   {returned(POLE, asked.policy.act):6.1f}")
    best, spaces = expert_of("optimal", LAKE, seed=0), spaces_of(LAKE)
    crossed = Demonstrations.from_episodes(episodes(LAKE, best, 100, seed=0), spaces, LAKE)
    agent = MaxEntIRLAgent(of_spaces(spaces), LAKE, crossed)
    found = agent.train(updates=20)
    print(f"the best walk             {returned(LAKE, best, 100):6.2f}")
    print(f"MaxEnt IRL, 100 walks     {returned(LAKE, found.policy.act, 100):6.2f}")
    goal, holes = agent.reward[15, 0], agent.reward[[5, 7, 11, 12], 0].max()
    print(f"its reward of the goal is {goal - holes:.1f} above that of the best hole")


if __name__ == "__main__":
    main()
