"""Study files: what the grid expands to, hashes that are those of the runs, and one line for every mistake."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from mfmarl.config import TrainConfig, config_from, config_hash
from mfmarl.errors import UserError
from mfmarl.launch.study import Study, read_study
from mfmarl.launch.study_config import StudyConfig

GRID = """
name: small
base:
  num_episodes: 64
  importance.clip: 5
grid:
  seed: [1, 2]
  game:
    easy: {env: inventory/market-easy, num_agents: 30}
    network: {env: inventory/network-30}
  variant:
    mf: {method: mf}
    is: {}
    is gaussian: {importance: {estimator: gaussian, bandwidth: 0.05}}
  mfq.hidden: [[64, 64], [32]]
"""


def study(folder: Path, text: str) -> Study:
    path = folder / "s.yaml"
    path.write_text(text)
    return read_study(path)


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(UserError) as error:
        study(folder, text)
    told = str(error.value)
    assert "\n" not in told
    return told.replace(str(folder / "s.yaml"), "s.yaml")


def test_the_grid_is_all_combinations_the_first_axis_slowest(tmp_path: Path) -> None:
    found = study(tmp_path, GRID)
    assert found.axes == ("seed", "game", "variant", "mfq.hidden")
    assert len(found.cells) == 2 * 2 * 3 * 2
    labels = [cell.label for cell in found.cells]
    assert labels[0] == "seed 1, game easy, variant mf, mfq.hidden [64, 64]"
    assert labels[1] == "seed 1, game easy, variant mf, mfq.hidden [32]"
    assert labels[-1] == "seed 2, game network, variant is gaussian, mfq.hidden [32]"
    last = found.cells[-1].config
    assert (last.seed, last.env, last.num_agents, last.method) == (2, "inventory/network-30", None, "is")
    assert (last.importance.estimator, last.importance.bandwidth, last.importance.clip) == ("gaussian", 0.05, 5)
    assert (last.mfq.hidden, last.num_episodes) == ((32,), 64)
    # the base holds where the grid says nothing
    assert found.cells[0].config.importance.estimator == TrainConfig().importance.estimator


def test_a_cell_is_called_by_the_hash_that_its_run_has(tmp_path: Path) -> None:
    found = study(tmp_path, GRID)
    plain = {"num_episodes": 64, "importance": {"clip": 5}, "seed": 1, "method": "mf", "num_agents": 30}
    config = config_from(plain | {"env": "inventory/market-easy"})
    first = found.cells[0]
    assert first.config == config
    text = json.dumps(config.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    assert first.digest == config_hash(config) == hashlib.sha256(text.encode()).hexdigest()[:12]
    assert len({cell.digest for cell in found.cells}) == 24


def test_further_seeds_leave_the_other_cells_as_they_are(tmp_path: Path) -> None:
    before = {cell.digest for cell in study(tmp_path, GRID).cells}
    after = {cell.digest for cell in study(tmp_path, GRID.replace("[1, 2]", "[3, 1, 2]")).cells}
    assert before < after
    assert len(after) == 36


def test_the_documented_study_is_read(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "studies.md").read_text()
    text = page.split("```yaml\n")[1].split("```")[0]
    found = study(tmp_path, text)
    assert len(found.cells) == 3 * 2 * 3
    assert {cell.config.mfq.learning_rate for cell in found.cells} == {5e-4}
    plain = StudyConfig(name="x", grid={"seed": [1]})
    assert (found.config.resources, found.config.retries) == (plain.resources, plain.retries)
    assert found.config.evaluation == plain.evaluation


HEAD = "name: s\n"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (HEAD, "s.yaml: grid is missing or empty; it says what differs, e.g. grid: {method: [mf, is], seed: [1, 2]}"),
        (HEAD + "grid: {}\n", "grid is missing or empty"),
        ("grid: {seed: [1]}\n", "s.yaml: name is missing"),
        ("name: ../up\ngrid: {seed: [1]}\n", 'line 1: name: got "../up"; want up to 80 letters, digits and . _ + -'),
        (HEAD + "gird: {seed: [1]}\n", "unknown key gird; did you mean 'grid'?"),
        (HEAD + "grid:\n  seed: []\n", "line 3: grid.seed: the list is empty; want at least one"),
        (HEAD + "grid:\n  seed: 3\n", "line 3: grid.seed: got 3; want a list of values, e.g. seed: [3]"),
        (HEAD + "grid:\n  method: [mf, is]\n", "s.yaml: no seed; put seed: [1, 2, 3] or the like into grid"),
        (HEAD + "grid:\n  seeds: [1]\n", "no key is called seeds; did you mean 'seed'?"),
        (HEAD + "grid:\n  seed: [1, 2, 1]\n", "line 3: grid.seed has 1 twice; give it once"),
        (HEAD + "grid:\n  seed: [1]\n  method: [mf, iss]\n", "line 4: method: got \"iss\"; want 'mf', 'is'"),
        (HEAD + "grid:\n  seed: [1]\n  env: [inventry/x]\n", "line 4: env: got 'inventry/x'; want family/name"),
        (HEAD + "grid:\n  seed: [1]\n  num_agents: [30, 1]\n", "line 4: num_agents: got 1; want at least 2"),
        (HEAD + "base:\n  mfq: {discont: 1}\ngrid: {seed: [1]}\n", "line 3: unknown key mfq.discont; did you mean"),
        (HEAD + "grid:\n  seed: [1]\n  v:\n    a: {methd: mf}\n", "line 5: unknown key methd; did you mean 'method'?"),
        (HEAD + "grid:\n  seed: [1]\n  v:\n    a: mf\n", "line 5: grid.v.a: got mf; want the keys that a sets"),
        (HEAD + "grid:\n  seed: [1]\n  v: {}\n", "line 4: grid.v has no groups; want at least one"),
        (HEAD + "grid:\n  seed: {a: {method: mf}}\n", "line 3: grid.seed: seed is a key, so want a list of its values"),
        (
            HEAD + "grid:\n  seed: [1]\n  method: [mf]\n  v:\n    a: {method: is}\n",
            "line 5: grid.v and grid.method both set method; leave one out",
        ),
        (
            HEAD + "grid:\n  seed: [1]\n  v:\n    a: {mfq.discount: 0.9, mfq: {discount: 0.8}}\n",
            "mfq.discount was set before (s.yaml line 5); give it once",
        ),
        (HEAD + "base: {a b: 1}\ngrid: {seed: [1]}\n", "'a b' is no key; want one of a train configuration"),
        (
            HEAD + "grid:\n  seed: [1]\n  v:\n    a: {method: mf}\n    b: {method: mf}\n",
            "s.yaml: cells (seed 1, v a) and (seed 1, v b) compute the same; give what differs as named groups",
        ),
        # a setting of `is` that `mf` does not use: two names for one computation
        (
            HEAD + "grid:\n  seed: [1]\n  method: [mf, is]\n  importance.estimator: [joint, mixture]\n",
            "(seed 1, method mf, importance.estimator joint) and (seed 1, method mf, importance.estimator mixture)",
        ),
        (HEAD + "grid:\n  seed: [1]\n  checkpoint_every: [5, 9]\n", "compute the same"),
        (HEAD + "retries: -1\ngrid: {seed: [1]}\n", "line 2: retries: got -1; want at least 0"),
        (HEAD + "resources: {cpus: 0}\ngrid: {seed: [1]}\n", "resources.cpus: got 0; want at least 1"),
        (HEAD + "grid:\n  seed: [1]\n  algorithm: [ppo]\n  method: [mf]\n", "line 5: ppo is RLlib's own and has no"),
        (
            HEAD + "grid: {seed: [1]}\nbase: {fragment_length: 5000}\n",
            "s.yaml (cell seed 1): fragments of 5000 steps of 16 copies do not fit",
        ),
    ],
)
def test_mistakes_are_one_line_with_their_place_and_the_mend(text: str, part: str, tmp_path: Path) -> None:
    assert part in refusal(tmp_path, text)


def test_too_many_cells(tmp_path: Path) -> None:
    seeds = list(range(400))
    text = f"name: s\ngrid:\n  seed: {seeds}\n  num_episodes: {[n + 1 for n in seeds]}\n"
    assert refusal(tmp_path, text) == "s.yaml line 2: the grid has 160,000 cells; want at most 100,000"
