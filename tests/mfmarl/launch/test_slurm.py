"""The Slurm script: what it says, what is refused, and how its own shell behaves without a cluster."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from mfmarl.errors import UserError
from mfmarl.launch import slurm
from mfmarl.launch.cluster_config import Slurm
from tests.mfmarl.launch.conftest import small_study
from tests.mfmarl.launch.manifests import AWKWARD

ROOT = Path(__file__).resolve().parents[3]


def directives(text: str) -> dict[str, str]:
    pairs = (line.removeprefix("#SBATCH --").partition("=") for line in text.splitlines() if line.startswith("#SBATCH"))
    return {name: value for name, _, value in pairs}


def test_the_slurm_script_says_what_the_cluster_file_does(rendered: dict[str, str], tmp_path: Path) -> None:
    text = rendered["slurm"]
    assert directives(text) == {
        "job-name": "small", "nodes": "3", "ntasks-per-node": "1", "cpus-per-task": "16", "mem": "60000M",
        "gpus-per-node": "1", "time": "1-06:30:00", "account": "ours", "exclusive": "", "requeue": "",
        "open-mode": "append", "output": "%x-%j.log", "signal": "B:USR1@120",
    }  # fmt: skip
    # the shell itself says what it reads
    lines = [line for line in text.splitlines() if line.startswith(("study=", "runs="))]
    command = ["bash", "-c", "\n".join([*lines, 'printf "%s\\n" "$study" "$runs"'])]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines() == [str(tmp_path / "it's a \"$study\" `x`" / "small.yaml"), AWKWARD]
    command = shlex.split(text[text.index("srun ") :].split(" &\n")[0].replace("\\\n", ""))
    assert command[:5] == ["srun", "--export=ALL", "--nodes=3", "--ntasks=3", "--cpus-per-task=16"]
    ray, driver = command[5 : command.index("--")], command[command.index("--") + 1 :]
    assert ray == [
        "ray", "symmetric-run", "--address", "$head:6379", "--min-nodes", "3", "--num-cpus=16", "--num-gpus=1",
        "--memory=48000000000", "--dashboard-host=127.0.0.1",
    ]  # fmt: skip
    assert driver == ["python", "-m", "mfmarl", "study", "run", "$study", "--address", "auto", "--runs-dir", "$runs"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("#!/bin/bash", "#!/bin/sh"), "line 1: a batch script begins with #!/bin/bash"),
        (("--nodes=3\n", "--nodez=3\n"), "line 5: unknown directive --nodez; did you mean 'nodes'?"),
        (("--ntasks-per-node=1", "--nodes=1"), "line 6: --nodes was set before (line 5); give it once"),
        (("--exclusive", "--exclusive=yes"), "line 12: --exclusive has no value"),
        (("--nodes=3\n", "--nodes\n"), "line 5: --nodes wants a value"),
        (("--nodes=3\n", "--nodes = 3\n"), "the value without blanks"),
        (("set -u\n", "set -u\n#SBATCH --qos=x\n"), "reads no directive after a command, here line 17; move it up"),
        (("trap queue_again USR1", "if trap"), "bash cannot read it: "),
        (("RAY_AUTH_MODE=token", "RAY_AUTH_MODE=none"), "Ray would ask nobody for a token"),
        (("export RAY_AUTH_MODE=token", "  export RAY_AUTH_MODE=token"), "want a line that begins with export RAY_"),
        (("export RAY_AUTH_MODE=token", "export X=1 # RAY_AUTH_MODE=token"), "want a line that begins with export"),
        (("RAY_AUTH_MODE=token", "RAY_AUTH_MODE=token-no"), "want a line that begins with export RAY_AUTH_MODE"),
        (("-m mfmarl study status", "-m mfmarl ls"), "its last line must begin with `python -m mfmarl study status`"),
        (("python -m mfmarl study status", "# python -m mfmarl study status"), "its last line must begin with"),
        (("python -m mfmarl study status", "echo \\\npython -m mfmarl study status"), "its last line must begin with"),
    ],
)
def test_a_changed_slurm_script_is_refused(rendered: dict[str, str], change: tuple[str, str], told: str) -> None:
    text = rendered["slurm"]
    assert change[0] in text
    with pytest.raises(UserError) as error:
        slurm.validate(text.replace(*change), "s.sbatch")
    assert str(error.value).startswith("s.sbatch")
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def script_in(folder: Path, runs: Path, functions: str) -> subprocess.CompletedProcess[str]:
    """The rendered script with what is Slurm's own as functions."""
    study = small_study(folder)
    setup = (f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH PYTHONPATH={shlex.quote(str(ROOT))}",)
    cluster = Slurm(kind="slurm", cpus=2, memory_gb=4, runs_dir=str(runs), setup=setup)
    (folder / "s.sbatch").write_text(slurm.render(study, folder / "small.yaml", cluster))
    return subprocess.run(
        ["bash", "-c", f"{functions}\nexport -f srun scontrol; bash s.sbatch"],
        cwd=folder, env=os.environ | {"SLURM_JOB_ID": "7"}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_where_ray_never_ran_the_job_fails(tmp_path: Path) -> None:
    runs = tmp_path / "the runs"
    runs.mkdir()
    # left by a job that was queued again, and readable by all
    (runs / ".ray-token-7").touch(mode=0o666)
    srun = 'srun() { stat -c "%a %s" "$RAY_AUTH_TOKEN_PATH"; echo "mode $RAY_AUTH_MODE"; }'
    done = script_in(tmp_path, runs, f"{srun}; scontrol() {{ :; }}")
    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines() == ["600 65", "mode token", "small: 4 cells: 4 to do"]
    assert not list(runs.iterdir())


def test_a_token_file_of_somebody_else_is_not_written(tmp_path: Path) -> None:
    (runs := tmp_path / "runs").mkdir()
    (runs / ".ray-token-7").touch(mode=0o666)
    # as one that is made between `rm` and the token
    done = script_in(tmp_path, runs, "rm() { :; }; export -f rm; srun() { echo ran; }; scontrol() { :; }")
    assert done.returncode == 1
    assert "cannot overwrite existing file" in done.stderr
    assert done.stdout == ""
    assert (runs / ".ray-token-7").read_text() == ""


def test_before_its_time_is_up_the_job_is_queued_again(tmp_path: Path) -> None:
    done = script_in(
        tmp_path, tmp_path / "runs", "srun() { kill -USR1 $$; sleep 2; }; scontrol() { echo scontrol $*; }"
    )
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "scontrol requeue 7"
    assert not list((tmp_path / "runs").iterdir())
