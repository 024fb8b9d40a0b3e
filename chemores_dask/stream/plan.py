"""What a pass will cost in memory, before anything runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import dask
import psutil
from distributed import get_client

from chemores_dask.aliases import Rows
from chemores_dask.errors import BlockTooLargeError

VALUE_AND_INDEX_BYTES = 8
"""A stored count is an int32 value and an int32 column index."""

COPIES = 3
"""Of a block that live at once in a task: decoded, normalized, and what the kernel needs on top."""

SHARE_OF_MEMORY = 0.6
CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


@dataclass(frozen=True)
class Plan:
    """The cost of one pass.

    Attributes
    ----------
    blocks
        Tasks that read.
    rows_per_block
        In the largest block.
    block_bytes
        Decoded size of the largest block.
    task_bytes
        What one task holds at its peak.
    tasks_in_flight
        Tasks that share the memory.
    memory_bytes
        Memory that those tasks may use together.
    """

    blocks: int
    rows_per_block: int
    block_bytes: int
    task_bytes: int
    tasks_in_flight: int
    memory_bytes: int

    @property
    def fits(self) -> bool:
        """Whether all tasks in flight fit into the memory."""
        return self.task_bytes * self.tasks_in_flight <= self.memory_bytes


def plan_rows(
    rows: Rows, *, nonzeros_per_row: float | None = None, state_bytes: int = 0, memory_bytes: int | None = None
) -> Plan:
    """Work out what one pass over the rows will hold in memory.

    Parameters
    ----------
    rows
        Cells by genes.
    nonzeros_per_row
        Mean number of stored counts per row in the fullest block; every gene unless known.
    state_bytes
        Size of one state of the reduction (or of one block of the result).
    memory_bytes
        Memory for all tasks in flight together. Unless given: the memory of the smallest worker of the active
        ``distributed.Client``, or else 60 % of what the machine (or its cgroup) has free.

    Returns
    -------
    The plan. Nothing is read or computed.
    """
    tasks, available = _resources()
    nonzeros = rows.shape[1] if nonzeros_per_row is None else min(nonzeros_per_row, rows.shape[1])
    largest = max(rows.chunks[0], default=0)
    block_bytes = int(largest * nonzeros * VALUE_AND_INDEX_BYTES) + 4 * (largest + 1)
    return Plan(
        blocks=rows.numblocks[0],
        rows_per_block=int(largest),
        block_bytes=block_bytes,
        task_bytes=COPIES * block_bytes + 2 * state_bytes,
        tasks_in_flight=min(tasks, max(rows.numblocks[0], 1)),
        memory_bytes=available if memory_bytes is None else memory_bytes,
    )


def check_fits(plan: Plan) -> None:
    """Refuse a plan that does not fit.

    Raises
    ------
    BlockTooLargeError
        With the sizes and the number of rows per block that would fit.
    """
    if plan.fits:
        return
    state_bytes = plan.task_bytes - COPIES * plan.block_bytes
    room = plan.memory_bytes / plan.tasks_in_flight - state_bytes
    fitting = int(plan.rows_per_block * room / (COPIES * plan.block_bytes)) if plan.block_bytes else 0
    mend = (
        f"Open the cells with rows_per_block={fitting}."
        if fitting >= 1
        else "Use fewer threads per worker, more memory, or fewer genes."
    )
    message = (
        f"All tasks in flight must fit into memory. {plan.tasks_in_flight} tasks of {plan.rows_per_block:,} rows need "
        f"{plan.tasks_in_flight * plan.task_bytes / 1e9:.2f} GB; available are {plan.memory_bytes / 1e9:.2f} GB. {mend}"
    )
    raise BlockTooLargeError(message)


def _resources() -> tuple[int, int]:
    try:
        workers = get_client().scheduler_info(n_workers=-1)["workers"].values()
    except ValueError:
        threads = dask.config.get("num_workers", None) or psutil.cpu_count() or 1
        return int(threads), int(SHARE_OF_MEMORY * _free_memory())
    if not workers:
        return 1, int(SHARE_OF_MEMORY * _free_memory())
    smallest = min(workers, key=lambda worker: worker["memory_limit"] / worker["nthreads"])
    return int(smallest["nthreads"]), int(SHARE_OF_MEMORY * smallest["memory_limit"])


def _free_memory() -> int:
    free = psutil.virtual_memory().available
    for path in CGROUP_LIMITS:
        if path.is_file():
            text = path.read_text().strip()
            if text.isdigit():
                free = min(free, int(text))
    return int(free)
