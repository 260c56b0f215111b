"""A study as a Slurm batch script: filled in, checked, handed to sbatch."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from mfmarl.errors import UserError
from mfmarl.launch.cluster_config import Slurm
from mfmarl.launch.study import Study
from mfmarl.launch.templates import Code, check_not_exposed, filled, shell
from mfmarl.registry import suggestion

SECONDS_BEFORE_LIMIT = 120
"""How long before its time limit the job is told to queue again."""
DIRECTIVES = {
    "job-name": True, "nodes": True, "ntasks-per-node": True, "cpus-per-task": True, "mem": True, "gpus-per-node": True,
    "time": True, "partition": True, "account": True, "qos": True, "exclusive": False, "requeue": False,
    "open-mode": True, "output": True, "error": True, "signal": True, "constraint": True, "nodelist": True,
    "exclude": True, "reservation": True, "mail-type": True, "mail-user": True, "dependency": True, "comment": True,
}  # fmt: skip
"""Directive -> whether it has a value."""


def render(study: Study, study_file: Path, cluster: Slurm) -> str:
    """The batch script that runs a study, checked.

    Args:
        study_file: where the nodes read the study; its path is made absolute.

    Raises:
        UserError: where it did not come out right.
    """
    minutes = max(1, round(cluster.hours * 60))
    days, rest = divmod(minutes, 24 * 60)
    given = {"partition": cluster.partition, "account": cluster.account, "qos": cluster.qos}
    directives: dict[str, str | int | None] = {
        "job-name": study.name,
        "nodes": cluster.nodes,
        "ntasks-per-node": 1,
        "cpus-per-task": cluster.cpus,
        "mem": f"{round(cluster.memory_gb * 1000)}M",
        **({"gpus-per-node": cluster.gpus} if cluster.gpus else {}),
        "time": f"{days}-{rest // 60:02d}:{rest % 60:02d}:00",
        **{name: value for name, value in given.items() if value is not None},
        # symmetric-run ends with `ray stop`, which ends every Ray of the user on the node
        "exclusive": None,
        "requeue": None,
        "open-mode": "append",
        "output": "%x-%j.log",
        "signal": f"B:USR1@{SECONDS_BEFORE_LIMIT}",
    }
    text = filled(
        "study.sbatch.j2",
        shell,
        {
            # sbatch reads its lines without a shell; names and values are of the kinds that need no quotes
            "directives": {Code(name): None if v is None else Code(str(v)) for name, v in directives.items()},
            "setup": [Code(line) for line in cluster.setup],
            "study": study_file.absolute(),
            "runs_dir": cluster.runs_dir,
            "nodes": cluster.nodes,
            "cpus": cluster.cpus,
            "port": cluster.port,
            "ray_start": Code(ray_start(cluster)),
        },
    )
    validate(text, "the rendered script")
    return text


def ray_start(cluster: Slurm) -> str:
    """What symmetric-run hands to `ray start` on every node."""
    gpus = f" --num-gpus={cluster.gpus}" if cluster.gpus else ""
    return f"--num-cpus={cluster.cpus}{gpus} --memory={cluster.cell_bytes} --dashboard-host=127.0.0.1"


def validate(text: str, source: str) -> None:
    """Check a batch script: its directives, that bash reads it, that it asks for a token and ends with the status.

    Raises:
        UserError: names the line and the mend.
    """
    lines = text.splitlines()
    if not lines or not re.fullmatch(r"#! ?/(usr/)?bin/(env )?bash", lines[0]):
        raise UserError(f"{source} line 1: a batch script begins with #!/bin/bash")
    seen: dict[str, int] = {}
    begun = None
    for number, line in enumerate(lines, 1):
        if line.startswith("#SBATCH"):
            if begun is not None:
                raise UserError(
                    f"{source} line {number}: sbatch reads no directive after a command, here line {begun}; move it up"
                )
            _check_directive(line, f"{source} line {number}", seen, number)
        elif line.strip() and not line.lstrip().startswith("#") and begun is None:
            begun = number
    bash = shutil.which("bash")
    if bash is None:
        raise UserError("bash is not on PATH; it checks the script")
    told = subprocess.run([bash, "-n"], input=text, capture_output=True, text=True, check=False)
    if told.returncode:
        raise UserError(f"{source}: bash cannot read it: {' '.join(told.stderr.split())[:300]}")
    check_not_exposed(text, source)
    # neither of them in a comment, or where a condition may pass over it
    if not re.search(r"^export ([^\s#]+ )*RAY_AUTH_MODE=token(\s|$)", text, re.MULTILINE):
        raise UserError(
            f"{source}: Ray would ask nobody for a token; want a line that begins with export RAY_AUTH_MODE=token"
        )
    if not re.search(r"(?<!\\\n)^python -m mfmarl study status [^\n|;&]*\s*\Z", text, re.MULTILINE):
        raise UserError(
            f"{source}: its last line must begin with `python -m mfmarl study status`, whose exit code is the job's"
        )


def _check_directive(line: str, place: str, seen: dict[str, int], number: int) -> None:
    found = re.fullmatch(r"#SBATCH --([a-z-]+)(?:=(\S+))?", line)
    if found is None:
        raise UserError(f"{place}: got {line!r}; want #SBATCH --name or #SBATCH --name=value, the value without blanks")
    name, value = found[1], found[2]
    if name not in DIRECTIVES:
        raise UserError(f"{place}: unknown directive --{name}{suggestion(name, DIRECTIVES)}")
    if name in seen:
        raise UserError(f"{place}: --{name} was set before (line {seen[name]}); give it once")
    if DIRECTIVES[name] != (value is not None):
        raise UserError(f"{place}: --{name} {'wants a value' if DIRECTIVES[name] else 'has no value'}")
    seen[name] = number


def place(text: str) -> str:
    """Hand the script to sbatch, and return what it says.

    Raises:
        UserError: where there is no sbatch here, or it refuses.
    """
    sbatch = shutil.which("sbatch")
    if sbatch is None:
        raise UserError("sbatch is not on PATH; run this on a login node, or take --out FILE there")
    told = subprocess.run([sbatch], input=text, capture_output=True, text=True, check=False)
    if told.returncode:
        raise UserError(f"sbatch refuses the script: {' '.join(told.stderr.split())[:500] or told.returncode}")
    return told.stdout.strip()
