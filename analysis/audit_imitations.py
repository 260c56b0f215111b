"""The audit of folders that `mfmarl imitate` wrote in a type of a population game: FOLDER/audit.csv, and as text."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from analysis.equilibrium.audit_settings import Settings
from analysis.imitation_audit import EXPERT, FIGURES, Imitator, Way, audit_imitators, over_seeds
from mfmarl.errors import UserError
from mfmarl.imitation.expert_names import policy_in
from mfmarl.imitation.folder import AGENT, imitations_in, read_words
from mfmarl.imitation.type_game import type_game
from mfmarl.imitation.type_name import FORM, is_type_game
from mfmarl.runs.files import read_capped, replacing, storing, unpacking

AUDIT, DEVIATORS = "audit.csv", "deviators"
LARGEST = 1 << 30
"""Bytes of an audit that are shown."""


def audit_imitations(folder: Path, settings: Settings, told: Callable[[str], None] = lambda text: None) -> Path:
    """Audit the imitation in a folder, or those in the folders below it; returns the path of FOLDER/audit.csv.

    Args:
        settings: of them the ways, the episodes and the seed; ``exact`` where no way is given.

    Raises:
        UserError: for a folder without imitations, imitations of other environments, or of several games, and a way
            that the game has not.
    """
    found = imitations_in(folder)
    words = [read_words(one) for one in found]
    names = list(dict.fromkeys(str(one["env"]) for one in words))
    if len(names) > 1 or not is_type_game(names[0]):
        raise UserError(f"{folder}: imitations of {', '.join(names)}; an audit takes those of one {FORM}")
    game = type_game(names[0])
    imitators = []
    for one, of in zip(found, words, strict=True):
        if not of.get("complete"):
            raise UserError(f"{one} is not complete: go on with it by `mfmarl imitate --resume {one}`")
        imitators.append(Imitator(str(of["method"]), int(of["seed"]), policy_in(one / AGENT)))
    parts = []
    for by in settings.by or ("exact",):
        told(f"auditing {len(imitators)} imitator{'s' * (len(imitators) != 1)}: {by}")
        way = Way(by, settings.episodes, folder / DEVIATORS, settings.seed)
        parts.append(audit_imitators(game, imitators, way).assign(by=by))
    path = folder / AUDIT
    with storing(path), replacing(path) as temporary:
        pd.concat(parts, ignore_index=True).to_csv(temporary, index=False, lineterminator="\n")
    return path


def show(path: Path) -> None:
    """Print an audit: a row a method and way of acting, means over seeds with 95 % intervals."""
    with unpacking(path):
        table = pd.read_csv(BytesIO(read_capped(path, LARGEST)))
    for by, mine in table.groupby("by", sort=False):
        shown = Table(box=None, pad_edge=False, title=f"{by}, $ per agent and episode, all discounted")
        for heading in ("method", "acts", "seeds", *FIGURES):
            # other returns of imitation are undiscounted
            words = "discounted return" if heading == "return" else heading
            shown.add_column(words, justify="left" if heading in ("method", "acts") else "right", no_wrap=True)
        figures = over_seeds(mine)
        for (method, acting), rows in mine.groupby(["method", "acting"], sort=False):
            cells = []
            for name in FIGURES:
                of = (figures["method"] == method) & (figures["acting"] == acting) & (figures["figure"] == name)
                one, only = figures[of].iloc[0], rows.iloc[0]
                low, high = one["low"], one["high"]
                if len(rows) == 1 and only[f"{name}_low"] < only[f"{name}_high"]:
                    # one seed: the interval is over episodes
                    low, high = only[f"{name}_low"], only[f"{name}_high"]
                cells.append(f"{one['estimate']:,.1f}" + ("" if pd.isna(low) else f" [{low:,.1f}, {high:,.1f}]"))
            shown.add_row(str(method), str(acting), "" if method == EXPERT else str(len(rows)), *cells)
        Console(width=160).print(shown)
