"""What a pass will hold in memory, before anything runs: the one place where that is modeled.

A process holds at its peak

- what it holds when the pass is planned: interpreter, packages, tables of cells, earlier results;
- what every process takes once at its first pass (``FIRST_PASS_BYTES``);
- for every task in flight: its block and what is made of it (bytes for each stored value), and the states it works on;
- the states that wait in the tree of merges.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import dask
from dask.system import CPU_COUNT
from distributed import get_client

from chemores_dask.aliases import Rows
from chemores_dask.errors import BlockTooLargeError
from chemores_dask.memory import (
    FIRST_PASS_BYTES,
    current_budget,
    free_memory,
    keep_beside_others,
    resident_bytes,
    share_of_others,
)
from chemores_dask.metering import bytes_text
from chemores_dask.stream.reduce import FAN_IN

INDEX_BYTES = 4
"""A stored value has an int32 column number beside it."""

POINTER_BYTES = 4

READ_BYTES = 8
"""A stored count as it is read: int32, and its column number."""

KERNEL_BYTES = 2
"""What a kernel holds for each stored value of its block, unless the analysis says more."""

SAME = 0.999
"""Share of the stored counts of a block from which on no rows were dropped."""

STATES_PER_TASK = 2
"""A task makes a state, or merges one into another."""

SHARE_OF_MEMORY = 0.6
"""Of the free memory that a run may take when it was given no budget."""

ONE_THREAD = ("sync", "synchronous", "single-threaded")


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
    held_bytes
        What a process holds besides: what it held when the pass was planned, and what every process takes at its first pass.
    state_bytes
        Size of one state of the reduction.
    kept_bytes
        What grows with the cells: parts of a result that are gathered from all blocks.
    processes
        Workers of the cluster, each of which holds this; 0 where the tasks run in this process.
    """

    blocks: int
    rows_per_block: int
    block_bytes: int
    task_bytes: int
    tasks_in_flight: int
    memory_bytes: int
    held_bytes: int = 0
    state_bytes: int = 0
    kept_bytes: int = 0
    processes: int = 0

    @property
    def fits(self) -> bool:
        """Whether all tasks in flight fit into the memory, beside the states that wait to be merged."""
        return self.waiting_bytes + self.task_bytes * self.tasks_in_flight <= self.memory_bytes

    @property
    def waiting_bytes(self) -> int:
        """States that wait at once in the tree of merges (all but one of every group on the way to the last block), and what is kept."""
        levels = math.ceil(math.log(max(self.blocks, 1), FAN_IN))
        return self.state_bytes * min(self.blocks, (FAN_IN - 1) * levels) + self.kept_bytes

    @property
    def promised_bytes(self) -> int:
        """What one process holds at most."""
        return self.held_bytes + self.waiting_bytes + self.task_bytes * self.tasks_in_flight


def plan_rows(
    rows: Rows,
    *,
    nonzeros_per_row: float | None = None,
    nonzeros_per_block: float = 0.0,
    kernel_bytes: int = KERNEL_BYTES,
    state_bytes: int = 0,
    kept_bytes: int = 0,
    memory_bytes: int | None = None,
) -> Plan:
    """Work out what one pass over the rows will hold in memory.

    Parameters
    ----------
    rows
        Cells by genes.
    nonzeros_per_row
        Mean number of stored counts per row in the fullest block; every gene unless known.
    nonzeros_per_block
        Stored counts of the fullest block that is read, where some of its rows are dropped afterwards.
    kernel_bytes
        What the kernel holds for each stored value at its peak, besides the block it is given.
    state_bytes
        Size of one state of the reduction (or of one block of the result).
    kept_bytes
        What grows with the cells: parts of a result that are gathered from all blocks.
    memory_bytes
        Memory for all tasks in flight together. Unless given: what the current budget leaves, or else 60 % of what the machine (or
        its control group) has free; of the smallest worker, where a ``distributed.Client`` is active.

    Returns
    -------
    The plan. Nothing is read or computed.
    """
    resources = _resources()
    blocks = rows.numblocks[0]
    nonzeros = rows.shape[1] if nonzeros_per_row is None else min(nonzeros_per_row, rows.shape[1])
    largest = int(max(rows.chunks[0], default=0))
    kept = largest * nonzeros
    item_bytes = rows.dtype.itemsize + INDEX_BYTES
    # What is derived (normalized, or without some rows) is made beside the block that was read, which is gone when the kernel works.
    derived = nonzeros_per_block > 0 and (rows.dtype.kind == "f" or kept < SAME * nonzeros_per_block)
    read = READ_BYTES * max(kept, nonzeros_per_block) if derived else 0
    others = share_of_others()
    return Plan(
        blocks=blocks,
        rows_per_block=largest,
        block_bytes=int(kept * item_bytes) + POINTER_BYTES * (largest + 1),
        task_bytes=int(kept * item_bytes + max(read, kept * kernel_bytes))
        + POINTER_BYTES * (largest + 1)
        + STATES_PER_TASK * state_bytes,
        tasks_in_flight=min(resources.tasks, max(blocks, 1)),
        memory_bytes=max(resources.memory_bytes - others, 0) if memory_bytes is None else memory_bytes,
        held_bytes=resources.held_bytes + others,
        state_bytes=state_bytes,
        kept_bytes=kept_bytes,
        processes=resources.processes,
    )


