import subprocess
import sys

import pytest

import mfmarl.imitation


def test_agents_come_by_name_and_without_ray() -> None:
    code = (
        "import sys, mfmarl.imitation as m; assert 'torch' not in sys.modules\n"
        "found = [getattr(m, n).__name__ for n in m.AGENTS]\n"
        "assert found == list(m.AGENTS), found; assert 'ray' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_there_is_not_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'SQILAgent'"):
        _ = mfmarl.imitation.SQILAgent
