"""Python in the pages on imitation: no name comes from nowhere, and what is cheap runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[1] / "docs"
GIVEN = {
    "imitation_inventory": "from mfmarl.imitation import BCAgent\nname, agent = str(), BCAgent({})\n",
}
"""What a page leaves to its reader: a name, an imitator."""
PAGES = sorted(
    path.stem
    for path in DOCS.glob("*.md")
    if ("imitation" in path.stem or "magail" in path.stem) and "```python" in path.read_text(encoding="utf-8")
)
RUN = ("adversarial_imitation", "interactive_imitation")


def code_of(page: str) -> str:
    """All blocks of a page as one program."""
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    return GIVEN.get(page, "") + "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))


@pytest.mark.parametrize("page", PAGES)
def test_no_name_is_undefined(page: str) -> None:
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F821,E9", "-"]
    done = subprocess.run(command, input=code_of(page), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", RUN)
def test_blocks_run_with_fewer_interactions(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, found = re.subn(r"interactions=[\d_]+", "interactions=64", code_of(page))
    assert found
    names: dict[str, object] = {}
    exec(compile(code, f"{page}.md", "exec"), names)
    assert list(tmp_path.glob("*/agent.safetensors"))


@pytest.mark.parametrize("page", ["magail", "magail_mixture", "magail_interactive"])
def test_blocks_of_small_games_run(page: str) -> None:
    exec(compile(re.sub(r"epochs=\d+", "epochs=20", code_of(page)), f"{page}.md", "exec"), {})
