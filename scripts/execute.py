"""The published command: `python scripts/execute.py --method is --num_agents 50 --num_episodes 1000`.

It is `mfmarl train` with the same flags, underscores accepted.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

# the checkout comes first, installed or not
from mfmarl.cli import main

if __name__ == "__main__":
    main(["train", *sys.argv[1:]])
