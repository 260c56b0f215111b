"""`make demo`: train `is` and `mf` on 83 real stores with three seeds each, evaluate, and write the comparison.

Run again, it goes on where it stopped: a complete run is skipped, an interrupted one resumed. What is trained stands
in configs/train/demo.yaml.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mfmarl.config import config_hash, read_config
from mfmarl.errors import StorageFailed, UserError
from mfmarl.runs.schema import COMPLETE, RUN
from mfmarl.runs.store import EVALUATION

ROOT = Path(__file__).resolve().parent.parent
METHODS = ("is", "mf")


def main() -> int:
    """Train, evaluate and report; returns the exit code."""
    options = _options()
    runs_dir, report = options.out / "runs", options.out / "report"
    cells = [(method, seed) for seed in range(1, options.seeds + 1) for method in METHODS]
    began = time.monotonic()

    def cell(method: str, seed: int) -> Path:
        config = read_config(options.config, {"method": method, "seed": seed}, options.set)
        name = f"{method}-s{seed}-{config_hash(config)[:6]}"
        return Path(runs_dir, name)

    def train_and_evaluate(method: str, seed: int) -> Path:
        run = cell(method, seed)
        flags = ["--local"] if options.local else []
        if not (run / COMPLETE).exists():
            if (run / RUN).exists():
                command = ["train", "--resume", str(run)]
            else:
                sets = ["--set", *options.set] if options.set else []
                given = ["--method", method, "--seed", str(seed), "--name", run.name, "--runs-dir", str(runs_dir)]
                command = ["train", str(options.config), *given, *sets]
            _mfmarl([*command, *flags], f"{method} seed {seed}")
        if not (run / EVALUATION).exists():
            _mfmarl(["evaluate", str(run), "--episodes", str(options.episodes)], f"{method} seed {seed}")
        return run

    print(f"training {' and '.join(METHODS)} with {options.seeds} seeds each, {options.jobs} at a time", flush=True)
    runs = _all(train_and_evaluate, cells, options.jobs)
    _mfmarl(["report", *map(str, runs), "--out", str(report)], "report")
    print(f"done in {(time.monotonic() - began) / 60:.1f} minutes; the report is {(report / 'index.html').resolve()}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="demo.py", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--config", type=Path, default=ROOT / "configs" / "train" / "demo.yaml", help="what to train")
    parser.add_argument("--out", type=Path, default=ROOT / "demo", help="folder for runs and report")
    parser.add_argument("--seeds", type=int, default=3, help="seeds of each method; intervals need 3 or more")
    parser.add_argument("--episodes", type=int, default=20, help="evaluation episodes of each policy")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    parser.add_argument("--local", action="store_true", help="train without Ray")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="as of mfmarl train")
    return parser.parse_args()


def _all(work: Callable[[str, int], Path], cells: Sequence[tuple[str, int]], jobs: int) -> list[Path]:
    """Do the cells, `jobs` at a time; on the first failure nothing new is begun."""
    failed = threading.Event()

    def unless_failed(cell: tuple[str, int]) -> Path | None:
        if failed.is_set():
            return None
        try:
            return work(*cell)
        except BaseException:
            failed.set()
            raise

    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(unless_failed, cell) for cell in cells]
        try:
            return [run for future in futures if (run := future.result()) is not None]
        except BaseException:
            failed.set()
            raise


def _mfmarl(arguments: Sequence[str], label: str) -> None:
    """Run one command of ours in a process of its own, its lines printed behind `label`."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    paths = [str(ROOT), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(p for p in paths if p)
    with subprocess.Popen(
        [sys.executable, "-m", "mfmarl", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    ) as process:
        for line in process.stdout or ():
            print(f"[{label}] {line.rstrip()}", flush=True)
    if process.returncode:
        raise SystemExit(process.returncode)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (UserError, StorageFailed) as error:
        print(f"demo: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("\ndemo: interrupted; `make demo` goes on from here", file=sys.stderr)
        sys.exit(130)
