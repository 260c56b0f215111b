"""One reader under atheris: `python -m tests.soak.fuzz_readers NAME FOLDER CORPUS [libFuzzer's options]`.

Bytes are changed so as to reach further into the code that reads them; what a reader raises beside its own errors, a
hang of 10 s, and 2 GB of memory end it. `soak_fuzz.py` runs it; a file that it left behind is given in place of CORPUS.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["mfmarl", "envs", "analysis", "yaml", "zipfile", "numpy.lib", "json"]):
    from tests.hostile.readers import READERS


def main() -> None:
    name, folder = sys.argv[1], Path(sys.argv[2])
    atheris.Setup([sys.argv[0], *sys.argv[3:]], lambda data: READERS[name](data, folder))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
