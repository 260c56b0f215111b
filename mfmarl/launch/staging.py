"""What a job takes along: this installation's packages and the study, so that the cluster runs exactly this version."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from mfmarl.errors import UserError
from mfmarl.launch.study import Study
from mfmarl.runs.files import storing

PACKAGES = ("mfmarl", "envs", "analysis")
STUDY_FILE = "study.yaml"
SOURCE = Path(__file__).resolve().parents[2]
NO_SOURCE = shutil.ignore_patterns("__pycache__", "*.py[co]", ".*")
"""Caches hold code that was compiled for this machine's processor, and weigh a hundred times the source."""


@dataclass(frozen=True)
class Staged:
    """What goes along."""

    work: Path
    """Working directory of the job: the study."""
    packages: tuple[Path, ...]
    """Code apart from the study, so that nodes keep one copy of a version for all studies, with what it compiled."""


def stage(study: Study, file: Path, into: Path) -> Staged:
    """Put the packages, the study's file and the sales tables that it names by relative paths into an empty folder.

    Args:
        file: of the study; called study.yaml there.

    Raises:
        UserError: where a sales table is outside the folder that this command is given in.
        StorageFailed: where the folder does not take it.
    """
    work, code = into / "work", into / "code"
    with storing(into, "cannot make"):
        work.mkdir()
        for package in PACKAGES:
            shutil.copytree(SOURCE / package, code / package, ignore=NO_SOURCE)
        shutil.copyfile(file, work / STUDY_FILE)
        for table in _sales_tables(study):
            (work / table).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(table, work / table)
    return Staged(work, tuple(code / package for package in PACKAGES))


def _sales_tables(study: Study) -> list[Path]:
    """Relative paths as the cells have them; an absolute one is in a folder that all nodes see, as --runs-dir is."""
    found: dict[Path, None] = {}
    for cell in study.cells:
        given = cell.config.env_options.get("sales")
        if not isinstance(given, str) or Path(given).is_absolute():
            continue
        path = Path(given)
        if ".." in path.parts:
            raise UserError(
                f"cell ({cell.label}): env_options.sales {given} cannot go along with a job; want a file below this "
                "folder, or an absolute path that all nodes see"
            )
        found[path] = None
    return list(found)
