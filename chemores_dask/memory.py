"""Memory: sizes as people write them, what is free, what this process holds, and the budget of a run."""

from __future__ import annotations

import ctypes
import math
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path

import dask
import psutil
from dask.system import CPU_COUNT

from chemores_dask.errors import BlockTooLargeError, ParameterError

UNITS = {
    "": 1,
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KIB": 2**10,
    "MIB": 2**20,
    "GIB": 2**30,
    "TIB": 2**40,
}
SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*")

PROCESS_BYTES = 400_000_000
"""What a process with all packages loaded holds before it reads anything."""

FIRST_PASS_BYTES = 120_000_000
"""Compiled kernels, stacks and pools of threads, and what allocators keep: taken once, at the first tasks of a process."""

BUDGET_PER_VALUE = 80
"""Bytes of a budget for each stored value of a block: two tasks at up to 20 bytes a value, and as much for what they learn."""

FEWEST_VALUES = 2**18
"""Smaller blocks save nothing that counts beside the process, and cost time."""

MALLOC_TRIM, MALLOC_MAP = -1, -3
"""Of glibc's allocator: how much may stay free at the end of its memory, and from which size on an array is fetched by itself."""

RETURNED_AT_ONCE = 2**20
"""Arrays from this size on go back to the system as soon as they are freed."""

KEPT_FREE = 2**26
KEPT_ARRAYS = 2**25
"""Where glibc arrives by itself in a process that works with large arrays: 64 MB stay free, arrays up to 32 MB are cut out of them."""

MEMBERSHIP = Path("/proc/self/cgroup")
"""The control groups of this process, one line per hierarchy: number, controllers, path."""

