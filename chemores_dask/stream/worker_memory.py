"""What the allocators of worker processes do with freed arrays.

``distributed`` starts its workers so that they hand every freed array back to the system, which clears it again for the next chunk that
is read: half of the time of a pass goes there. Without a budget of memory our workers keep a little, as any other process does.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from distributed import Client, Worker, WorkerPlugin, get_client

from chemores_dask.memory import current_budget, keep_freed_memory, return_memory_at_once

TRIMMING = "MALLOC_TRIM_THRESHOLD_"
ALWAYS = "65536"
"""What ``distributed`` sets for the processes it starts; a value of the user's own is left alone."""

NAME = "chemores-freed-memory"

_prepared: WeakKeyDictionary[Client, FreedMemory] = WeakKeyDictionary()


@dataclass(frozen=True)
class FreedMemory(WorkerPlugin):  # type: ignore[misc]
    """Tells the allocator of a worker what to do with what it frees.

    Attributes
    ----------
    kept
        Whether some is kept for the next block, or all of it returned at once.
    """

    kept: bool

    def setup(self, worker: Worker | None = None) -> None:
        """Run in every worker, also in those that come later."""
        if os.environ.get(TRIMMING) != ALWAYS:
            return
        if self.kept:
            keep_freed_memory()
        else:
            return_memory_at_once()


def prepare_workers() -> None:
    """Prepare the workers of the active client, if there is one, once: what is freed is kept, unless a budget limits the memory."""
    try:
        client = get_client()
    except ValueError:
        return
    budget = current_budget()
    wanted = FreedMemory(kept=budget is None or budget.limit is None)
    if client.asynchronous or _prepared.get(client) == wanted:
        return
    client.register_plugin(wanted, name=NAME)
    _prepared[client] = wanted
