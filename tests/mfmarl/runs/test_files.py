from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from mfmarl.runs.files import write_whole

KILLED = """
import os, signal, sys
from pathlib import Path
from mfmarl.runs.files import replacing
with replacing(Path(sys.argv[1])) as temporary:
    temporary.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_writer_left_goes_with_the_next_and_no_living_writers_file(tmp_path: Path) -> None:
    path, of_another = tmp_path / "words[1].json", tmp_path / f".words[1].json.{os.getppid()}.tmp"
    write_whole(path, b"before")
    of_another.write_bytes(b"half")
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"before"
    assert len(list(tmp_path.iterdir())) == 3
    write_whole(path, b"after")
    assert sorted(tmp_path.iterdir()) == sorted([path, of_another])
    assert path.read_bytes() == b"after"
