"""The templates of scripts/, filled in: every value is quoted on its way in, for the shell or for YAML."""

from __future__ import annotations

import ipaddress
import json
import re
import shlex
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from mfmarl.errors import UserError

FOLDER = Path(__file__).resolve().parents[2] / "scripts"
MAX_NAME = 40
"""Letters of a RayJob's name: KubeRay allows 47, and makes longer ones of it."""


class Code(str):
    """Text that goes into a template as it stands: the user's own shell, or what is quoted already."""


def filled(name: str, quoted: Callable[[Any], str], values: Mapping[str, Any]) -> str:
    """A template of scripts/ with its values, each through `quoted` unless it is `Code`.

    Raises:
        UserError: where mfmarl was installed without its scripts.
    """
    import jinja2

    if not (FOLDER / name).is_file():
        raise UserError(f"{FOLDER / name} is not there; run mfmarl from its repository (pip install -e .)")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: value if isinstance(value, Code) else quoted(value),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    # what a macro gives is quoted within
    environment.filters["code"] = Code
    return environment.get_template(name).render(values)


def shell(value: Any) -> str:
    """One word of shell."""
    return shlex.quote(str(value))


def yaml_text(value: Any) -> str:
    """A value as YAML on one line; text always in double quotes, so that no reader takes it for anything else."""
    if isinstance(value, str):
        # not JSON: a pair of surrogates is two characters to YAML
        return str(yaml.safe_dump(value, default_style='"', width=10**9)).strip()
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{yaml_text(k)}: {yaml_text(v)}" for k, v in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(yaml_text(v) for v in value) + "]"
    return json.dumps(value)


def block(text: str, indent: int) -> Code:
    """Lines of text as a YAML block, easy to read; what a block could not hold exactly as quoted text."""
    text = text.rstrip("\n") + "\n"
    if text.startswith((" ", "\n")) or re.search(r"[^\n -~]", text):
        return Code(yaml_text(text))
    return Code("|\n" + "\n".join(" " * indent + line if line else "" for line in text.rstrip("\n").split("\n")))


def label(name: str, digest: str) -> str:
    """A study's name as Kubernetes and others take one: a-z, 0-9 and -, told apart by a hash."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    # one that begins with a digit is no name of a service
    plain = plain if plain[:1].isalpha() else f"study-{plain}"
    return f"{plain[: MAX_NAME - 7].rstrip('-')}-{digest[:6]}"


_DASHBOARD = re.compile(r"dashboard[-_]host[\"']?(=|[ \t]*:(?!:)[ \t]*|(?:\s|\\\n)+)([^\s,;&|})]*)")


def check_not_exposed(text: str, source: str) -> None:
    """Refuse shell that would let others than this machine reach the job server.

    Raises:
        UserError: names the line and what to write instead.
    """
    for found in _DASHBOARD.finditer(text):
        separator, value = found.groups()
        host = re.sub(r"[\"'\\]", "", value)
        # nothing after the equals sign, or empty quotes, is all interfaces too
        if _binds_all(host) if host else (value or separator == "="):
            raise UserError(
                f"{source} line {text.count(chr(10), 0, found.start()) + 1}: this binds the dashboard to all "
                "interfaces; want --dashboard-host=127.0.0.1"
            )


def _binds_all(host: str) -> bool:
    """Whether a host stands for every interface, in any of the ways in which an address can be written."""
    host = host.strip("[]").partition("%")[0]
    if host in ("", "*"):
        return True
    try:
        # 0, 0.0, 0x0 and the like are IPv4 addresses to the system, though not to ipaddress
        return not any(socket.inet_aton(host))
    except OSError:
        pass
    try:
        number = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(number, "ipv4_mapped", None)
    return number.is_unspecified or (mapped is not None and mapped.is_unspecified)
