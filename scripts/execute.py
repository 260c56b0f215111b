"""The published command: `python scripts/execute.py --method is --num_agents 50 --num_episodes 1000`.

It is `mfmarl train` with the same flags, underscores accepted.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mfmarl.cli import main  # noqa: E402  # the checkout comes first, installed or not

if __name__ == "__main__":
    main(["train", *sys.argv[1:]])
