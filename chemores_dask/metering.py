"""Counters of what a process has done, for the bill of a run and for the progress of long work.

The counters only grow; whoever wants the cost of something takes the difference of two snapshots. On a cluster every worker
has its own, which ``workflow`` collects.
"""

from __future__ import annotations

import threading
from collections import Counter

ROWS_DECODED = "rows_decoded"
BYTES_DECODED = "bytes_decoded"
BLOCKS_DECODED = "blocks_decoded"
TASKS = "tasks"

_lock = threading.Lock()
_counters: Counter[str] = Counter()


def count(**amounts: int) -> None:
    """Add to the counters of this process.

    Parameters
    ----------
    amounts
        What to add, by the name of the counter.
    """
    with _lock:
        _counters.update(amounts)


def snapshot() -> dict[str, int]:
    """The counters of this process as they stand."""
    with _lock:
        return dict(_counters)


def difference(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """What was counted between two snapshots.

    Parameters
    ----------
    before, after
        Two snapshots of the same process or the same set of processes.

    Returns
    -------
    Growth of every counter that is in ``after``.
    """
    return {name: amount - before.get(name, 0) for name, amount in after.items()}
