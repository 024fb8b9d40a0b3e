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
STAGED_BYTES_WRITTEN = "staged_bytes_written"
STAGED_BYTES_READ = "staged_bytes_read"

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


def bytes_text(size: float) -> str:
    """Write a number of bytes for people, in decimal units.

    Parameters
    ----------
    size
        Bytes.

    Returns
    -------
    Text.

    Examples
    --------
    >>> bytes_text(512), bytes_text(1_234_567)
    ('512 bytes', '1.2 MB')
    """
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} bytes" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"
