"""The commands `mfmarl imitate magail-coordination` and `mfmarl imitate magail-zero-sum`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import ValidationError
from tyro.conf import FlagCreatePairsOff

from mfmarl.arguments import given, line, number, teller, whole_number
from mfmarl.errors import UserError
from mfmarl.model_text import one_line
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
        """Train, or go on; print the table and the folder's files."""
        if self.show and self.no_show:
            raise UserError("--show opens windows, --no-show does not; leave one out")
        settings = self._settings()
        folder = study_folder(self.outdir, self.tag)
        there = load(JOBS, "coordination standing")(folder, settings)
        files = load(JOBS, "coordination files")(folder, self.save)
        if self.show:
            load(JOBS, "screen")()
        if there is not None and all(path.exists() for path in files):
            line(f"magail-coordination: done before, in {folder}; --tag NAME keeps another beside it")
            found = there
        else:
            runs = f"{len(settings.betas)} betas x {len(settings.seeds)} seeds x {settings.epochs:,} epochs"
            # the results are there from the start
            goes_on = ", where it was begun" if files[0].exists() else ""
            line(f"magail-coordination: expert {settings.expert_type}, {runs}, into {folder}{goes_on}")
            tell = teller(5.0)
            found = load(JOBS, "coordination study")(folder, settings, save=self.save, told=tell)
            tell("")
        load(JOBS, "coordination table")(found)
        for path in files:
            print(path)
        if self.show:
            load(JOBS, "windows")([path for path in files if path.suffix == ".png"])
        return 0

    def _settings(self) -> CoordinationSettings:
        whole = ("epochs", "rollout_episodes", "eval_episodes", "batch_size", "collect_every")
        given = {
            "expert_type": self.expert_type,
            "betas": [number("--betas", text) for text in self.betas],
            "seeds": [whole_number("--seeds", text, 0) for text in self.seeds],
            "reward_style": self.reward_style,
            "policy_init_uniform": self.policy_init_uniform,
            **{name: whole_number(_flag_of(name), getattr(self, name), 1) for name in whole},
            **{name: number(_flag_of(name), getattr(self, name)) for name in ("lr_policy", "lr_disc")},
        }
        model = load(JOBS, "coordination settings")
        try:
            found: CoordinationSettings = model.model_validate(given)
        except ValidationError as error:
            where: dict[tuple[str, ...], str] = {(name,): _flag_of(name) for name in given}
            raise UserError(one_line(error, where, "magail-coordination", model)) from None
        return found


def study_folder(outdir: Path, tag: str | None) -> Path:
    """OUTDIR, or OUTDIR/TAG.

    Raises:
        UserError: for a tag that is no plain name of a folder.
    """
    if tag is None:
        return outdir
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}", tag):
        raise UserError(f"--tag: got {tag!r}; want a name of up to 100 letters, digits, and . _ + - within it")
    return outdir / tag


def _flag_of(name: str) -> str:
    return f"--{name.replace('_', '-')}"


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
    policy_init_uniform: _Flag = False
    """Policies begin uniform, not beside it."""
    collect_every: Annotated[str, given("N", "10")] = "10"
    """Epochs between two records."""
    outdir: Annotated[Path, given("DIR", "imitations/magail-zero-sum")] = Path("imitations/magail-zero-sum")
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
        """Train, or go on; print the tables and the folder's files."""
        if self.show and self.no_show:
            raise UserError("--show opens windows, --no-show does not; leave one out")
        settings = self._settings()
        folder = study_folder(self.outdir, self.tag)
        there = load(JOBS, "zero-sum standing")(folder, "magail-zero-sum", settings.model_dump(mode="json"))
        files = load(JOBS, "zero-sum files")(folder, self.save)
        if self.show:
            load(JOBS, "screen")()
        if there is not None and there["complete"] and all(path.exists() for path in files):
            line(f"magail-zero-sum: done before, in {folder}; --tag NAME keeps another beside it")
            found = there
        else:
            runs = f"{len(settings.seeds)} seed{'s' * (len(settings.seeds) > 1)} x {settings.epochs:,} epochs"
            goes_on = "" if there is None else ", where it was begun"
            line(f"magail-zero-sum: {runs}, into {folder}{goes_on}")
            tell = teller(5.0)
            found = load(JOBS, "zero-sum study")(folder, settings, save=self.save, told=tell)
            tell("")
        load(JOBS, "zero-sum tables")(found)
        for path in files:
            print(path)
        if self.show:
            load(JOBS, "windows")([path for path in files if path.suffix == ".png"])
        return 0

    def _settings(self) -> ZeroSumSettings:
        whole = ("expert_action", "expert_total", "epochs", "rollout_episodes", "batch_size", "collect_every")
        given = {
            **{name: whole_number(_flag_of(name), getattr(self, name), 0) for name in whole},
            **{name: number(_flag_of(name), getattr(self, name)) for name in ("beta", "gamma", "lr_policy", "lr_disc")},
            "seeds": [whole_number("--seeds", text, 0) for text in self.seeds],
            "bc_seeds": None
            if self.bc_seeds is None
            else [whole_number("--bc-seeds", text, 0) for text in self.bc_seeds],
            "reward_style": self.reward_style,
            "discriminator": self.discriminator,
            "policy_init_uniform": self.policy_init_uniform,
        }
        model = load(JOBS, "zero-sum settings")
        try:
            found: ZeroSumSettings = model.model_validate(given)
        except ValidationError as error:
            where: dict[tuple[str, ...], str] = {(name,): _flag_of(name) for name in given}
            raise UserError(one_line(error, where, "magail-zero-sum", model)) from None
        return found
