"""What a person sees while a run goes on: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

SECONDS_BETWEEN_LINES = 5.0

_COLUMNS = (
    ("return_mean", "return"),
    ("loss", "loss"),
    ("ess", "ESS"),
    ("drift_tv", "drift"),
    ("temperature", "temperature"),
)


class Progress:
    """Shows journal lines. `quiet` shows nothing; `verbose` shows every line, and tells trainers to keep their output.

    On a terminal a table is redrawn in place; elsewhere a plain line appears at most every 5 s, and the last one.
    """

    def __init__(
        self,
        *,
        quiet: bool = False,
        verbose: bool = False,
        out: IO[str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.quiet, self.verbose = quiet, verbose
        self._out = sys.stderr if out is None else out
        self._clock = clock
        self._live: Live | None = None
        self._total, self._title = 0, ""
        self._first: tuple[float, int, int] | None = None
        self._shown = float("-inf")
        self._unshown: str | None = None
        self._metrics: dict[str, Any] = {}

    def start(self, total_env_steps: int, title: str) -> None:
        """Begin a run of `total_env_steps` environment steps."""
        self._total, self._title = max(1, total_env_steps), _printable(title)
        self._first, self._unshown, self._shown = None, None, float("-inf")
        self._metrics = {}
        if self.quiet:
            return
        if self._out.isatty() and not self.verbose:
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(file=self._out), auto_refresh=False, transient=False)
            self._live.start()
        else:
            self._print(self._title)

    def note(self, text: str) -> None:
        """Say something besides a run's progress."""
        if not self.quiet:
            self._print(_printable(text))

    def update(self, line: Mapping[str, Any]) -> None:
        """Show one journal line."""
        if self.quiet:
            return
        cells = self.cells(line)
        if self._live is not None:
            self._live.update(_table(self._title, cells), refresh=True)
            return
        self._unshown = "  ".join(f"{name} {value}" for name, value in cells.items())
        if self.verbose or self._clock() - self._shown >= SECONDS_BETWEEN_LINES:
            self._flush()

    def end(self, message: str) -> None:
        """Show the last line, then `message`."""
        self.close()
        if not self.quiet:
            self._print(_printable(message))

    def close(self) -> None:
        """Show the last line and give the terminal back, also where the run failed."""
        if self._live is not None:
            self._live.stop()
            self._live = None
        self._flush()

    def cells(self, line: Mapping[str, Any]) -> dict[str, str]:
        """Heading -> text of what one journal line shows; numbers that are missing show as a dash."""
        now, env_steps, agent_steps = self._clock(), int(line["env_steps"]), int(line["agent_steps"])
        if self._first is None:
            # a resumed run counts its speed from where it goes on
            self._first = (now, env_steps, agent_steps)
        began, env_before, agents_before = self._first
        seconds = now - began
        speed = (agent_steps - agents_before) / seconds if seconds > 0 else None
        pace = (env_steps - env_before) / seconds if seconds > 0 else 0.0
        left = max(0, self._total - env_steps) / pace if pace > 0 else None
        # an iteration in which no episode ended has no return; the last one stays in sight
        self._metrics |= {name: value for name, value in line.get("metrics", {}).items() if value is not None}
        share = min(1.0, env_steps / self._total)
        cells = {
            "iteration": str(line["iteration"]),
            "env steps": f"{env_steps:,} ({share:.0%})",
            "agent steps/s": short(speed),
        }
        cells |= {heading: short(self._metrics.get(name)) for name, heading in _COLUMNS}
        return cells | {"time left": duration(left)}

    def _flush(self) -> None:
        if self._unshown is not None:
            self._print(self._unshown)
            self._unshown, self._shown = None, self._clock()

    def _print(self, text: str) -> None:
        print(text, file=self._out, flush=True)


def _table(title: str, cells: Mapping[str, str]) -> Table:
    from rich.table import Table
    from rich.text import Text

    # 80 columns hold it
    short = {"iteration": "iter", "temperature": "temp", "time left": "left"}
    table = Table(title=Text(title), title_justify="left", box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in cells:
        table.add_column(short.get(heading, heading), justify="right", no_wrap=True, header_style="dim")
    table.add_row(*(Text(value) for value in cells.values()))
    return table


def short(value: Any) -> str:
    if not isinstance(value, int | float) or value != value:
        return "-"
    if abs(value) >= 10_000:
        for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
            if abs(value) >= limit:
                return f"{value / limit:.3g}{unit}"
    return f"{value:.4g}"


def duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _printable(text: str) -> str:
    """Text that cannot steer a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)
