"""MEGA-DAgger by world models: the expert is asked where a short plan leaves what the models know."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from mfmarl.errors import UserError
from mfmarl.imitation.demonstrations import Demonstrations
from mfmarl.imitation.interactive import Choice, InteractiveAgent, InteractiveConfig, Steps
from mfmarl.imitation.mega_dagger.planning import Score, Unsafe, checked_plan, imagined
from mfmarl.imitation.mega_dagger.world import EnsembleWorld, World, WorldConfig
from mfmarl.imitation.result import generator
from mfmarl.imitation.rollout import Act, MakeEnv
from mfmarl.imitation.settings import checked
from mfmarl.runs.sealed import Arrays
from mfmarl.seeding import stream


class MEGADAggerConfig(InteractiveConfig):
    """Settings of model-based MEGA-DAgger."""

    form: Literal["model_based"] = Field("model_based", description="which of the three methods of this name")
    tau: float = Field(
        0.02, ge=0, allow_inf_nan=True,
        description="largest u, in variances of the state's change, that is not asked about; inf never asks",
    )  # fmt: skip
    kappa: float = Field(1.0, ge=0, description="what u costs a plan")
    horizon: int = Field(3, ge=1, description="steps of a plan")
    candidates: int = Field(8, ge=1, description="plans of a state")
    spread: float = Field(0.1, ge=0, le=1, description="of candidates about what the learner would do")
    imagined: int = Field(0, ge=0, description="imagined states labelled after a round, each of them a query")
    world: WorldConfig = Field(default_factory=WorldConfig, description="the ensemble of models")


class MEGADAggerAgent(InteractiveAgent[MEGADAggerConfig]):
    """The learner acts where its plan is known and safe; elsewhere the expert is asked, and acts, and is learnt from.

    World models see the expert's steps alone, so u says how far a state and what the learner would do there are from
    what the expert has shown, not from where the learner has been.
    """

    kind = "MEGADAggerAgent"
    config_type = MEGADAggerConfig

    def __init__(
        self,
        config: MEGADAggerConfig | Mapping[str, Any],
        env: str | MakeEnv | None = None,
        expert: Act | None = None,
        demonstrations: Demonstrations | None = None,
        seed: int = 0,
        *,
        score: Score | None = None,
        unsafe: Unsafe | None = None,
        world: World | None = None,
    ) -> None:
        """As `InteractiveAgent`, and:

        Args:
            score: what a step is worth, by which plans are chosen; nothing where not given.
            unsafe: states that must not be entered; none where not given.
            world: in place of the ensemble, as `FeatureWorld`.
        """
        super().__init__(checked(MEGADAggerConfig, config), env, expert, demonstrations, seed)
        self.score, self.unsafe = score, unsafe
        if world is None:
            world = EnsembleWorld(self.spaces, self.config.world, stream(seed, "world"), self.learner.batches)
        self.world = world
        rows = np.empty((0, self.spaces.state_dim), np.float32)
        self.told = (rows, self.labels[:0], rows)
        """States, the expert's actions and what followed them: [m, D], [m] or [m, A], [m, D]."""
        if demonstrations is not None:
            steps = demonstrations.transitions
            self._model(steps.states, steps.actions, steps.next_states)

    def choose(self, states: NDArray[np.float32]) -> Choice:
        """The learner, where its plan is known and safe."""
        own = self.config
        actions = self.act(states)
        plan = checked_plan(
            self.world,
            self.policy,
            torch.from_numpy(states),
            torch.from_numpy(actions),
            generator(int(self.draws.integers(2**62))),
            horizon=own.horizon,
            candidates=own.candidates,
            spread=own.spread,
            kappa=own.kappa,
            score=self.score,
            unsafe=self.unsafe,
        )
        # a model that has diverged says NaN, of which nothing is known
        asked = (~(plan.uncertainty <= own.tau) | plan.unsafe).numpy()
        labels = np.zeros_like(actions)
        if asked.any():
            labels[asked] = self.ask(states[asked])
            actions[asked] = labels[asked]
        return Choice(actions, asked, labels)

    def learn(self, steps: Steps) -> dict[str, float]:
        """Refit models and learner where the expert was asked, and label what is imagined within what is known."""
        told = steps[steps.asked]
        if not len(told.states):
            return {}
        figures = self._model(told.states, told.labels, told.next_states)
        states, labels = told.states, told.labels
        if self.config.imagined and math.isfinite(self.config.tau):
            found = self._imagined()
            if len(found):
                states, labels = np.concatenate([states, found]), np.concatenate([labels, self.ask(found)])
        return figures | self.update(states, labels)

    def _model(
        self, states: NDArray[np.float32], actions: NDArray[Any], next_states: NDArray[np.float32]
    ) -> dict[str, float]:
        before, done, after = self.told
        self.told = (
            np.concatenate([before, states]),
            np.concatenate([done, actions]),
            np.concatenate([after, next_states]),
        )
        return self.world.fit(*self.told)

    def _imagined(self) -> NDArray[np.float32]:
        """Some states within what is known, that the learner would come to from labelled ones."""
        number, draws = self.config.imagined, self.draws
        starts = torch.from_numpy(self.told[0][draws.integers(len(self.told[0]), size=number)])
        found: NDArray[np.float32] = imagined(
            self.world, self.policy, starts, self.config.horizon, self.config.tau
        ).numpy()
        return found[draws.permutation(len(found))[:number]]

    def words(self) -> dict[str, Any]:
        """Also what the models are."""
        return {**super().words(), "world": type(self.world).__name__}

    def check_saved(self, words: Mapping[str, Any], folder: Path) -> None:
        """Raises:
        UserError: for models of another kind.
        """
        own, saved = type(self.world).__name__, words.get("world", EnsembleWorld.__name__)
        if own != saved:
            raise UserError(f"{folder} was saved with the world {saved}, not {own}: give load(..., world=...)")

    def arrays(self) -> Arrays:
        """Also the models and what they have seen."""
        states, actions, next_states = self.told
        told = {"told_states": states, "told_actions": actions, "told_next_states": next_states}
        return {**super().arrays(), **self.world.arrays(), **told}

    def load_arrays(self, arrays: Arrays) -> None:
        """What `arrays` gave."""
        super().load_arrays(arrays)
        self.world.load_arrays(arrays)
        self.told = (arrays["told_states"], arrays["told_actions"], arrays["told_next_states"])
