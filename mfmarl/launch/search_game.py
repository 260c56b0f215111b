"""The game of a search: that it can be played, and is measured by what scores are made of."""

from __future__ import annotations

from mfmarl.errors import UserError
from mfmarl.launch.search_config import Search
from mfmarl.registry import suggestion
from mfmarl.subject import options_in
from mfmarl.trainer import make_env, network_shape
from mfmarl.yardstick import yardstick_of


def check_game(search: Search) -> None:
    """Make the game of the space's first point, before any trial is begun.

    Raises:
        UserError: names the file and what cannot be played, measured or split.
    """
    first = {key: domain.ends[0] for key, domain in search.space.items()}
    config = search.run_config(first, search.config.seeds[0])
    try:
        env = make_env(config, num_envs=1)
        if not config.is_baseline:
            network_shape(config, env)
        options_in(config.env, config.env_options, search.config.evaluation.split)
    except ValueError as error:
        raise UserError(f"{search.path}: {error}") from None
    metric, known = search.config.metric, yardstick_of(env).metrics
    if metric not in known:
        raise UserError(
            f"{search.path}: metric: got {metric!r}; {config.env} is measured by {', '.join(known)}"
            f"{suggestion(metric, known)}"
        )
