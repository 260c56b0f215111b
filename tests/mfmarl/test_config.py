"""Configurations: what is merged, and that every mistake is one line naming place, key, what was got and allowed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from mfmarl.config import TrainConfig, config_from, config_hash, parse_set, read_config
from mfmarl.errors import UserError
from mfmarl.model_text import describe
from mfmarl.registry import ALGORITHMS, METHODS


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "c.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def refusal(folder: Path, text: str | bytes) -> str:
    with pytest.raises(UserError) as error:
        read_config(write(folder, text))
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith(f"{folder / 'c.yaml'}")
    return message


def test_defaults_then_file_then_flags_then_sets(tmp_path: Path) -> None:
    path = write(tmp_path, "method: mf\nnum_envs: 8\nmfq:\n  learning_rate: 1e-3\n  hidden: [32, 16]\n")
    config = read_config(path, {"num_envs": 4, "seed": None}, ["mfq.discount=.9", "env_options.split=test"])
    assert (config.method, config.num_envs, config.seed) == ("mf", 4, None)
    assert (config.mfq.learning_rate, config.mfq.hidden, config.mfq.discount) == (0.001, (32, 16), 0.9)
    assert config.env_options == {"split": "test"}
    assert config.fragment_length == TrainConfig().fragment_length


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    assert read_config(write(tmp_path, "# nothing differs\n")) == read_config() == TrainConfig()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001), ("1.5E+2", 150.0), (".5", 0.5), ("-3", -3), ("0", 0), ("true", True), ("null", None),
        ("word", "word"), ("'010'", "010"), ('"no"', "no"), ("[1, 2.5, x]", [1, 2.5, "x"]),
        ("2020-01-01", "2020-01-01"),
    ],
)  # fmt: skip
def test_values_mean_what_they_look_like(text: str, value: Any) -> None:
    key, got = parse_set(f"a.b={text}")
    assert key == "a.b"
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize("text", ["no", "Yes", "on", "OFF", "y", "010", "0x1f", "0o17", "1_000", "1:30", ".inf", "nan"])
def test_what_readers_take_differently_is_refused(tmp_path: Path, text: str) -> None:
    message = refusal(tmp_path, f"num_envs: 2\nseed: {text}\n")
    assert f"line 2: seed: got {text}, which YAML readers take differently" in message
    assert "in quotes" in message


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("mfq:\n  learning_rat: 1", ["line 2: unknown key mfq.learning_rat; did you mean 'learning_rate'?"]),
        ("learning_rate: 1", ["line 1: unknown key learning_rate; did you mean 'mfq.learning_rate'?"]),
        ("zebra: 1", ["line 1: unknown key zebra; allowed are env, num_agents"]),
        ("algorithm: mfac\nmfac: {replay_population_steps: 64}", ["mfac.replay_population_steps=64; want at least"]),
        ("method: iss", ["line 1: method: got \"iss\"; want 'mf', 'is', 'fresh'"]),
        ("num_agents: 1", ["num_agents: got 1; want at least 2: a population is two agents or more"]),
        ("num_envs: 0", ["num_envs: got 0; want at least 1"]),
        ("seed: -1", ["seed: got -1; want at least 0"]),
        ("seed: 9223372036854775808", ["seed: got 9223372036854775808; want less than 9223372036854775808"]),
        ("mfq: {discount: 1.01}", ["mfq.discount: got 1.01; want at most 1"]),
        ("mfq: {hidden: 64}", ["mfq.hidden: got 64; want a list"]),
        ("mfq: {hidden: []}", ["mfq.hidden: got []; want at least 1"]),
        ("mfq: {hidden: [64, 0]}", ["mfq.hidden.1: got 0; want"]),
        ("mfq: {double_q: 1}", ["mfq.double_q: got 1; want true or false"]),
        ("mfq: 3", ["mfq: got 3; want a section with keys"]),
        ("mfq:", ["mfq: got null; want a section"]),
        ("importance: {clip: .5}", ["importance.clip: got 0.5; want at least 1"]),
        ("num_episodes: '5'", ['num_episodes: got "5"; want a whole number without quotes']),
        ("num_episodes: 1e3", ["num_episodes: got 1000.0; want a whole number: write 1000"]),
        ("num_episodes: many", ['num_episodes: got "many"; want a whole number']),
        ("env: 3", ["env: got 3; want a word"]),
        ("env: inventry/x", ["env: got 'inventry/x'", "did you mean 'inventory'?"]),
        ("env: inventory", ["env: got 'inventory'; want family/name"]),
        ("env_options: {product: [1]}", ["env_options.product: got [1]; want a number, a word, true or false"]),
        ("num_agents: 1\nnum_envs: 0", ["(and 1 more mistake)"]),
        ("importance: {acts_on: both}", ["corrected twice; take loss or bootstrap"]),
        ("algorithm: mfac\nimportance: {acts_on: both}", ["corrected twice; take loss or bootstrap"]),
        ("importance: {acts_on: bootstrap}", ["set mfq.huber=false"]),
        ("mfq: {conditioning: played}\nimportance: {acts_on: both}", ["set mfq.huber=false"]),
        ("a: 1\nb: 2\na: 3", ["line 3: key a stands there twice"]),
        ("mfq:\n  discount: .9\n  discount: .8", ["line 3: key mfq.discount stands there twice"]),
        ("- 1", ["want keys with values"]),
        ("? [a]\n: 1", ["a key must be a word"]),
        ("mfq:\n  hidden: [64, 64\n  discount: .9", ["line 2: the [ is not closed; write ] after its last value"]),
        ("seed: 1\nmfq: {discount: .9", ["line 2: the { is not closed; write } after its last value"]),
        ("mfq: {hidden: [64, 64}}", ["line 1: the [ is closed by }; write ]"]),
        ('mfq: {hidden: ["a" "b"]}', ["line 1: a comma is missing between the values in [ ]"]),
        ("method: is\nenv: ]", ["line 2: a ] without its ["]),
        ("seed: 1\nmethod: 'is\nnum_envs: 3\n", ["line 2: the quote is not closed"]),
        ("mfq:\n\tdiscount: .9", ["line 2: a tab; indent with spaces"]),
        ("method: @is", ["line 1: a value cannot begin with @; put it in quotes"]),
        ("method is\nseed: 1", ["line 2: a colon that belongs to no key: indent as the line before"]),
        ("method: is\n seed: 1", ["line 2: a colon that belongs to no key"]),
        ("mfq:\n  discount: .9\n hidden: [1]", ["line 3: this line is not indented as the lines before it"]),
        ("method: is\n---\nmethod: mf", ["line 2: a second document begins here; a file holds one"]),
        ("seed: " + "9" * 5000, ["5000 digits"]),
        ("seed: 1e999", ["too large for a number"]),
    ],
)
def test_mistakes_are_told_in_one_line(tmp_path: Path, text: str, parts: list[str]) -> None:
    message = refusal(tmp_path, text)
    for part in parts:
        assert part in message


HOSTILE: dict[str, str | bytes] = {
    "python object": "a: !!python/object/apply:os.system ['echo run > RUN']",
    "python name": "a: !!python/name:os.system",
    "python module": "!!python/module:os",
    "own tag": "a: !x 1",
    "binary": "a: !!binary aGVsbG8=",
    "set tag": "a: !!set {x, y}",
    "anchor bomb": "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]",
    "alias to itself": "a: &a [*a]",
    "merge key": "<<: {method: mf}",
    "deep list": "a: " + "[" * 5000,
    "deep mapping": "{a: " * 5000,
    "two documents": "method: is\n---\nmethod: mf",
    "directive": "%YAML 9.9\n---\nmethod: is",
    "nul": "a: \x00",
    "not utf-8": b"a: \xff\xfe\xfa",
    "too large": "a: " + "x" * 1_100_000,
    "escape codes": "a: \x1b[2J",
    "surrogate": 'env: "\\ud800"',
    "nan": "mfq: {discount: .nan}",
    "long integer": "mfq: {discount: " + "1" * 20_000 + "}",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_files_are_refused_and_run_nothing(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    refusal(tmp_path, HOSTILE[kind])
    assert [p.name for p in tmp_path.iterdir()] == ["c.yaml"]


def test_flags_are_named_in_the_error() -> None:
    with pytest.raises(UserError, match=r"^--num-agents: got 1; want at least 2"):
        read_config(None, {"num_agents": 1})
    with pytest.raises(
        UserError, match=r"^--set mfq\.discont=\.9: unknown key mfq\.discont; did you mean 'discount'\?"
    ):
        read_config(None, {}, ["mfq.discont=.9"])
    with pytest.raises(UserError, match="was set before"):
        read_config(None, {}, ["seed=1", "seed=2"])
    with pytest.raises(UserError, match="not a section"):
        read_config(None, {"method": "is"}, ["method.x=1"])
    for text in ("seed", "=1", "a..b=1", "a b=1"):
        with pytest.raises(UserError, match="want key=value"):
            read_config(None, {}, [text])


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such file"):
        read_config(tmp_path / "none.yaml")
    with pytest.raises(UserError, match="cannot be read"):
        read_config(tmp_path)


def test_the_hash_is_that_of_the_canonical_json() -> None:
    config = TrainConfig(seed=3)
    text = json.dumps(json.loads(config.model_dump_json()), sort_keys=True, separators=(",", ":"))
    assert config_hash(config) == hashlib.sha256(text.encode()).hexdigest()[:12]
    assert config_hash(config) == config_hash(config_from(json.loads(config.model_dump_json())))
    assert config_hash(config) != config_hash(TrainConfig(seed=4))


def test_every_field_has_a_doc_line_and_a_range_where_it_is_a_number() -> None:
    rows = list(describe(TrainConfig))
    assert ("mfq.discount", "0.99", "per environment step") in rows
    assert all(doc for _, _, doc in rows)
    assert len({key for key, _, _ in rows}) == len(rows)


def test_the_configuration_knows_the_names_of_the_registry() -> None:
    assert all(TrainConfig.model_validate({"method": name}).method == name for name in METHODS)
    assert all(TrainConfig.model_validate({"algorithm": name}).algorithm == name for name in ALGORITHMS)


def test_configurations_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        TrainConfig().seed = 3  # type: ignore[misc]  # the point of the test


def test_an_estimator_of_less_than_agents_see_is_told() -> None:
    settings: dict[str, Any] = {"importance": {"estimator": "marginal"}}
    assert "set mean_action=scalar" in str(config_from(settings).doubt)
    assert config_from(settings | {"mean_action": "scalar"}).doubt is None
    assert config_from(settings | {"method": "mf"}).doubt is None
    assert config_from({}).doubt is None
