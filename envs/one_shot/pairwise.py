"""Two-player games played against everyone else at once: the payoff is the mean over the others."""

from __future__ import annotations

import numpy as np

from envs.one_shot.rules import AnonymousRules, Doubles


class PairwiseRules(AnonymousRules):
    """u(a) = mean over the others j of matrix[a, a_j], for agents of one type."""

    def __init__(self, num_agents: int, type_name: str, matrix: Doubles) -> None:
        """`matrix` is [A, A]: own action, the other's action; in $."""
        super().__init__(num_agents, [type_name])
        self.matrix = matrix
        self.num_actions = matrix.shape[0]

    def payoffs(self, counts: Doubles) -> Doubles:
        """(matrix counts - the agent's own place in them) / (N - 1)."""
        against_all = counts @ self.matrix.T - np.diagonal(self.matrix)
        return against_all[..., None, :] / (self.num_agents - 1)
