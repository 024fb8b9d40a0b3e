"""One BLAS thread inside tasks: Dask already fills the cores."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from threadpoolctl import threadpool_limits


class _SharedLimit:
    """A limit that belongs to the process: the first task to enter sets it, the last to leave restores what was there."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._lock = threading.Lock()
        self._holders = 0
        self._limits: threadpool_limits | None = None
        # Since threadpoolctl 3.8 only the thread that set a limit first can change it, and the calls of others do nothing.
        self._keeper = ThreadPoolExecutor(max_workers=1, thread_name_prefix="blas-threads")

    def enter(self) -> None:
        with self._lock:
            self._holders += 1
            if self._holders == 1:
                self._limits = self._keeper.submit(threadpool_limits, limits=1, user_api="blas").result()

    def leave(self) -> None:
        with self._lock:
            self._holders -= 1
            if self._holders == 0 and self._limits is not None:
                self._keeper.submit(self._limits.restore_original_limits).result()
                self._limits = None


_SHARED = _SharedLimit()
# A child process has the memory of its parent but none of its threads.
os.register_at_fork(after_in_child=_SHARED.reset)


@contextmanager
def single_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread while any task of this process is inside.

    The limit belongs to the process, so tasks that overlap in time share it: the first to enter sets it, the last to leave
    restores what was there before.
    """
    _SHARED.enter()
    try:
        yield
    finally:
        _SHARED.leave()
