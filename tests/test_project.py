"""The house itself: imports go down only, nothing heavy where it must be light, one set of versions."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from mfmarl import registry

ROOT = Path(__file__).resolve().parents[1]
STOREYS = ("envs", "mfmarl", "analysis")
RAY_DOORS = ("mfmarl/rllib/", "envs/views/multi_agent.py")
WITHOUT_TORCH = (
    "envs/", "analysis/statistics.py", "mfmarl/config.py", "mfmarl/strict_yaml.py", "mfmarl/errors.py",
    "mfmarl/cli.py", "mfmarl/registry.py", "mfmarl/seeding.py", "mfmarl/runs/", "mfmarl/algorithms/mfq_config.py",
    "mfmarl/algorithms/mfac_config.py", "mfmarl/core/importance_config.py", "mfmarl/rllib/baseline_config.py",
    "mfmarl/arguments.py", "mfmarl/bounds_command.py", "mfmarl/report_command.py", "mfmarl/study_command.py",
    "mfmarl/launch/study_config.py", "mfmarl/launch/study.py", "mfmarl/launch/cell_state.py", "mfmarl/launch/status.py",
    "mfmarl/launch/local_pool.py", "mfmarl/launch/work.py", "mfmarl/launch/drive.py", "mfmarl/settings_in_use.py",
    "mfmarl/submit_command.py", "mfmarl/launch/ray_job.py", "mfmarl/launch/staging.py", "mfmarl/rllib/quiet.py",
    "mfmarl/model_text.py", "mfmarl/launch/manifest.py", "mfmarl/launch/cluster_config.py",
    "mfmarl/launch/templates.py", "mfmarl/launch/slurm.py", "mfmarl/launch/kuberay.py", "mfmarl/launch/ray_up.py",
    "mfmarl/launch/rayjob_fields.py", "mfmarl/search_command.py", "mfmarl/launch/search_config.py",
    "mfmarl/launch/search.py", "mfmarl/launch/trials.py", "mfmarl/solve_command.py", "mfmarl/solve.py",
    "mfmarl/solvers/problem.py", "mfmarl/solvers/saved.py", "mfmarl/solvers/state_tree.py",
    "mfmarl/demonstrate_command.py", "mfmarl/imitate_command.py",
    "mfmarl/imitation/asked.py", "mfmarl/imitation/demonstrated.py", "mfmarl/imitation/return_range.py",
    "mfmarl/magail_commands.py", "mfmarl/imitation/magail/coordination_settings.py",
    "mfmarl/imitation/magail/study_settings.py", "mfmarl/imitation/magail/market_settings.py",
    "mfmarl/magail_market_command.py",
    "mfmarl/imitation/magail/coordination_outcome.py", "analysis/magail_results.py", "analysis/magail_table.py",
    "mfmarl/imitation/magail/zero_sum_settings.py", "mfmarl/imitation/magail/study_folder.py",
    "analysis/magail_zero_sum_table.py",
)  # fmt: skip
TORCH_DOORS = ("tensors.py",)
"""Files by whose name it shows that they are torch's side of what works without."""
FILES = sorted(p for storey in STOREYS for p in (ROOT / storey).rglob("*.py"))
OTHERS = sorted(p for top in ("tests", "benchmarks", "scripts", "examples") for p in (ROOT / top).rglob("*.py"))
RUNS_WHAT_IT_READS = (
    "torch.load", "pd.read_pickle", "pandas.read_pickle", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "eval",
    "exec",
)  # fmt: skip
"""Calls that run what a file holds, or may."""


