"""The command `mfmarl imitate magail-market`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import FlagCreatePairsOff, UseAppendAction

from mfmarl.arguments import GivenText, given, number, teller, whole_number
from mfmarl.errors import UserError
from mfmarl.magail_commands import study_folder
from mfmarl.registry import JOBS, load

if TYPE_CHECKING:
    from mfmarl.imitation.magail.market_settings import MarketMAGAILConfig

_Flag = Annotated[bool, FlagCreatePairsOff, given()]


@dataclass(frozen=True)
class MagailMarket:
    """Imitate a whole profile of the inventory market by MAGAIL, all types together, and audit what comes of it.

    Each seed has demonstrations of its own. Behavioural cloning of every type on the same ones, and the demonstrated
    profile itself, are audited beside it: best-response gaps by type, NashConv and the Nash imitation gap. The folder
    gets results.json, gaps.csv, orders.csv and figures; a study that was interrupted goes on by the same command, and
    one that is done takes more seeds.

    Examples:
      mfmarl imitate magail-market
      mfmarl imitate magail-market --episodes 8 --seeds 0 1 2 --discriminator centralised --outdir centralised
      mfmarl imitate magail-market --env inventory/market-easy,num_agents=15,jitter=0,horizon=12 --iterations 20
    """

    env: Annotated[str, given("GAME[,option=value...]")] = "inventory/market-easy,num_agents=30,jitter=0"
    """The market; all of its types learn."""
    profile: Annotated[str, given("NAME", "equilibrium")] = "equilibrium"
    """Who is imitated: a reference policy that is a profile of the exact mean field."""
    episodes: Annotated[str, given("E", "2")] = "2"
    """Episodes of the whole game that are demonstrated, by every agent."""
    seeds: Annotated[tuple[str, ...], given("S", "0 1 2 3 4")] = ("0", "1", "2", "3", "4")
    """Roots of all random streams."""
    iterations: Annotated[str, given("N", "30")] = "30"
    """Rounds of MAGAIL, each an episode of every copy."""
    discriminator: Annotated[str, given("decentralised|centralised", "decentralised")] = "decentralised"
    """What discriminators see: own observation and action; centralised adds the mean action of every type."""
    reward_style: Annotated[str, given("non_saturating|gail|airl", "airl")] = "airl"
    """log D, -log(1-D), or both."""
    beta: Annotated[str, given("B", "0")] = "0"
    """Weight of the entropy bonus."""
    bc_start: Annotated[str, given("N", "2000")] = "2000"
    """Gradient steps of behavioural cloning that policies start from; 0 for none."""
    set: Annotated[UseAppendAction[tuple[str, ...]], given("KEY=VALUE [KEY=VALUE ...]")] = ()
    """Other settings, e.g. --set policy_lr=0.003 copies=16: those of mfmarl/imitation/magail/market_settings.py."""
    by: Annotated[str, given("exact,bound", "exact")] = "exact"
    """Ways of the audit."""
    outdir: Annotated[Path, given("DIR", "imitations/magail-market")] = Path("imitations/magail-market")
    """Folder of results and figures."""
    tag: Annotated[GivenText, given("TAG")] = None
    """Results go into OUTDIR/TAG."""
    verbose: _Flag = False
    """Show where an error arose."""

    def run(self) -> int:
        """Imitate, audit, print means over seeds and the paths."""
        from mfmarl.imitation.magail.market_settings import check_ways

        config = self._config()
        ways = tuple(part.strip() for part in self.by.split(","))
        check_ways(ways, "--by")
        asked = {
            "profile": self.profile, "episodes": whole_number("--episodes", self.episodes, 1, 10_000),
            "seeds": self._each_once(),
            "iterations": whole_number("--iterations", self.iterations, 1, 10**6), "config": config, "by": ways,
            "out": study_folder(self.outdir, self.tag),
        }  # fmt: skip
        # torch comes with it: after flags, so that a mistake in them is told at once
        for path in load(JOBS, "magail market")(self.env, **asked, told=teller()):
            print(path)
        return 0

    def _config(self) -> MarketMAGAILConfig:
        from mfmarl.config import parse_set
        from mfmarl.imitation.magail.market_settings import MarketMAGAILConfig
        from mfmarl.imitation.settings import checked

        config: dict[str, Any] = {
            "discriminator": self.discriminator, "reward_style": self.reward_style, "beta": number("--beta", self.beta),
            "bc_start": whole_number("--bc-start", self.bc_start, 0, 10**7),
        }  # fmt: skip
        where: dict[tuple[str, ...], str] = {(name,): f"--{name.replace('_', '-')}" for name in config}
        for text in self.set:
            key, value = parse_set(text)
            config[key], where[key,] = value, f"--set {text}"
        return checked(MarketMAGAILConfig, config, where)

    def _each_once(self) -> tuple[int, ...]:
        seeds = tuple(whole_number("--seeds", seed, 0) for seed in self.seeds)
        if twice := [seed for i, seed in enumerate(seeds) if seed in seeds[:i]]:
            raise UserError(f"--seeds: want each once, and {twice[0]} stands twice")
        return seeds