def check_fits(plan: Plan) -> Plan:
    """Refuse a plan that does not fit; within a budget, run fewer tasks at once before refusing, and note what is promised.

    Parameters
    ----------
    plan
        The plan.

    Returns
    -------
    The plan with as many tasks in flight as will run.

    Raises
    ------
    BlockTooLargeError
        With the sizes, the number of rows per block that would fit, and the budget that would do.
    """
    budget = current_budget()
    room = plan.memory_bytes - plan.waiting_bytes
    if not plan.fits and budget is not None and plan.processes == 0 and 0 < plan.task_bytes <= room:
        plan = replace(plan, tasks_in_flight=room // plan.task_bytes)
        budget.hold_tasks(plan.tasks_in_flight)
    if not plan.fits:
        raise BlockTooLargeError(_refusal(plan))
    keep_beside_others(STATES_PER_TASK * plan.tasks_in_flight * plan.state_bytes + plan.waiting_bytes)
    if budget is not None:
        budget.promise(plan.promised_bytes * max(plan.processes, 1) + (resident_bytes() if plan.processes else 0))
    return plan


@dataclass(frozen=True)
class _Resources:
    tasks: int
    memory_bytes: int
    held_bytes: int
    processes: int = 0


def _resources() -> _Resources:
    budget = current_budget()
    limit = budget.limit if budget is not None else None
    try:
        workers = list(get_client().scheduler_info(n_workers=-1)["workers"].values())
    except ValueError:
        return _resources_here(_threads(), limit)
    if not workers:
        return _resources_here(1, limit)
    rooms = [_resources_of_worker(worker, limit, workers=len(workers)) for worker in workers]
    return min(rooms, key=lambda room: room.memory_bytes / room.tasks)


def _resources_here(tasks: int, limit: int | None) -> _Resources:
    held = resident_bytes() + FIRST_PASS_BYTES
    free = int(SHARE_OF_MEMORY * free_memory()) if limit is None else limit - held
    return _Resources(tasks, free, held)


def _resources_of_worker(worker: Mapping[str, Any], limit: int | None, *, workers: int) -> _Resources:
    held = int(worker.get("metrics", {}).get("memory", 0)) + FIRST_PASS_BYTES
    free = int(SHARE_OF_MEMORY * worker["memory_limit"])
    if limit is not None:
        free = min(free, limit - held)
    return _Resources(int(worker["nthreads"]), free, held, workers)


def _threads() -> int:
    if dask.config.get("scheduler", None) in ONE_THREAD:
        return 1
    return int(dask.config.get("num_workers", None) or CPU_COUNT)


def _refusal(plan: Plan) -> str:
    states = STATES_PER_TASK * plan.state_bytes
    of_values = plan.task_bytes - states
    room = (plan.memory_bytes - plan.waiting_bytes) / plan.tasks_in_flight - states
    fitting = int(plan.rows_per_block * room / of_values) if of_values > 0 else 0
    mend = (
        f"Open the cells with rows_per_block={fitting}, or give a budget of {_enough(plan)}."
        if fitting >= 1
        else f"Use fewer threads per worker, a budget of {_enough(plan)}, or fewer genes."
    )
    tasks = "1 task" if plan.tasks_in_flight == 1 else f"{plan.tasks_in_flight} tasks"
    return (
        f"All tasks in flight must fit into memory. {tasks} of {plan.rows_per_block:,} rows need "
        f"{bytes_text(plan.promised_bytes - plan.held_bytes)}; available are {bytes_text(max(plan.memory_bytes, 0))}, besides "
        f"{bytes_text(plan.held_bytes)} that are held already. {mend}"
    )


def _enough(plan: Plan) -> str:
    return f"at least {math.ceil(plan.promised_bytes / 1e8) / 10:.1f}GB"
