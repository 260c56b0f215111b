"""The commands `mfmarl imitate magail-coordination` and `mfmarl imitate magail-zero-sum`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import FlagCreatePairsOff

from mfmarl.arguments import GivenText, flag_of, given, line, number, teller, whole_number
from mfmarl.errors import UserError
from mfmarl.registry import JOBS, load

if TYPE_CHECKING:
    from mfmarl.imitation.magail.coordination_settings import CoordinationSettings
    from mfmarl.imitation.magail.zero_sum_settings import ZeroSumSettings

_Flag = Annotated[bool, FlagCreatePairsOff, given()]


@dataclass(frozen=True)
class MagailCoordination:
    """Imitate an expert of the coordination game by MAGAIL, for each entropy bonus and seed, and show what comes of it.

    Examples:
      mfmarl imitate magail-coordination
      mfmarl imitate magail-coordination --expert_type asymmetric --betas 0 .1 --seeds 1 2 3 --outdir out --tag asym
      mfmarl imitate magail-coordination --signals 2 --epochs 2000 --tag signals
      mfmarl imitate magail-coordination --hidden 32 32 --tag perceptrons
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
    discriminator: Annotated[str, given("single|centralised|decentralised", "single")] = "single"
    """One D(s, a_1, a_2); one of them an agent; or D_i(s, a_i)."""
    signals: Annotated[str, given("Z", "1: none")] = "1"
    """Values of a signal that the agents share, drawn once an episode."""
    hidden: Annotated[tuple[str, ...], given("WIDTH", "none: tables")] = ()
    """Policies and discriminators are perceptrons with hidden layers of these widths."""
    lowest_logit: Annotated[GivenText, given("D", "not bounded")] = None
    """The discriminators' logits are not below this."""
    policy_init_uniform: _Flag = False
    """Policies begin at 1/2, not beside it."""
    batch_size: Annotated[str, given("N", "64")] = "64"
    """Joint actions of the expert, and of the learners, a step."""
    collect_every: Annotated[str, given("N", "10")] = "10"
    """Epochs between two records."""
    outdir: Annotated[Path, given("DIR", "imitations/magail-coordination")] = Path("imitations/magail-coordination")
    """Folder of results and figures."""
    tag: Annotated[GivenText, given("TAG")] = None
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
        """Train, or go on; print the table and the folder's files."""
        settings = self._settings()
        betas, seeds = _several(settings.betas, "beta"), _several(settings.seeds, "seed")
        runs = f"{betas} x {seeds} x {settings.epochs:,} epochs"
        return _into(self, "coordination", settings, f"expert {settings.expert_type}, {runs}")

    def _settings(self) -> CoordinationSettings:
        whole = ("epochs", "rollout_episodes", "eval_episodes", "batch_size", "collect_every", "signals")
        given = {
            "expert_type": self.expert_type,
            "betas": [number("--betas", text) for text in self.betas],
            "seeds": [whole_number("--seeds", text, 0) for text in self.seeds],
            **_learning(self),
            **{name: whole_number(flag_of(name), getattr(self, name), 1) for name in whole},
        }
        found: CoordinationSettings = _checked("coordination", given)
        return found


def study_folder(outdir: Path, tag: str | None) -> Path:
    """OUTDIR, or OUTDIR/TAG.

    Raises:
        UserError: for a tag that is no plain name of a folder, and the working folder itself.
    """
    if str(outdir) in ("", "."):
        raise UserError("--outdir is this folder itself; want one of the study's own")
    if tag is None:
        return outdir
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}", tag):
        raise UserError(f"--tag: got {tag!r}; want a name of up to 100 letters, digits, and . _ + - within it")
    return outdir / tag


