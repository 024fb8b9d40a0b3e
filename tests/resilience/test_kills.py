from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HARNESS = Path(__file__).with_name("kill_harness.py")


@pytest.mark.once
@pytest.mark.slow
def test_ingest_and_run__give_the_same_bits_however_often_they_are_killed(tmp_path):
    arguments = [sys.executable, str(HARNESS), str(tmp_path), "--ingest-kills", "20", "--run-kills", "36"]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=1800, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    sequences = [*found["ingest"]["sequences"], *found["run"]["sequences"]]
    assert found["kills"] >= 50
    assert [sequence["wrong"] for sequence in sequences if sequence["wrong"]] == []
    assert [sequence["repeated"] for sequence in sequences if sequence["repeated"]] == []
    # Whatever is killed, only the blocks then in flight are read again; without checkpoints, half a run would be for every kill.
    assert [sequence["too_many"] for sequence in sequences if sequence["too_many"]] == []
