"""The commands `mfmarl imitate magail-coordination` and `mfmarl imitate magail-zero-sum`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff

from mfmarl.arguments import given
from mfmarl.errors import UserError

_Flag = Annotated[bool, FlagCreatePairsOff, given()]


@dataclass(frozen=True)
class MagailCoordination:
    """Imitate an expert of the coordination game by MAGAIL, for each entropy bonus and seed, and show what comes of it.

    Examples:
      mfmarl imitate magail-coordination
      mfmarl imitate magail-coordination --expert_type asymmetric --betas 0 .1 --seeds 1 2 3 --outdir out --tag asym
    """

    expert_type: Annotated[str, given("mixed|bimodal|asymmetric|noisy|all_AA", "bimodal")] = "bimodal"
    """Who is imitated."""
    betas: Annotated[tuple[str, ...], given("BETA", "0 .1 .5 1 5")] = ("0", ".1", ".5", "1", "5")
    """Weights of the entropy bonus."""
    seeds: Annotated[tuple[str, ...], given("S", "42 123 456 789 999")] = ("42", "123", "456", "789", "999")
    """Roots of all random streams, a run each for every beta."""
    epochs: Annotated[str, given("N", "400")] = "400"
    """Steps of the discriminator and of the policies."""
    rollout_episodes: Annotated[str, given("N", "200")] = "200"
    """Rollouts an epoch."""
    eval_episodes: Annotated[str, given("N", "5000")] = "5000"
    """Episodes that the last policies play."""
    lr_policy: Annotated[str, given("RATE", ".01")] = ".01"
    """Adam's rate of the policies."""
    lr_disc: Annotated[str, given("RATE", ".01")] = ".01"
    """Adam's rate of the discriminator."""
    reward_style: Annotated[str, given("non_saturating|gail|airl", "non_saturating")] = "non_saturating"
    """log D, -log(1-D), or both."""
    policy_init_uniform: _Flag = False
    """Policies begin at 1/2, not beside it."""
    batch_size: Annotated[str, given("N", "64")] = "64"
    """Joint actions of the expert, and of the learners, a step."""
    collect_every: Annotated[str, given("N", "10")] = "10"
    """Epochs between two records."""
    outdir: Annotated[Path, given("DIR", "imitations/magail-coordination")] = Path("imitations/magail-coordination")
    """Folder of results and figures."""
    tag: Annotated[str | None, given("TAG")] = None
    """Results go into OUTDIR/TAG."""
    save: _Flag = False
    """Also keep the tables of every record (tables.safetensors), and figures as SVG."""
    show: _Flag = False
    """Open the figures in windows at the end."""
    no_show: _Flag = False
    """Do not, which is so anyway."""
    verbose: _Flag = False
    """Show where an error arose."""

    def run(self) -> int:
        """Train, and write results and figures."""
        raise UserError("not there yet")


@dataclass(frozen=True)
class MagailZeroSum:
    """Imitate an expert of the zero-sum game by MAGAIL and behavioural cloning, and measure how each can be exploited.

    Examples:
      mfmarl imitate magail-zero-sum
    """

    verbose: _Flag = False
    """Show where an error arose."""

    def run(self) -> int:
        """Train, and write results and figures."""
        raise UserError("not there yet")
