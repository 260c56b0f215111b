"""Points of a search by Ray Tune's OptunaSearch (Optuna's tree-structured Parzen estimator)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import optuna
from ray.tune.search.optuna import OptunaSearch

from mfmarl.launch.search_config import Choices, Domain, Floats, Point
from mfmarl.seeding import stream

SCORE = "score"


class OptunaSampler:
    """Suggests points and learns from their scores.

    Its own state is not kept: a search that goes on tells a new sampler what its folder knows. The draws of that one
    are others than those before (`known`), else it would suggest the same points again.
    """

    def __init__(self, space: Mapping[str, Domain], mode: str, seed: int, known: int) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._space = dict(space)
        self._search = OptunaSearch(
            space={key: _distribution(domain) for key, domain in space.items()},
            metric=SCORE,
            mode=mode,
            seed=stream(seed, "search", known) % 2**32,
        )
        self._asked = 0

    def ask(self) -> tuple[str, Point]:
        """A point, and the name under which it is told of."""
        self._asked += 1
        name = str(self._asked)
        drawn = self._search.suggest(name)
        return name, {key: _value(domain, drawn[key]) for key, domain in self._space.items()}

    def tell(self, name: str, score: float | None) -> None:
        """What a suggested point was worth; None where it failed."""
        result = None if score is None else {SCORE: score}
        self._search.on_trial_complete(name, result, error=score is None)

    def known(self, point: Point, score: float) -> None:
        """What a point was worth that was not suggested by this sampler."""
        told = {key: json.dumps(v) if isinstance(self._space[key], Choices) else v for key, v in point.items()}
        self._search.add_evaluated_point(told, score)


def _distribution(domain: Domain) -> Any:
    if isinstance(domain, Choices):
        # Optuna takes numbers and words only; a choice may be a list
        return optuna.distributions.CategoricalDistribution([json.dumps(value) for value in domain.values])
    if isinstance(domain, Floats):
        return optuna.distributions.FloatDistribution(domain.low, domain.high, log=domain.log)
    return optuna.distributions.IntDistribution(*domain.ends, log=domain.log, step=domain.step)


def _value(domain: Domain, drawn: Any) -> Any:
    return json.loads(drawn) if isinstance(domain, Choices) else drawn