def test_no_conflict_of_a_merge_is_left() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    names = listed.stdout.split("\n")
    texts = [ROOT / name for name in names if name.endswith((".py", ".md", ".yaml", ".yml", ".toml"))]
    if not texts:
        pytest.skip("no git here")
    left = [
        relative(path)
        for path in texts
        if path.exists() and re.search(r"^(<{7}|>{7}) ", path.read_text(encoding="utf-8"), re.M)
    ]
    assert not left


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, also inside functions, but not for types only."""
    package = relative(path).removesuffix(".py").split("/")[:-1]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            yield ".".join([*above, *([node.module] if node.module else [])])


def pins(text: str) -> dict[str, str]:
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {canonical(name): pin for name, pin in (line.split("==") for line in lines)}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


CONSTRAINTS = pins((ROOT / "constraints.txt").read_text())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DIRECT = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"]]


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_imports_go_down_only(path: Path) -> None:
    name = relative(path)
    storey = STOREYS.index(name.split("/")[0])
    for module in imports(path):
        top = module.split(".")[0]
        assert top not in STOREYS[storey + 1 :], f"{name} imports {module}, which is above it"
        assert top != "tests", f"{name} imports {module}"
        assert top not in ("pickle", "cloudpickle", "dill", "shelve", "marshal"), f"{name} imports {module}"
        if top == "ray":
            assert name.startswith(RAY_DOORS), f"{name} imports {module}; Ray comes in through {RAY_DOORS} only"
        if top == "torch" and path.name not in TORCH_DOORS:
            assert not name.startswith(WITHOUT_TORCH), f"{name} imports {module}, and must work without"


def dangers(text: str) -> list[str]:
    """Calls in a file's text that may run what they read, and HDF5 files that are opened outside of a `with`."""
    tree = ast.parse(text)
    closed = {id(item.context_expr) for with_ in ast.walk(tree) if isinstance(with_, ast.With) for item in with_.items}
    found = []
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = ast.unparse(call.func)
        pickles = any(
            key.arg == "allow_pickle" and not (isinstance(key.value, ast.Constant) and key.value.value is False)
            for key in call.keywords
        )
        if name in RUNS_WHAT_IT_READS or pickles or (name == "h5py.File" and id(call) not in closed):
            found.append(ast.unparse(call))
    return found


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_nothing_runs_what_it_reads(path: Path) -> None:
    assert dangers(path.read_text(encoding="utf-8")) == []
    assert "joblib" not in {module.split(".")[0] for module in imports(path)}


def test_dangers_are_seen() -> None:
    text = "torch.load(x)\nnp.load(x, allow_pickle=True)\neval(x)\nf = h5py.File(x)\nyaml.load(x)\nexec(x)\n"
    assert len(dangers(text)) == 6
    assert dangers("with h5py.File(x) as f:\n    net.eval()\nnp.load(x, allow_pickle=False)\n") == []


def test_the_import_walker_sees_imports(tmp_path: Path) -> None:
    path = ROOT / "mfmarl" / "not_there.py"

    class Text(type(path)):  # type: ignore[misc]  # the class of paths differs by platform
        def read_text(self, *_: object, **__: object) -> str:
            return (
                "import ray.rllib\nfrom analysis import x\nfrom . import y\nfrom .runs import z\nif TYPE_CHECKING:\n"
                "    import torch\ndef f():\n    import pickle\n"
            )

    assert sorted(imports(Text(path))) == ["analysis", "mfmarl", "mfmarl.runs", "pickle", "ray.rllib"]


def test_no_file_is_called_by_what_it_is_not() -> None:
    banned = re.compile(r"(utils?|common|misc|helpers?)|.*_(v\d|backup|old|new)")
    assert [relative(p) for p in FILES + OTHERS if banned.fullmatch(p.stem) or banned.fullmatch(p.parent.name)] == []


def test_no_file_is_long() -> None:
    assert {relative(p): n for p in FILES + OTHERS if (n := len(p.read_text().splitlines())) > 450} == {}