@dataclass(frozen=True)
class MagailZeroSum:
    """Imitate an expert of the zero-sum game by MAGAIL and behavioural cloning, and measure how each can be exploited.

    The expert never comes to s1, where that is decided; also printed is what its occupancy leaves open. OUTDIR gets
    results.json, curves.csv, history.csv, identifiability.csv and figures. The same command goes on with a study that
    was killed.

    Examples:
      mfmarl imitate magail-zero-sum
      mfmarl imitate magail-zero-sum --discriminator decentralised --seeds 1 2 3 4 5 --tag decentralised
    """

    expert_action: Annotated[str, given("0|1|2", "2")] = "2"
    """What both experts always play."""
    expert_total: Annotated[str, given("N", "1000")] = "1000"
    """Demonstrated steps that a seed has."""
    seeds: Annotated[tuple[str, ...], given("S", "42 123 456")] = ("42", "123", "456")
    """Roots of MAGAIL's random streams, each with demonstrations of its own."""
    bc_seeds: Annotated[tuple[str, ...] | None, given("S", "those of --seeds")] = None
    """Roots of the demonstrations that are cloned."""
    epochs: Annotated[str, given("N", "1000")] = "1000"
    """Steps of the discriminator and of the policies."""
    rollout_episodes: Annotated[str, given("N", "200")] = "200"
    """Rollouts an epoch, of Geometric(1 - gamma) lengths."""
    batch_size: Annotated[str, given("N", "128")] = "128"
    """Steps of the expert, and of the learners, an epoch."""
    beta: Annotated[str, given("BETA", "0")] = "0"
    """Weight of the entropy bonus."""
    gamma: Annotated[str, given("G", ".9")] = ".9"
    """Discount."""
    lr_policy: Annotated[str, given("RATE", ".01")] = ".01"
    """Adam's rate of the policies."""
    lr_disc: Annotated[str, given("RATE", ".01")] = ".01"
    """Adam's rate of the discriminator."""
    reward_style: Annotated[str, given("non_saturating|gail|airl", "non_saturating")] = "non_saturating"
    """log D, -log(1-D), or both."""
    discriminator: Annotated[str, given("single|centralised|decentralised", "single")] = "single"
    """One D(s, a_1, a_2); one of them an agent; or D_i(s, a_i)."""
    hidden: Annotated[tuple[str, ...], given("WIDTH", "none: tables")] = ()
    """Policies and discriminators are perceptrons with hidden layers of these widths."""
    lowest_logit: Annotated[GivenText, given("D", "not bounded")] = None
    """The discriminators' logits are not below this."""
    policy_init_uniform: _Flag = False
    """Policies begin uniform, not beside it."""
    collect_every: Annotated[str, given("N", "10")] = "10"
    """Epochs between two records."""
    outdir: Annotated[Path, given("DIR", "imitations/magail-zero-sum")] = Path("imitations/magail-zero-sum")
    """Folder of results and figures."""
    tag: Annotated[GivenText, given("TAG")] = None
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
        """Train, or go on; print the tables and the folder's files."""
        settings = self._settings()
        return _into(self, "zero-sum", settings, f"{_several(settings.seeds, 'seed')} x {settings.epochs:,} epochs")

    def _settings(self) -> ZeroSumSettings:
        whole = ("expert_action", "expert_total", "epochs", "rollout_episodes", "batch_size", "collect_every")
        given = {
            **{name: whole_number(flag_of(name), getattr(self, name), 0) for name in whole},
            **{name: number(flag_of(name), getattr(self, name)) for name in ("beta", "gamma")},
            "seeds": [whole_number("--seeds", text, 0) for text in self.seeds],
            "bc_seeds": None
            if self.bc_seeds is None
            else [whole_number("--bc-seeds", text, 0) for text in self.bc_seeds],
            **_learning(self),
        }
        found: ZeroSumSettings = _checked("zero-sum", given)
        return found


def _several(values: Sequence[float], what: str) -> str:
    return f"{len(values)} {what}{'s' * (len(values) > 1)}"


def _learning(asked: MagailCoordination | MagailZeroSum) -> dict[str, Any]:
    """Settings of both studies."""
    low = asked.lowest_logit
    return {
        "lr_policy": number("--lr-policy", asked.lr_policy),
        "lr_disc": number("--lr-disc", asked.lr_disc),
        "reward_style": asked.reward_style,
        "discriminator": asked.discriminator,
        "hidden": [whole_number("--hidden", text, 1) for text in asked.hidden],
        "lowest_logit": None if low is None else number("--lowest-logit", low),
        "policy_init_uniform": asked.policy_init_uniform,
    }


def _checked(study: str, given: dict[str, Any]) -> Any:
    from pydantic import ValidationError

    from mfmarl.model_text import one_line

    model = load(JOBS, f"{study} settings")
    try:
        return model.model_validate(given)
    except ValidationError as error:
        where: dict[tuple[str, ...], str] = {(name,): flag_of(name) for name in given}
        raise UserError(one_line(error, where, f"magail-{study}", model)) from None


def _into(asked: MagailCoordination | MagailZeroSum, study: str, settings: Any, runs: str) -> int:
    """Train, or go on, or say that it is done; print the tables and the folder's files."""
    if asked.show and asked.no_show:
        raise UserError("--show opens windows, --no-show does not; leave one out")
    folder = study_folder(asked.outdir, asked.tag)
    there = load(JOBS, f"{study} standing")(folder, settings)
    files = load(JOBS, f"{study} files")(folder, asked.save)
    if asked.show:
        load(JOBS, "screen")()
    if there is not None and all(path.exists() for path in files):
        line(f"magail-{study}: done before, in {folder}; --tag NAME keeps another beside it")
    else:
        # results.json is there from the start
        line(f"magail-{study}: {runs}, into {folder}{', where it was begun' * files[0].exists()}")
        tell = teller(5.0)
        there = load(JOBS, f"{study} study")(folder, settings, save=asked.save, told=tell)
        tell("")
    load(JOBS, f"{study} table")(there)
    for path in files:
        print(path)
    if asked.show:
        load(JOBS, "windows")([path for path in files if path.suffix == ".png"])
    return 0
