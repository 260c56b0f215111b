"""Command lines of README.md, CONTRIBUTING.md, docs/*.md and of every --help, gathered and shrunk for tests."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from inspect import cleandoc
from pathlib import Path

from mfmarl.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "CONTRIBUTING.md", *sorted(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md")))
STARTS = r"(?:[A-Z_]+=\S+ )*(?:mfmarl|python|make|ray|sbatch|kubectl|ssh|pip) (?=\S)"
MARKET = "inventory/market-easy,jitter=0,num_agents=30:discounter"


def documented() -> dict[str, str]:
    """Command, as it is written without its comment -> the first place that has it."""
    found: dict[str, str] = {}
    for page in PAGES:
        for line in _lines((ROOT / page).read_text(encoding="utf-8")):
            found.setdefault(line, page)
    for name, command in COMMANDS.items():
        for line in cleandoc(command.__doc__ or "").partition("Examples:")[2].split("\n"):
            if line.strip():
                found.setdefault(line.strip(), f"mfmarl {name} --help")
    return found


def _lines(text: str) -> Iterator[str]:
    blocks = re.findall(r"^```[a-z]*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    outside = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    blocks += re.findall(r"^ {4}(\S.*)$", outside, re.MULTILINE)
    env = ""
    for block in blocks:
        for line in block.replace("\\\n", " ").split("\n"):
            line = re.sub(r"^for run in \S+; do (.*); done$", r"\1", line).replace("$run", "RUN")
            if assigned := re.match(r"E=(\S+)", line):
                env = assigned[1]
            line = line.replace("$E", env)
            if re.match(STARTS, line.strip()):
                for part in _without_comment(line).split(" && "):
                    yield " ".join(part.rstrip("& ").split())
    # prose may fold a command at the end of a line, and names commands that it does not spell out
    for quoted in re.findall(r"`([^`]+)`", outside):
        for part in " ".join(quoted.split()).split(" && "):
            if re.match(STARTS, part) and len(part.split()) > 2:
                yield part


def _without_comment(line: str) -> str:
    return re.split(r"\s+#\s", line.strip())[0]


def words(line: str) -> list[str]:
    """A line as the arguments that a shell makes of it; `...` is left out."""
    line = re.sub(r"\$\(seq (\d+) (\d+)\)", lambda m: _counted(int(m[1]), int(m[2])), line)
    line = re.sub(r"\$\(seq (\d+)\)", lambda m: _counted(1, int(m[1])), line)
    out = shlex.split(line)
    while "=" in out[0]:
        out.pop(0)
    return [word for word in out if word != "..."]


def _counted(first: int, last: int) -> str:
    return " ".join(str(i) for i in range(first, last + 1))


def with_options(arguments: list[str], options: Mapping[str, str]) -> list[str]:
    """`arguments` with the values of these options replaced, or added; "" adds a switch, `--set` adds to the pairs."""
    out = list(arguments)
    for option, text in options.items():
        values = text.split()
        spellings = (option, option.replace("-", "_").replace("__", "--", 1))
        at = next((i for i, word in enumerate(out) if word in spellings), None)
        if option == "--set":
            kept = {pair.split("=")[0] for pair in values}
            out = [word for word in out if word.split("=")[0] not in kept]
            while "--set" in out and (out[-1] == "--set" or out[out.index("--set") + 1].startswith("--")):
                out.remove("--set")
            out += ["--set", *values]
        elif at is None:
            out += [option, *values]
        else:
            end = next((i for i in range(at + 1, len(out)) if out[i].startswith("--")), len(out))
            out[at + 1 : end] = values
    return out