def test_configuration_and_run_folders_work_without_torch_and_ray() -> None:
    modules = "mfmarl.config, mfmarl.runs.schema, mfmarl.runs.checkpoint, mfmarl.runs.store, mfmarl.runs.progress"
    code = f"import sys, {modules}; print([m for m in ('torch', 'ray', 'pandas', 'numba') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("page", "least"), [("docs/reliability.md", 40), ("docs/security.md", 40), ("tests/shrunk_commands.py", 3)]
)
def test_tests_that_pages_name_are_there(page: str, least: int) -> None:
    """`folder/test_x.py::test_y`; a file named [...] is that of the row above."""
    named = re.findall(r"([\w/]*(?:test|soak)_\w+\.py|\[…\])::(\w+)", (ROOT / page).read_text())
    assert len(named) > least
    place = ""
    for file, name in named:
        place = place if file == "[…]" else file
        found = [
            path for path in (ROOT / "tests").rglob(Path(place).name) if f"/{relative(path)}".endswith(f"/{place}")
        ]
        assert len(found) == 1, f"{place}: {found}"
        assert f"def {name}(" in found[0].read_text(), f"{place} has no {name}"


def test_conda_gives_the_same_set() -> None:
    told = yaml.safe_load((ROOT / "environment.yml").read_text())
    *conda, through_pip = told["dependencies"]
    assert conda == ["python=3.11", "pip"]
    assert through_pip == {"pip": ["-c constraints.txt", "-e .[test,oracles]"]}
    assert PROJECT["requires-python"] == ">=3.11"
    assert "-c constraints.txt -e '.[test,oracles]'" in (ROOT / "Makefile").read_text()


def test_ray_comes_with_its_job_server() -> None:
    """`ray[rllib]` alone has none."""
    assert [one for one in PROJECT["dependencies"] if one.startswith("ray")] == ["ray[default,rllib]"]


def test_constraints_are_exact_and_whole() -> None:
    assert all(re.fullmatch(r"[0-9][0-9a-z.]*", pin) for pin in CONSTRAINTS.values())
    assert CONSTRAINTS["torch"] == "2.13.0"
    assert CONSTRAINTS["ray"] == "2.60.0"


@pytest.mark.parametrize("requirement", DIRECT)
def test_what_is_tested_is_what_is_pinned(requirement: str) -> None:
    name = re.split(r"[\[<>=~! ]", requirement)[0]
    assert canonical(name) in CONSTRAINTS
    assert version(name).split("+")[0] == CONSTRAINTS[canonical(name)]


@pytest.mark.parametrize("path", sorted((ROOT / "configs").rglob("*.yaml")), ids=relative)
def test_configurations_that_ship_are_read(path: Path) -> None:
    from mfmarl.config import TrainConfig, read_config
    from mfmarl.imitation.plan import settings_of
    from mfmarl.launch.cluster_config import read_cluster
    from mfmarl.launch.search_config import read_search
    from mfmarl.launch.study import read_study

    if path.parent.name == "train":
        assert read_config(path) != TrainConfig()
    elif path.parent.name == "search":
        assert read_search(path).config.name == path.stem
    elif path.parent.name == "imitate":
        found = settings_of(None, None, path)
        assert found.method in path.stem
        plain = settings_of(found.method, found.of_plan["env"])
        assert found.config != plain.config
    elif path.parent.name == "cluster":
        assert read_cluster(path).kind.replace("-", "_") == path.stem
    else:
        assert path.parent.name == "study"
        study = read_study(path)
        assert study.name == path.stem
        assert len({cell.digest for cell in study.cells}) == len(study.cells) > 1


TABLES = {
    "algorithms": registry.ALGORITHMS,
    "methods": registry.METHODS,
    "environments": registry.ENV_FAMILIES,
    "imitation": registry.IMITATION,
    "jobs": registry.JOBS,
}


@pytest.mark.parametrize(("table", "name"), [(t, n) for t, names in TABLES.items() for n in names])
def test_every_registered_name_can_be_loaded(table: str, name: str) -> None:
    assert registry.load(TABLES[table], name) is not None
    assert TABLES[table][name].does
