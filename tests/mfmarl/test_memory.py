import subprocess
import sys

PROGRAM = """
import resource, sys
import numpy as np
from mfmarl.memory import keep_freed_memory

if sys.argv[1] == "kept":
    assert keep_freed_memory()

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        blocks = [np.ones(1_500_000, np.float32) for _ in range(8)]
        del blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
print(faults())
"""


def test_memory_that_was_freed_is_not_taken_page_by_page_again():
    told = {}
    for how in ("kept", "default"):
        run = subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True)
        told[how] = int(run.stdout)
    assert told["default"] > 1000
    assert told["kept"] < told["default"] / 20
