"""What is exact about small Markov games: values, gaps, what an expert's play leaves open, a game of one's own.

    python examples/markov_games.py [GAME.yaml]

With a file it tells of that game instead; docs/markov_games.md says what it holds.
"""

from __future__ import annotations

import sys

import numpy as np

from envs.markov import BadGame, MarkovGame, coordination, identifiability, play, read_game, zero_sum
from envs.markov.experts import coordination_joint, zero_sum_policies

UNSEEN = {"uniform": [1 / 3, 1 / 3, 1 / 3], "first action": [1, 0, 0], "as seen": [0, 0, 1]}
"""What a clone may play in states that the expert never visits."""


def tell(game: MarkovGame) -> None:
    """Print what uniform play is worth, exactly and in episodes."""
    uniform = game.uniform_policies()
    played = play(game, game.joint_policy(uniform), 1000, np.random.default_rng(0))
    told = ", ".join(f"{value:.4f} (played {mean:.4f})" for value, mean in zip(
        game.values(uniform), played.returns(game).mean(0), strict=True
    ))  # fmt: skip
    print(f"{game.name}: uniform play is worth {told}, NashConv {float(game.nash_conv(uniform)):.4f}")


def main() -> None:
    """Print a line for each thing that is worked out."""
    if len(sys.argv) > 1:
        try:
            tell(read_game(sys.argv[1]))
        except BadGame as error:
            sys.exit(str(error))
        return
    game = zero_sum()
    tell(game)
    expert = zero_sum_policies(game)
    found = identifiability(game, game.occupancy(expert).joint)
    print(found)
    for name, row in UNSEEN.items():
        clone = [np.where(found.visited[:, None], policy, np.array(row)) for policy in expert]
        print(f"clone, {name} where nothing was seen: exploitability {float(game.exploitability(clone)):.4f}")
    bimodal = coordination_joint("bimodal")
    told = identifiability(coordination(), bimodal)
    print(
        f"bimodal expert: {told.independent:.2f} from independent play, CCE gap {coordination().cce_gap(bimodal):.2f}"
    )


if __name__ == "__main__":
    main()
