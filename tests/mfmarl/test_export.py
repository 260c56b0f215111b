"""Exported policies play as the run's own: ONNX by another runtime, safetensors read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from mfmarl.cli import run_command
from mfmarl.config import config_from
from mfmarl.core.mean_action import MeanField
from mfmarl.network import NetworkShape, PolicyNetwork
from mfmarl.onnx_graph import graph_of
from mfmarl.policy import Policy
from mfmarl.train import train

TYPES = ((0, 3), (3, 5))


def network(**shape: Any) -> PolicyNetwork:
    given: dict[str, Any] = {"types": TYPES, "observations": 4, "num_actions": 3, "hidden": (8, 6)}
    made = PolicyNetwork(NetworkShape(**(given | shape)), 0)
    with torch.no_grad():
        # far from the uniform law that networks start with
        for mlp in (made.mlp, made.predictor):
            if mlp is not None:
                mlp.weights[-1].mul_(200.0)
    return made


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"hidden": (8,)},
        {"sharing": "agent"},
        {"sharing": "all"},
        {"mean_action": "scalar"},
        {"mean_action": "none"},
        {"by_type": True},
        {"predictor": "obs"},
        {"predictor": "obs_and_last"},
        {"predictor": "obs_and_last", "by_type": True},
        {"predictor": "obs", "mean_action": "scalar"},
        {"law": "softmax"},
    ],
    ids=str,
)
def test_onnx_gives_the_same_probabilities(shape: dict[str, Any]) -> None:
    made = network(**shape)
    # as cold as runs end, and values as far from zero: float32 values would be 1e-5 of probability off
    made.temperature.fill_(0.005)
    with torch.no_grad():
        made.mlp.weights[-1].mul_(0.01)
        made.mlp.biases[-1].fill_(3.0)
    made.epsilon.fill_(0.1)
    rng = np.random.default_rng(0)
    obs = rng.normal(size=(6, 5, 4)).astype(np.float32)
    actions = rng.integers(3, size=(6, 5))
    means = MeanField("one_hot", 3, 5).of(torch.from_numpy(actions)).numpy()
    want = Policy(made).probs(obs, means, actions)
    session = onnxruntime.InferenceSession(graph_of(made).SerializeToString(), providers=["CPUExecutionProvider"])
    given: dict[str, Any] = {"obs": obs}
    if made.shape.by_type:
        given["mean_action"] = made.shape.mean_field().of(torch.from_numpy(actions)).numpy()
    elif made.shape.mean_action != "none":
        given["mean_action"] = means
    (got,) = session.run(["probs"], {i.name: given[i.name] for i in session.get_inputs()})
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-6)
    assert np.ptp(want, axis=(0, 1)).min() > 0.03


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = config_from({"num_agents": 6, "num_episodes": 16, "seed": 1, "env_options": {"horizon": 8}})
    return train(config, tmp_path_factory.mktemp("runs"), backend="local")


def test_safetensors_are_read_back_bit_for_bit(run: Path, tmp_path: Path) -> None:
    assert run_command(["export", str(run), "--format", "safetensors", "--out", str(tmp_path / "out")]) == 0
    rng = np.random.default_rng(0)
    own, exported = Policy.load(run), Policy.load(tmp_path / "out")
    shape = own.network.shape
    obs = rng.normal(size=(3, 6, shape.observations)).astype(np.float32)
    means = np.full((3, 6, 11), 1 / 11, np.float32)
    np.testing.assert_array_equal(own.probs(obs, means), exported.probs(obs, means))
    np.testing.assert_array_equal(own.act(obs, means), exported.act(obs, means))


def test_onnx_of_a_run_plays_as_the_run(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["export", str(run), "--format", "onnx", "--out", str(tmp_path)]) == 0
    path = capsys.readouterr().out.strip()
    assert path == str(tmp_path / "policy.onnx")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    policy, rng = Policy.load(run), np.random.default_rng(0)
    obs = rng.normal(size=(7, 6, policy.network.shape.observations)).astype(np.float32)
    means = rng.dirichlet(np.ones(11), size=(7, 6)).astype(np.float32)
    (got,) = session.run(None, {"obs": obs, "mean_action": means})
    np.testing.assert_allclose(got, policy.probs(obs, means), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["export", "nowhere", "--format", "onnx"], "nowhere"),
        (["export", ".", "--format", "pickle"], "pickle"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command(arguments) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_a_damaged_export_is_refused(run: Path, tmp_path: Path) -> None:
    assert run_command(["export", str(run), "--out", str(tmp_path)]) == 0
    shape = tmp_path / "policy.json"
    shape.write_text(shape.read_text().replace('"observations"', '"observation"'))
    with pytest.raises(Exception, match=r"policy\.json"):
        Policy.load(tmp_path)