CGROUPS = Path("/sys/fs/cgroup")
CGROUP_FILES = {
    "unified": ("memory.max", "memory.current", "inactive_file"),
    "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}
"""Limit, use, and the part of the use that the kernel gives back when asked: in version 2 and in version 1."""


class Budget:
    """What a run may hold, and what its plans promised so far.

    Attributes
    ----------
    limit
        Bytes that the whole run may hold; None without a limit.
    promised_bytes
        The largest promise of all plans made under the budget; 0 before the first.
    tasks
        Tasks that may run at once; None for as many as there are threads.
    """

    def __init__(self, limit: int | None, *, outer: Budget | None = None) -> None:
        limits = [each for each in (limit, outer.limit if outer else None) if each is not None]
        self.limit: int | None = min(limits, default=None)
        self.promised_bytes = 0
        self.tasks: int | None = outer.tasks if outer else None
        self._outer = outer
        self._settings = ExitStack()

    def promise(self, size: int) -> None:
        """Note what a plan promises to hold at most."""
        self.promised_bytes = max(self.promised_bytes, size)
        if self._outer is not None:
            self._outer.promise(size)

    def hold_tasks(self, tasks: int) -> None:
        """Run at most so many tasks at once for as long as the budget lasts; fewer than before, never more."""
        if self.tasks is None or tasks < self.tasks:
            self.tasks = tasks
            self._settings.enter_context(dask.config.set(num_workers=tasks))

    def close(self) -> None:
        """Give the threads back."""
        self._settings.close()


_budget: ContextVar[Budget | None] = ContextVar("budget", default=None)
_shared: ContextVar[list[int] | None] = ContextVar("shared", default=None)


@contextmanager
def memory_budget(limit: int | str | None) -> Iterator[Budget]:
    """Hold everything that is planned inside to a budget of memory.

    The budget is for the whole process: interpreter, packages, tables of cells and all tasks in flight. Cells opened inside have
    blocks small enough for it; analyses run fewer tasks at once where that is needed, and refuse what cannot fit, before anything is
    read. On a cluster the budget is that of each worker.

    Parameters
    ----------
    limit
        Bytes, or text such as ``"4GB"`` (decimal) or ``"500MiB"`` (binary). None sets no limit, but keeps account of what plans
        promise. Within another budget the smaller one counts.

    Returns
    -------
    Context manager that yields the budget; its ``promised_bytes`` grow with every plan.

    Raises
    ------
    ParameterError
        If it is not a size.

    Examples
    --------
    >>> with memory_budget("2GB") as budget:
    ...     current_budget() is budget, budget.limit
    (True, 2000000000)
    """
    budget = Budget(None if limit is None else size_in_bytes(limit), outer=_budget.get())
    token = _budget.set(budget)
    return_memory_at_once()
    try:
        yield budget
    finally:
        _budget.reset(token)
        budget.close()


def current_budget() -> Budget | None:
    """The innermost budget, or None outside of any."""
    return _budget.get()


def return_memory_at_once() -> None:
    """Let the allocator of this process give freed arrays back at once."""
    # glibc keeps freed arrays of up to 32 MB for later, in pieces that often do not fit what is asked for next: half as much again as
    # what is in use, and never the same. Other systems have no such call, and other habits.
    _set_allocator(trim=RETURNED_AT_ONCE, fetch=RETURNED_AT_ONCE)


def keep_freed_memory() -> None:
    """Let the allocator of this process keep some of what is freed for what comes next, where it was told not to."""
    _set_allocator(trim=KEPT_FREE, fetch=KEPT_ARRAYS)


def _set_allocator(*, trim: int, fetch: int) -> None:
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(MALLOC_TRIM, trim)
        mallopt(MALLOC_MAP, fetch)


@contextmanager
def shared_pass() -> Iterator[None]:
    """Add up what analyses keep that run in one pass: the block is read once, but each has states of its own."""
    token = _shared.set([])
    try:
        yield
    finally:
        _shared.reset(token)


def share_of_others() -> int:
    """Bytes that the other analyses of a shared pass keep, as far as they have planned; 0 outside of one."""
    return sum(_shared.get() or ())


def keep_beside_others(size: int) -> None:
    """Note what an analysis keeps in a shared pass, for those that plan after it."""
    kept = _shared.get()
    if kept is not None:
        kept.append(size)


def values_per_block(default: int) -> int:
    """Stored values that one block should hold under the current budget.

    Depends on the budget alone, neither on threads nor on what is free at the moment: blocks decide the last bits of sums, and a run
    that goes on must cut them as before.

    Parameters
    ----------
    default
        Without a budget, and at most.

    Returns
    -------
    A power of two, or the default.
    """
    budget = _budget.get()
    if budget is None or budget.limit is None:
        return default
    room = (budget.limit - PROCESS_BYTES) // BUDGET_PER_VALUE
    return min(max(1 << (max(room, 1).bit_length() - 1), FEWEST_VALUES), default)


def plan_tasks(task_bytes: int, *, caller: str, tasks: int, kept_bytes: int = 0) -> int:
    """Hold tasks that are no pass of an analysis, such as writing, to the current budget: fewer at once, or none.

    Parameters
    ----------
    task_bytes
        What one of them holds at its peak.
    caller
        Whose they are, for messages.
    tasks
        Tasks that would run at once.
    kept_bytes
        What is held besides, for as long as they run.

    Returns
    -------
    Tasks that will run at once. Without a budget, and on a cluster (whose workers are not ours to plan), as many as were asked for.

    Raises
    ------
    BlockTooLargeError
        If not one of them fits.
    """
    budget = _budget.get()
    if budget is None or "distributed" in str(dask.config.get("scheduler", None)):
        return tasks
    held = resident_bytes() + FIRST_PASS_BYTES + kept_bytes
    fitting = tasks if budget.limit is None else min((budget.limit - held) // max(task_bytes, 1), tasks)
    if fitting < 1:
        message = (
            f"{caller} must fit into the budget of memory, {(budget.limit or 0) / 1e9:.2f} GB. One task needs {task_bytes / 1e9:.2f} GB "
            f"besides {held / 1e9:.2f} GB that are held; give a budget of at least {math.ceil((held + task_bytes) / 1e8) / 10:.1f}GB."
        )
        raise BlockTooLargeError(message)
    if fitting < tasks:
        budget.hold_tasks(fitting)
    budget.promise(held + fitting * task_bytes)
    return fitting


def threads() -> int:
    """Tasks that Dask's threads run at once, unless told otherwise."""
    return int(dask.config.get("num_workers", None) or CPU_COUNT)


def size_in_bytes(size: int | str) -> int:
    """Read a size as people write it.

    Parameters
    ----------
    size
        Bytes, or text: a number and a unit, ``kB``, ``MB``, ``GB``, ``TB`` (decimal) or ``KiB``, ``MiB``, ``GiB``, ``TiB`` (binary).

    Returns
    -------
    Bytes.

    Raises
    ------
    ParameterError
        If it is not a size, or not above zero.

    Examples
    --------
    >>> size_in_bytes("4GB"), size_in_bytes("1.5 MiB"), size_in_bytes(1000)
    (4000000000, 1572864, 1000)
    """
    found = 0
    if isinstance(size, int) and not isinstance(size, bool):
        found = int(size)
    elif isinstance(size, str) and (match := SIZE.fullmatch(size)) and match[2].upper() in UNITS:
        found = int(float(match[1]) * UNITS[match[2].upper()])
    if found < 1:
        message = f"A size of memory must be a number above zero with a unit, such as 4GB or 500MiB. Got {size!r}."
        raise ParameterError(message)
    return found


def resident_bytes() -> int:
    """Memory that this process holds."""
    resident: int = psutil.Process().memory_info().rss
    return resident


def free_memory() -> int:
    """Memory that this process can still take: what the machine has free, or what its control groups leave it.

    Returns
    -------
    Bytes. Groups are nested, and the limit of each counts, less what its members hold; files that the kernel keeps for later do not.
    """
    left = [_left_in(group, *files) for group, files in _groups()]
    return max(min([int(psutil.virtual_memory().available), *(size for size in left if size is not None)]), 0)


def _groups() -> Iterator[tuple[Path, tuple[str, str, str]]]:
    """The memory groups of this process, from its own to the outermost one that can be seen."""
    if not MEMBERSHIP.is_file():
        return
    for line in MEMBERSHIP.read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        version = "memory" if "memory" in controllers.split(",") else "unified"
        if version == "unified" and controllers:
            continue
        for mount in [CGROUPS / "memory"] if version == "memory" else [CGROUPS, CGROUPS / "unified"]:
            # Inside of a container the path may be that of the host, and the mount the group itself.
            own = mount / path.lstrip("/")
            for group in (own, *own.parents):
                if group.is_relative_to(mount):
                    yield group, CGROUP_FILES[version]


def _left_in(group: Path, limit_file: str, use_file: str, reclaimable: str) -> int | None:
    limit, used = _number(group / limit_file), _number(group / use_file)
    if limit is None:
        return None
    statistics = group / "memory.stat"
    lines = statistics.read_text().splitlines() if statistics.is_file() else []
    given_back = sum(int(line.split()[1]) for line in lines if line.split()[0] == reclaimable)
    return limit - max((used or 0) - given_back, 0)


def _number(file: Path) -> int | None:
    if not file.is_file():
        return None
    text = file.read_text().strip()
    return int(text) if text.isdigit() else None
