"""The command `mfmarl demonstrate`."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import Annotated

from tyro.conf import FlagCreatePairsOff

from mfmarl.arguments import GivenPath, GivenText, given, line, number, teller, whole_number
from mfmarl.errors import UserError
from mfmarl.registry import JOBS, load


@dataclass(frozen=True)
class Demonstrate:
    """Record episodes of an expert as demonstrations: an npz file, a Minari data set, or both.

    Experts: cartpole, acrobot and pendulum (written rules), optimal (where transitions are a table, as those of
    FrozenLake-v1), random, the folder of a saved imitator (its likeliest actions), module:function (states [n, D] ->
    actions), and ppo, which RLlib trains first.

    Environments are any of gymnasium's, `module:Id` where a module registers them; numbered states are one-hot.

    Examples:
      mfmarl demonstrate --env CartPole-v1 --expert cartpole --out cartpole.npz
      mfmarl demonstrate --env Pendulum-v1 --expert pendulum --episodes 50 --noise 0.1 --minari pendulum/rule-v0
      mfmarl demonstrate --env FrozenLake-v1 --expert optimal --episodes 200 --out lake.npz
      mfmarl demonstrate --env Acrobot-v1 --expert ppo --iterations 50 --out acrobot.npz
      mfmarl demonstrate --env CartPole-v1 --expert imitations/gail-CartPole-v1 --out learnt.npz
    """

    env: Annotated[str, given("ID")]
    """Environment."""
    expert: Annotated[str, given("EXPERT")]
    """Who plays, one of the above."""
    episodes: Annotated[str, given("N", "10")] = "10"
    """Episodes to record."""
    out: Annotated[GivenPath, given("FILE.npz")] = None
    """File of the demonstrations; one that is there is refused."""
    minari: Annotated[GivenText, given("ID")] = None
    """Data set below Minari's folder ($MINARI_DATASETS_PATH or ~/.minari/datasets), such as cartpole/rule-v0."""
    seed: Annotated[str, given("S", "0")] = "0"
    """Root of all random streams."""
    noise: Annotated[str, given("P", "0")] = "0"
    """Probability that an action is drawn from all alike, in place of the expert's."""
    iterations: Annotated[GivenText, given("N", "50")] = None
    """Of ppo: iterations of 2,048 steps that it learns first."""
    verbose: Annotated[bool, FlagCreatePairsOff, given()] = False
    """Show where an error arose."""

    def run(self) -> int:
        """Record, tell of returns, lengths and ends, and print where demonstrations are."""
        if self.out is None and self.minari is None:
            raise UserError("record where? give --out FILE.npz, --minari ID, or both")
        if self.out is not None and self.out.suffix != ".npz":
            raise UserError(f"--out {self.out}: want a name that ends in .npz")
        if self.out is not None and self.out.exists():
            raise UserError(f"{self.out} is there already; choose another --out")
        if self.minari is not None and re.fullmatch(r".+-v[0-9]+", self.minari) is None:
            raise UserError(f"--minari {self.minari}: want a name that ends in a version, such as cartpole/rule-v0")
        if self.iterations is not None and self.expert != "ppo":
            raise UserError(f"--iterations is of --expert ppo; {self.expert} does not learn: leave it out")
        noise = number("--noise", self.noise)
        if not 0 <= noise <= 1:
            raise UserError(f"--noise: got {self.noise}; want a probability from 0 to 1")
        episodes = whole_number("--episodes", self.episodes, 1, 10**6)
        seed = whole_number("--seed", self.seed, 0)
        iterations = whole_number("--iterations", self.iterations or "50", 1, 10**6)
        load(JOBS, "imitation env")(self.env)
        places = [str(self.out)] if self.out is not None else []
        places += [f"minari:{self.minari}"] if self.minari is not None else []
        # at once, as torch takes seconds to come
        line(f"{episodes} episode{'s' * (episodes > 1)} of {self.expert} on {self.env} into {' and '.join(places)}")
        shown = load(JOBS, "demonstrate")(
            env=self.env,
            expert=self.expert,
            number=episodes,
            seed=seed,
            noise=noise,
            iterations=iterations,
            told=teller(5.0),
        )
        paths = load(JOBS, "store demonstrations")(shown, self.out, self.minari)
        told = load(JOBS, "episodes told")([shown[i] for i in range(len(shown))], self.env)
        print(f"{self.env}, {self.expert}: {len(shown)} episodes, {told}", file=sys.stderr)
        for path in paths:
            print(path)
        return 0
